# SPDX-License-Identifier: Apache-2.0
"""The replay with states and claims that come through the mirror, and with a stream that stands still."""

import json
import subprocess
import unittest
from pathlib import Path

from replay_case import DATABASE, MIRROR, NAMESPACE_ID, PROGRAMS, ReplayCase

TICKS = 12
MACHINE_ID = Path("/etc/machine-id")
FAST = {**MIRROR, "heartbeat": "100ms", "rules": [{**MIRROR["rules"][0], "ttl": "3s"}, MIRROR["rules"][1]]}


class MirroredReplayTest(ReplayCase):
    def restart_postgres(self, setting):
        self.cluster.sql("postgres", "alter system set " + setting)
        port = self.cluster.port
        self.cluster.stop()
        self.cluster.start(port)

    def value(self, key):
        done = subprocess.run([PROGRAMS / "kvctl", "--addr", "unix:%s/kv.sock" % self.deployment.node_dir, "--ns",
                               NAMESPACE_ID, "get", key], capture_output=True, text=True, timeout=180)
        return done.stdout if done.returncode == 0 else done.returncode

    def wait_for_mirror(self, serve, state="following"):
        def stands():
            done = subprocess.run([PROGRAMS / "edged", "mirror", "status", "--json", "-c", self.deployment.config,
                                   "--log-level", "off"], capture_output=True, text=True, timeout=180)
            return json.loads(done.stdout)["state"] == state if done.stdout else False
        self.deployment.wait_for("the mirror to be " + state, stands, serve)

    def test_tells_the_same_through_the_mirror(self):
        self.restart_postgres("wal_level = logical")
        self.deploy(mirror=FAST)
        serve = self.serve()
        self.wait_for_mirror(serve)
        self.assertIn("mode logical: PostgreSQL allows", serve.log.read_text())
        summaries = [self.settle() for _ in range(TICKS // 2)]
        self.assertGreater(sum(one["kv_hits"] for one in summaries[1:]),
                           sum(one["kv_misses"] for one in summaries[1:]))
        number = self.history.sections[0].number
        row = self.cluster.sql(DATABASE, "select row_to_json(s) from class_states s where class_nbr = '%s'" % number)
        self.deployment.wait_for("the row", lambda: json.loads(self.value("class_state:" + number)) ==
                                 json.loads(row[0][0]), serve)
        claims = self.cluster.sql(DATABASE, "select class_watch_id, notification_type from notifications_sent")
        self.assertTrue(claims)
        for watch, kind in claims:
            self.assertEqual(self.value("notif:%s:%s" % (watch, kind)), "sent")

        # No stream: the states turn stale, and the job goes on from PostgreSQL.
        self.restart_postgres("max_wal_senders = 0")
        self.deployment.wait_for("stale states", lambda: self.value("class_state:" + number) == 1, serve)
        summaries = [self.settle() for _ in range(TICKS // 2, TICKS - 2)]
        self.assertEqual(sum(one["kv_hits"] for one in summaries), 0)
        self.restart_postgres("max_wal_senders = 10")
        self.wait_for_mirror(serve)
        summaries = [self.settle() for _ in range(TICKS - 2, TICKS)]
        self.assertGreater(sum(one["kv_hits"] for one in summaries), 0)
        self.assert_told_as_expected(TICKS)
        self.assertEqual(serve.stop(), 0)

    @unittest.skipUnless(MACHINE_ID.exists() and MACHINE_ID.read_text().strip(), "this machine has no id")
    def test_a_deployment_that_moved_to_another_machine_follows_again(self):
        self.restart_postgres("wal_level = logical")
        self.deploy(mirror=FAST)
        serve = self.serve()
        self.wait_for_mirror(serve)
        for _ in range(TICKS // 2):
            self.settle()
        self.assertEqual(serve.stop(), 0)
        (mark,) = self.deployment.directory.glob("*/machine")
        name = mark.with_name("worker-name").read_text()
        mark.write_text("0" * 64 + "\n")
        serve = self.serve(namespace=False)
        self.wait_for_mirror(serve)
        self.assertNotEqual(mark.with_name("worker-name").read_text(), name)
        summaries = [self.settle() for _ in range(TICKS // 2, TICKS)]
        self.assertGreater(sum(one["kv_hits"] for one in summaries), 0)
        self.assert_told_as_expected(TICKS)
        self.assertEqual(serve.stop(), 0)

    def test_auto_runs_the_classic_flow_where_it_must(self):
        self.restart_postgres("wal_level = replica")
        self.deploy(mirror=FAST)
        serve = self.serve()
        summaries = [self.settle() for _ in range(TICKS)]
        self.assertIn("mode cache-aside: wal_level is replica", serve.log.read_text())
        self.assertGreater(sum(one["kv_hits"] for one in summaries[1:]),
                           sum(one["kv_misses"] for one in summaries[1:]))
        self.assert_told_as_expected(TICKS)
        self.assertGreater(self.assert_believed_states_are_postgres(), 0)


if __name__ == "__main__":
    unittest.main()
