# SPDX-License-Identifier: Apache-2.0
"""`edged serve`: queues over the node's HTTP address, passed on to the worker."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from programs_case import BIN, environment  # noqa: E402
from queue_test import QueueCase  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = 77
SECRET = "a-secret-of-the-queues"
BATCH = 100
ESCAPED_BYTES = 10000  # each is six in JSON


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class QueuePassTest(QueueCase):
    def write_config(self, **consumer):
        super().write_config(**consumer)
        self.secret_file = self.directory / "queue-secret"
        self.write_secret(SECRET)
        config = json.loads(self.config.read_text())
        config["worker"].update({"http": "127.0.0.1:%d" % free_port(),
                                 "queue_secret_file": str(self.secret_file)})
        config["node"] = {"data_dir": str(self.data), "listen": "127.0.0.1:0", "http": "127.0.0.1:0",
                          "binding": "off"}
        config["queues"]["consumers"].append({"queue": "jobs", "type": "http_pull"})
        self.config.write_text(json.dumps(config))

    def write_secret(self, text):
        self.secret_file.write_text(text + "\n")
        self.secret_file.chmod(0o600)

    def run_edged(self, command, *arguments, **env):
        log = open(self.directory / "node.log", "ab")
        self.addCleanup(log.close)
        # Proxies of the environment are not for this address.
        process = subprocess.Popen([BIN / "edged", command, "-c", self.config, *arguments], cwd=self.directory,
                                   env=environment({"http_proxy": "http://127.0.0.1:1", **env}), stderr=log)
        self.addCleanup(self.stop, process)
        ports = self.data / "ports.json"
        self.wait_until(lambda: ports.exists() or process.poll() is not None, "the node's ports")
        self.assertIsNone(process.poll(), self.log())
        self.ports = json.loads(ports.read_text())
        return process

    @staticmethod
    def stop(process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait()

    def ask(self, method, path, body=None, token="any"):
        """(status, the answer's JSON)"""
        request = urllib.request.Request(
            "http://%s/client/v4/accounts/me/queues%s" % (self.ports["http"], path),
            data=None if body is None else json.dumps(body).encode(), method=method,
            headers={"content-type": "application/json", "authorization": "Bearer " + token})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def result(self, method, path, body=None, token="any"):
        status, answer = self.ask(method, path, body, token)
        self.assertEqual((status, answer["success"], answer["errors"]), (200, True, []), answer)
        return answer["result"]

    def serve(self):
        process = self.run_edged("serve")
        self.wait_until(lambda: self.ask("GET", "/jobs")[0] == 200, "the worker")
        return process

    def test_creates_sends_pulls_and_acknowledges(self):
        self.serve()
        made = self.result("POST", "", {"queue_name": "fresh"})
        self.assertEqual(made["queue_name"], "fresh")
        self.result("POST", "/%s/consumers" % made["queue_id"], {"type": "http_pull"})
        self.result("POST", "/fresh/messages", {"body": {"n": 1}})
        (message,) = self.result("POST", "/fresh/messages/pull", {"batch_size": 10})["messages"]
        self.assertEqual(json.loads(base64.b64decode(message["body"])), {"n": 1})
        settled = self.result("POST", "/fresh/messages/ack", {"acks": [{"lease_id": message["lease_id"]}]})
        self.assertEqual(settled["ackCount"], 1)
        self.assertEqual([q["queue_name"] for q in self.result("GET", "?name=fresh")], ["fresh"])
        self.result("PATCH", "/fresh", {"settings": {"delivery_delay": 5}})
        self.result("DELETE", "/fresh")
        status, answer = self.ask("GET", "/fresh")
        self.assertEqual((status, answer["success"]), (404, False))
        self.assertEqual(self.ask("GET", "/jobs/messages")[0], 405)
        # The rest of the API is still the node's own.
        self.assertEqual(self.ask("GET", "/../storage/kv/namespaces")[0], 404)

    def test_the_official_sdk(self):
        self.serve()
        # With a token: a node that has one refuses wrong ones, and the SDK is to see that.
        made = self.kvctl("token", "create", "sdk", "--scope", "queue", "--json")
        self.assertEqual(made.returncode, 0, made.stderr)
        more = {**os.environ, "EDGED_BIN": str(BIN), "QUEUES_SECRET": json.loads(made.stdout)["secret"],
                "QUEUES_URL": "http://%s/client/v4" % self.ports["http"]}
        done = subprocess.run([sys.executable, ROOT / "tests" / "clients" / "run.py", "lib/queues_sdk.mjs"],
                              env=more, capture_output=True, text=True, check=False)
        if done.returncode == SKIPPED:
            self.skipTest(done.stdout.strip())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_largest_answer(self):
        self.serve()
        text = "\x01" * ESCAPED_BYTES
        self.sql("select edged.queue_send('jobs', to_jsonb(repeat(E'\\x01', %d)), content_type => 'text') "
                 "from generate_series(1, %d)" % (ESCAPED_BYTES, BATCH))
        messages = self.result("POST", "/jobs/messages/pull", {"batch_size": BATCH})["messages"]
        self.assertEqual(len(messages), BATCH)
        self.assertTrue(all(message["body"] == text for message in messages))

    def test_tokens_need_the_scope_queue(self):
        self.serve()
        tokens = {}
        for scopes in ("queue", "read,write,delete,list,admin,metrics"):
            made = self.kvctl("token", "create", scopes, "--scope", scopes, "--json")
            self.assertEqual(made.returncode, 0, made.stderr)
            tokens[scopes] = json.loads(made.stdout)["secret"]
        self.result("POST", "/jobs/messages", {"body": 1}, tokens["queue"])
        status, answer = self.ask("POST", "/jobs/messages", {"body": 1}, tokens["read,write,delete,list,admin,metrics"])
        self.assertEqual((status, answer["errors"][0]["code"]), (403, 10037), answer)
        for wrong in ("any", SECRET):
            self.assertEqual(self.ask("POST", "/jobs/messages", {"body": 1}, wrong)[0], 401)
        self.assertEqual(self.sql("select count(*) from edged.queue_messages"), [["1"]])

    def test_a_worker_that_is_away_or_changes_its_secret(self):
        self.run_edged("node")
        status, answer = self.ask("POST", "/jobs/messages", {"body": 1})
        self.assertEqual((status, answer["errors"][0]["code"]), (503, 10001))
        self.assertIn("does not answer", answer["errors"][0]["message"])
        worker = self.work()
        self.wait_until(lambda: self.ask("GET", "/jobs")[0] == 200, "the worker")
        self.write_secret("another-secret")  # both read it again
        self.result("POST", "/jobs/messages", {"body": 1})
        os.kill(worker.pid, signal.SIGSTOP)
        worker.kill()
        worker.wait()
        self.assertEqual(self.ask("GET", "/jobs")[0], 503)
        for secret in (SECRET, "another-secret"):
            self.assertNotIn(secret, self.log())

    def test_a_node_with_a_wrong_secret(self):
        config = json.loads(self.config.read_text())
        config["node"]["worker_http"] = config["worker"]["http"]
        config["node"]["worker_secret"] = "not-it"
        self.config.write_text(json.dumps(config))
        self.work()
        self.run_edged("node")
        self.wait_until(lambda: "does not take" in self.ask("GET", "/jobs")[1]["errors"][0]["message"], "the worker")
        self.assertEqual(self.ask("GET", "/jobs")[0], 503)
        self.assertNotIn("not-it", self.log())


del QueueCase  # its own tests run elsewhere

if __name__ == "__main__":
    unittest.main()
