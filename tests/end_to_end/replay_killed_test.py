# SPDX-License-Identifier: Apache-2.0
"""A replay tells what the oracle says while processes are killed, and when two workers share it."""

import json
import os
import random
import signal
import time
import unittest
import urllib.request

from replay_case import DATABASE, Faults, ReplayCase

TICKS = 12
BACK_SECONDS = 120


class KilledTest(ReplayCase):
    def kill(self, serve, name):
        """kill -9 of one child of serve, once it runs. Its process id."""
        pid = self.deployment.wait_for("a running %s" % name,
                                       lambda: serve.children().get(name), serve, BACK_SECONDS)
        os.kill(pid, signal.SIGKILL)
        return pid

    def check_states(self):
        self.deployment.wait_for_node()
        self.assert_believed_states_are_postgres()

    def wait_until_back(self, serve, name, old):
        """Until serve has started another one, and that one answers. All process ids."""
        self.deployment.wait_for("a new %s" % name,
                                 lambda: serve.children().get(name, old) != old, serve,
                                 BACK_SECONDS)
        getattr(self.deployment, "wait_for_" + name)(serve)
        return serve.children()

    def test_either_child_comes_back_and_leaves_the_other_alone(self):
        self.deploy()
        serve = self.serve()
        for name, other in (("node", "worker"), ("worker", "node")):
            before = serve.children()
            self.kill(serve, name)
            after = self.wait_until_back(serve, name, before[name])
            self.assertEqual(after[other], before[other])
            self.assertNotEqual(after[name], before[name])
        self.assertEqual(serve.stop(), 0)
        for pid in after.values():
            with self.assertRaises(ProcessLookupError):
                os.kill(pid, 0)

    def test_node_killed_in_the_middle(self):
        self.deploy()
        serve = self.serve()
        for tick in range(TICKS):
            if tick in (4, 5, 8):
                old = self.kill(serve, "node")
                if tick != 5:  # otherwise the run meets a node that is gone or starting
                    self.wait_until_back(serve, "node", old)
            self.settle()
            self.check_states()
        self.assert_told_as_expected(TICKS)

    def test_worker_killed_in_the_middle_of_runs(self):
        seed = int(os.environ.get("EDGED_SEED", time.time_ns() % 1_000_000))
        print("seed %d: rerun with EDGED_SEED=%d" % (seed, seed))
        chance = random.Random(seed)
        self.deploy()
        serve = self.serve()
        self.upstream.set_faults(Faults(delay_seconds=0.02))
        self.settle()
        killed_in_a_run = 0
        for tick in range(1, TICKS):
            if tick % 2 == 0:
                killed_in_a_run += self.kill_worker_in_a_run(serve, chance)
            self.settle()
            self.check_states()
        self.assertGreaterEqual(killed_in_a_run, 4)
        self.assert_told_as_expected(TICKS)

    def kill_worker_in_a_run(self, serve, chance):
        """Starts a run and kills its worker at a random question. True if the run was cut off."""
        until = self.upstream.requests + chance.randint(1, len(self.history.sections))
        request = urllib.request.Request(
            "http://%s/cron/class-monitor" % self.deployment.worker_address(), b"",
            {"Authorization": "Bearer " + self.deployment.secret}, method="POST")
        with urllib.request.urlopen(request, timeout=10) as response:
            run = json.load(response)["run_id"]
        self.deployment.wait_for("question %d" % until, lambda: self.upstream.requests >= until)
        old = self.kill(serve, "worker")
        status = self.cluster.sql(
            DATABASE, "select status from edged.cron_runs where id = %d" % run)
        self.wait_until_back(serve, "worker", old)
        return status == [["running"]]


class TwoWorkersTest(ReplayCase):
    def test_two_workers_on_one_schedule_run_each_tick_once(self):
        self.deploy(crons=["@every 1s"])
        node = self.deployment.start("node")
        self.deployment.wait_for_node(node)
        self.deployment.create_namespace()
        second = self.deployment.write_config(self.deployment.directory / "second.jsonc", "second")
        for config, state in ((self.deployment.config, "worker"), (second, "second")):
            worker = self.deployment.start("worker", config)
            self.deployment.wait_for_worker(worker, state)
        settled = -1
        end = time.monotonic() + 90
        while settled < TICKS - 1:
            self.assertLess(time.monotonic(), end, "the schedule stopped at frame %d" % settled)
            rows = self.cluster.sql(
                DATABASE, "select id from edged.cron_runs where status = 'succeeded' and "
                "(summary->>'failed')::int = 0 order by id desc limit 1")
            frame = self.upstream.frame_of(rows[0][0]) if rows else None
            if frame is not None and frame > settled:
                settled = frame
                if frame < TICKS - 1:  # the last frame stays
                    self.upstream.complete(rows[0][0])
            time.sleep(0.1)
        self.assert_told_as_expected(TICKS)
        self.deployment.stop()
        done = self.cluster.sql(DATABASE, "select id from edged.cron_runs where status = 'succeeded'")
        self.assertEqual({run: self.upstream.asked[run] for run, in done},
                         {run: len(self.history.sections) for run, in done}, "each run is one worker's")


if __name__ == "__main__":
    unittest.main()
