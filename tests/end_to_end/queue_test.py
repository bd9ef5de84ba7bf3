# SPDX-License-Identifier: Apache-2.0
"""Queues from outside: SQL sends, a URL of the application consumes, `edged queue` looks and mends."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from programs_case import BIN, ProgramsCase, environment  # noqa: E402
from tools.replay.cluster import Cluster  # noqa: E402

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
DATABASE = "queues"


class Application(http.server.BaseHTTPRequestHandler):
    """Checks each signature by itself, and answers as the test's `decide` says: (status, JSON or None)."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = b"%s.%s.%s" % (self.headers["webhook-id"].encode(), self.headers["webhook-timestamp"].encode(), body)
        expected = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(expected, self.headers["webhook-signature"]):
            self.server.forged += 1
        batch = json.loads(body)
        with self.server.lock:
            self.server.seen += [(message["body"], message["attempts"]) for message in batch["messages"]]
            status, answer = self.server.decide(batch)
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class QueueCase(ProgramsCase):
    @classmethod
    def setUpClass(cls):
        cls.root = Path(tempfile.mkdtemp(prefix="edged-queue-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.cluster = Cluster(cls.root)
        cls.addClassCleanup(cls.cluster.remove)
        cls.cluster.start()

    def setUp(self):
        super().setUp()
        self.cluster.fresh_database(DATABASE)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
        self.server.seen, self.server.forged, self.server.lock = [], 0, threading.Lock()
        self.server.decide = lambda batch: (204, None)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.config = self.directory / "edged.jsonc"
        self.write_config()
        result = self.edged("migrate", "-c", self.config)
        self.assertEqual(result.returncode, 0, result.stderr)

    def write_config(self, **consumer):
        self.config.write_text(json.dumps({
            "postgres": {"url": self.cluster.url(DATABASE)},
            "worker": {"http": "127.0.0.1:0", "state_dir": str(self.directory / "state"), "roles": ["queue"]},
            "queues": {"consumers": [{"queue": "images", "max_batch_timeout": 0, "max_retries": 1, **consumer}]},
            "queue_push": [{"queue": "images", "secret": SECRET,
                            "url": "http://127.0.0.1:%d/hook" % self.server.server_address[1]}]}))
        self.config.chmod(0o600)

    def sql(self, text):
        return self.cluster.sql(DATABASE, text)

    def queue(self, *arguments, code=0, **more):
        result = self.edged("queue", arguments[0], "-c", self.config, "--json", *arguments[1:], **more)
        self.assertEqual(result.returncode, code, result.stderr)
        return json.loads(result.stdout) if code == 0 else result

    def work(self):
        log = open(self.directory / "node.log", "ab")
        self.addCleanup(log.close)
        worker = subprocess.Popen([BIN / "edged", "worker", "-c", self.config], cwd=self.directory,
                                  env=environment(), stderr=log)
        self.addCleanup(self.end, worker)
        return worker

    def bodies(self):
        with self.server.lock:
            return [body for body, _ in self.server.seen]

    def counts(self):
        (row,) = self.queue("list", "images")["queues"]
        return row["ready"] + row["delayed"] + row["leased"], row["dead"]


class QueueTest(QueueCase):
    def test_a_transaction_sends_and_a_url_consumes(self):
        self.work()
        self.wait_until(lambda: self.sql("select 1 from edged.queues where name = 'images'"), "the queue")
        self.sql("begin; select edged.queue_send('images', '{\"n\": 1}'); rollback")
        self.sql("begin; select edged.queue_send('images', '{\"n\": 2}'); "
                 "select edged.queue_send_batch('images', array['3', '\"four\"']::jsonb[]); commit")
        self.wait_until(lambda: len(self.bodies()) >= 3, "three messages")
        self.wait_until(lambda: self.counts() == (0, 0), "the acks")
        self.assertCountEqual(map(json.dumps, self.bodies()), ['{"n": 2}', "3", '"four"'])
        self.assertEqual(self.server.forged, 0)

    def test_retries_dead_letters_and_replay(self):
        self.server.decide = lambda batch: (200, {
            "acks": [{"id": m["id"]} for m in batch["messages"] if m["body"] == "good"],
            "retries": [{"id": m["id"], "delay_seconds": 0} for m in batch["messages"] if m["body"] != "good"]})
        self.queue("create", "images")
        for body in ("good", "bad"):
            self.queue("send", "images", "--text", body)
        self.work()
        self.wait_until(lambda: self.counts() == (0, 1), "a dead message")
        with self.server.lock:
            self.assertEqual(sorted(self.server.seen), [("bad", 1), ("bad", 2), ("good", 1)])
            self.server.decide = lambda batch: (204, None)
        (dead,) = self.queue("dead", "images")["messages"]
        self.assertEqual((dead["body"], dead["attempts"]), ("bad", 2))
        self.assertEqual(self.queue("replay", "images", dead["id"]), {"replayed": 1})
        self.wait_until(lambda: self.counts() == (0, 0), "the replayed message")
        self.assertEqual(self.bodies().count("bad"), 3)
        self.assertEqual(self.server.forged, 0)

    def test_a_killed_worker_loses_nothing(self):
        reached = threading.Event()

        def hold(batch):
            reached.set()
            return 503, None
        self.server.decide = hold
        self.queue("create", "images")
        self.queue("send", "images", "1")
        worker = self.work()
        self.wait_until(reached.is_set, "the first delivery")
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        with self.server.lock:
            self.server.decide = lambda batch: (204, None)
        self.sql("update edged.queue_claims set lease_until = now() - interval '1 s'")
        self.work()
        self.wait_until(lambda: self.counts() == (0, 0), "the message")

    def test_410_pauses_the_queue(self):
        self.server.decide = lambda batch: (410, None)
        self.queue("create", "images")
        self.queue("send", "images", "1")
        worker = self.work()
        self.wait_until(lambda: self.queue("list", "images")["queues"][0]["paused"], "the pause")
        self.wait_until(lambda: self.queue("list", "images")["queues"][0]["ready"] == 1, "the message to come back")
        self.assertEqual(len(self.bodies()), 1)
        with self.server.lock:
            self.server.decide = lambda batch: (204, None)
        self.assertEqual(self.queue("resume", "images"), {"queue": "images", "paused": False})
        self.wait_until(lambda: self.counts() == (0, 0), "the message")
        worker.send_signal(signal.SIGTERM)
        self.assertEqual(worker.wait(60), 0)


class QueueCommandTest(QueueCase):
    """Without a worker."""

    def test_it_shows_what_waits(self):
        self.queue("create", "images")
        first = self.queue("send", "images", '{"a": 1.50}', "--unique-key", "k")["id"]
        self.assertEqual(self.queue("send", "images", "2", "--unique-key", "k"), {"id": None})
        self.queue("send", "images", "-", "--delay", "1h", stdin=b"[1, 2]")
        messages = self.queue("peek", "images")["messages"]
        self.assertEqual([(m["state"], m["body"], m["unique_key"]) for m in messages],
                         [("ready", {"a": 1.5}, "k"), ("delayed", [1, 2], None)])
        self.assertEqual(messages[0]["id"], first)
        text = self.edged("queue", "list", "-c", self.config).stdout.decode()
        self.assertRegex(text, r"(?m)^QUEUE +PAUSED +READY +DELAYED +LEASED +DEAD")
        self.assertRegex(text, r"(?m)^images +false +1 +1 +0 +0 +\d+$")
        self.assertIn("email", text)
        self.assertEqual(self.queue("pause", "images"), {"queue": "images", "paused": True})
        self.assertIn(b"--yes", self.queue("purge", "images", code=2).stderr)
        self.assertEqual(self.queue("purge", "images", "--yes"), {"deleted": 2})
        self.assertEqual(self.queue("peek", "images"), {"messages": []})
        self.assertEqual(self.queue("purge", "images", "--yes", "--dead"), {"deleted": 0})

    def test_it_creates_queues_with_settings(self):
        def settings():
            (row,) = self.queue("list", "images")["queues"]
            return row["delivery_delay_seconds"], row["retention_seconds"]
        self.queue("create", "images")
        self.assertEqual(settings(), (0, 345600))
        self.queue("create", "images", "--retention", "7d", "--delivery-delay", "90s")
        self.assertEqual(settings(), (90, 604800))
        self.queue("create", "images", "--retention", "60001ms")  # whole seconds, rounded up
        self.assertEqual(settings(), (90, 61))
        self.queue("send", "images", "1")
        self.queue("send", "images", "2", "--delay", "0s")
        self.queue("send", "images", "three", "--text")
        messages = self.queue("peek", "images")["messages"]
        self.assertEqual([(m["state"], m["body"], m["content_type"]) for m in messages],
                         [("ready", 2, "json"), ("delayed", 1, "json"), ("delayed", "three", "text")])

    def test_it_says_what_is_wrong(self):
        self.queue("create", "images")
        for flag, value, message in (("--retention", "59s", b"1 minute and 14 days"),
                                     ("--retention", "14d1s", b"--retention"),
                                     ("--retention", "15d", b"1 minute and 14 days"),
                                     ("--retention", "0s", b"more than 0"),
                                     ("--retention", "7", b"no unit"),
                                     ("--delivery-delay", "25h", b"0 and 1 day")):
            self.assertIn(message, self.queue("create", "images", flag, value, code=2).stderr)
        self.assertIn(b"0 and 30 days", self.queue("send", "images", "1", "--delay", "31d", code=2).stderr)
        for name in ("", "-", "a b", "a" * 64, "ü", "'; drop table edged.queues; --", "0" * 32):
            self.assertIn(b"queue", self.queue("create", name, code=2).stderr)
        for verb in (["peek", "none"], ["send", "none", "1"], ["pause", "none"], ["purge", "none", "--yes"],
                     ["dead", "none"], ["replay", "none", "--all"], ["list", "none"]):
            self.assertIn(b'queue "none" does not exist', self.queue(*verb, code=3).stderr)
        self.assertIn(b"--text", self.queue("send", "email", "{", code=2).stderr)
        self.assertEqual(self.queue("create", "no good", code=2).stdout, b"")
        self.assertIn(b"--all", self.queue("replay", "email", code=2).stderr)
        self.assertIn(b"not a message's id", self.queue("replay", "email", "x", code=2).stderr)
        self.queue("replay", "email", "7", code=3)
        self.queue("peek", "email", "--limit", "0", code=2)


if __name__ == "__main__":
    unittest.main()
