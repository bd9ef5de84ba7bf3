# SPDX-License-Identifier: Apache-2.0
"""TLS and addresses that others can reach, as a user meets them: configuration, refusals, reload."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import unittest
from pathlib import Path

from programs_case import ProgramsCase

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import reference_client  # noqa: E402

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
# An address of RFC 5737 that no machine has: it is judged like any other, and cannot be bound.
OUTSIDE = "192.0.2.1"


class TlsTest(ProgramsCase):
    def make_certificate(self, name="node", *more):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-keyout", name + ".key", "-out", name + ".pem", "-days", "1", "-subj", "/CN=" + name,
                        "-addext", NAMES, *(more or ["-nodes"])],
                       cwd=self.directory, check=True, capture_output=True)
        return self.directory / (name + ".pem")

    def configure(self, **node):
        node = {"data_dir": "data", "listen": ["tls:127.0.0.1:0"], "http": "tls:127.0.0.1:0",
                "tls": {"certificate": "node.pem", "key": "node.key"}, **node}
        (self.directory / "edged.jsonc").write_text(json.dumps({"node": node}))

    def start(self, **node):
        self.trusted = self.make_certificate()
        self.configure(**node)
        self.node = self.start_node("-c", "edged.jsonc", ports=False)

    def over_tls(self, *arguments, trusted=None, **more):
        return self.run_program("kvctl", "--addr", self.ports["listen"][0], "--tls-ca", trusted or self.trusted,
                                *arguments, **more)

    def https(self, trusted=None):
        """A connection that closes with the test."""
        host, port = self.ports["http"].removeprefix("tls:").rsplit(":", 1)
        context = ssl.create_default_context(cafile=trusted or self.trusted)
        connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=180)
        self.addCleanup(connection.close)
        return connection

    def client(self):
        client = reference_client.Client(self.ports["listen"][0], trusted=self.trusted)
        self.addCleanup(client.socket.close)
        return client

    def handshake(self, address, **versions):
        context = ssl.create_default_context(cafile=self.trusted)
        for name, version in versions.items():
            setattr(context, name, version)
        host, port = address.removeprefix("tls:").rsplit(":", 1)
        with socket.create_connection((host, port), timeout=180) as plain:
            with context.wrap_socket(plain, server_hostname=host) as stream:
                return stream.version()

    def test_kvctl_and_the_reference_client_speak_tls(self):
        self.start()
        value = os.urandom(3 << 20)
        put = self.over_tls("put", "large", "-", stdin=value)
        self.assertEqual(put.returncode, 0, put.stderr)
        self.assertEqual(self.over_tls("get", "large").stdout, value)
        self.assertFails(self.run_program("kvctl", "--addr", self.ports["listen"][0], "get", "large"), 4,
                         "certificate is refused")
        self.assertFails(self.run_program("kvctl", "--addr", self.ports["listen"][0].removeprefix("tls:"), "get", "k"),
                         2, "TLS is spoken there")
        client = self.client()
        self.assertEqual(client.call("ping", b"", b"hi")[2], b"hi")

    def test_only_tls_1_3_is_spoken(self):
        self.start()
        for address in (self.ports["listen"][0], self.ports["http"]):
            self.assertEqual(self.handshake(address), "TLSv1.3")
            with self.assertRaises(ssl.SSLError):
                self.handshake(address, maximum_version=ssl.TLSVersion.TLSv1_2)

    def test_http_over_tls(self):
        self.start()
        connection = self.https()
        for _ in range(2):  # on one connection
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.read()), (200, b"ok\n"))
        connection.request("GET", "/metrics", headers={"Connection": "close"})
        page = connection.getresponse().read().decode()
        self.assertIn("edged_tls_certificate_not_after_seconds", page)
        self.assertIn('edged_tls_handshake_failures_total{face="http"} 0', page)
        host, port = self.ports["http"].removeprefix("tls:").rsplit(":", 1)
        with socket.create_connection((host, port), timeout=180) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertNotIn(b"HTTP", plain.recv(1000))
        connection.request("GET", "/metrics")
        self.assertIn('edged_tls_handshake_failures_total{face="http"} 1', connection.getresponse().read().decode())

    def test_certificates_are_replaced_at_sighup(self):
        self.start()
        old = self.client()
        before = (self.directory / "node.pem").read_bytes()
        (self.directory / "node.pem").write_text("rubbish")
        self.node.send_signal(signal.SIGHUP)
        self.wait_until(lambda: "certificate not reloaded, that of before stays" in self.log(), "the complaint")
        (self.directory / "before.pem").write_bytes(before)
        self.assertEqual(self.https(self.directory / "before.pem").request("GET", "/healthz"), None)
        seen = self.log().count("certificate expires")
        self.make_certificate()
        self.node.send_signal(signal.SIGHUP)
        self.wait_until(lambda: self.log().count("certificate expires") > seen, "the reload")
        self.assertEqual(self.over_tls("namespace", "list").returncode, 0)
        self.assertEqual(self.https().request("GET", "/healthz"), None)
        with self.assertRaises(ssl.SSLError):
            self.https(self.directory / "before.pem").request("GET", "/healthz")
        self.assertEqual(old.call("ping", b"", b"still")[2], b"still")

    def test_a_stopping_node_says_goodbye_and_ends_tls_in_order(self):
        self.start()
        client = self.client()
        self.assertEqual(client.call("ping")[0], "ok")
        self.node.send_signal(signal.SIGTERM)
        kind, opcode = client.push()[:2]
        self.assertEqual((kind, opcode), (0xB9, reference_client.OPCODES["go_away"]))
        self.assertEqual(client.call("ping")[0], "ok", "requests are answered until silence")
        with self.assertRaises(EOFError):  # and not ssl.SSLEOFError: the end was announced
            client.next_frame()
        self.assertEqual(self.node.wait(timeout=180), 0)

    def refused(self, *texts, arguments=(), code=2):
        result = self.edged("node", "-c", "edged.jsonc", *arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        for text in texts:
            self.assertIn(text, result.stderr.decode())

    def test_addresses_that_others_reach_need_tls_and_tokens(self):
        self.make_certificate()
        outside = OUTSIDE + ":4780"
        self.configure(listen=[outside])
        self.refused('"%s" is not a loopback address' % outside, '"tls:%s"' % outside, "node.tls")
        self.configure(http=outside)
        self.refused("node.http", '"%s" is not a loopback address' % outside)
        self.configure(listen=["tls:" + outside], tls={})
        self.refused("needs a certificate", "node.tls.certificate")
        self.configure(listen=["127.0.0.1:0"], http="127.0.0.1:0", tls={"certificate": "node.pem"})
        self.refused("names only one of certificate and key")
        self.configure(listen=["tls:" + outside])
        self.refused("there is no token", "kvctl token create", "--data %s`" % self.data)
        made = self.run_program("kvctl", "token", "--data", self.data, "create", "first", "--scope", "read")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.refused("could not listen", OUTSIDE, code=1)  # now all is there but the address

    def test_insecure_lets_everyone_in(self):
        self.configure(listen=[OUTSIDE + ":4780"], http="127.0.0.1:0", tls={})
        self.refused("could not listen", OUTSIDE, arguments=["--insecure"], code=1)

    def test_keys_that_cannot_be_used(self):
        self.make_certificate()
        self.configure()
        key = self.directory / "node.key"
        key.chmod(0o644)
        self.refused("node.key", "chmod o-rwx")
        key.chmod(0o600)
        key.write_text("rubbish")
        self.refused("could not use the key", "node.key")
        self.make_certificate("node", "-passout", "pass:secret")
        key.chmod(0o600)
        self.refused("could not use the key", "node.key")
        self.configure(tls={"certificate": "nowhere.pem", "key": "node.key"})
        self.refused("nowhere.pem", "No such file")

    def test_a_token_file_that_everybody_reads_is_refused(self):
        self.start_node()
        token = self.directory / "token"
        token.write_text("kvt_x\n")
        token.chmod(0o644)
        self.assertFails(self.run_program("kvctl", "--addr", self.ports["listen"][0], "--token-file", "token",
                                          "namespace", "list"), 2, "chmod o-rwx")


if __name__ == "__main__":
    unittest.main()
