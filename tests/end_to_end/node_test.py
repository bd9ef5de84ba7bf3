# SPDX-License-Identifier: Apache-2.0
"""`edged node` as a program: start, addresses, signals, exit codes, and what survives kill -9."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import unittest
import urllib.request
from pathlib import Path

from programs_case import BIN, ProgramsCase, environment

ROOT = Path(__file__).resolve().parents[2]

ID = "0f2ac74b498b48028cb68387c421e279"
PREVIEW_ID = "06779da6940b431db6e566b4846d64db"


class NodeTest(ProgramsCase):
    def configure(self, text):
        path = self.directory / "edged.jsonc"
        path.write_text(text)
        path.chmod(0o600)  # secrets that everybody can read are warned of
        return path

    def test_writes_the_addresses_in_use(self):
        self.start_node()
        self.assertEqual(set(self.ports), {"listen", "unix", "http", "binding"})
        self.assertEqual(self.ports["unix"], str(self.data / "kv.sock"))
        self.assertNotIn(":0", self.ports["listen"][0][-2:])
        for path, body in (("readyz", "ready"), ("healthz", "ok"), ("metrics", "edged_storage_")):
            with urllib.request.urlopen("http://%s/%s" % (self.ports["http"], path)) as answer:
                self.assertEqual(answer.status, 200)
                self.assertIn(body, answer.read().decode())
        for address in (self.ports["listen"][0], "unix:" + self.ports["unix"]):
            result = self.run_program("kvctl", "--addr", address, "stats", "--json")
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_ends_on_sigterm_and_sigint_with_0_and_removes_the_ports(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            node = self.start_node()
            node.send_signal(number)
            self.assertEqual(node.wait(30), 0, self.log())
            self.assertFalse((self.data / "ports.json").exists())

    def test_keeps_acknowledged_writes_through_kill_9(self):
        seed = int(os.environ.get("EDGED_SEED", random.randrange(1 << 32)))
        print("seed", seed)
        chance = random.Random(seed)
        expected = {}
        for _ in range(3):
            node = self.start_node()
            for key, value in expected.items():
                self.assertEqual(self.kvctl("get", key).stdout, value)
            for _ in range(10):
                key, value = "key-%d" % chance.randrange(15), chance.randbytes(chance.randrange(3000))
                self.assertEqual(self.kvctl("put", key, "-", stdin=value).returncode, 0)
                expected[key] = value
            node.kill()
            node.wait()
        self.start_node()
        listed = self.kvctl_json("list", "--all", "--values")
        self.assertEqual({entry["key"] for entry in listed["keys"]}, set(expected))
        for key, value in expected.items():
            self.assertEqual(self.kvctl("get", key).stdout, value)

    def test_refuses_a_data_directory_in_use(self):
        self.start_node()
        self.assertFails(self.edged("node", "--data", self.data, "--listen", "127.0.0.1:0",
                                    "--http", "127.0.0.1:0"),
                         1, str(self.data), "lock held by another process")

    def test_refuses_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            for flag, other in (("--listen", "--http"), ("--http", "--listen")):
                self.assertFails(self.edged("node", "--data", self.data, flag, address, other,
                                            "127.0.0.1:0"),
                                 1, address)
                self.assertFalse((self.data / "ports.json").exists())

    def test_refuses_a_directory_that_cannot_be_made(self):
        (self.directory / "file").write_text("")
        for data in (self.directory / "file" / "data", self.directory / "file"):
            self.assertFails(self.edged("node", "--data", data, "--listen", "127.0.0.1:0",
                                        "--http", "127.0.0.1:0"),
                             1, str(data))

    def test_refuses_damaged_data_with_6_and_leaves_it_alone(self):
        node = self.start_node()
        for i in range(50):
            self.assertEqual(self.kvctl("put", "k%d" % i, "v" * 1000).returncode, 0)
        node.kill()
        node.wait()
        log = max((self.data / "db").glob("*.log"), key=lambda path: path.stat().st_size)
        damaged = bytearray(log.read_bytes())
        middle = len(damaged) // 2
        damaged[middle:middle + 64] = bytes(byte ^ 0xFF for byte in damaged[middle:middle + 64])
        log.write_bytes(damaged)
        for _ in range(2):
            self.assertFails(self.edged("node", "--data", self.data, "--listen", "127.0.0.1:0",
                                        "--http", "127.0.0.1:0"),
                             6, log.name)
            self.assertEqual(log.read_bytes(), damaged)
        self.start_node("--recovery", "cache")
        self.assertEqual(self.kvctl("get", "k0").stdout, b"v" * 1000)
        self.assertEqual(self.kvctl("get", "k49").returncode, 3)
        kept, = (self.data / "damaged").glob("*/" + log.name)
        self.assertEqual(kept.read_bytes(), damaged)
        self.assertGreater(self.kvctl_json("stats")["recovered_lost_writes"], 0)

    def test_refuses_what_it_does_not_have(self):
        node = ("node", "--data", self.data)
        self.assertFails(self.edged(*node, "--binding", "0.0.0.0:0"), 2, "not a loopback", "--insecure")
        self.assertFails(self.edged(*node, "--binding", "unix:"), 2, "no path")
        self.assertFails(self.edged(*node, "--http", "0.0.0.0:0"), 2, "not a loopback", "--insecure")
        self.assertFails(self.edged(*node, "--http", "nowhere"), 2, "HOST:PORT")
        self.assertFails(self.edged(*node, "--log-level", "loud"), 2, "loud")
        self.assertFails(self.edged("nodes"), 2)
        self.assertFails(self.edged(), 2)
        self.assertFalse(self.data.exists())

    def test_flag_beats_environment_beats_file(self):
        config = self.configure('{ "node": { "data_dir": "%s" } }' % (self.directory / "file"))
        addresses = ("--listen", "0.0.0.0:1")  # refused: the message tells the configuration is read
        by_environment = {"EDGED_HTTP": "0.0.0.0:2"}
        result = self.edged("node", "-c", config, env=by_environment)
        self.assertFails(result, 2, "node.http", "0.0.0.0:2")
        result = self.edged("node", "-c", config, "--http", "0.0.0.0:3", env=by_environment)
        self.assertFails(result, 2, "node.http", "0.0.0.0:3")
        self.assertFails(self.edged("node", "-c", config, *addresses), 2, "0.0.0.0:1")

    def test_names_a_configured_namespace_that_does_not_exist(self):
        config = self.configure('{ "kv_namespaces": [ { "binding": "KV", "id": "%s" } ] }' % ID)
        self.start_node("-c", config)
        # The log is written by a thread of its own, ports.json by another.
        self.wait_until(lambda: 'KV namespace with id "%s" not found' % ID in self.log(), "the warning")
        self.assertIn("kvctl namespace create KV --id " + ID, self.log())
        self.assertFails(self.kvctl("--ns", ID, "get", "k"), 3,
                         'KV namespace with id "%s" not found' % ID)
        self.assertEqual(self.kvctl_json("namespace", "list"), [])
        self.assertEqual(self.kvctl("namespace", "create", "KV", "--id", ID).returncode, 0)
        self.assertEqual(self.kvctl("--ns", ID, "put", "k", "v").returncode, 0)

    def test_dev_creates_preview_namespaces(self):
        config = self.configure('{ "kv_namespaces": [ { "binding": "KV", "id": "%s", "preview_id": '
                                '"%s" } ] }' % (ID, PREVIEW_ID))
        self.start_node("-c", config, "--dev")
        self.assertEqual([ns["id"] for ns in self.kvctl_json("namespace", "list")], [PREVIEW_ID])

    def test_dev_without_a_directory_leaves_nothing(self):
        temporary = self.directory / "tmp"
        temporary.mkdir()
        node = subprocess.Popen([BIN / "edged", "node", "--dev", "--listen", "127.0.0.1:0", "--http",
                                 "127.0.0.1:0"], cwd=self.directory,
                                env=environment({"TMPDIR": str(temporary)}),
                                stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, node)
        found = lambda: list(temporary.glob("*/node/ports.json"))
        self.wait_until(found, "ports.json")
        self.ports = json.loads(found()[0].read_text())
        self.assertEqual(self.kvctl("put", "k", "v").returncode, 0)
        node.terminate()
        self.assertEqual(node.wait(30), 0)
        self.assertEqual(list(temporary.iterdir()), [])

    def test_sighup_reloads_the_log_level(self):
        config = self.configure('{ "log_level": "info" }')
        node = self.start_node("-c", config)
        config.write_text('{ "log_level": "loud" }')
        node.send_signal(signal.SIGHUP)
        self.wait_until(lambda: "configuration not reloaded" in self.log(), "a complaint")
        config.write_text('{ "log_level": "debug" }')
        node.send_signal(signal.SIGHUP)
        self.wait_until(lambda: "no other key has changed since the start" in self.log(), "the reload")
        config.write_text('{ "node": { "durability": "sync", "http": "127.0.0.1:1" }, "worker": {} }')
        node.send_signal(signal.SIGHUP)
        self.wait_until(lambda: "need a restart: node.durability, node.http\n" in self.log(), "the keys")
        config.write_text('{ }')
        node.send_signal(signal.SIGHUP)
        self.wait_until(lambda: self.log().count("no other key has changed since the start") == 2, "the file of before")
        self.assertIsNone(node.poll())

    def test_durability_sync_is_the_default_of_every_write(self):
        config = self.configure('{ "node": { "durability": "sync" } }')
        self.start_node("-c", config)
        self.assertEqual(self.kvctl("namespace", "create", "KV").returncode, 0)
        before = json.loads(self.kvctl("stats", "--json").stdout)["syncs"]
        self.assertEqual(self.kvctl("put", "k", "v").returncode, 0)
        after = json.loads(self.kvctl("stats", "--json").stdout)["syncs"]
        self.assertEqual(after, before + 1)

    def test_check_config(self):
        config = self.configure('{\n  "node": { "durability": "foo" },\n}')
        result = self.edged("check-config", "-c", config)
        self.assertEqual(result.returncode, 2)
        self.assertIn('edged.jsonc:2:13: node.durability: "foo" is not one of wal, sync',
                      result.stderr.decode())
        result = self.edged("check-config", "-c", config, "--json")
        self.assertEqual(result.returncode, 2)
        answer = json.loads(result.stdout)
        self.assertEqual(set(answer), {"file", "ok", "programs", "errors", "warnings"})
        self.assertEqual((answer["errors"][0]["line"], answer["errors"][0]["column"]), (2, 13))
        config.write_text('{ "postgres": { "url": "${URL}" }, "upstream": { "url": "http://u" } }')
        self.assertFails(self.edged("check-config", "-c", config), 2, "postgres.url", "URL is not set")
        result = self.edged("check-config", "-c", config, env={"URL": "postgres://x"})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("ok for: serve, node, worker, migrate, cron run, cron history, queue; not for mirror: ",
                      result.stdout.decode())

    def test_check_config_says_which_programs_the_file_suffices_for(self):
        config = self.configure('{ "node": { "data_dir": "data" } }')
        result = self.edged("check-config", "-c", config)
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        self.assertEqual(result.stdout.decode(), str(config) + ': ok for: node; not for serve, worker, cron run: '
                         '"postgres.url" is missing, "upstream.url" is missing; not for migrate, cron history, queue: '
                         '"postgres.url" is missing; not for mirror: "postgres.url" is missing, "mirror.rules" is '
                         'missing or empty\n')
        answer = json.loads(self.edged("check-config", "-c", config, "--json").stdout)
        self.assertEqual((answer["ok"], answer["warnings"]), (True, []))
        self.assertEqual(answer["programs"]["node"], {"ok": True, "missing": []})
        self.assertEqual(answer["programs"]["migrate"],
                         {"ok": False, "missing": [{"path": "postgres.url", "message": "is missing"}]})
        self.assertEqual(self.edged("check-config", "-c", config, "--for", "node").returncode, 0)
        self.assertEqual(self.edged("check-config", "-c", config, "--for", "worker").returncode, 2)
        self.assertEqual(self.edged("check-config", "-c", config, "--for", "nobody").returncode, 2)
        config.write_text('{ "postgres": { "url": "postgres://h/x" } }')
        self.assertIn('ok for: node, migrate, cron history, queue; not for serve, worker, cron run: "upstream.url" is missing',
                      self.edged("check-config", "-c", config).stdout.decode())

    def test_check_config_names_what_libpq_would_refuse(self):
        text = '{ "postgres": { "url": "%s" }, "mirror": { "url": "%s" } }'
        good = "postgres://u:hush@h/x"
        for bad, said in (("?pgbouncer=true", "postgres.session_state"), ("?schema=public", '"schema"'),
                          ("?sslmode=no-verify", "sslmode=require"), ("?connection_limit=1", "postgres.pool_size")):
            for key, urls in (("postgres.url", (good + bad, good)), ("mirror.url", (good, good + bad))):
                result = self.edged("check-config", "-c", self.configure(text % urls))
                self.assertFails(result, 2, key + ": ", said)
                self.assertNotIn(b"hush", result.stderr)
        result = self.edged("migrate", "-c", self.configure(text % (good + "?pgbouncer=true", good)))
        self.assertFails(result, 2, "edged migrate: ", "postgres.url", '"pgbouncer"')
        self.assertEqual(self.edged("check-config", "-c", self.configure(text % (good, good))).returncode, 0)

    def test_commands_that_need_a_configuration_say_so(self):
        for command in (("serve",), ("worker",), ("migrate",), ("cron", "run", "class-monitor"),
                        ("mirror", "check"), ("check-config",)):
            self.assertFails(self.edged(*command, "-c", Path("absent.jsonc")), 2,
                             "absent.jsonc", "No such file")

    def test_migrate_without_postgresql_exits_4(self):
        config = self.configure('{ "postgres": { "url": "postgres://127.0.0.1:1/x" } }')
        result = self.edged("cron", "history", "class-monitor", "-c", config, "--log-level", "off")
        self.assertFails(result, 4, "edged cron history: ")
        result = self.edged("migrate", "-c", config, "--log-level", "off")
        self.assertFails(result, 4, "edged migrate: ")

    def test_mirror_check_wants_rules_and_postgresql(self):
        text = '{ "postgres": { "url": "postgres://127.0.0.1:1/x" }%s }'
        result = self.edged("mirror", "check", "-c", self.configure(text % ""), "--log-level", "off")
        self.assertFails(result, 2, "edged mirror: ", "mirror.rules: is missing or empty")
        rule = ', "mirror": { "rules": [{ "table": "t", "key": "t:{id}", "value": { "row": true } }] }'
        result = self.edged("mirror", "check", "-c", self.configure(text % rule), "--log-level", "off")
        self.assertFails(result, 4, "edged mirror: ")
        self.assertFails(self.edged("mirror"), 2, "edged mirror: a command is missing; there are: check, status, drop")
        self.assertFails(self.edged("mirror", "chekc"), 2, 'edged mirror: there is no command "chekc"; there are: check')
        self.assertFails(self.edged("sevre"), 2, 'edged: there is no command "sevre"; there are: init, serve, node')

    def test_version_and_help(self):
        number = re.search(r"^project\(edged VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]
        self.assertRegex(self.edged("--version").stdout.decode(),
                         r"^edged %s\ncommit ([0-9a-f]{7,40}|unknown)\nengine rocksdb \d+\.\d+\.\d+\n$" % re.escape(number))
        help_text = self.edged("--help").stdout.decode()
        for command in ("serve", "node", "worker", "cron", "migrate", "mirror", "check-config"):
            self.assertIn(command, help_text)


if __name__ == "__main__":
    unittest.main()
