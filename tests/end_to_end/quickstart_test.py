# SPDX-License-Identifier: Apache-2.0
"""The quick start keeps what it says: its summary equals the oracle, and it leaves nothing running."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from replay_case import ROOT
from tools.replay import history, oracle
from tools.replay.cluster import Cluster
from tools.replay.deployment import watchers

TICKS = 6
SUMMARY = ["ticks", "sections", "openings", "instructor_assignments", "mails", "sql_statements",
           "kv_hits", "kv_misses", "seconds"]


class QuickstartTest(unittest.TestCase):
    def setUp(self):
        self.state = Path(tempfile.mkdtemp(prefix="edged-quickstart-"))
        self.addCleanup(shutil.rmtree, self.state, ignore_errors=True)
        self.addCleanup(Cluster(self.state).remove)

    def start(self, *arguments):
        return subprocess.Popen([sys.executable, ROOT / "tools" / "quickstart.py", "--state",
                                 self.state, *arguments], stdout=subprocess.PIPE, text=True)

    def processes(self):
        """Commands that run with this test's directories."""
        names = (str(self.state).encode(), Cluster(self.state).directory.as_posix().encode())
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = entry.read_bytes()
            except OSError:
                continue
            if any(name in command for name in names):
                found.append(command)
        return found

    def test_mails_go_through_smtp_if_asked(self):
        process = self.start("--once", "--ticks", str(TICKS), "--json", "--smtp")
        output = process.communicate(timeout=500)[0]
        self.assertEqual(process.returncode, 0, output)
        self.assertRegex(output, r"SMTP server is smtp://127\.0\.0\.1:[0-9]+; read")
        accepted = list((self.state / "smtp-maildir" / "new").iterdir())
        self.assertEqual(len(accepted), json.loads(output.splitlines()[-1])["mails"])
        self.assertGreater(len(accepted), 0)
        self.assertEqual(self.processes(), [])

    def test_once_prints_what_happened_and_ends(self):
        process = self.start("--once", "--ticks", str(TICKS), "--json")
        output = process.communicate(timeout=500)[0]
        self.assertEqual(process.returncode, 0, output)
        summary = json.loads(output.splitlines()[-1])
        self.assertEqual(list(summary), SUMMARY)
        found = oracle.expected(history.DATA, history.read_sections(), history.tick_moments(),
                                TICKS)
        places = {one.number: i for i, one in enumerate(history.read_sections())}
        kinds = [one.type for one in found]
        self.assertEqual(summary["openings"], kinds.count(oracle.SEAT))
        self.assertEqual(summary["instructor_assignments"], kinds.count(oracle.INSTRUCTOR))
        self.assertEqual(summary["mails"],
                         sum(len(watchers(places[one.number])) for one in found))
        self.assertEqual(output.count("to student"), summary["mails"])
        self.assertRegex(output, r"with KV +%d" % TICKS)
        self.assertRegex(output, r"without KV +%d" % TICKS)
        self.assertRegex(output, r"per section +1 +%d +%d\.0" % ((3 * summary["sections"],) * 2))
        self.assertEqual(self.processes(), [])

    def try_what_it_says(self, command):
        """The line that lists keys, once the worker has made a namespace of its own too."""
        end = time.monotonic() + 120
        listed = [command[0], *command[1:command.index("list")], "namespace", "list"]
        while b"edged-system" not in subprocess.run(listed, cwd=ROOT, capture_output=True).stdout:
            self.assertLess(time.monotonic(), end, "the worker has not published its status")
            time.sleep(0.1)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_ctrl_c_stops_everything_it_started(self):
        process = self.start()
        for line in process.stdout:
            if "kvctl" in line:
                break
        self.assertGreater(len(self.processes()), 3, "node, worker, serve and PostgreSQL")
        self.try_what_it_says(shlex.split(line)[1:])
        os.kill(process.pid, signal.SIGINT)
        process.stdout.read()
        self.assertEqual(process.wait(60), 0)
        process.stdout.close()
        self.assertEqual(self.processes(), [])


if __name__ == "__main__":
    unittest.main()
