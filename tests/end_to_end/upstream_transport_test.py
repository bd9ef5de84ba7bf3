# SPDX-License-Identifier: Apache-2.0
"""What stands between the worker and its upstream: TLS, proxies, redirects, compression; and what a run tells of
an upstream that fails."""

import gzip
import http.server
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import threading
import unittest

from replay_case import DATABASE, Faults, ReplayCase
from tools.replay.history import History, read_sections

SECTIONS = 20


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the upstream does, but for what `server.manner` says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.path, headers))
        if self.server.redirect_to and self.path == "/scrape":
            return self.send(307, b"", {"Location": self.server.redirect_to})
        path = "/scrape" if self.path == "/moved" else self.path
        status, _, answer = self.server.upstream.answer("POST", path, headers, body)
        if self.server.compressed:
            return self.send(status, gzip.compress(answer), {"Content-Encoding": "gzip"})
        return self.send(status, answer, {})

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class ProxyHandler(Handler):
    """Tunnels CONNECT; passes the rest to the upstream."""

    def do_CONNECT(self):
        self.server.seen.append((self.path, dict(self.headers)))
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port)), 10) as far:
            self.send_response(200)
            self.end_headers()
            near, other = self.connection, far
            while ready := select.select([near, other], [], [], 30)[0]:
                for side in ready:
                    data = side.recv(65536)
                    if not data:
                        return
                    (other if side is near else near).sendall(data)

    def do_POST(self):
        self.path = "/" + self.path.partition("://")[2].partition("/")[2]
        super().do_POST()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream, handler=Handler, certificate=None):
        super().__init__(("127.0.0.1", 0), handler)
        self.upstream, self.redirect_to, self.compressed, self.seen = upstream, None, False, []
        self.secure = certificate is not None
        if self.secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that does not trust us

    def url(self, host="127.0.0.1"):
        return "http%s://%s:%d" % ("s" if self.secure else "", host, self.server_address[1])


class UpstreamTransportTest(ReplayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.history = History(sections=read_sections()[:SECTIONS])
        cls.certificate = (cls.directory / "upstream.pem", cls.directory / "upstream.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out",
                        cls.certificate[0], "-keyout", cls.certificate[1]], check=True, capture_output=True)

    def server(self, *arguments, **more):
        server = Server(self.upstream, *arguments, **more)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def run_once(self, url, **upstream):
        """A run with this upstream: its summary, and what was logged."""
        if not hasattr(self, "deployment"):
            self.deploy()
        self.deployment.write_config(kv_namespaces=[], upstream={"url": url, "token": self.upstream.token, "retries": 0, **upstream})
        done = subprocess.run([self.deployment.programs / "edged", "cron", "run", "class-monitor", "--json", "-c",
                               self.deployment.config], capture_output=True, text=True, timeout=120)
        summary = json.loads(done.stdout)
        seen = summary["fetched"] + summary["absent"]
        self.assertEqual(done.returncode, 0 if seen else 4, done.stderr)
        return summary, done.stderr

    def assert_all_seen(self, summary):
        self.assertEqual((summary["failed"], summary["fetched"] + summary["absent"]), (0, SECTIONS))

    def test_tls_is_verified(self):
        server = self.server(certificate=self.certificate)
        summary, log = self.run_once(server.url("localhost"))
        self.assertEqual(summary["failed"], SECTIONS)
        self.assertIn("certificate", log)
        self.assertEqual(server.seen, [], "the token must not be told to somebody unknown")
        summary, log = self.run_once(server.url("127.0.0.1"), tls_ca=str(self.certificate[0]))
        self.assertEqual(summary["failed"], SECTIONS, "the name does not match")
        summary, log = self.run_once(server.url("localhost"), tls_ca=str(self.certificate[0]))
        self.assert_all_seen(summary)

    def test_compressed_answers(self):
        server = self.server()
        server.compressed = True
        self.assert_all_seen(self.run_once(server.url())[0])
        self.assertIn("gzip", server.seen[0][1]["accept-encoding"])

    def test_redirects_keep_question_and_token_on_the_same_host(self):
        server = self.server()
        server.redirect_to = "/moved"
        self.assert_all_seen(self.run_once(server.url())[0])
        self.assertEqual({path for path, _ in server.seen}, {"/scrape", "/moved"})

    def test_a_redirect_elsewhere_does_not_get_the_token(self):
        other = self.server()
        server = self.server()
        server.redirect_to = other.url("localhost") + "/scrape"
        summary, _ = self.run_once(server.url(), redirects=["localhost"])
        self.assertEqual(summary["failed"], SECTIONS)
        self.assertEqual(summary["upstream"]["outcomes"], {"rejected": SECTIONS})
        self.assertGreater(len(other.seen), 0)
        self.assertNotIn("authorization", {name for _, headers in other.seen for name in headers})

    def test_a_redirect_elsewhere_is_not_followed_unless_configured(self):
        other = self.server()
        server = self.server()
        server.redirect_to = other.url() + "/scrape"
        summary, log = self.run_once(server.url())
        self.assertEqual(summary["failed"], SECTIONS)
        self.assertEqual(other.seen, [])
        self.assertIn("upstream.redirects", log)

    def test_tls_is_not_left_by_a_redirect(self):
        plain = self.server()
        server = self.server(certificate=self.certificate)
        server.redirect_to = plain.url() + "/scrape"
        summary, _ = self.run_once(server.url("localhost"), tls_ca=str(self.certificate[0]))
        self.assertEqual(summary["failed"], SECTIONS)
        self.assertEqual(plain.seen, [])

    def test_redirects_in_a_circle_end(self):
        server = self.server()
        server.redirect_to = "/scrape"
        summary, _ = self.run_once(server.url())
        self.assertEqual(summary["failed"], SECTIONS)
        self.assertEqual(summary["upstream"]["outcomes"], {"unparsable": summary["upstream"]["requests"]})

    def test_through_a_proxy(self):
        proxy = self.server(ProxyHandler)
        self.assert_all_seen(self.run_once("http://upstream.invalid", proxy=proxy.url())[0])
        self.assertEqual({path for path, _ in proxy.seen}, {"/scrape"})

    def test_a_configured_proxy_is_used_whatever_the_environment_says(self):
        proxy = self.server(ProxyHandler)
        os.environ["NO_PROXY"] = "*"
        self.addCleanup(os.environ.pop, "NO_PROXY")
        self.assert_all_seen(self.run_once("http://upstream.invalid", proxy=proxy.url())[0])

    def test_a_wrong_proxy_of_the_environment_is_not_repeated(self):
        os.environ["http_proxy"] = "http://user:S3c/ret@127.0.0.1:3128"
        self.addCleanup(os.environ.pop, "http_proxy")
        summary, log = self.run_once("http://upstream.invalid")
        self.assertEqual(summary["failed"], SECTIONS)
        self.assertIn("could not use the proxy", log)
        self.assertNotIn("S3c", log)

    def test_named_authorities_are_the_only_ones(self):
        stranger = self.directory / "stranger.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=stranger", "-out", stranger, "-keyout", self.directory / "s.key"],
                       check=True, capture_output=True)
        system = self.directory / "system"
        system.mkdir()
        name = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", self.certificate[0]], check=True,
                              capture_output=True, text=True).stdout.strip()
        shutil.copy(self.certificate[0], system / (name + ".0"))
        os.environ["SSL_CERT_DIR"] = str(system)
        self.addCleanup(os.environ.pop, "SSL_CERT_DIR")
        server = self.server(certificate=self.certificate)
        summary, _ = self.run_once(server.url("localhost"), tls_ca=str(stranger))
        self.assertEqual(summary["failed"], SECTIONS)

    def test_through_a_proxy_with_tls_and_a_password(self):
        proxy = self.server(ProxyHandler)
        server = self.server(certificate=self.certificate)
        with_password = proxy.url().replace("//", "//user:pass-word@")
        summary, log = self.run_once(server.url("localhost"), tls_ca=str(self.certificate[0]), proxy=with_password)
        self.assert_all_seen(summary)
        targets = {path for path, _ in proxy.seen}
        self.assertEqual(targets, {"localhost:%d" % server.server_address[1]})
        self.assertIn("Proxy-Authorization", proxy.seen[0][1])
        self.assertNotIn("pass-word", log)

    def test_a_proxy_that_is_away_is_named_and_its_password_is_not(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            proxy = "http://user:pass-word@127.0.0.1:%d" % unused.getsockname()[1]
            summary, log = self.run_once("http://upstream.invalid", proxy=proxy)
        self.assertEqual(summary["failed"], SECTIONS)
        self.assertIn("127.0.0.1", log)
        self.assertNotIn("pass-word", log)

    def test_a_run_tells_how_the_upstream_did(self):
        self.upstream.set_faults(Faults(unavailable=1.0))
        summary, log = self.run_once(self.upstream.url, retries=2, concurrency=4)
        figures = summary["upstream"]
        self.assertEqual(summary["failed"], SECTIONS)
        self.assertEqual(figures["circuit"], "open")
        self.assertEqual(figures["requests"], figures["outcomes"]["overloaded"])
        self.assertGreaterEqual(figures["requests"], 10)
        self.assertLess(figures["requests"], SECTIONS)
        self.assertGreater(figures["refused"], 0)
        self.assertEqual(figures["window"], 1)
        self.assertIn("circuit opened", log)
        stored = self.cluster.sql(DATABASE, "select summary->'upstream'->>'circuit' from edged.cron_runs")
        self.assertEqual(stored, [["open"]])

    def test_wrong_settings_are_refused(self):
        self.deploy()
        for key, value, said in (("tls_ca", "/does/not/exist.pem", "could not read"),
                                 ("proxy", "ftp://127.0.0.1:1", "is not a proxy's URL"),
                                 ("proxy", "http://", "is not a proxy's URL"),
                                 ("proxy", "http://user:S3c/ret@127.0.0.1:3128", "is not a proxy's URL"),
                                 ("proxy", "http://user:pass@127.0.0.1:99999", "is not a proxy's URL")):
            with self.subTest(key=key, value=value):
                self.deployment.write_config(upstream={"url": self.upstream.url, key: value})
                with self.assertRaisesRegex(RuntimeError, "exit code 2.*" + said):
                    self.deployment.run("edged", "check-config", "-c", self.deployment.config)


if __name__ == "__main__":
    unittest.main()
