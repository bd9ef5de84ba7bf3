# SPDX-License-Identifier: Apache-2.0
"""tools/build_rocksdb.sh leaves parts of RocksDB out. None of them may be one that our sources include:
the shipped engine would not link, which a build on Debian's engine does not notice."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("cache", "db", "db/blob", "db/db_impl", "env", "file", "monitoring", "options", "table", "trace_replay", "util")


def left_out():
    text = (ROOT / "tools/build_rocksdb.sh").read_text()
    return re.findall(r"'([^']+)'", re.search(r"^left_out=\(\n(.*?)^\)", text, re.M | re.S)[1])


def possible_sources(header):
    """Where RocksDB keeps the code of <rocksdb/HEADER>, without knowing its tree."""
    name = header[:-len(".h")]
    if name.startswith("utilities/"):
        part = name[len("utilities/"):]
        return [name, "%s/%s" % (name, part), "utilities/%s/%s_impl" % (part, part)]
    return [name] + ["%s/%s" % (folder, name) for folder in FOLDERS]


def is_left_out(header):
    return any(re.fullmatch(pattern, source) for pattern in left_out() for source in possible_sources(header))


class EnginePartsTest(unittest.TestCase):
    def test_what_our_sources_include_is_in_the_engine(self):
        headers = set()
        for path in [path for folder in ("kvstore", "tests", "tools") for path in (ROOT / folder).rglob("*")]:
            if path.suffix in (".h", ".cc"):
                headers |= set(re.findall(r"#include <rocksdb/([\w/]+\.h)>", path.read_text()))
        self.assertGreater(len(headers), 10)
        self.assertEqual([header for header in sorted(headers) if is_left_out(header)], [])

    def test_parts_that_are_left_out_are_noticed(self):
        for header in ("c.h", "utilities/backup.h", "utilities/ttl.h", "utilities/options.h"):
            self.assertTrue(is_left_out(header), header)
        self.assertFalse(is_left_out("utilities/checkpoint.h"))


if __name__ == "__main__":
    unittest.main()
