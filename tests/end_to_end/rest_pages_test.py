# SPDX-License-Identifier: Apache-2.0
"""100,000 keys page by page through the REST API; `tools/soak pages` does it with a million."""

import subprocess
import sys
import unittest
from pathlib import Path


class RestPagesTest(unittest.TestCase):
    def test_every_key_is_listed_once(self):
        script = Path(__file__).with_name("rest_pages.py")
        done = subprocess.run([sys.executable, script, "--keys", "100000"], capture_output=True, text=True, check=False)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
