# SPDX-License-Identifier: Apache-2.0
"""The worker's Queues API: by hand, by the official SDK, and two workers that serve one queue."""

import base64
import json
import os
import signal
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from programs_case import BIN  # noqa: E402
from queue_test import QueueCase  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a-secret-of-the-queues"
SKIPPED = 77


class QueueHttpTest(QueueCase):
    def write_config(self, **consumer):
        super().write_config(**consumer)
        config = json.loads(self.config.read_text())
        config["worker"]["queue_secret"] = SECRET
        config["queues"]["producers"] = [{"queue": "plain", "binding": "Q"}]
        config["queues"]["consumers"].append({
            "queue": "jobs", "type": "http_pull", "visibility_timeout_ms": 60000, "max_retries": 1,
            "dead_letter_queue": "jobs-dlq"})
        self.config.write_text(json.dumps(config))

    def setUp(self):
        super().setUp()
        self.start()

    def start(self):
        ports = self.directory / "state" / "worker-ports.json"
        ports.unlink(missing_ok=True)
        self.worker = self.work()
        self.wait_until(ports.exists, "the worker's ports")
        self.address = json.loads(ports.read_text())["worker_http"]
        self.wait_until(lambda: self.sql("select 1 from edged.queues where name = 'jobs' and is_pulled"), "the queues")

    def ask(self, method, path, body=None, secret=SECRET, raw=None):
        """(status, the answer's JSON)"""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request("http://%s/client/v4/accounts/me/queues%s" % (self.address, path),
                                         data=data, method=method,
                                         headers={"content-type": "application/json"})
        if secret is not None:
            request.add_header("authorization", "Bearer " + secret)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def result(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        self.assertEqual(status, 200, answer)
        self.assertTrue(answer["success"])
        self.assertEqual(answer["errors"], [])
        return answer["result"]

    def test_sends_pulls_and_acknowledges(self):
        self.result("POST", "/jobs/messages", {"body": {"n": 1}})
        self.result("POST", "/jobs/messages/batch", {"messages": [{"body": "two", "content_type": "text"}]})
        self.sql("begin; select edged.queue_send('jobs', '3'); commit")
        pulled = self.result("POST", "/jobs/messages/pull", {"batch_size": 100})
        self.assertEqual(pulled["message_backlog_count"], 3)
        bodies = [m["body"] if m["metadata"]["CF-Content-Type"] == "text" else json.loads(base64.b64decode(m["body"]))
                  for m in pulled["messages"]]
        self.assertCountEqual(map(json.dumps, bodies), ['{"n": 1}', '"two"', "3"])
        self.assertEqual(self.result("POST", "/jobs/messages/pull", {})["messages"], [])
        leases = [{"lease_id": m["lease_id"]} for m in pulled["messages"]]
        settled = self.result("POST", "/jobs/messages/ack", {"acks": leases[:2], "retries": leases[2:]})
        self.assertEqual(settled, {"ackCount": 2, "retryCount": 1, "warnings": {}})
        (again,) = self.result("POST", "/jobs/messages/pull")["messages"]
        self.assertEqual(again["attempts"], 2)
        dead = self.result("POST", "/jobs/messages/ack", {"retries": [{"lease_id": again["lease_id"]}]})
        self.assertIn("dead", dead["warnings"][again["lease_id"]])
        self.assertEqual(self.sql("select count(*) from edged.queue_ready r join edged.queues q "
                                  "on q.id = r.queue_id where q.name = 'jobs-dlq'"), [["1"]])

    def test_a_lease_survives_the_worker_that_gave_it(self):
        self.result("POST", "/jobs/messages", {"body": 1})
        (message,) = self.result("POST", "/jobs/messages/pull")["messages"]
        os.kill(self.worker.pid, signal.SIGKILL)
        self.worker.wait()
        self.start()
        self.assertEqual(self.result("POST", "/jobs/messages/pull")["messages"], [])
        settled = self.result("POST", "/jobs/messages/ack", {"acks": [{"lease_id": message["lease_id"]}]})
        self.assertEqual(settled["ackCount"], 1)
        self.assertEqual(self.sql("select count(*) from edged.queue_messages"), [["0"]])

    def test_the_pushed_queue_is_pushed_and_the_pulled_one_is_not(self):
        for queue in ("images", "jobs"):
            self.result("POST", "/%s/messages" % queue, {"body": queue})
        self.wait_until(lambda: "images" in self.bodies(), "the pushed message")
        self.assertEqual(self.bodies(), ["images"])
        self.assertEqual(len(self.result("POST", "/jobs/messages/pull")["messages"]), 1)
        for method, path, body, status in (
                ("POST", "/images/messages/pull", {}, 400), ("POST", "/plain/messages/pull", {}, 400),
                ("POST", "/email/messages/pull", {}, 400), ("DELETE", "/email", None, 409),
                ("DELETE", "/images", None, 409), ("POST", "/images/consumers", {"type": "http_pull"}, 409),
                ("POST", "/plain/consumers", {"type": "worker", "script_name": "x"}, 400)):
            self.assertEqual(self.ask(method, path, body)[0], status, path)

    def test_refuses_what_is_wrong(self):
        for secret in (None, "", "wrong", SECRET + "x"):
            status, answer = self.ask("GET", "", secret=secret)
            self.assertEqual((status, answer["success"], answer["errors"][0]["code"]), (401, False, 10000))
        for method, path, body, status in (
                ("POST", "/none/messages", {"body": 1}, 404), ("GET", "/none", None, 404),
                ("POST", "/%s/messages" % ("f" * 32), {"body": 1}, 404), ("GET", "/%27/x", None, 404),
                ("POST", "", {"queue_name": "no good"}, 400), ("POST", "", {}, 400),
                ("POST", "", {"queue_name": "jobs"}, 409), ("GET", "/jobs/messages", None, 405),
                ("POST", "/jobs/messages/nothing", {}, 404), ("PATCH", "/jobs", {"queue_name": "other"}, 400),
                ("POST", "/jobs/purge", {}, 400), ("POST", "/jobs/messages/pull", {"batch_size": 101}, 400),
                ("POST", "/jobs/messages", {"body": "\0", "content_type": "text"}, 400),
                ("POST", "/jobs/messages", {"body": "x" * 128001, "content_type": "text"}, 413),
                ("POST", "/jobs/messages/ack", {"acks": [{"lease_id": "'; drop table"}]}, 200)):
            got, answer = self.ask(method, path, body)
            self.assertEqual(got, status, (method, path, answer))
            self.assertEqual(answer["success"], status == 200)
        for raw in (b"{", b"[]", b"\xff\xfe", b"[" * 100000, b'{"body":' * 5000):
            self.assertEqual(self.ask("POST", "/jobs/messages", raw=raw)[0], 400)
        self.assertEqual(self.ask("POST", "/jobs/messages", raw=b'{"body":"%s"}' % (b"x" * (1 << 20)))[0], 413)
        self.assertEqual(self.sql("select count(*) from edged.queue_messages"), [["0"]])

    def test_the_official_sdk(self):
        environment = {**os.environ, "EDGED_BIN": str(BIN), "QUEUES_SECRET": SECRET,
                       "QUEUES_URL": "http://%s/client/v4" % self.address}
        done = subprocess.run([sys.executable, ROOT / "tests" / "clients" / "run.py", "lib/queues_sdk.mjs"],
                              env=environment, capture_output=True, text=True, check=False)
        if done.returncode == SKIPPED:
            self.skipTest(done.stdout.strip())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


del QueueCase  # its own tests run elsewhere

if __name__ == "__main__":
    unittest.main()
