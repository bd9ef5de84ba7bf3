# SPDX-License-Identifier: Apache-2.0
"""The worker is killed at every step of a run, one after the other, and each time the right mails come.

A step is what tools/replay/steps.py says: the n-th message boundary of its kind. A run that is left alone tells
the steps; then, for one after the other, the same run begins from the same states, the worker gets kill -9
there and is started again. Steps that only such a run has are tried as well. A last frame afterwards shows
that what the run had to reset was reset. EDGED_STEPS_STRIDE=N tries every N-th step only.
"""

import json
import os
import time
import unittest

from replay_case import DATABASE, MIRROR, MIRROR_SETTINGS, NAMESPACE_ID, ReplayCase, history, verdict
from tools.replay.cluster import Session
from tools.replay.step_proxy import StepProxy
from tools.replay.steps import DirectoryWatch, NodeWire, PostgresWire, Steps

TICKS = 3  # known, the run that is killed, afterwards
MOMENTS = (220, 260, 264)  # of UCSD's ticks: between them sections fill up, open, and get instructors
RUN_SECONDS = 180
FRESH = ("truncate public.class_states, public.notifications_sent, edged.notifications, edged.mail_events, "
         "edged.queue_messages, edged.queue_ready, edged.queue_delayed, edged.queue_claims, edged.cron_runs, "
         "edged.section_checks")
# Its worker is dead: nobody need wait until the lease of its mails has run out.
END_LEASES = "update edged.queue_claims set lease_until = now()"


def small_history():
    """A dozen sections of UCSD at three moments, chosen for what happens to them."""
    moments = {history.UCSD: [history.tick_moments()[history.UCSD][tick] for tick in MOMENTS]}
    whole = history.History(sections=[one for one in history.read_sections() if one.source == history.UCSD],
                            moments=moments)
    chosen, wanted = {}, [("fills, opens", 2), ("opens, fills", 1), ("opens, stays", 1), ("assigned", 1), ("quiet", 7)]
    for kind, count in wanted:
        of_kind = [one for one in whole.sections if what_happens(whole, one) == kind][:count]
        assert len(of_kind) == count, kind
        chosen.update((one.number, one) for one in of_kind)
    return history.History(sections=list(chosen.values()), moments=moments)


def what_happens(whole, section):
    states = [whole.state(section.number, tick) for tick in range(TICKS)]
    if None in states:
        return "absent"
    is_open = [state.seats_available > 0 for state in states]
    assigned = states[0].instructor == "Staff" and states[1].instructor not in ("Staff", None)
    if is_open == [True, False, True] and not assigned:
        return "fills, opens"
    if is_open == [False, True, False] and not assigned:
        return "opens, fills"
    if is_open == [False, True, True] and not assigned:
        return "opens, stays"
    if is_open[0] == is_open[1] == is_open[2]:
        return "assigned" if assigned else "quiet"
    return "other"


class StepsTest(ReplayCase):
    STRIDE = 1
    MOST = 1000  # steps of one kind that are tried
    MISSED_MAX = 0.25  # the part of the steps that may not come again when it is their turn

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.history = small_history()
        cls.expectation = verdict.Expectation(cls.history)

    def deploy_behind_proxies(self):
        """Node and worker run; the worker reaches PostgreSQL and the node through proxies."""
        self.steps = Steps(self.MOST)
        self.deploy()
        postgres = self.enterContext(StepProxy(self.steps, PostgresWire, lambda: ("127.0.0.1", self.cluster.port)))
        node = self.enterContext(StepProxy(self.steps, NodeWire, self.node_listener))
        self.deployment.database_url = self.cluster.url(DATABASE, postgres.port)
        config = json.loads(self.deployment.write_config(**self.CONFIG).read_text())
        config["worker"]["node"] = "127.0.0.1:%d" % node.port
        self.deployment.config.write_text(json.dumps(config))
        self.deployment.wait_for_node(self.deployment.start("node"))
        self.deployment.create_namespace()
        self.start_worker()
        self.enterContext(DirectoryWatch(self.steps, [self.deployment.maildir / name for name in ("tmp", "new")]))
        self.upstream.on_answer = lambda when: self.steps.reach(when + " the upstream's answer")

    def node_listener(self):
        ports = json.loads((self.deployment.node_dir / "ports.json").read_text())
        host, _, port = ports["listen"][0].rpartition(":")
        return host, int(port)

    def start_worker(self):
        self.worker = self.deployment.start("worker")
        self.deployment.wait_for_worker(self.worker)

    def kill_worker(self):
        self.worker.popen.kill()
        self.worker.popen.wait()

    def begin_anew(self):
        self.sql(FRESH)
        self.deployment.kvctl("namespace", "clear", NAMESPACE_ID, "--yes")
        for folder in ("tmp", "new"):
            for path in (self.deployment.maildir / folder).iterdir():
                path.unlink()
        self.upstream.restart()

    def mails_wait(self):
        return self.sql(verdict.WAITING) != [["0"]]

    def run_until_killed(self):
        """One run and its mails. True if the worker was killed meanwhile."""
        try:
            summary = self.deployment.trigger(RUN_SECONDS)
        except ValueError:  # the answer broke off
            summary = None
        end = time.monotonic() + RUN_SECONDS
        while self.steps.killed_at is None and (summary is None or self.mails_wait()):
            self.assertLess(time.monotonic(), end, "%s; %s" % (summary, getattr(self.deployment, "last_error", "")))
            time.sleep(0.01)
        if self.steps.disarm() is not None:
            return True
        self.upstream.complete(summary["run_id"])
        return False

    def judge(self, where):
        """All frames are settled: exactly the right mails, once, and PostgreSQL's record of them."""
        self.assertTrue(verdict.wait_for_mails(self.sql, RUN_SECONDS), where)
        expected = self.expectation.told_until(TICKS)
        told = verdict.Told(self.deployment.maildir)
        self.assertEqual(told.surplus(expected) + told.missing(expected), [], where)
        self.assertEqual(verdict.record_differs(self.sql, expected), [], where)

    def try_step(self, step):
        """The run of the second frame with a kill at `step`, and what must have come of it. False: it had no
        such step."""
        self.begin_anew()
        self.settle()
        self.steps.arm(step, self.kill_worker)
        killed = self.run_until_killed()
        if killed:
            self.leftovers += len(list((self.deployment.maildir / "tmp").iterdir()))
            self.sql(END_LEASES)
            self.deployment.processes.remove(self.worker)
            self.start_worker()
        while self.upstream.frame < TICKS:
            self.settle()
        self.judge("killed at: %s" % self.steps.killed_at)
        return killed

    def test_killed_at_every_step(self):
        kinds = [one[2] for one in self.expectation.told_at(1)]
        self.assertGreaterEqual((kinds.count("seat_available"), kinds.count("instructor_assigned")), (2, 1))
        self.assertGreaterEqual(len(self.expectation.told_at(2)), 2)
        self.deploy_behind_proxies()
        self.sql = self.enterContext(Session(self.cluster, DATABASE)).sql
        self.leftovers, tried, missed = 0, 0, []
        self.assertFalse(self.try_step(None))
        stride = int(os.environ.get("EDGED_STEPS_STRIDE", self.STRIDE))
        for step in self.steps_in_turn(stride):
            tried += 1
            if not self.try_step(step):
                missed.append(step)
        print("%d steps, killed at %d of them, %d files left in tmp/; did not come again: %s" % (
            len(self.steps.seen), tried - len(missed), self.leftovers, missed))
        # Some steps are taken by the clock. One that did not come may come at a second try.
        bound = 1 + tried * self.MISSED_MAX
        for step in list(missed):
            if len(missed) < bound:
                break
            if self.try_step(step):
                missed.remove(step)
        self.assertLess(len(missed), bound)
        self.assert_all_kinds_of_steps()

    def steps_in_turn(self, stride):
        """Every stride-th step, those that come up meanwhile as well."""
        at = 0
        while at < len(self.steps.seen):
            yield self.steps.seen[at]
            at += stride

    def assert_all_kinds_of_steps(self):
        seen = " ".join(self.steps.seen)
        statements = ("class_monitor.begin_run", "class_monitor.apply_results", "class_monitor.finish_run",
                      "queue.claim", "mail.look_at_letters", "class_monitor.recheck", "mail.record_events")
        for kind in [*statements, "node opcode"]:
            for place in ("before ", "after ", "before the answer to ", "after the answer to "):
                self.assertIn(place + kind, seen)
        last = min(self.MOST, len(self.history.sections))
        for kind in ("before the upstream's answer, %d" % last, "after the upstream's answer, %d" % last,
                     "appeared in tmp/, 2", "appeared in new/, 2"):
            self.assertIn(kind, seen)


if __name__ == "__main__":
    unittest.main()
