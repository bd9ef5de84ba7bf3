# SPDX-License-Identifier: Apache-2.0
"""A short run of tools/soak mail, and its canary."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class MailSoakTest(unittest.TestCase):
    def soak(self, *arguments):
        return subprocess.run([sys.executable, ROOT / "tools" / "replay" / "mail_soak.py", *map(str, arguments)],
                              env=dict(os.environ), capture_output=True, text=True, timeout=1000, check=False)

    def test_nothing_is_lost_and_copies_are_explained(self):
        done = self.soak("--seconds", 12, "--mails", 300, "--seed", 20261130)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        figures = json.loads(done.stdout.splitlines()[-1])
        for transport in ("smtp", "resend"):
            self.assertEqual(figures[transport]["mails"], 300)
            self.assertGreater(figures[transport]["kill"], 1)
            self.assertGreater(figures[transport]["faults"], 1)
        self.assertEqual(figures["resend"]["copies"], 0)

    def test_a_lost_mail_is_noticed(self):
        done = self.soak("--seconds", 1, "--mails", 20, "--faults", 0, "--canary", "--transport", "smtp")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("the canary was noticed", done.stdout)


if __name__ == "__main__":
    unittest.main()
