# SPDX-License-Identifier: Apache-2.0
"""What a web page and slow clients can do to the HTTP addresses of the programs."""

import socket
import unittest

from programs_case import ProgramsCase


class HttpAttackTest(ProgramsCase):
    def connect(self):
        host, port = self.ports["http"].rsplit(":", 1)
        client = socket.create_connection((host, int(port)), timeout=30)
        self.addCleanup(client.close)
        return client

    def status(self, request):
        client = self.connect()
        client.sendall(request)
        answer = b""
        while b"\r\n" not in answer:
            block = client.recv(4096)
            if not block:
                return None
            answer += block
        client.close()
        return int(answer.split()[1])

    def test_a_rebinding_page_gets_nothing(self):
        self.start_node()
        port = self.ports["http"].rsplit(":", 1)[1]
        for path in ("/healthz", "/metrics", "/"):
            page = "GET %s HTTP/1.1\r\nHost: evil.example:%s\r\nOrigin: http://evil.example:%s\r\n\r\n" % (path, port, port)
            self.assertEqual(self.status(page.encode()), 403)
        for host in ("127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port, "10.0.0.1", "LOCALHOST."):
            self.assertEqual(self.status(b"GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode()), 200, host)

    def test_names_of_the_configuration_are_accepted(self):
        file = self.directory / "edged.jsonc"
        file.write_text('{"node": {"http_hosts": ["kv.example.org"]}}')
        self.start_node("-c", file)
        get = b"GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n"
        self.assertEqual(self.status(get % b"KV.example.org:4781"), 200)
        self.assertEqual(self.status(get % b"example.org"), 403)
        for wrong in ("http://kv.example.org", "kv.example.org:80", "", "a b"):
            file.write_text('{"node": {"http_hosts": ["%s"]}}' % wrong)
            result = self.edged("node", "-c", file, "--data", self.data)
            self.assertEqual(result.returncode, 2)
            self.assertIn("node.http_hosts[0]", result.stderr.decode())

    def test_the_worker_has_the_same_rule_and_its_public_url(self):
        self.ports = {"http": self.start_worker(self.directory / "state", http_hosts=["cron.internal"],
                                                public_url="https://pickmyclass.example/watches")}
        get = b"GET /healthz HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\n\r\n"
        for own in (b"pickmyclass.example", b"cron.internal", b"localhost", self.ports["http"].encode()):
            self.assertEqual(self.status(get % (own, own)), 200, own)
        self.assertEqual(self.status(get % (b"evil.example", b"evil.example")), 403)
        self.assertEqual(self.status(get % (b"pickmyclass.example", b"evil.example")), 403)

    def test_a_thousand_slow_headers_do_not_shut_health(self):
        self.start_node()
        slow = []
        for _ in range(1005):
            slow.append(self.connect())
            slow[-1].sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        get = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for path in (b"/healthz", b"/readyz", b"/metrics"):
            self.assertEqual(self.status(get % path), 200)


if __name__ == "__main__":
    unittest.main()
