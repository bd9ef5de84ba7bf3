# SPDX-License-Identifier: Apache-2.0
"""Programs whose stderr or stdout stalls, breaks, is full or was never open."""

import fcntl
import json
import os
import re
import signal
import subprocess
import unittest
import urllib.request

from programs_case import BIN, PATIENCE_SECONDS, ProgramsCase, environment

LOST = "edged_log_lines_lost_total"


class LogStreamTest(ProgramsCase):
    def pipe(self):
        """Both ends of a pipe with little room."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        self.addCleanup(self.close, reader)
        self.addCleanup(self.close, writer)
        return reader, writer

    @staticmethod
    def close(descriptor):
        try:
            os.close(descriptor)
        except OSError:
            pass

    def stalled_pipe(self):
        reader, writer = self.pipe()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"." * 4096)
        except BlockingIOError:
            os.set_blocking(writer, True)
        return reader, writer

    def start(self, stderr, wrap=()):
        node = subprocess.Popen([*wrap, BIN / "edged", "node", "--data", str(self.data), "--listen",
                                 "127.0.0.1:0", "--http", "127.0.0.1:0"],
                                cwd=self.directory, env=environment(), stderr=stderr)
        self.addCleanup(self.end, node)
        ports = self.data / "ports.json"
        self.wait_until(lambda: ports.exists() or node.poll() is not None, "ports.json")
        self.assertIsNone(node.poll())
        self.ports = json.loads(ports.read_text())
        return node

    def get(self, path, address=None):
        url = "http://%s/%s" % (address or self.ports["http"], path)
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return answer.read().decode()

    def lines_lost(self, address=None):
        return int(re.search(r"^%s (\d+)$" % LOST, self.get("metrics", address), re.M)[1])

    def assertServesAndEnds(self, node):
        self.assertIn("ok", self.get("healthz"))
        self.assertEqual(self.kvctl("put", "k", "v").returncode, 0)
        node.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(PATIENCE_SECONDS), 0)

    def test_a_reader_that_ends_kills_nothing(self):
        reader, writer = self.pipe()
        node = self.start(writer)
        os.close(writer)
        os.close(reader)
        node.send_signal(signal.SIGHUP)
        self.wait_until(lambda: self.lines_lost() > 0, "a line that is lost")
        self.assertServesAndEnds(node)

    def test_a_reader_that_stalls_blocks_nothing(self):
        reader, writer = self.stalled_pipe()
        node = self.start(writer)
        os.close(writer)
        self.assertServesAndEnds(node)

    def test_what_waited_is_there_when_the_reader_goes_on(self):
        reader, writer = self.stalled_pipe()
        node = self.start(writer)
        os.close(writer)
        read = b""
        while b"ready: " not in read:  # these lines waited while the reader stalled
            block = os.read(reader, 4096)
            self.assertTrue(block, read)
            read += block
        node.send_signal(signal.SIGTERM)
        while block := os.read(reader, 4096):
            read += block
        self.assertEqual(node.wait(PATIENCE_SECONDS), 0)
        self.assertIn(b"stopping", read)  # the last lines too

    def test_a_start_that_fails_ends_although_stderr_stalls(self):
        self.start_node()
        _, writer = self.stalled_pipe()
        other = subprocess.Popen([BIN / "edged", "node", "--data", str(self.data), "--listen",
                                  "127.0.0.1:0", "--http", "127.0.0.1:0"], stderr=writer,
                                 cwd=self.directory, env=environment())
        self.addCleanup(self.end, other)
        self.assertEqual(other.wait(PATIENCE_SECONDS), 1)

    def test_a_full_disk_behind_stderr(self):
        with open("/dev/full", "wb") as full:
            node = self.start(full)
            self.wait_until(lambda: self.lines_lost() > 0, "a line that is lost")
            self.assertServesAndEnds(node)

    def test_standard_streams_that_are_closed_take_no_file(self):
        node = self.start(None, wrap=("sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-'))
        node_files = {number: os.readlink("/proc/%d/fd/%d" % (node.pid, number)) for number in range(3)}
        self.assertEqual(set(node_files.values()), {"/dev/null"})
        self.assertGreater(self.lines_lost(), 0)
        self.assertServesAndEnds(node)

    def test_both_programs_of_serve_count_what_is_lost(self):
        config = self.directory / "edged.jsonc"
        config.write_text(json.dumps({
            "node": {"data_dir": str(self.data), "listen": ["127.0.0.1:0"], "http": "127.0.0.1:0"},
            "postgres": {"url": "postgresql://nobody@127.0.0.1:1/none"},
            "worker": {"http": "127.0.0.1:0", "state_dir": str(self.directory / "state")},
            "upstream": {"type": "scraper", "url": "http://127.0.0.1:1", "token": "t"},
            "mail": {"transport": "maildir", "path": str(self.directory / "mail"),
                     "from": "edged@example.org"}}))
        reader, writer = self.pipe()
        os.close(reader)
        serve = subprocess.Popen([BIN / "edged", "serve", "-c", str(config)], stderr=writer,
                                 cwd=self.directory, env=environment())
        self.addCleanup(self.end, serve)
        files = [self.data / "ports.json", self.directory / "state" / "worker-ports.json"]
        self.wait_until(lambda: all(path.exists() for path in files) or serve.poll() is not None,
                        "the addresses")
        self.assertIsNone(serve.poll())
        for address in (json.loads(files[0].read_text())["http"],
                        json.loads(files[1].read_text())["worker_http"]):
            self.wait_until(lambda: self.lines_lost(address) > 0, "a line that is lost")
        serve.send_signal(signal.SIGTERM)
        self.assertEqual(serve.wait(PATIENCE_SECONDS), 0)


class OutputTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.start_node()
        for i in range(20):
            self.assertEqual(self.kvctl("put", "k%d" % i, "v" * 5000).returncode, 0)

    def output_to(self, stdout, *arguments):
        return subprocess.run([BIN / "kvctl", "--addr", "unix:" + self.ports["unix"], *arguments],
                              stdout=stdout, stderr=subprocess.PIPE, env=environment(),
                              cwd=self.directory, timeout=PATIENCE_SECONDS)

    def test_a_pipe_whose_reader_is_gone_ends_it_quietly_with_1(self):
        for arguments in (["list"], ["list", "--values"], ["list", "--json"], ["get", "k1"], ["stats"],
                          ["namespace", "list"]):
            reader, writer = os.pipe()
            os.close(reader)
            result = self.output_to(writer, *arguments)
            os.close(writer)
            self.assertEqual((result.returncode, result.stderr), (1, b""), arguments)

    def test_a_full_disk_is_an_error(self):
        for arguments in (["list"], ["list", "--values"], ["get", "k1"]):
            with open("/dev/full", "wb") as full:
                result = self.output_to(full, *arguments)
            self.assertEqual(result.returncode, 1, arguments)
            self.assertIn(b"could not write the output", result.stderr)

    def test_a_stdout_that_is_closed_is_an_error(self):
        result = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', BIN / "kvctl", "--addr",
                                 "unix:" + self.ports["unix"], "list"], stderr=subprocess.PIPE,
                                env=environment(), cwd=self.directory, timeout=PATIENCE_SECONDS)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"could not write the output", result.stderr)

    def test_another_failure_keeps_its_code(self):
        with open("/dev/full", "wb") as full:
            self.assertEqual(self.output_to(full, "get", "absent").returncode, 3)


if __name__ == "__main__":
    unittest.main()
