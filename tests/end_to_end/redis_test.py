# SPDX-License-Identifier: Apache-2.0
"""The node's address for Redis clients: the configuration, other faces, TLS, redis-cli, and what
survives kill -9."""

import json
import shutil
import subprocess
import unittest

from programs_case import ProgramsCase
from resp_client import Client, Error, context_of

ID = "0f2ac74b498b48028cb68387c421e279"


class RedisTest(ProgramsCase):
    def start(self, *arguments, address="127.0.0.1:0"):
        node = self.start_node("--redis", address, *arguments)
        return node

    def connect(self, **more):
        client = Client(self.ports["redis"], **more)
        self.addCleanup(client.close)
        return client

    def test_is_off_unless_it_is_configured(self):
        self.start_node()
        self.assertNotIn("redis", self.ports)

    def test_shares_entries_with_the_other_faces(self):
        self.start()
        client = self.connect()
        self.assertEqual(client.ask("SET", "greeting", "hello"), "OK")
        self.assertEqual(self.kvctl("get", "greeting").stdout, b"hello")
        self.assertEqual(self.kvctl("put", "other", "-", stdin=b"\x00\r\nvalue").returncode, 0)
        self.assertEqual(client.ask("GET", "other"), b"\x00\r\nvalue")
        self.assertEqual(self.kvctl("del", "greeting").returncode, 0)
        self.assertIsNone(client.ask("GET", "greeting"))
        large = b"v" * (20 * 1024 * 1024)
        self.assertEqual(client.ask("SET", "large", large), "OK")
        self.assertEqual(client.ask("GET", "large"), large)
        self.assertEqual(client.ask("APPEND", "large", "x"), len(large) + 1)
        self.assertIsInstance(client.ask("SET", "large", b"v" * (26 * 1024 * 1024)), Error)

    def test_keeps_what_it_has_answered_through_kill_9(self):
        node = self.start()
        client = self.connect()
        for i in range(100):
            client.ask("SET", "key%d" % i, i)
            client.ask("INCR", "count")
        client.pipeline([("MULTI",), ("APPEND", "log", "a"), ("APPEND", "log", "b"), ("EXEC",)])
        node.kill()
        node.wait()
        self.start()
        client = self.connect()
        self.assertEqual(client.ask("GET", "count"), b"100")
        self.assertEqual(client.ask("GET", "log"), b"ab")
        self.assertEqual(client.ask("DBSIZE"), 102)

    def test_uses_the_namespaces_of_the_configuration(self):
        config = self.directory / "edged.jsonc"
        config.write_text(json.dumps({
            "node": {"data_dir": str(self.data), "listen": "127.0.0.1:0", "http": "127.0.0.1:0",
                     "binding": "off", "redis": "unix:" + str(self.directory / "r.sock"),
                     "redis_databases": ["", "OTHER", "missing"]},
            "kv_namespaces": [{"binding": "KV", "id": ID}, {"binding": "OTHER", "id": "f" * 32}]}))
        config.chmod(0o600)
        self.start_node("-c", config, ports=False)
        for title, number in (("KV", ID), ("OTHER", "f" * 32)):
            self.kvctl("namespace", "create", title, "--id", number)
        client = self.connect()
        self.assertEqual(client.ask("SET", "key", "0"), "OK")
        client.ask("SELECT", "1")
        self.assertEqual(client.ask("SET", "key", "1"), "OK")
        self.assertEqual(self.kvctl("--ns", ID, "get", "key").stdout, b"0")
        self.assertEqual(self.kvctl("--ns", "f" * 32, "get", "key").stdout, b"1")
        client.ask("SELECT", "2")
        self.assertRegex(client.ask("SET", "key", "2"), "^ERR .*does not exist")

    def test_an_address_that_is_wrong_is_named(self):
        for wrong, words in (("nonsense", "is not HOST:PORT"), ("0.0.0.0:6379", "not a loopback address"),
                             ("unix:", "has no path"), ("tls:127.0.0.1:0", "needs a certificate")):
            result = self.edged("node", "--data", self.data, "--redis", wrong)
            self.assertEqual(result.returncode, 2, wrong)
            self.assertIn("node.redis", result.stderr.decode() + result.stdout.decode())
            self.assertIn(words, result.stderr.decode() + result.stdout.decode())

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_serves_tls(self):
        key, certificate = self.directory / "key.pem", self.directory / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
                        "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       check=True, capture_output=True)
        key.chmod(0o600)
        self.start("--tls-certificate", certificate, "--tls-key", key, address="tls:127.0.0.1:0")
        client = self.connect(context=context_of(certificate))
        commands = [("SET", "k%d" % i, "v" * i) for i in range(500)] + [("GET", "k%d" % i) for i in range(500)]
        replies = client.pipeline(commands)
        self.assertEqual(replies[500:], [b"v" * i for i in range(500)])

    @unittest.skipUnless(shutil.which("redis-cli"), "redis-cli is not installed")
    def test_redis_cli_and_benchmark(self):
        self.start()
        port = self.ports["redis"].rsplit(":", 1)[1]

        def cli(*words, stdin=b""):
            return subprocess.run(["redis-cli", "-p", port, *words], input=stdin, capture_output=True, timeout=60,
                                  check=True).stdout.decode()

        self.assertEqual(cli("set", "a", "1"), "OK\n")
        for i in range(30):
            cli("set", "user:%d" % i, "x" * i)
        self.assertEqual(len(cli("--scan", "--pattern", "user:*").split()), 30)
        self.assertIn("Biggest string found", cli("--bigkeys"))
        self.assertEqual(cli(stdin=b"multi\nincr n\nincr n\nexec\n"), "OK\nQUEUED\nQUEUED\n1\n2\n")
        self.assertIn("redis_version", cli("info"))
        for pipeline in ("1", "16"):
            done = subprocess.run(["redis-benchmark", "-p", port, "-n", "2000", "-c", "8", "-P", pipeline, "-q",
                                   "-t", "ping,set,get,incr,mset"], capture_output=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn(b"rror", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
