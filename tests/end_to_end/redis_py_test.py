# SPDX-License-Identifier: Apache-2.0
"""redis-py against the node, as an application uses it. Debian's package python3-redis belongs to Debian's
Python: the calls run there. Skipped where it is missing."""

import json
import subprocess
import textwrap
import unittest

from programs_case import ProgramsCase

PYTHON = "/usr/bin/python3"


def has_redis_py():
    try:
        return subprocess.run([PYTHON, "-c", "import redis"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@unittest.skipUnless(has_redis_py(), "python3-redis is not installed")
class RedisPyTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.start_node("--redis", "127.0.0.1:0")

    def run_client(self, body):
        """What `body` leaves in `out`, as JSON. `r` is a client."""
        port = self.ports["redis"].rpartition(":")[2]
        program = ("import json, redis\nr = redis.Redis(port=%s, decode_responses=True)\n" % port
                   + textwrap.dedent(body) + "\nprint(json.dumps(out))\n")
        done = subprocess.run([PYTHON, "-c", program], capture_output=True, check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return json.loads(done.stdout)

    def test_a_cache(self):
        out = self.run_client("""
            out = [r.set("a", "1", ex=100), r.get("a"), r.ttl("a") in (99, 100), r.incr("a"), r.mset({"b": "2", "c": "3"}),
                   r.mget("b", "c", "absent"), r.getex("a", persist=True), r.ttl("a"), r.set("a", "9", nx=True),
                   r.delete("a", "absent"), r.exists("a", "b")]
            """)
        self.assertEqual(out, [True, "1", True, 2, True, ["2", "3", None], "2", -1, None, 1, 1])

    def test_transactions(self):
        out = self.run_client("""
            out = []
            r.set("n", 1)
            def raise_it(pipe):
                seen = int(pipe.get("n"))
                if not out:  # another client is faster, once
                    out.append("changed")
                    redis.Redis(port=r.connection_pool.connection_kwargs["port"]).set("n", 10)
                pipe.multi()
                pipe.set("n", seen + 1)
                pipe.get("n")
            out.append(r.transaction(raise_it, "n"))
            """)
        self.assertEqual(out, ["changed", [True, "11"]])

    def test_a_pipeline_and_a_scan(self):
        out = self.run_client("""
            pipe = r.pipeline(transaction=False)
            for i in range(5000):
                pipe.set("k:%d" % i, i)
            stored = sum(pipe.execute())
            found = list(r.scan_iter("k:*", count=100))
            out = [stored, len(found), len(set(found)), r.dbsize(), len(r.keys("k:12*")), r.flushdb(), r.dbsize()]
            """)
        self.assertEqual(out, [5000, 5000, 5000, 5000, 111, True, 0])

    def test_messages(self):
        out = self.run_client("""
            listener = r.pubsub()
            listener.psubscribe("news:*")
            first = listener.get_message(timeout=10)["type"]
            told = r.publish("news:1", "hello")
            message = listener.get_message(timeout=10)
            out = [first, told, message["type"], message["channel"], message["data"]]
            """)
        self.assertEqual(out, ["psubscribe", 1, "pmessage", "news:1", "hello"])

    def test_what_is_not_there_says_so(self):
        out = self.run_client("""
            out = []
            for call in (lambda: r.lpush("l", "1"), lambda: r.eval("return 1", 0), lambda: r.hset("h", "f", "v")):
                try:
                    out.append(call())
                except redis.ResponseError as error:
                    out.append(str(error))
            """)
        self.assertEqual([text.partition(": ")[2] for text in out],
                         ["this server has no lists", "this server has no Lua scripts and functions",
                          "this server has no hashes"])


if __name__ == "__main__":
    unittest.main()
