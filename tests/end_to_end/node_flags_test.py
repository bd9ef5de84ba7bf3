# SPDX-License-Identifier: Apache-2.0
"""`edged node` as a sidecar without a file: its flags, environment variables and the namespace `default`; and what
the programs say of a configuration that is wrong or was mistyped."""

import json
import os
import signal
import subprocess
import unittest
from pathlib import Path

from programs_case import BIN, ProgramsCase, environment

ID = "0f2ac74b498b48028cb68387c421e279"
OTHER = "06779da6940b431db6e566b4846d64db"
ADDRESSES = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")


class NodeFlagsTest(ProgramsCase):
    def configure(self, text, name="edged.jsonc"):
        path = self.directory / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def threads_of(self, node):
        names = [(task / "comm").read_text().strip() for task in Path("/proc/%d/task" % node.pid).iterdir()]
        return len(names)

    def test_a_configuration_without_namespaces_has_default(self):
        for text in ("{}", '{ "kv_namespaces": [] }', '{ "wrangler": "wrangler.jsonc" }'):
            with self.subTest(text=text):
                self.configure("// nothing\n{ }", "wrangler.jsonc")
                node = self.start_node("-c", self.configure(text), data=self.directory / str(len(text)))
                self.assertEqual(self.kvctl("put", "k", "v").returncode, 0)
                self.assertEqual(self.kvctl("get", "k").stdout, b"v")
                self.assertEqual([ns["title"] for ns in self.kvctl_json("namespace", "list")], ["default"])
                self.end(node)

    def test_a_configuration_that_names_one_has_no_default(self):
        config = self.configure('{ "kv_namespaces": [ { "binding": "KV", "id": "%s" } ] }' % ID)
        self.start_node("-c", config)
        self.assertEqual(self.kvctl_json("namespace", "list"), [])

    def test_the_resource_flags_are_obeyed(self):
        few = self.start_node("--io-threads", "1", "--durability", "sync", "--memory-budget", "16MiB",
                              "--disk-quota", "64MiB")
        before = self.kvctl_json("stats")["syncs"]
        self.assertEqual(self.kvctl("put", "k", "v").returncode, 0)
        self.assertEqual(self.kvctl_json("stats")["syncs"], before + 1)
        refused = None
        for i in range(100):  # MiB that do not compress
            refused = self.kvctl("put", "large%d" % i, "-", stdin=os.urandom(1 << 20))
            if refused.returncode != 0:
                break
        self.assertFails(refused, 1, "quota")
        threads = self.threads_of(few)
        self.end(few)
        many = self.start_node("--io-threads", "8")
        self.assertEqual(self.threads_of(many), threads + 7)

    def test_a_flag_beats_the_environment_which_beats_the_file(self):
        config = self.configure('{ "node": { "io_threads": 1, "memory_budget": "32MiB", "durability": "wal", '
                                '"disk_quota": "1GiB" } }')
        for flag, variable, key in (("--io-threads", "EDGED_IO_THREADS", "node.io_threads"),
                                    ("--memory-budget", "EDGED_MEMORY_BUDGET", "node.memory_budget"),
                                    ("--durability", "EDGED_DURABILITY", "node.durability"),
                                    ("--disk-quota", "EDGED_DISK_QUOTA", "node.disk_quota")):
            with self.subTest(flag=flag):
                environ = {variable: "env"}
                self.assertFails(self.edged("node", "--data", self.data, env=environ), 2, key, '"env"', variable)
                self.assertFails(self.edged("node", "--data", self.data, flag, "flag", env=environ), 2, key, '"flag"')
                self.assertFails(self.edged("node", "--data", self.data, flag, ""), 2, flag, "is empty")
                self.assertFails(self.edged("node", "--data", self.data, flag + "="), 2, flag)
        self.assertFalse(self.data.exists())
        started = self.start_node("-c", config, "--durability", "sync")
        before = self.kvctl_json("stats")["syncs"]
        self.assertEqual(self.kvctl("put", "k", "v").returncode, 0)
        self.assertEqual(self.kvctl_json("stats")["syncs"], before + 1)
        self.end(started)

    def test_flags_are_checked_with_the_keys_that_depend_on_them(self):
        config = self.configure('{ "node": { "hot_cache": "20MiB" } }')
        self.assertFails(self.edged("node", "-c", config, "--data", self.data, "--memory-budget", "16MiB"), 2,
                         "node.hot_cache", "node.memory_budget")
        config.unlink()
        self.start_node("--memory-budget", "8MiB")  # the hot cache's share is what is left: nothing
        self.assertEqual(self.kvctl("put", "k", "v").returncode, 0)

    def test_serve_hands_the_flags_to_the_node(self):
        config = self.configure('{ "postgres": { "url": "postgres://127.0.0.1:1/x" }, '
                                '"upstream": { "url": "http://127.0.0.1:1" } }')
        log = open(self.directory / "node.log", "ab")
        self.addCleanup(log.close)
        serve = subprocess.Popen([BIN / "edged", "serve", "-c", config, "--data", self.data, "--state-dir",
                                  self.directory / "state", "--worker-http", "127.0.0.1:0", *ADDRESSES,
                                  "--durability", "sync", "--io-threads", "2", "--memory-budget", "16MiB",
                                  "--disk-quota", "64MiB"],
                                 cwd=self.directory, env=environment(), stderr=log)
        self.addCleanup(self.end, serve)
        self.wait_until((self.data / "ports.json").exists, "ports.json")
        self.ports = json.loads((self.data / "ports.json").read_text())
        before = self.kvctl_json("stats")["syncs"]
        self.assertEqual(self.kvctl("put", "k", "v").returncode, 0)
        self.assertGreater(self.kvctl_json("stats")["syncs"], before)
        serve.send_signal(signal.SIGTERM)
        self.assertEqual(serve.wait(30), 0)

    def test_a_mistyped_id_is_told_beside_the_titles_id(self):
        node = self.start_node()
        self.assertEqual(self.kvctl("namespace", "create", "KV", "--id", OTHER).returncode, 0)
        self.end(node)
        self.start_node("-c", self.configure('{ "kv_namespaces": [ { "binding": "KV", "id": "%s" } ] }' % ID))
        for text in ('KV namespace with id "%s" not found' % ID, 'titled "KV" has the id "%s"' % OTHER,
                     "kvctl namespace create TITLE --id " + ID):
            self.assertIn(text, self.log())

    def test_ignored_keys_of_wrangler_are_told_once_where_they_matter(self):
        self.configure(b'\xef\xbb\xbf/**\r\n * For more details see the docs\r\n */\r\n{ "name": "a", "main": "b", '
                       b'"vars": {}, "observability": { "enabled": true } }', "wrangler.jsonc")
        config = self.configure('{ "wrangler": "wrangler.jsonc", "postgres": { "url": "postgres://127.0.0.1:1/x" }, '
                                '"upstream": { "url": "http://127.0.0.1:1" } }')
        node = self.start_node("-c", config)
        self.assertNotIn("ignores", self.log())
        self.end(node)
        migrated = self.edged("migrate", "-c", config)
        self.assertNotIn("ignores", migrated.stderr.decode())
        checked = self.edged("check-config", "-c", config)
        lines = [line for line in checked.stdout.decode().splitlines() if "ignores" in line]
        self.assertEqual(len(lines), 1, checked.stdout)
        for key in ("name", "main", "vars", "observability"):
            self.assertIn(key, lines[0])

    def test_broken_files_are_told_with_their_place(self):
        for text, message in ((b"", "empty"), (b"// only a comment\n", "only comments"),
                              (b"{\n /* open", ":2:2: the comment"), ('{ "log_level": "\xe9" }'.encode("latin-1"), ":1:17:"),
                              ('{ "log_level": "info" }'.encode("utf-16"), "UTF-16"),
                              (b'{ "log_level":\n "\\ud800" }', ":2:3:")):
            with self.subTest(text=text):
                self.assertFails(self.edged("node", "-c", self.configure(text), "--data", self.data), 2,
                                 "edged.jsonc", message)

    def test_numbers_on_the_command_line_are_strict(self):
        for text in ("0", "101", "010", "0x10", "+5", "1e1", "5.0", " 5", "", "-1", "99999999999999999999"):
            with self.subTest(text=text):
                self.assertFails(self.edged("cron", "history", "class-monitor", "--limit", text), 2, "--limit")

    def test_help_of_every_command_explains_every_option(self):
        for program in ("edged", "kvctl"):
            for path in self.commands_of(program, ()):
                text = self.run_program(program, *path, "--help").stdout.decode()
                for line in text.splitlines():
                    # An option without a description is a name and nothing behind it.
                    if line.startswith("  -"):
                        self.assertNotRegex(line, r"^  \S+(,\S+)?\s*$", "%s %s" % (program, path))

    def commands_of(self, program, path):
        text = self.run_program(program, *path, "--help").stdout.decode()
        found = [path]
        if "Subcommands:" in text:
            for line in text.split("Subcommands:")[1].splitlines():
                if line.startswith("  ") and line[2:3].strip():
                    found += self.commands_of(program, (*path, line.split()[0]))
        return found


if __name__ == "__main__":
    unittest.main()
