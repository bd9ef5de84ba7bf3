# SPDX-License-Identifier: Apache-2.0
"""kvctl against a running node: output, JSON shapes and exit codes as docs/kvctl.md promises them."""

import json
import re
import struct
import sys
import time
import unittest
import urllib.request
from pathlib import Path

from programs_case import ProgramsCase

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import reference_client  # noqa: E402

ENTRY = {"version", "expires_at", "metadata"}


class KvctlTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.start_node()

    def put(self, key, value, *flags):
        result = self.kvctl("put", key, "-", *flags, stdin=value)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def test_values_are_bytes(self):
        value = bytes(range(256)) * 300 + b"\n"
        self.put("bytes", value)
        self.assertEqual(self.kvctl("get", "bytes").stdout, value)
        (self.directory / "file").write_bytes(value[::-1])
        self.assertEqual(self.kvctl("put", "file", "--path", "file").returncode, 0)
        self.assertEqual(self.kvctl("get", "file").stdout, value[::-1])
        self.put("empty", b"")
        self.assertEqual(self.kvctl("get", "empty").stdout, b"")
        self.assertEqual(self.kvctl("put", "plain", "text").stdout, b"")
        self.assertEqual(self.kvctl("get", "plain").stdout, b"text")

    def test_json_of_get_and_put(self):
        stored = self.kvctl_json("put", "k", "v", "--metadata", '{"a":[1]}')
        self.assertEqual(set(stored), {"key", "version"})
        got = self.kvctl_json("get", "k")
        self.assertEqual(got, {"key": "k", "value": "v", "version": stored["version"],
                               "expires_at": None, "metadata": {"a": [1]}})
        self.put("raw", b"\xff\x00")
        self.assertEqual(self.kvctl_json("get", "raw")["value_base64"], "/wA=")

    def test_missing_keys_exit_3(self):
        self.assertFails(self.kvctl("get", "nope"), 3, 'key "nope" not found')
        self.assertFails(self.kvctl("inspect", "nope"), 3, 'key "nope" not found')

    def test_conditions_exit_1(self):
        version = self.kvctl_json("put", "k", "1")["version"]
        self.assertFails(self.kvctl("put", "k", "2", "--if-absent"), 1, "exists already")
        self.assertFails(self.kvctl("put", "k", "2", "--if-version", version + 1), 1, "another version")
        self.assertEqual(self.kvctl("get", "k").stdout, b"1")
        newer = self.kvctl_json("put", "k", "2", "--if-version", version, "--sync")["version"]
        self.assertGreater(newer, version)
        self.assertFails(self.kvctl("del", "k", "--if-version", version), 1)
        self.assertEqual(self.kvctl("del", "k", "--if-version", newer).returncode, 0)
        self.assertEqual(self.kvctl("put", "k", "3", "--if-absent").returncode, 0)

    def test_a_ttl_expires(self):
        self.assertEqual(self.kvctl("put", "k", "v", "--ttl", "1500ms").returncode, 0)
        self.assertEqual(self.kvctl("put", "long", "v", "--ttl", "1h").returncode, 0)
        facts = self.kvctl_json("inspect", "long")
        self.assertGreater(facts["ttl_ms"], 3_500_000)
        self.assertLessEqual(facts["ttl_ms"], 3_600_000)
        self.wait_until(lambda: self.kvctl("get", "k").returncode == 3, "the expiry")
        self.assertEqual([one["key"] for one in self.kvctl_json("list")["keys"]], ["long"])

    def test_inspect_has_the_promised_shape(self):
        version = self.kvctl_json("put", "k", "12345")["version"]
        facts = self.kvctl_json("inspect", "k")
        self.assertEqual(list(facts), ["key", "namespace", "size", "version", "written_at",
                                       "expires_at", "ttl_ms", "metadata", "cached", "chunks"])
        self.assertEqual((facts["key"], facts["namespace"], facts["size"], facts["version"]),
                         ("k", "default", 5, version))
        self.assertRegex(facts["written_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertIn(b"namespace", self.kvctl("inspect", "k").stdout)
        self.assertIs(facts["cached"], True)  # it was just written
        self.kvctl("put", "large", "-", stdin=b"x" * 5000)
        self.assertIs(self.kvctl_json("inspect", "large")["cached"], False)

    def test_delete(self):
        for key in "abc":
            self.put(key, b"x")
        deleted = self.kvctl_json("del", "a", "b", "absent")
        self.assertEqual(deleted, {"deleted": [{"key": "a"}, {"key": "b"}, {"key": "absent"}]})
        self.assertEqual(self.kvctl("list").stdout, b"c\n")

    def test_list_pages(self):
        for i in range(7):
            self.put("p:%d" % i, b"v%d" % i)
        self.put("other", b"x")
        self.assertEqual(self.kvctl("list", "--prefix", "p:").stdout.decode().split(),
                         ["p:%d" % i for i in range(7)])
        self.assertEqual(self.kvctl("list", "--prefix", "p:1", "--values").stdout, b"p:1\tv1\n")
        keys, cursor, pages = [], None, 0
        while cursor != "":
            more = ["--cursor", cursor] if cursor else []
            page = self.kvctl_json("list", "--prefix", "p:", "--limit", "3", "--values", *more)
            self.assertEqual(set(page), {"keys", "cursor"})
            self.assertLessEqual(len(page["keys"]), 3)
            keys += page["keys"]
            cursor, pages = page["cursor"], pages + 1
            self.assertLess(pages, 10)
        self.assertEqual([one["key"] for one in keys], ["p:%d" % i for i in range(7)])
        self.assertEqual(set(keys[0]), ENTRY | {"key", "size", "value"})
        self.assertEqual(len(self.kvctl_json("list", "--all")["keys"]), 8)
        self.assertFails(self.kvctl("list", "--cursor", "zz"), 2, "--cursor")

    def test_namespaces(self):
        created = self.kvctl("namespace", "create", "CACHE")
        self.assertEqual(created.returncode, 0, created.stderr)
        snippet = json.loads(created.stdout)
        identity = snippet["kv_namespaces"][0]["id"]
        self.assertEqual(snippet, {"kv_namespaces": [{"binding": "KV", "id": identity}]})
        preview = json.loads(self.kvctl("namespace", "create", "CACHE", "--preview").stdout)
        self.assertEqual(set(preview["kv_namespaces"][0]), {"binding", "preview_id"})
        self.assertFails(self.kvctl("namespace", "create", "CACHE"), 1, "exists already")
        self.assertFails(self.kvctl("namespace", "create", "x", "--id", "abc123"), 2)
        namespaces = self.kvctl_json("namespace", "list")
        self.assertEqual({one["title"] for one in namespaces}, {"default", "CACHE", "CACHE_preview"})
        self.assertEqual(set(namespaces[0]), {"id", "title", "created_at"})
        self.assertEqual(self.kvctl("--ns", identity, "put", "k", "there").returncode, 0)
        self.assertEqual(self.kvctl("--ns", "CACHE", "get", "k").stdout, b"there")
        self.assertFails(self.kvctl("get", "k"), 3)  # "default" is meant
        self.assertFails(self.kvctl("--ns", "nobody", "get", "k"), 3, 'title "nobody" not found',
                         "kvctl namespace create nobody")

    def test_stats(self):
        stats = self.kvctl_json("stats")
        for name in ("engine", "disk_bytes", "keys_estimate", "writes", "connections"):
            self.assertIn(name, stats)
        self.assertIn(b"engine", self.kvctl("stats").stdout)

    def test_usage_exits_2(self):
        for arguments in ((), ("get",), ("frobnicate",), ("put", "k"), ("put", "k", "v", "--ttl", "60"),
                          ("put", "k", "v", "--ttl", "0s"), ("put", "k", "v", "--metadata", "{"),
                          ("put", "k", "v", "--path", "x"), ("put", "", "v"),
                          ("put", "k" * 513, "v"), ("list", "--limit", "0"),
                          ("put", "k", "v", "--if-absent", "--if-version", "1"),
                          ("del", "a", "b", "--if-version", "1")):
            with self.subTest(arguments=arguments):
                self.assertFails(self.kvctl(*arguments), 2)
        self.assertFails(self.kvctl("put", "k", "--path", "absent"), 1, "absent", "No such file")
        self.assertEqual(self.kvctl("list").stdout, b"")

    def test_unreachable_exits_4_and_says_what_was_tried(self):
        self.assertFails(self.run_program("kvctl", "--addr", "127.0.0.1:1", "stats"), 4, "127.0.0.1:1",
                         "--addr")
        (self.directory / "edged.jsonc").write_text('{ "node": { "data_dir": "elsewhere", '
                                                    '"listen": ["127.0.0.1:1"] } }')
        result = self.run_program("kvctl", "-c", "edged.jsonc", "stats")
        if result.returncode != 0:  # a node of the machine's own may answer on the default address
            self.assertFails(result, 4, "elsewhere/kv.sock", "/var/lib/edged/kv.sock", "127.0.0.1:4780")

    def test_finds_the_node_by_itself(self):
        (self.directory / "edged.jsonc").write_text('{ "node": { "data_dir": "data" }, '
                                                    '"postgres": { "url": "${UNSET}" } }')
        self.put("k", b"found")
        self.assertEqual(self.run_program("kvctl", "get", "k").stdout, b"found")
        (self.directory / "edged.jsonc").unlink()
        by_environment = self.run_program("kvctl", "get", "k", env={"EDGED_ADDR": self.ports["listen"][0]})
        self.assertEqual(by_environment.stdout, b"found")
        self.assertEqual(self.run_program("kvctl", "--addr", "./data/kv.sock", "get", "k").stdout, b"found")

    def test_a_value_of_25_mib_is_the_largest(self):
        largest = bytes(range(256)) * (25 * 4096)
        self.put("large", largest)
        self.assertEqual(self.kvctl("get", "large").stdout, largest)
        self.assertEqual(self.kvctl_json("inspect", "large")["chunks"], 100)
        self.assertFails(self.kvctl("put", "larger", "-", stdin=largest + b"x"), 2, "25 MiB")
        self.assertFails(self.kvctl("get", "larger"), 3)

    def test_touch_and_ttl(self):
        self.put("k", b"v")
        self.assertEqual(self.kvctl("ttl", "k").stdout, b"never\n")
        self.assertGreater(self.kvctl_json("touch", "k", "--ttl", "60s")["version"], 0)
        self.assertLessEqual(self.kvctl_json("ttl", "k")["ttl_ms"], 60_000)
        self.assertRegex(self.kvctl("ttl", "k").stdout, rb"^(59|60)\.\d{3}s\n$")
        self.assertEqual(self.kvctl("touch", "k", "--persist").returncode, 0)
        self.assertEqual(self.kvctl_json("ttl", "k"), {"key": "k", "ttl_ms": None})
        self.assertFails(self.kvctl("touch", "k"), 2, "--ttl or --persist")
        self.assertFails(self.kvctl("touch", "nope", "--persist"), 3)
        self.assertFails(self.kvctl("ttl", "nope"), 3)
        self.assertFails(self.kvctl("touch", "k", "--persist", "--if-version", "5"), 1)

    def test_add(self):
        self.assertEqual(self.kvctl("add", "n").stdout, b"1\n")
        self.assertEqual(self.kvctl("add", "n", "--", "-3").stdout, b"-2\n")
        self.assertEqual(self.kvctl_json("add", "m", "5", "--initial", "10"), {"key": "m", "value": 15})
        self.put("text", b"x")
        self.assertFails(self.kvctl("add", "text"), 2)

    def test_count(self):
        for key in ("a:1", "a:2", "b"):
            self.put(key, b"12")
        self.assertEqual(self.kvctl("count").stdout, b"3\n")
        self.assertEqual(self.kvctl_json("count", "--prefix", "a:"), {"keys": 2, "bytes": 10})

    def test_watch(self):
        self.put("w:0", b"1")
        version = self.kvctl_json("inspect", "w:0")["version"]
        self.put("w:1", b"1", "--ttl", "1h")
        self.put("other", b"1")
        self.assertEqual(self.kvctl("del", "w:1").returncode, 0)
        seen = self.kvctl("watch", "w:", "--after", version, "--for", "1s", "--json")
        self.assertEqual(seen.returncode, 0, seen.stderr)
        changes = [json.loads(line) for line in seen.stdout.splitlines()]
        self.assertEqual([(c["change"], c["key"]) for c in changes], [("put", "w:1"), ("delete", "w:1")])
        self.assertIsNotNone(changes[0]["expires_at"])
        self.assertEqual(self.kvctl("watch", "w:", "--for", "100ms").stdout, b"")
        self.assertFails(self.kvctl("watch", "--for", "soon"), 2, "--for")

    def test_mirrored_keys(self):
        self.assertEqual(self.kvctl("mirror", "status").stdout, b"no namespace is mirrored\n")
        self.assertEqual(self.kvctl_json("mirror", "status"), [])
        mirror = reference_client.Client("unix:" + self.ports["unix"])
        ns = mirror.call("open", b"default")[1]["namespace"]

        def write(*items, **mark):
            self.assertEqual(mirror.call("batch", b"", b"".join(items), ns=ns, **mark)[0], "ok")

        rules = b"\1" + b"".join(struct.pack("<BHQ", loaded, len(prefix), ttl) + prefix for loaded, ttl, prefix in
                                 ((1, 3_600_000, b"m:"), (1, 1, b"late:"), (0, 0, b"new:")))
        write(reference_client.item("put", b"\0edged:rules", rules), source_position=b"")
        self.assertIn("not known", self.kvctl("mirror", "status").stdout.decode())
        self.assertFails(self.kvctl("get", "m:1"), 1, "stale")
        now = int(time.time() * 1000)
        write(reference_client.item("put", b"m:1", b"row"), fresh_as_of=now - 2000,
              source_position=struct.pack(">II", 0x16, 0xB374D848))
        self.assertEqual(self.kvctl("get", "m:1").stdout, b"row")
        got = self.kvctl_json("get", "m:1", "--max-staleness", "1h", "--min-position", "16/B374D848")
        self.assertEqual((got["value"], got["position"]), ("row", "16/B374D848"))
        self.assertRegex(got["fresh_as_of"], r"^\d{4}-\d\d-\d\dT")
        self.assertFails(self.kvctl("get", "m:1", "--max-staleness", "1s"), 1, "stale", "behind")
        self.assertFails(self.kvctl("get", "m:1", "--min-position", "16/B374D849", "--wait", "50ms"), 1, "position")
        self.assertFails(self.kvctl("get", "m:1", "--min-position", "soon"), 2, "--min-position")
        self.assertEqual(self.kvctl("get", "m:1", "--min-position", "00000016b374d848").stdout, b"row")
        self.assertFails(self.kvctl("put", "m:1", "mine"), 1, "belongs to the mirror")
        self.put("plain", b"v")
        self.assertFails(self.kvctl("get", "plain", "--max-staleness", "1h"), 1, "no mirror owns the key")
        self.assertFails(self.kvctl("inspect", "late:1"), 1, "stale")
        facts = self.kvctl_json("inspect", "m:1")
        self.assertEqual((facts["position"], facts["size"]), ("16/B374D848", 3))
        self.assertEqual(facts["fresh_as_of"], got["fresh_as_of"])
        self.assertNotIn("position", self.kvctl_json("inspect", "plain"))
        status, = self.kvctl_json("mirror", "status")
        self.assertEqual([(r["prefix"], r["state"]) for r in status["rules"]],
                         [("late:", "stale"), ("m:", "fresh"), ("new:", "not loaded")])
        self.assertEqual((status["title"], status["position"]), ("default", "16/B374D848"))
        self.assertGreaterEqual(status["behind_ms"], 2000)
        shown = self.kvctl("mirror", "status").stdout.decode()
        for text in ("16/B374D848", "new:  ttl none  not loaded", "m:  ttl 3600.000s  fresh\n", "late:  ttl 0.001s  stale"):
            self.assertIn(text, shown)
        page = urllib.request.urlopen("http://%s/metrics" % self.ports["http"]).read().decode()
        staleness = re.search(r'edged_mirror_staleness_seconds\{namespace="%s"\} (\S+)' % status["namespace"], page)
        self.assertGreaterEqual(float(staleness.group(1)), 2)
        self.assertIn("edged_mirror_fresh_as_of_seconds{namespace=", page)

    def test_namespaces_are_changed(self):
        created = self.kvctl("namespace", "create", "old")
        self.assertEqual(created.returncode, 0, created.stderr)
        self.put("k", b"v", "--ns", "old")
        self.assertEqual(self.kvctl("namespace", "rename", "old", "new").returncode, 0)
        self.assertFails(self.kvctl("namespace", "rename", "new", "default"), 1, "default")
        self.assertFails(self.kvctl("namespace", "clear", "new"), 2, "--yes")
        self.assertEqual(self.kvctl("get", "k", "--ns", "new").stdout, b"v")
        self.assertEqual(self.kvctl("namespace", "clear", "new", "--yes").returncode, 0)
        self.assertFails(self.kvctl("get", "k", "--ns", "new"), 3)
        self.assertEqual(self.kvctl("namespace", "delete", "new", "--yes").returncode, 0)
        self.assertFails(self.kvctl("get", "k", "--ns", "new"), 3, "not found")
        self.assertEqual(self.kvctl("confirm-clock").returncode, 0)



if __name__ == "__main__":
    unittest.main()
