# SPDX-License-Identifier: Apache-2.0
"""What the tests of the programs share: a directory, a node in it, and kvctl against that node."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

BIN = Path(os.environ["EDGED_BIN"])
PATIENCE_SECONDS = 120


def environment(extra=None):
    """Ours without EDGED_…, so that nobody's shell changes a test."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EDGED_")}
    return {**clean, **(extra or {})}


class ProgramsCase(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="edged-programs-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.data = self.directory / "data"

    def run_program(self, name, *arguments, stdin=b"", env=None):
        return subprocess.run([BIN / name, *map(str, arguments)], input=stdin, cwd=self.directory,
                              env=environment(env), capture_output=True, timeout=PATIENCE_SECONDS)

    def edged(self, *arguments, **more):
        return self.run_program("edged", *arguments, **more)

    def assertFails(self, result, code, *texts):
        """The exit code, one line on stderr (kvctl may add a next step), nothing on stdout."""
        stderr = result.stderr.decode()
        self.assertEqual(result.returncode, code, stderr)
        self.assertEqual(result.stdout, b"")
        for text in texts:
            self.assertIn(text, stderr)
        self.assertLessEqual(len(stderr.strip().splitlines()), 2, stderr)

    def start_node(self, *arguments, data=None, ports=True, wrap=()):
        """`edged node` on free ports, ready. `ports` False: the arguments name the addresses. `wrap`: a
        command that becomes the node."""
        data = data or self.data
        free = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--binding",
                "127.0.0.1:0"] if ports else []
        ports_file = Path(data) / "ports.json"
        ports_file.unlink(missing_ok=True)
        log = open(self.directory / "node.log", "ab")
        self.addCleanup(log.close)
        node = subprocess.Popen([*wrap, BIN / "edged", "node", "--data", str(data), *free,
                                 *map(str, arguments)],
                                cwd=self.directory, env=environment(), stderr=log)
        self.addCleanup(self.end, node)
        self.wait_until(lambda: ports_file.exists() or node.poll() is not None, "ports.json")
        self.assertIsNone(node.poll(), self.log())
        self.ports = json.loads(ports_file.read_text())
        return node

    def start_worker(self, state_dir, wrap=(), **worker):
        """`edged worker` without PostgreSQL and node: it waits for both. Its HTTP address."""
        config = self.directory / "worker.jsonc"
        config.write_text(json.dumps({
            "postgres": {"url": "postgres://127.0.0.1:1/none"}, "upstream": {"url": "http://127.0.0.1:1"},
            "worker": {"http": "127.0.0.1:0", "state_dir": str(state_dir), **worker}}))
        config.chmod(0o600)
        log = open(self.directory / "node.log", "ab")
        self.addCleanup(log.close)
        process = subprocess.Popen([*wrap, BIN / "edged", "worker", "-c", config], cwd=self.directory,
                                   env=environment(), stderr=log)
        self.addCleanup(self.end, process)
        ports = Path(state_dir) / "worker-ports.json"
        self.wait_until(lambda: ports.exists() or process.poll() is not None, "worker-ports.json")
        self.assertIsNone(process.poll(), self.log())
        return json.loads(ports.read_text())["worker_http"]

    def wait_until(self, condition, what):
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            self.assertLess(time.monotonic(), end, "waited for %s\n%s" % (what, self.log()))
            time.sleep(0.02)

    def log(self):
        path = self.directory / "node.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()

    def kvctl(self, *arguments, **more):
        return self.run_program("kvctl", "--addr", "unix:" + self.ports["unix"], *arguments, **more)

    def kvctl_json(self, *arguments, **more):
        result = self.kvctl(*arguments, "--json", **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)
