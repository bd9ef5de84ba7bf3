# SPDX-License-Identifier: Apache-2.0
"""The consumers of docs/examples do what docs/queues.md says, also while the secret is changed."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from queue_test import SECRET, QueueCase  # noqa: E402

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
NEW_SECRET = "whsec_" + base64.b64encode(b"n" * 32).decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class QueueExamplesTest(QueueCase):
    def write_config(self, **consumer):
        super().write_config(**consumer)
        self.port = free_port()
        self.push("%s %s" % (NEW_SECRET, SECRET))

    def push(self, secret):
        config = json.loads(self.config.read_text())
        config["queue_push"] = [{"queue": "images", "secret": secret, "url": "http://127.0.0.1:%d/" % self.port}]
        self.config.write_text(json.dumps(config))

    def consume(self, command, secret):
        self.output = open(self.directory / "consumer.out", "w+b")
        self.addCleanup(self.output.close)
        consumer = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT,
                                    env={**os.environ, "QUEUE_SECRET": secret, "PORT": str(self.port)})
        self.addCleanup(consumer.wait)
        self.addCleanup(consumer.kill)
        self.wait_until(self.answers, "the consumer")
        now = str(int(time.time()))
        for headers in ({}, {"webhook-id": "1", "webhook-timestamp": "soon", "webhook-signature": "v1,x"},
                        {"webhook-timestamp": now}, {"webhook-timestamp": now, "webhook-signature": "v1,\xe9 v1,"}):
            self.assertTrue(self.answers(headers), headers)

    def answers(self, headers=None):
        """It refuses what is not signed."""
        request = urllib.request.Request("http://127.0.0.1:%d/" % self.port, b"{}", {
            "webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,x"} if headers is None else headers)
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except urllib.error.HTTPError as error:
            self.assertEqual(error.code, 401)
            return True
        except OSError:
            return False
        self.fail("an unsigned request was accepted")

    def check(self, command):
        for secret in (SECRET, NEW_SECRET):  # one that will go, and the one that came
            with self.subTest(secret=secret):
                self.consume(command, secret)
                worker = self.work()
                for body in ('{"order": 7}', '"text"'):
                    self.queue("create", "images")
                    self.queue("send", "images", body)
                self.wait_until(lambda: self.counts() == (0, 0), "the messages to be consumed")
                said = (self.directory / "consumer.out").read_text()
                self.assertEqual(said.count("working on"), 2, said)
                self.end(worker)
                self.take_another_port()

    def take_another_port(self):
        self.port = free_port()
        self.push("%s %s" % (NEW_SECRET, SECRET))

    def test_python(self):
        self.check([sys.executable, EXAMPLES / "queue_consumer.py"])

    def test_javascript(self):
        node = shutil.which("node")
        if node is None:
            self.skipTest("Node.js is not installed")
        self.check([node, EXAMPLES / "queue_consumer.mjs"])


del QueueCase

if __name__ == "__main__":
    unittest.main()
