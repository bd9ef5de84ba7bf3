# SPDX-License-Identifier: Apache-2.0
"""tests/reference_client.py, which was written from docs/protocol.md alone, against a real node."""

import subprocess
import sys
import unittest
from pathlib import Path

from programs_case import ProgramsCase, environment

CLIENT = Path(__file__).resolve().parents[1] / "reference_client.py"
# Those of its operations that only one who administers the node may run.
OF_TOKENS = {"auth", "token_create", "token_list", "token_revoke"}


class ReferenceClientTest(ProgramsCase):
    def run_client(self, address, env=None):
        """The operations it shows."""
        done = subprocess.run([sys.executable, CLIENT, address], capture_output=True, text=True, timeout=180,
                              env=environment(env))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return {line.split()[0] for line in done.stdout.splitlines()}

    def test_every_operation(self):
        self.start_node()
        shown = self.run_client("unix:" + self.ports["unix"])
        self.assertGreaterEqual(len(shown), 32, shown)
        self.assertLessEqual(OF_TOKENS, shown)
        self.assertEqual(self.run_client(self.ports["listen"][0]), shown - OF_TOKENS)

    def test_every_operation_with_a_token(self):
        self.start_node()
        scopes = "read,write,delete,list,admin,metrics"
        made = self.kvctl("token", "create", "all", "--scope", scopes)
        shown = self.run_client(self.ports["listen"][0], {"EDGED_TOKEN": made.stdout.decode().strip()})
        self.assertLessEqual(OF_TOKENS, shown)


if __name__ == "__main__":
    unittest.main()
