# SPDX-License-Identifier: Apache-2.0
"""The parts of tools/bench/compare that judge figures: when ratios are stable, and what a table says of them."""

import importlib.machinery
import importlib.util
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/bench"))
import compare_curves  # noqa: E402
import compare_report  # noqa: E402
import compare_run  # noqa: E402


def rounds(*rates, others=0.0):
    return [{"rate": rate, "item_rate": 2 * rate, "cpu_us": 1e6 / rate, "others": others, "stolen": 0,
             "reads": {"count": 10, "p50_us": 1, "p99_us": 2, "p999_us": 3, "max_us": 4},
             "writes": {"count": 0, "p50_us": 0, "p99_us": 0, "p999_us": 0, "max_us": 0}} for rate in rates]


def cell(load="get", **servers):
    return {"load": load, "mode": [50, 1], "transport": "tcp", "keys": 10, "value_bytes": 100, "servers": servers}


class Stability(unittest.TestCase):
    def test_quartiles_of_few(self):
        self.assertEqual(compare_run.quartiles([3]), (3, 3, 3))
        self.assertEqual(compare_run.quartiles([1, 2, 3]), (1.5, 2, 2.5))

    def test_one_outlier_of_many_does_not_matter(self):
        self.assertTrue(compare_run.is_stable([1, 1, 1, 1, 1, 5], 0.05))

    def test_scattered_ratios_are_not_stable(self):
        self.assertFalse(compare_run.is_stable([0.8, 1, 1.2], 0.05))


class Table(unittest.TestCase):
    def test_ratio_is_that_of_one_round(self):
        # The machine became twice as slow in the second round; the ratio stayed.
        text = compare_report.table([cell(edged=rounds(50, 25), redis=rounds(100, 50))], None)
        self.assertIn("0.50 (0.50, 0.50)", text)
        self.assertIn("redis: 75", text)

    def test_entries_are_counted_where_the_load_has_them(self):
        self.assertIn("redis: 200", compare_report.table([cell("mget", redis=rounds(100))], None))

    def test_without_the_base_it_says_the_rate(self):
        self.assertIn("1,000, 1e+03", compare_report.table([cell(edged=rounds(1000))], None))

    def test_server_that_took_no_part_leaves_its_place_empty(self):
        text = compare_report.table([cell(redis=rounds(1)), cell("put", redis=rounds(1), echo=rounds(2))], None)
        self.assertEqual({line.count("|") for line in text.split("\n")}, {6})

    def test_disturbed_measurements_are_counted(self):
        cells = [cell(edged=rounds(1, 2, others=0.5), redis=rounds(1))]
        self.assertEqual(compare_report.disturbed(cells), (2, 3))

    def test_curve_has_a_series_for_each_server(self):
        cells = [{**cell(edged=rounds(x), redis=rounds(2 * x)), "curve": "keys", "x": x} for x in (10, 100)]
        self.assertEqual(compare_curves.series_of(cells)["redis"], [(10, 20, 20, 20), (100, 200, 200, 200)])


class CommandLine(unittest.TestCase):
    def test_modes(self):
        loader = importlib.machinery.SourceFileLoader("compare", str(ROOT / "tools/bench/compare"))
        compare = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
        loader.exec_module(compare)
        self.assertEqual(compare.listed(compare.mode)("50x1,8x32"), [(50, 1), (8, 32)])
        for wrong in ("50", "x", "50x", "0x1", "-1x1", "ax1"):
            with self.assertRaises(Exception):
                compare.mode(wrong)


if __name__ == "__main__":
    unittest.main()
