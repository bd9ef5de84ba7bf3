# SPDX-License-Identifier: Apache-2.0
"""kvctl export, and kvctl import of files: Cloudflare's bulk JSON to and fro."""

import base64
import json
import os
import random
import subprocess
import time
import unittest

from programs_case import BIN, PATIENCE_SECONDS, ProgramsCase, environment

NS = "default"
KIB_MAX = 50 * 1024  # of memory, while 60 MB of values pass


class KvctlBulkTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.start_node()

    def export(self, *arguments, ns=NS):
        result = self.kvctl("export", ns, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def import_text(self, text, *arguments, ns=NS):
        return self.kvctl("import", ns, "-", *arguments, stdin=text if isinstance(text, bytes) else text.encode())

    def import_entries(self, entries, *arguments, ns=NS):
        result = self.import_text(json.dumps(entries), "--json", *arguments, ns=ns)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def new_namespace(self, title):
        self.assertEqual(self.kvctl("namespace", "create", title).returncode, 0)
        return title

    def test_an_empty_namespace(self):
        self.assertEqual(json.loads(self.export()), [])
        self.assertEqual(self.export("--jsonl"), b"")
        self.assertEqual(self.import_entries([]), {"stored": 0, "expired": 0, "existing": 0, "bytes": 0})

    def test_an_exported_namespace_can_be_imported(self):
        seed = int(os.environ.get("EDGED_SEED", time.time_ns() % 2**32))
        print("EDGED_SEED=%d" % seed)
        chance = random.Random(seed)
        keys = ["a", "a/b", " ", "%2F", "#?", "\x00\x01\n", "é", "😀", "..a", '"\\', "k" * 512, "é" * 256]
        keys += ["key-%d" % number for number in range(2500)]
        entries = []
        for key in keys:
            entry = {"key": key, "value": chance.choice(["", "0", "null", '"é😀\u2028', "v" * 3000])}
            if chance.random() < 0.2:
                value = chance.randbytes(chance.choice([1, 100, 70_000]))
                entry.update(value=base64.b64encode(value).decode(), base64=True)
            if chance.random() < 0.3:
                entry["metadata"] = chance.choice([{}, {"a": [1, None, "é"]}, 0, "", False, 1.5])
            if chance.random() < 0.3:
                entry["expiration"] = int(time.time()) + 100_000
            entries.append(entry)
        counts = self.import_entries(entries)
        self.assertEqual(counts["stored"], len(entries))
        exported = self.export()
        by_key = {entry["key"]: entry for entry in json.loads(exported)}
        self.assertEqual(list(by_key), sorted(by_key, key=lambda key: key.encode()))
        self.assertEqual(len(by_key), len(entries))
        for entry in entries:
            got = by_key[entry["key"]]
            if "base64" in got or "base64" not in entry:
                self.assertEqual(got, entry)
            else:  # bytes that are text by chance
                self.assertEqual(got["value"].encode(), base64.b64decode(entry["value"]))
        self.import_text(exported, ns=self.new_namespace("copy"))
        self.assertEqual(self.export(ns="copy"), exported)
        self.import_text(self.export("--jsonl"), ns=self.new_namespace("copy of lines"))
        self.assertEqual(self.export(ns="copy of lines"), exported)

    def test_large_values_and_odd_bytes(self):
        large = os.urandom(25 * 1024 * 1024)
        (self.directory / "large").write_bytes(large)
        self.assertEqual(self.kvctl("put", "large", "--path", "large").returncode, 0)
        self.kvctl("put", "text", "-", stdin=b"x" * 3_000_000)
        self.kvctl("put", b"\xff\xfe".decode("utf-8", "surrogateescape"), "-", stdin=b"\x00")
        result = self.kvctl("export", NS)
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"1 keys are not UTF-8", result.stderr)
        stored = self.import_text(result.stdout, ns=self.new_namespace("copy"))
        self.assertEqual(stored.stdout, b"stored 3 entries\n")
        self.assertEqual(self.kvctl("--ns", "copy", "get", "large").stdout, large)
        self.assertEqual(self.export(ns="copy"), result.stdout)

    def test_a_prefix(self):
        self.import_entries([{"key": key, "value": key} for key in ("a", "aa", "b", "é")])
        self.assertEqual([one["key"] for one in json.loads(self.export("--prefix", "a"))], ["a", "aa"])
        self.assertEqual([one["key"] for one in json.loads(self.export("--prefix", "é"))], ["é"])

    def test_expired_entries_are_left_out(self):
        counts = self.import_entries([
            {"key": "past", "value": "v", "expiration": int(time.time()) - 5},
            {"key": "soon", "value": "v", "expiration": int(time.time()) + 30},
            {"key": "ttl", "value": "v", "expiration": 1, "expiration_ttl": 1},
            {"key": "never", "value": "v"}])
        self.assertEqual((counts["stored"], counts["expired"]), (3, 1))
        self.wait_until(lambda: self.kvctl("get", "ttl").returncode == 3, "the expiry")
        self.assertEqual([one["key"] for one in json.loads(self.export())], ["never", "soon"])

    def test_existing_keys_can_stay(self):
        self.kvctl("put", "old", "mine")
        counts = self.import_entries([{"key": "old", "value": "x"}, {"key": "new", "value": "x"}], "--if-absent")
        self.assertEqual((counts["stored"], counts["existing"]), (1, 1))
        self.assertEqual(self.kvctl("get", "old").stdout, b"mine")

    def test_a_bad_entry_is_named_and_the_rest_can_follow(self):
        entries = [{"key": "k%d" % number, "value": "v"} for number in range(1500)]
        entries[1234]["value"] = 5
        result = self.import_text(json.dumps(entries))
        self.assertEqual(result.returncode, 2)
        self.assertIn("stdin: entry 1235 (line 1): \"value\" is not a string", result.stderr.decode())
        self.assertIn("--skip 1234", result.stderr.decode())
        self.assertEqual(result.stdout, b"stored 1234 entries\n")
        self.assertEqual(self.kvctl("count").stdout.split()[0], b"1234")
        entries[1234]["value"] = "five"
        self.assertEqual(self.import_entries(entries, "--skip", 1234)["stored"], 266)
        self.assertEqual(len(json.loads(self.export())), 1500)

    def test_a_file_cut_short_is_noticed(self):
        entries = [{"key": "k%d" % number, "value": "v"} for number in range(10)]
        text = json.dumps(entries)
        for cut in (1, 30, len(text) // 2, len(text) - 1):
            result = self.import_text(text[:cut])
            self.assertEqual(result.returncode, 2, cut)
            self.assertIn(b"it ends ", result.stderr)
        self.assertFails(self.kvctl("import", NS, "nowhere.json"), 1, "nowhere.json", "No such file")

    def test_a_node_that_goes_and_comes_back_is_waited_for(self):
        node = self.start_node("--unix", self.directory / "kv.sock", data=self.directory / "second")
        command = [BIN / "kvctl", "--addr", "unix:%s" % (self.directory / "kv.sock"), "import", NS, "-", "--json"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.directory,
                              env=environment()) as importer:
            line = b'{"key":"k%06d","value":"%s"}\n'
            for number in range(3000):
                importer.stdin.write(line % (number, b"v" * 1000))
            importer.stdin.flush()
            self.end(node)
            self.start_node("--unix", self.directory / "kv.sock", data=self.directory / "second")
            for number in range(3000, 6000):
                importer.stdin.write(line % (number, b"v" * 1000))
            out, _ = importer.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(importer.returncode, 0)
        self.assertEqual(json.loads(out)["stored"], 6000)
        self.assertEqual(len(json.loads(self.export())), 6000)

    def test_memory_does_not_grow_with_the_namespace(self):
        # The address sanitizer keeps freed memory for a while; not here.
        small = environment({"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"})
        line = b'{"key":"k%06d","value":"%s"}\n'
        with subprocess.Popen([BIN / "kvctl", "--addr", "unix:" + self.ports["unix"], "import", NS, "-"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=small) as importer:
            for number in range(1500):
                importer.stdin.write(line % (number, b"v" * 40_000))
            importer.stdin.flush()
            self.assertLess(self.peak_kib(importer.pid), KIB_MAX)
            importer.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(importer.returncode, 0)
        with subprocess.Popen([BIN / "kvctl", "--addr", "unix:" + self.ports["unix"], "export", NS],
                              stdout=subprocess.PIPE, env=small) as exporter:
            read = 0
            while read < 1500 * 40_000:  # its last page waits in the pipe or in its memory
                piece = exporter.stdout.read(1 << 20)
                self.assertTrue(piece)
                read += len(piece)
            peak = self.peak_kib(exporter.pid)
            exporter.communicate(timeout=PATIENCE_SECONDS)
        self.assertTrue(peak is None or peak < KIB_MAX, peak)

    @staticmethod
    def peak_kib(pid):
        """None if the process has just ended."""
        with open("/proc/%d/status" % pid) as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
        return None

    def test_usage(self):
        self.assertFails(self.kvctl("import", NS), 2, "FILE")
        self.assertFails(self.kvctl("import", NS, "-", "--api", "http://127.0.0.1:1"), 2, "--from")
        self.assertFails(self.kvctl("import", NS, "-", "--from", "cloudflare:a/b"), 2, "FILE")
        self.assertFails(self.kvctl("--ns", "other", "export", NS), 2, "--ns")
        self.assertFails(self.kvctl("export", "nowhere"), 3, "nowhere")


if __name__ == "__main__":
    unittest.main()
