# SPDX-License-Identifier: Apache-2.0
"""tests/reference_client.py, which was written from docs/protocol.md alone, against a real node."""

import subprocess
import sys
import unittest
from pathlib import Path

from programs_case import ProgramsCase

CLIENT = Path(__file__).resolve().parents[1] / "reference_client.py"


class ReferenceClientTest(ProgramsCase):
    def test_every_operation(self):
        self.start_node()
        for address in ("unix:" + self.ports["unix"], self.ports["listen"][0]):
            done = subprocess.run([sys.executable, CLIENT, address], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            shown = {line.split()[0] for line in done.stdout.splitlines()}
            self.assertGreaterEqual(len(shown), 28, shown)


if __name__ == "__main__":
    unittest.main()
