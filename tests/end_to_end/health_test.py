# SPDX-License-Identifier: Apache-2.0
"""`edged health`: 0 and one line while node and worker can work, 1 and one line otherwise."""

import http.server
import signal
import socket
import threading
import time
import unittest

from programs_case import ProgramsCase


class Answering(http.server.BaseHTTPRequestHandler):
    answer = (503, b"PostgreSQL does not answer\n")

    def do_GET(self):
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class HealthTest(ProgramsCase):
    def health(self, *arguments):
        return self.edged("health", "--data", self.data, *arguments)

    def test_a_ready_node_is_found_by_its_ports(self):
        self.start_node()
        result = self.health()
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertEqual(result.stdout.decode(), "ready: node at %s\n" % self.ports["http"])

    def test_a_node_that_is_gone_or_hangs_is_not_healthy(self):
        node = self.start_node()
        node.send_signal(signal.SIGSTOP)
        try:
            self.assertFails(self.health("--timeout", "300ms"), 1, "edged health: the node at ", "does not answer")
        finally:
            node.send_signal(signal.SIGCONT)
        node.kill()
        node.wait()
        self.assertFails(self.health(), 1, "edged health: the node at ")

    def test_the_configured_address_counts_without_a_ports_file(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % free.getsockname()[1]
            self.assertFails(self.health("--http", address), 1, "the node at " + address)

    def test_the_reason_of_a_503_is_shown_and_nonsense_is_not_believed(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        address = "127.0.0.1:%d" % server.server_address[1]
        self.assertFails(self.health("--http", address), 1, "answers 503: PostgreSQL does not answer")
        raw = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(raw.close)

        def nonsense():
            with raw.accept()[0] as peer:
                peer.recv(1000)
                peer.sendall(b"x" * 200_000)

        threading.Thread(target=nonsense, daemon=True).start()
        time.sleep(0.05)
        self.assertFails(self.health("--http", "127.0.0.1:%d" % raw.getsockname()[1]), 1, "the node at ")

    def test_a_worker_without_its_database_is_not_healthy(self):
        address = self.start_worker(self.directory / "state")
        config = self.directory / "worker.jsonc"
        result = self.edged("health", "--for", "worker", "-c", config)
        self.assertFails(result, 1, "edged health: the worker at " + address, "answers 503: ")
        self.start_node()
        result = self.edged("health", "--for", "serve", "-c", config, "--data", self.data)
        self.assertFails(result, 1, "the worker at " + address)

    def test_a_configuration_that_is_wrong_is_1_too(self):
        wrong = self.directory / "wrong.jsonc"
        wrong.write_text("{ nonsense")
        self.assertEqual(self.edged("health", "-c", wrong).returncode, 1)
        self.assertFails(self.edged("health", "--for", "everything"), 2, "edged health: ")


if __name__ == "__main__":
    unittest.main()
