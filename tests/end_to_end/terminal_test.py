# SPDX-License-Identifier: Apache-2.0
"""What others stored must not drive the terminal of somebody who looks at it, nor forge lines of the log."""

import json
import os
import pty
import subprocess
import unittest

from programs_case import BIN, PATIENCE_SECONDS, ProgramsCase, environment

NASTY = {"esc": "a\x1b[2Jb", "newline": "a\nb", "c1": "a\x9b31mb", "bidi": "a\u202eb", "isolate": "a\u2066b",
         "separator": "a\u2028b", "cr": "a\rb", "del": "a\x7fb"}
SHOWN = {"esc": "a\\u001b[2Jb", "newline": "a\\nb", "c1": "a\\u009b31mb", "bidi": "a\\u202eb", "isolate": "a\\u2066b",
         "separator": "a\\u2028b", "cr": "a\\rb", "del": "a\\u007fb"}


class TerminalTest(ProgramsCase):
    def on_terminal(self, *arguments):
        """What kvctl writes to stdout when that is a terminal."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen([BIN / "kvctl", "--addr", "unix:" + self.ports["unix"], *arguments],
                                   stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE,
                                   cwd=self.directory, env=environment())
        os.close(theirs)
        written = b""
        try:
            while block := os.read(ours, 4096):
                written += block
        except OSError:  # EIO: the last writer has gone
            pass
        os.close(ours)
        process.stderr.close()
        process.wait(PATIENCE_SECONDS)
        return written.replace(b"\r\n", b"\n").decode()

    def test_keys_on_a_terminal(self):
        self.start_node()
        for key in NASTY.values():
            self.assertEqual(self.kvctl("put", "--", key, "v").returncode, 0)
        listed = self.on_terminal("list")
        self.assertEqual(sorted(listed.splitlines()), sorted(SHOWN.values()))
        machine = self.on_terminal("list", "--json")
        self.assertTrue(machine.strip().isprintable(), machine)
        self.assertEqual({one["key"] for one in json.loads(machine)["keys"]}, set(NASTY.values()))
        for name, key in NASTY.items():
            with self.subTest(key=name):
                shown = self.on_terminal("inspect", "--", key)
                self.assertIn(SHOWN[name], shown)
                self.assertNotIn(key, shown)

    def test_keys_in_a_pipe_are_as_they_are(self):
        self.start_node()
        self.kvctl("put", "--", NASTY["esc"], "v")
        self.assertEqual(self.kvctl("list").stdout.decode(), NASTY["esc"] + "\n")

    def test_titles_and_token_names_are_refused(self):
        self.start_node()
        self.kvctl("namespace", "create", "plain")
        for name, text in NASTY.items():
            with self.subTest(name=name):
                self.assertFails(self.kvctl("namespace", "create", text), 2, SHOWN[name])
                self.assertFails(self.kvctl("namespace", "rename", "plain", text), 2, SHOWN[name])
                self.assertEqual(self.kvctl("token", "create", text, "--scope", "read").returncode, 2)
                self.assertEqual(self.kvctl("token", "create", "x", "--scope", "read", "--prefix", text).returncode, 2)
        self.assertEqual(self.kvctl("namespace", "create", "\u00dcbung \u05e9\u05dc\u05d5\u05dd").returncode, 0)

    def test_errors_are_one_line(self):
        self.start_node()
        for name, key in NASTY.items():
            with self.subTest(key=name):
                result = self.kvctl("get", "--", key)
                self.assertEqual(result.returncode, 3)
                self.assertIn(SHOWN[name], result.stderr.decode())
                self.assertNotIn(key, result.stderr.decode())


if __name__ == "__main__":
    unittest.main()
