# SPDX-License-Identifier: Apache-2.0
"""The Workers binding of a running node: the requests of a workerd, beside the other faces."""

import http.client
import json
import socket
import unittest

from programs_case import PATIENCE_SECONDS, ProgramsCase


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("fake-host", timeout=PATIENCE_SECONDS)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class BindingTest(ProgramsCase):
    def ask(self, method, target, body=None, namespace="default", **headers):
        """(status, reason, headers, body). Header names have "_" for "-"."""
        address = self.ports["binding"]
        if address.startswith("unix:"):
            connection = UnixConnection(address[5:])
        else:
            host, port = address.rsplit(":", 1)
            connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, target, body, {
                "Host": "fake-host", "X-KV-Namespace": namespace,
                **{name.replace("_", "-"): value for name, value in headers.items()}})
            answer = connection.getresponse()
            return answer.status, answer.reason, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def test_shares_its_data_with_the_other_faces(self):
        self.start_node()
        written = self.ask("PUT", "/a%2Fb?urlencoded=true&expiration_ttl=3600", b"value",
                           CF_KV_Metadata='{"by":"worker"}')
        self.assertEqual(written[0], 200)
        self.assertEqual(self.kvctl("get", "a/b").stdout, b"value")
        shown = self.kvctl_json("inspect", "a/b")
        self.assertEqual(shown["metadata"], {"by": "worker"})
        self.assertGreater(shown["ttl_ms"], 3_500_000)
        self.assertEqual(self.kvctl("put", "a/c", "x" * 100_000, "--metadata", "[1]").returncode, 0)
        status, _, headers, body = self.ask("GET", "/a%2Fc?urlencoded=true")
        self.assertEqual((status, body, headers["CF-KV-Metadata"]), (200, b"x" * 100_000, "[1]"))
        listed = json.loads(self.ask("GET", "/?prefix=a%2F")[3])
        self.assertEqual([key["name"] for key in listed["keys"]], ["a/b", "a/c"])
        self.assertEqual(self.kvctl("del", "a/b").returncode, 0)
        self.assertEqual(self.ask("GET", "/a%2Fb?urlencoded=true")[0], 404)

    def test_survives_kill_9(self):
        node = self.start_node()
        self.assertEqual(self.ask("PUT", "/k?urlencoded=true", b"kept")[0], 200)
        node.kill()
        node.wait()
        self.start_node()
        self.assertEqual(self.ask("GET", "/k?urlencoded=true")[3], b"kept")

    def test_tokens_hold_for_it(self):
        self.start_node()
        secret = self.kvctl("token", "create", "worker", "--scope", "read").stdout.decode().strip()
        self.assertEqual(self.ask("GET", "/k?urlencoded=true")[0], 401)
        self.assertEqual(self.ask("GET", "/k?urlencoded=true", Authorization="Bearer " + secret)[0], 404)
        self.assertEqual(self.ask("PUT", "/k?urlencoded=true", b"v", Authorization="Bearer " + secret)[0], 403)

    def test_on_a_unix_socket(self):
        path = self.directory / "binding.sock"
        free = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
        node = self.start_node(*free, "--binding", "unix:%s" % path, ports=False)
        self.assertEqual(self.ports["binding"], "unix:%s" % path)
        self.assertEqual(self.ask("PUT", "/k?urlencoded=true", b"v")[0], 200)
        node.terminate()
        self.assertEqual(node.wait(PATIENCE_SECONDS), 0)
        self.assertFalse(path.exists())

    def test_a_configured_address_must_be_free(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.assertFails(self.edged("node", "--data", self.data, "--listen", "127.0.0.1:0", "--http",
                                        "127.0.0.1:0", "--binding", address), 1, address)

    def test_a_node_starts_without_it_if_the_default_address_is_taken(self):
        free = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
        self.start_node(*free, ports=False)  # has it, unless somebody else does
        first = self.ports.get("binding")
        self.start_node(*free, ports=False, data=self.directory / "second")
        self.assertIn(first, ("127.0.0.1:4782", None))
        self.assertNotIn("binding", self.ports)
        self.assertIn("the Workers binding is off", self.log())

    def test_off(self):
        self.start_node("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--binding", "off", ports=False)
        self.assertNotIn("binding", self.ports)
        self.assertIn("no Workers binding", self.log())
        self.assertNotIn("Workers binding on", self.log())


if __name__ == "__main__":
    unittest.main()
