# SPDX-License-Identifier: Apache-2.0
"""A replay tells what the oracle says: undisturbed, without a node, without its namespace, and with
an upstream that misbehaves."""

import json
import os
import time
import unittest
import urllib.request

from replay_case import DATABASE, NAMESPACE_ID, DeploymentError, Faults, ReplayCase

TICKS = 12
FALLBACK = "[KV] KV namespace not available, falling back to PostgreSQL"


class PlainReplayTest(ReplayCase):
    def test_every_notification_is_told_once(self):
        self.deploy()
        serve = self.serve()
        summaries = [self.settle() for _ in range(TICKS)]
        self.assert_told_as_expected(TICKS)
        self.assertEqual({one["sections"] for one in summaries}, {len(self.history.sections)})
        self.assertGreater(sum(one["kv_hits"] for one in summaries[1:]),
                           sum(one["kv_misses"] for one in summaries[1:]))
        self.assertEqual(serve.stop(), 0)

    def test_the_worker_publishes_its_status(self):
        self.deploy(crons=["@hourly"])
        serve = self.serve()
        self.deployment.wait_for(
            "the status", lambda: self.status("status:job:class-monitor")["next_due_at"], serve)
        status = self.status("status:job:class-monitor")
        self.assertEqual(status["name"], "class-monitor")
        self.assertIsNone(status["last_run"])
        listed = json.loads(self.deployment.kvctl("--ns", "edged-system", "list", "--prefix", "status:", "--json"))
        keys = [item["key"] for item in listed["keys"]]
        self.assertEqual(len(keys), 2)
        worker = self.status(next(key for key in keys if key.startswith("status:worker:")))
        self.assertEqual(worker["http"], self.deployment.worker_address())
        self.assertEqual(worker["upstream"]["circuit"], "closed")
        run = self.settle()
        status = self.deployment.wait_for("the run in it", lambda: self.status("status:job:class-monitor")["last_run"],
                                          serve, 40)
        self.assertEqual(status["run_id"], run["run_id"])
        self.assertEqual(status["summary"]["fetched"], run["fetched"])

    def status(self, key):
        try:
            return json.loads(self.deployment.kvctl("--ns", "edged-system", "get", key))
        except DeploymentError:
            return {"next_due_at": None, "last_run": None}

    def test_cron_run_in_the_foreground_tells_the_same(self):
        self.deploy()
        for tick in range(TICKS):
            summary = json.loads(self.deployment.run(
                "edged", "cron", "run", "class-monitor", "--json", "-c", self.deployment.config))
            self.assertEqual(self.upstream.complete(summary["run_id"]), tick)
        self.assert_told_as_expected(TICKS)


class WithoutKvTest(ReplayCase):
    def test_a_node_that_is_not_there_changes_nothing(self):
        self.deploy()
        worker = self.deployment.start("worker")
        self.deployment.wait_for_worker(worker)
        summaries = [self.settle() for _ in range(TICKS)]
        self.assertEqual(sum(one["kv_hits"] for one in summaries), 0)
        self.assert_told_as_expected(TICKS)

    def test_an_unknown_namespace_is_told_once_and_changes_nothing(self):
        self.deploy(kv_namespaces=[{"binding": "KV", "id": NAMESPACE_ID[::-1]}])
        serve = self.serve(namespace=False)
        self.deployment.kvctl("namespace", "create", "KV", "--id", NAMESPACE_ID)
        for _ in range(TICKS):
            self.settle()
        self.assert_told_as_expected(TICKS)
        log = serve.log.read_text()
        self.assertEqual(log.count(FALLBACK), 1)
        # What was probably meant.
        self.assertEqual(log.count("The node has: KV (%s)" % NAMESPACE_ID), 1)


class FullNodeTest(ReplayCase):
    def test_a_node_that_is_full_is_told_once_and_is_used_again_by_itself(self):
        self.deploy(node={"data_dir": str(self.directory / "full"), "disk_quota": "64MiB", "listen": "127.0.0.1:0",
                          "http": "127.0.0.1:0"})
        self.deployment.node_dir = self.directory / "full"
        serve = self.serve()
        for mebibytes in (20, 4):
            self.fill_node(mebibytes)
        for _ in range(TICKS // 2):
            self.fill_node(1)  # compaction may have made room since the last run
            self.settle()
        log = serve.log.read_text()
        # Said once for each time that the node itself says it, since compaction may make room for a while.
        told = log.count("[KV] KV namespace takes no writes, falling back to PostgreSQL")
        self.assertTrue(1 <= told <= log.count("writes are refused"), log)
        self.deployment.kvctl("namespace", "clear", NAMESPACE_ID, "--yes")
        for _ in range(TICKS // 2, TICKS):
            self.settle()
        self.deployment.wait_for("the node's recovery", lambda: self.settled_with_hits(), serve, 60)
        self.assertEqual(self.metric("edged_worker_kv_available"), 1)
        self.assertGreaterEqual(serve.log.read_text().count("available again"), 1)
        self.assert_told_as_expected(self.upstream.frame)

    def fill_node(self, mebibytes):
        """Puts values until one is refused."""
        filler = self.deployment.directory / "filler"
        filler.write_bytes(os.urandom(mebibytes << 20))
        for _ in range(64 // mebibytes + 1):
            try:
                self.deployment.kvctl("--ns", NAMESPACE_ID, "put", "filler%d" % time.time_ns(), "--path", filler)
            except DeploymentError as error:
                self.assertIn("quota", str(error))
                return
        self.fail("the node takes more than its quota")

    def settled_with_hits(self):
        return self.settle()["kv_hits"] > 0

    def metric(self, name):
        with urllib.request.urlopen("http://%s/metrics" % self.deployment.worker_address(), timeout=5) as page:
            lines = page.read().decode().splitlines()
        return float(next(line for line in lines if line.startswith(name + " ")).split()[1])


class MisbehavingUpstreamTest(ReplayCase):
    def test_faults_cause_no_false_mails_and_lose_none(self):
        seed = 20230110
        print("faults with seed %d: change it in %s to try others" % (seed, __file__))
        self.deploy()
        self.serve()
        self.settle()
        failed = 0
        for tick in range(1, TICKS):
            # A run that does not see every section leaves the rest of the frame to the next one.
            self.upstream.set_faults(Faults(unavailable=0.1, too_many=0.01, rubbish=0.1, cut=0.1,
                                            seed=seed + tick))
            summary = self.deployment.trigger()
            self.assertIsNotNone(summary, getattr(self.deployment, "last_error", ""))
            failed += summary["failed"]
            self.upstream.set_faults(Faults())
            self.settle()
        self.assertGreater(failed, 0, "the faults must have been felt")
        self.assert_told_as_expected(TICKS)


class UnreachablePostgresTest(ReplayCase):
    def test_serve_waits_for_it_and_cron_run_says_unavailable(self):
        self.deploy()
        serve = self.serve()
        for _ in range(6):
            self.settle()
        before = serve.children()
        port = self.cluster.port
        self.cluster.stop("immediate")
        try:
            with self.assertRaisesRegex(RuntimeError, "exit code 4"):
                self.deployment.run("edged", "cron", "run", "class-monitor", "-c",
                                    self.deployment.config)
            self.assertEqual(serve.children(), before, "no child may end with PostgreSQL")
        finally:
            self.cluster.start(port)
        for _ in range(6, TICKS):
            self.settle()
        self.assert_told_as_expected(TICKS)
        self.assertEqual(serve.children(), before)
        self.assertEqual(self.cluster.sql(
            DATABASE, "select count(*) from edged.cron_runs where status = 'running'"), [["0"]])


if __name__ == "__main__":
    unittest.main()
