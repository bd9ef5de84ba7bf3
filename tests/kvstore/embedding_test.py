# SPDX-License-Identifier: Apache-2.0
"""The example of docs/embedding.md: what the document shows is what the program prints."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ["EDGED_BIN"]) / "embedded_store"


class EmbeddingTest(unittest.TestCase):
    def test_the_document_shows_what_the_program_prints(self):
        text = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
        session = re.search(r"```\n(\$.*?)```", text, re.S)[1]
        shown = [part.split("\n", 1)[1] for part in session.split("$ ")[1:]]
        self.assertEqual(len(shown), 2)
        with tempfile.TemporaryDirectory() as directory:
            for expected in shown:
                run = subprocess.run([PROGRAM, directory + "/example"], capture_output=True, text=True,
                                     timeout=180, check=False)
                self.assertEqual((run.returncode, run.stdout), (0, expected), run.stderr)

    def test_it_says_how_to_call_it_and_what_went_wrong(self):
        self.assertEqual(subprocess.run([PROGRAM], capture_output=True, check=False).returncode, 2)
        run = subprocess.run([PROGRAM, "/proc/none"], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("error: could not", run.stderr)


if __name__ == "__main__":
    unittest.main()
