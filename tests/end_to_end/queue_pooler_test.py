# SPDX-License-Identifier: Apache-2.0
"""Queues behind PgBouncer in transaction mode, which passes no notifications on: with another way for the
connection that listens, without one, and with one that leads nowhere."""

import json
import sys
import unittest
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pooler import Pooler  # noqa: E402
from queue_test import DATABASE, QueueCase  # noqa: E402

MESSAGES = 20


class QueuePoolerTest(QueueCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.poolers = {}
        for mode in ("transaction", "session"):
            cls.poolers[mode] = Pooler(cls.cluster, mode)
            cls.poolers[mode].start()
            cls.addClassCleanup(cls.poolers[mode].stop)

    def url(self, mode):
        return self.cluster.url(DATABASE, self.poolers[mode].port)

    def start(self, **postgres):
        """A worker, once it knows whether it is woken."""
        config = json.loads(self.config.read_text())
        config["postgres"] = {"url": self.url("transaction"), "session_state": False, **postgres}
        self.config.write_text(json.dumps(config))
        worker = self.work()
        ports = self.directory / "state" / "worker-ports.json"
        self.wait_until(ports.exists, "the worker's ports")
        self.http = json.loads(ports.read_text())["worker_http"]
        return worker

    def is_listening(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open("http://%s/metrics" % self.http, timeout=60) as answer:
            return "\nedged_pg_listening 1\n" in answer.read().decode()

    def wait_for_log(self, text):
        self.wait_until(lambda: text in self.log(), "the log to say: " + text)

    def assert_delivers(self):
        self.wait_until(lambda: self.sql("select 1 from edged.queues where name = 'images'"), "the queue")
        for number in range(MESSAGES):
            self.sql("select edged.queue_send('images', '%d')" % number)
        self.wait_until(lambda: len(self.bodies()) >= MESSAGES, "the messages")
        self.assertCountEqual(self.bodies(), range(MESSAGES))

    def test_without_another_way_it_polls_and_says_so(self):
        self.start()
        self.wait_for_log("consumers look for messages each second. Set postgres.listen_url")
        self.assert_delivers()

    def test_it_listens_to_postgresql_itself(self):
        self.start(listen_url=self.cluster.url(DATABASE))
        self.wait_until(self.is_listening, "a connection that listens")
        self.assert_delivers()
        self.assertNotIn("listen_url", self.log())

    def test_it_listens_through_a_pooler_in_session_mode(self):
        self.start(listen_url=self.url("session"))
        self.wait_until(self.is_listening, "a connection that listens")
        self.assert_delivers()

    def test_a_way_that_passes_nothing_on_is_noticed(self):
        self.start(listen_url=self.url("transaction"))
        self.wait_for_log("notifications do not arrive over the LISTEN connection")
        self.assertFalse(self.is_listening())
        self.assert_delivers()

    def test_another_database_is_noticed(self):
        self.cluster.fresh_database("elsewhere")
        self.start(listen_url=self.cluster.url("elsewhere"))
        self.wait_for_log("notifications do not arrive over the LISTEN connection")
        self.assertFalse(self.is_listening())

    def test_an_address_where_nobody_answers(self):
        self.start(listen_url="postgresql://127.0.0.1:1/none")
        self.wait_for_log("there is no LISTEN connection")
        self.assert_delivers()

    def test_postgresql_restarts(self):
        self.start(listen_url=self.cluster.url(DATABASE))
        self.wait_until(self.is_listening, "a connection that listens")
        port = self.cluster.port
        self.cluster.stop("immediate")
        self.wait_until(lambda: not self.is_listening(), "the loss of the connection")
        self.cluster.start(port)
        self.wait_until(self.is_listening, "the connection that listens again")
        self.assert_delivers()

    def test_a_url_that_is_none(self):
        config = json.loads(self.config.read_text())
        config["postgres"]["listen_url"] = "postgresql://h/db?pgbouncer=true"
        self.config.write_text(json.dumps(config))
        result = self.edged("worker", "-c", self.config)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"postgres.listen_url", result.stderr)


del QueueCase  # its own tests run elsewhere

if __name__ == "__main__":
    unittest.main()
