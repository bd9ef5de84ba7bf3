# SPDX-License-Identifier: Apache-2.0
"""What edged node, worker and serve tell a service manager: a socket of ours stands for systemd's."""

import json
import os
import signal
import socket
import subprocess
import time
import unittest

from programs_case import BIN, PATIENCE_SECONDS, ProgramsCase, environment

WATCHDOG_SECONDS = 1.5


class ServiceManagerTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.path = str(self.directory / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.path)
        self.said = []  # (time, line)

    def start(self, *arguments, watchdog=True, address=None):
        more = {"NOTIFY_SOCKET": address or self.path}
        if watchdog:
            more["WATCHDOG_USEC"] = str(int(WATCHDOG_SECONDS * 1e6))
        log = open(self.directory / "node.log", "ab")
        self.addCleanup(log.close)
        program = subprocess.Popen([BIN / "edged", *map(str, arguments)], cwd=self.directory,
                                   env=environment(more), stderr=log)
        self.addCleanup(self.end_group, program)
        return program

    def end_group(self, program):
        if program.poll() is None:
            program.terminate()  # serve takes its children along
            try:
                program.wait(60)
            except subprocess.TimeoutExpired:
                pass
        self.end(program)

    def node_arguments(self):
        return ("--data", self.data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--binding", "127.0.0.1:0")

    def configured(self):
        config = self.directory / "edged.jsonc"
        config.write_text(json.dumps({
            "node": {"data_dir": str(self.data), "listen": "127.0.0.1:0", "http": "127.0.0.1:0", "binding": "off"},
            "postgres": {"url": "postgres://127.0.0.1:1/none"}, "upstream": {"url": "http://127.0.0.1:1"},
            "worker": {"http": "127.0.0.1:0", "state_dir": str(self.directory / "state")}}))
        config.chmod(0o600)
        return config

    def listen(self, seconds):
        """Takes what comes within that time into self.said."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                text = self.socket.recv(4096).decode()
            except TimeoutError:
                return
            self.said += [(time.monotonic(), line) for line in text.splitlines()]

    def wait_for(self, line, count=1):
        end = time.monotonic() + PATIENCE_SECONDS
        while self.lines().count(line) < count:
            self.assertLess(time.monotonic(), end, "%s\n%s" % (self.lines(), self.log()))
            self.listen(0.1)

    def lines(self):
        return [line for _, line in self.said]

    def child(self, of, name):
        children = subprocess.run(["pgrep", "-P", str(of.pid), "-f", "^edged " + name], capture_output=True, text=True)
        return int(children.stdout.split()[0])

    def test_the_node_is_ready_when_it_answers_and_says_that_it_stops(self):
        node = self.start("node", *self.node_arguments())
        self.wait_for("READY=1")
        self.ports = json.loads((self.data / "ports.json").read_text())
        self.assertEqual(self.kvctl("put", "a", "b").returncode, 0)
        self.wait_for("WATCHDOG=1", 4)
        self.assertNotIn("STOPPING=1", self.lines())
        node.terminate()
        self.assertEqual(node.wait(60), 0)
        self.wait_for("STOPPING=1")

    def test_a_reload_begins_and_ends(self):
        for start in (lambda: self.start("node", *self.node_arguments()),
                      lambda: self.start("worker", "-c", self.configured()),
                      lambda: self.start("serve", "-c", self.configured())):
            self.said.clear()
            program = start()
            self.wait_for("READY=1")
            program.send_signal(signal.SIGHUP)
            self.wait_for("READY=1", 2)
            lines = [line for line in self.lines() if line in ("READY=1", "RELOADING=1")]
            self.assertEqual(lines, ["READY=1", "RELOADING=1", "READY=1"])
            self.assertTrue([line for line in self.lines() if line.startswith("MONOTONIC_USEC=")])
            program.terminate()
            self.assertEqual(program.wait(60), 0)
            self.listen(0.1)

    def test_serve_is_ready_once_when_both_are(self):
        serve = self.start("serve", "-c", self.configured())
        self.wait_for("READY=1")
        self.assertTrue((self.data / "ports.json").exists())
        self.assertTrue((self.directory / "state/worker-ports.json").exists())
        os.kill(self.child(serve, "worker"), signal.SIGKILL)
        self.wait_for("WATCHDOG=1", 6)
        self.assertEqual(self.lines().count("READY=1"), 1)
        serve.terminate()
        self.assertEqual(serve.wait(60), 0)
        self.wait_for("STOPPING=1")

    def test_serve_is_silent_while_a_child_hangs(self):
        serve = self.start("serve", "-c", self.configured())
        self.wait_for("READY=1")
        for name in ("worker", "node"):
            child = self.child(serve, name)
            os.kill(child, signal.SIGSTOP)
            try:
                self.listen(2 * WATCHDOG_SECONDS)  # its last sign of life is old by then
                self.said.clear()
                self.listen(2 * WATCHDOG_SECONDS)
                self.assertEqual(self.lines(), [], name)
            finally:
                os.kill(child, signal.SIGCONT)
            self.wait_for("WATCHDOG=1", 2)

    def test_without_a_watchdog_there_are_no_signs_of_life(self):
        self.start("node", *self.node_arguments(), watchdog=False)
        self.wait_for("READY=1")
        self.listen(1)
        self.assertEqual(self.lines(), ["READY=1"])

    def test_a_node_that_cannot_start_is_never_ready(self):
        program = self.start("node", "--data", "/proc/nothing")
        self.assertNotEqual(program.wait(60), 0)
        self.listen(0.2)
        self.assertEqual(self.lines(), [])

    def test_a_service_manager_that_is_gone_stops_nothing(self):
        for address in (str(self.directory / "nobody"), "@edged-test-nobody", "relative", "/" + "x" * 200):
            node = self.start("node", *self.node_arguments(), address=address)
            ports = self.data / "ports.json"
            self.wait_until(lambda: ports.exists() or node.poll() is not None, "ports.json")
            node.terminate()
            self.assertEqual(node.wait(60), 0, self.log())


if __name__ == "__main__":
    unittest.main()
