# SPDX-License-Identifier: Apache-2.0
"""What tools/instructions says of counts: which are too high, and which should be recorded."""

import contextlib
import importlib.machinery
import importlib.util
import io
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
PROGRAM = Path(__file__).resolve().parents[2] / "tools/instructions"


class Instructions(unittest.TestCase):
    def compared(self, found, recorded):
        loader = importlib.machinery.SourceFileLoader("instructions", str(PROGRAM))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
        loader.exec_module(module)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            above = module.compare(found, {"get": {"instructions": recorded, "tolerance_percent": 5}})
        return above, said.getvalue()

    def test_more_than_the_tolerance_is_an_error(self):
        self.assertEqual(self.compared({"get": 105}, 100)[0], 0)
        self.assertEqual(self.compared({"get": 106}, 100)[0], 1)

    def test_a_gain_asks_to_be_recorded(self):
        above, said = self.compared({"get": 90}, 100)
        self.assertEqual(above, 0)
        self.assertIn("record it", said)

    def test_a_kind_that_is_not_recorded_is_told(self):
        self.assertIn("not recorded", self.compared({"put": 1}, 100)[1])


if __name__ == "__main__":
    unittest.main()
