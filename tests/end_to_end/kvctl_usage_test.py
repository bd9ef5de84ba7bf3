# SPDX-License-Identifier: Apache-2.0
"""What kvctl answers to wrong input: numbers that are no numbers, empty texts, wrong namespaces, peers that
are no node. Each with its exit code and a message that says what to do."""

import json
import os
import socket
import subprocess
import threading
import unittest

from programs_case import BIN, ProgramsCase, environment

ID = "0f2ac74b498b48028cb68387c421e279"
OTHER = "06779da6940b431db6e566b4846d64db"

# No whole number in decimal digits, or none that fits.
NO_NUMBERS = ("", " ", "x", "010", "00", "0x10", "+1", " 1", "1 ", "1e3", "1.0", "1,000", "--", "- 1", "nan",
              "9223372036854775808", "-9223372036854775809", "99999999999999999999999")
NO_UNSIGNED = ("", "x", "010", "0x10", "+1", " 1", "1 ", "1e3", "1.5", "-1", "18446744073709551616")
NO_DURATIONS = ("", "5", "x", "5x", "+5s", " 5s", "5s ", "-5s", "1e3s", "0x5s", "010s", "0.0001s", "1h30m",
                "99999999999999999999s", "40000d", "nans", "infs")


class KvctlUsageTest(ProgramsCase):
    def configure(self, **more):
        path = self.directory / "edged.jsonc"
        path.write_text("// found by kvctl\n" + json.dumps({"node": {"data_dir": "data"}, **more}, indent=1))
        return path

    def found(self, *arguments, **more):
        """kvctl that finds the node by the configuration in the working directory."""
        return self.run_program("kvctl", *arguments, **more)

    def test_numbers_are_read_strictly_or_refused(self):
        self.start_node()
        self.assertEqual(self.kvctl("put", "n", "1").returncode, 0)
        for text in NO_NUMBERS:
            with self.subTest(text=text):
                if text != "--":
                    self.assertFails(self.kvctl("add", "a", "--", text), 2, "delta")
                self.assertFails(self.kvctl("add", "a", "--initial", text), 2, "--initial")
        for text in NO_UNSIGNED:
            with self.subTest(text=text):
                for command in (("list",), ("watch", "--for", "1ms")):
                    flag = "--limit" if command[0] == "list" else "--after"
                    self.assertFails(self.kvctl(*command, flag, text), 2, flag)
                for command in (("put", "n", "2"), ("del", "n"), ("touch", "n", "--persist")):
                    self.assertFails(self.kvctl(*command, "--if-version", text), 2, "--if-version")
        self.assertFails(self.kvctl("get", "a"), 3)
        self.assertEqual(self.kvctl("get", "n").stdout, b"1")
        self.assertEqual(self.kvctl("add", "a", "9223372036854775807").stdout, b"9223372036854775807\n")
        self.assertEqual(self.kvctl("add", "b", "--", "-9223372036854775808").stdout, b"-9223372036854775808\n")

    def test_durations_are_read_strictly_or_refused(self):
        self.start_node()
        for text in NO_DURATIONS:
            for command, flag in ((("put", "k", "v"), "--ttl"), (("touch", "k"), "--ttl"), (("add", "k"), "--ttl"),
                                  (("get", "k"), "--max-staleness"), (("get", "k"), "--wait"), (("watch",), "--for"),
                                  (("token", "create", "t", "--scope", "read"), "--expires")):
                with self.subTest(text=text, command=command):
                    self.assertFails(self.kvctl(*command, flag, text), 2, flag)
        for command in (("put", "k", "v", "--ttl"), ("token", "create", "t", "--scope", "read", "--expires")):
            self.assertFails(self.kvctl(*command, "0s"), 2, "more than 0")
        self.assertFails(self.kvctl("get", "k", "--min-position", "0x16/1"), 2, "--min-position")
        self.assertFails(self.kvctl("get", "k", "--min-position", "1/123456789"), 2, "--min-position")
        self.assertEqual(self.kvctl("list").stdout, b"")
        self.assertEqual(self.kvctl_json("token", "list"), [])

    def test_add_says_what_is_wrong_with_the_stored_value(self):
        self.start_node()
        for value in ("x", "", "1.5", " 1", "1e3", "9223372036854775808"):
            self.assertEqual(self.kvctl("put", "k", "-", stdin=value.encode()).returncode, 0)
            self.assertFails(self.kvctl("add", "k"), 2, "could not add", "integer", "nothing was changed")
            self.assertEqual(self.kvctl("get", "k").stdout, value.encode())
        self.assertEqual(self.kvctl("put", "k", "9223372036854775807").returncode, 0)
        self.assertFails(self.kvctl("add", "k"), 2, "does not fit 64 bits")

    def test_an_empty_text_is_no_text(self):
        self.start_node()
        self.assertEqual(self.kvctl("put", "k", "v").returncode, 0)
        for command in (("namespace", "delete", "", "--yes"), ("namespace", "clear", "", "--yes"),
                        ("namespace", "rename", "", "x"), ("namespace", "rename", "default", ""),
                        ("namespace", "create", ""), ("namespace", "create", "x", "--id", ""),
                        ("--ns", "", "put", "k", "w"), ("--ns=", "del", "k"), ("--token-file", "", "get", "k"),
                        ("-c", "", "get", "k"), ("put", "k", "--path", ""), ("del", "k", "--if-version="),
                        ("token", "create", "t", "--scope", "read", "--only", ""),
                        ("token", "create", "t", "--scope", ""), ("token", "revoke", ""),
                        ("token", "create", "", "--scope", "read"),
                        ("token", "create", "t", "--scope", "read", "--prefix", "")):
            with self.subTest(command=command):
                self.assertFails(self.kvctl(*command), 2)
        self.assertFails(self.run_program("kvctl", "--addr", "", "get", "k"), 2, "--addr")
        self.assertEqual(self.kvctl("get", "k").stdout, b"v")
        self.assertEqual(self.kvctl_json("token", "list"), [])

    def test_keys_and_values_are_taken_as_they_are(self):
        self.start_node()
        for text in ("[a,b]", "[a]", "{}", "{\"a\":[1]}", "a,b", "%%", "'x'", "\"x\"", "a=b"):
            with self.subTest(text=text):
                self.assertEqual(self.kvctl("put", text, text).returncode, 0)
                self.assertEqual(self.kvctl("get", text).stdout, text.encode())
        for key in ("a", "b"):
            self.assertEqual(self.kvctl("put", key, "").returncode, 0)
            self.assertEqual(self.kvctl("get", key).stdout, b"")
        self.assertEqual(self.kvctl("del", "[a,b]", "{}").returncode, 0)
        self.assertFails(self.kvctl("get", "[a,b]"), 3)
        for key in ("a", "b", "[a]"):
            self.assertEqual(self.kvctl("get", key).returncode, 0)
        self.assertEqual(self.kvctl("list", "--prefix=[", "--limit=5").stdout, b"[a]\n")
        self.assertEqual(self.kvctl("put", "list", "stats", "--", ).returncode, 0)
        self.assertEqual(self.kvctl("get", "list").stdout, b"stats")
        self.assertFails(self.kvctl("del", "a", ""), 2)
        self.assertEqual(self.kvctl("get", "a").returncode, 0)

    def test_messages_show_keys_without_control_characters(self):
        self.start_node()
        for key, shown in (("a\x1b[31mb\n", "a\\u001b[31mb\\n"), (b"\xff\xfe", "\\xff\\xfe"), ("k" * 500, "(500 bytes)"),
                           ("\u00e9", "\u00e9")):
            result = subprocess.run([BIN / "kvctl", "--addr", "unix:" + self.ports["unix"], "get", key],
                                    cwd=self.directory, env=environment(), capture_output=True, timeout=30)
            self.assertFails(result, 3, shown)
            self.assertLess(len(result.stderr), 400)

    def test_usage_messages_name_the_command_and_the_mistake(self):
        self.start_node()
        for command, texts in (
                ((), ("kvctl: a command is missing", "namespace", "--help")),
                (("frobnicate",), ('there is no command "frobnicate"',)),
                (("namespace",), ("kvctl namespace: a command is missing", "create, list")),
                (("namespace", "creat", "x"), ('kvctl namespace: there is no command "creat"',)),
                (("get",), ('kvctl get: the argument "key" is missing', "kvctl get --help")),
                (("get", "a", "b"), ('kvctl get: unexpected argument "b"',)),
                (("get", "a", "--frob"), ('there is no option "--frob"',)),
                (("put", "k", "-x"), ('there is no option "-x"', "--")),
                (("put", "k", "v", "--ttl"), ("the option --ttl needs a value",)),
                (("put", "k", "v", "--ttl="), ("the option --ttl has an empty value",)),
                (("put", "k", "v", "--ttl", "1s", "--ttl", "2s"), ("--ttl",)),
                (("put", "k"), ("the value is missing", "stdin")),
                (("token", "create", "x"), ("--scope",))):
            with self.subTest(command=command):
                self.assertFails(self.kvctl(*command), 2, *texts)

    def test_finds_the_node_of_its_environment(self):
        self.start_node()
        self.assertEqual(self.found("put", "k", "v", env={"EDGED_DATA": "data"}).returncode, 0)
        for variables in ({"EDGED_DATA": str(self.data)}, {"EDGED_UNIX": self.ports["unix"]},
                          {"EDGED_DATA": "elsewhere", "EDGED_LISTEN": self.ports["listen"][0]}):
            self.assertEqual(self.found("get", "k", env=variables).stdout, b"v", variables)

    def test_takes_the_namespace_of_the_configuration(self):
        self.configure(kv_namespaces=[{"binding": "CACHE", "id": ID, "preview_id": OTHER}])
        self.start_node("-c", "edged.jsonc")
        self.assertFails(self.found("get", "k"), 3, 'KV namespace with id "%s" not found' % ID, "CACHE",
                         "kvctl namespace create CACHE --id " + ID)
        self.assertEqual(self.found("namespace", "create", "default").returncode, 0)
        self.assertFails(self.found("put", "k", "v"), 3, ID)
        self.assertEqual(self.found("namespace", "create", "title", "--id", OTHER).returncode, 0)
        self.assertEqual(self.found("put", "k", "preview").returncode, 0)
        self.assertEqual(self.found("namespace", "create", "KV", "--id", ID).returncode, 0)
        self.assertEqual(self.found("put", "k", "configured").returncode, 0)
        for name, value in ((ID, b"configured"), ("KV", b"configured"), ("CACHE", b"configured"), (OTHER, b"preview")):
            self.assertEqual(self.found("--ns", name, "get", "k").stdout, value)
        self.assertEqual(self.found("count").stdout, b"1\n")
        for verb in (("clear", "CACHE", "--yes"), ("delete", "CACHE", "--yes"), ("rename", "CACHE", "x")):
            self.assertFails(self.found("namespace", *verb), 3, 'title "CACHE" not found')
        elsewhere = self.run_program("kvctl", "-c", self.directory / "edged.jsonc", "--addr",
                                     "unix:" + self.ports["unix"], "get", "k")
        self.assertEqual(elsewhere.stdout, b"configured")

    def test_takes_the_mirrors_namespace_or_kv_or_asks(self):
        entries = [{"binding": "A", "id": ID}, {"binding": "KV", "id": OTHER}]
        self.configure(kv_namespaces=entries)
        self.start_node("-c", "edged.jsonc")
        for title, identity in (("a", ID), ("b", OTHER)):
            self.assertEqual(self.found("namespace", "create", title, "--id", identity).returncode, 0)
            self.assertEqual(self.found("--ns", title, "put", "k", title).returncode, 0)
        self.assertEqual(self.found("get", "k").stdout, b"b")
        self.configure(kv_namespaces=entries, mirror={"namespace": "A"})
        self.assertEqual(self.found("get", "k").stdout, b"a")
        entries[1]["binding"] = "B"
        self.configure(kv_namespaces=entries)
        self.assertFails(self.found("get", "k"), 2, "--ns", "A, B", "edged.jsonc")
        self.assertEqual(self.found("--ns", "B", "get", "k").stdout, b"b")

    def test_a_mistyped_id_is_told_beside_the_one_that_is_meant(self):
        self.configure(kv_namespaces=[{"binding": "KV", "id": ID}])
        self.start_node()
        self.assertEqual(self.kvctl("namespace", "create", "KV", "--id", OTHER).returncode, 0)
        self.assertFails(self.found("get", "k"), 3, 'id "%s" not found' % ID, 'titled "KV" has the id "%s"' % OTHER)
        self.assertFails(self.kvctl("namespace", "create", "KV", "--id", ID), 1, OTHER, "kv_namespaces")
        self.assertFails(self.kvctl("namespace", "create", "KV2", "--id", OTHER), 1, 'title "KV"')
        self.assertFails(self.kvctl("namespace", "create", "KV", "--id", OTHER), 1, "exists already")
        self.assertFails(self.kvctl("--ns", ID, "get", "k"), 3, ID, OTHER)

    def test_a_configuration_that_cannot_be_read_is_an_error(self):
        self.start_node()
        self.assertFails(self.found("-c", "absent.jsonc", "get", "k"), 2, "absent.jsonc", "No such file")
        for text, message in (("{ x", "edged.jsonc:1:3: syntax error"), ("", "the file is empty"),
                              ("/* {}", "edged.jsonc:1:1: the comment"), ("// x", "only comments")):
            (self.directory / "edged.jsonc").write_text(text)
            self.assertFails(self.found("get", "k"), 2, message)
            self.assertFails(self.kvctl("get", "k"), 3)  # --addr needs none
        self.configure(kv_namespaces=[{"binding": "KV", "id": "abc123"}])
        self.assertFails(self.found("get", "k"), 2, "kv_namespaces[0].id", "abc123")
        self.assertFails(self.found("--ns", "default", "get", "k"), 3, 'key "k"')
        self.assertFails(self.kvctl("get", "k"), 3, 'key "k"')
        self.configure(node={"data_dir": "${NOWHERE}"})
        self.assertFails(self.found("get", "k"), 2, "node.data_dir", "NOWHERE is not set")
        self.assertFails(self.found("get", "k", env={"NOWHERE": "data"}), 3, 'key "k"')
        self.assertFails(self.kvctl("get", "k"), 3, 'key "k"')

    def answering(self, answer):
        """The address of a server that sends `answer` to each request and closes."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def serve():
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    if answer is not None:
                        peer.recv(100)
                        peer.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return "127.0.0.1:%d" % server.getsockname()[1]

    def at(self, address, *arguments, **more):
        return self.run_program("kvctl", "--addr", address, *(arguments or ("stats",)), **more)

    def test_a_peer_that_is_no_node_is_told_from_no_peer(self):
        self.start_node()
        self.assertFails(self.at(self.ports["http"]), 2, "HTTP server", "node.listen")
        self.assertFails(self.at("tls:" + self.ports["listen"][0]), 2, "speaks no TLS")
        self.assertFails(self.at(self.answering(b"SSH-2.0-OpenSSH_9.2p1\r\n")), 2, "another program")
        self.assertFails(self.at(self.answering(b"\x15\x03\x03\0\2\2\x32")), 2, 'Write "tls:"')
        self.assertFails(self.at(self.answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")), 2, "HTTP server")
        self.assertFails(self.at(self.answering(None)), 4, "closed at once")
        self.assertFails(self.at("unix:" + str(self.directory / "absent.sock")), 4, "no such socket")
        with socket.create_server(("127.0.0.1", 0)) as closed:
            address = "127.0.0.1:%d" % closed.getsockname()[1]
        self.assertFails(self.at(address), 4, "connection refused", "--addr")
        stale = socket.socket(socket.AF_UNIX)
        self.addCleanup(stale.close)
        stale.bind(str(self.directory / "stale.sock"))
        self.assertFails(self.at("unix:" + str(self.directory / "stale.sock")), 4, "connection refused")

    def test_addresses_are_read_strictly(self):
        self.start_node()
        port = self.ports["listen"][0].rsplit(":", 1)[1]
        for address in ("localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:+" + port,
                        "127.0.0.1: " + port, "127.0.0.1:0" + port, "127.0.0.1:%d" % (65536 + int(port)),
                        "127.0.0.1:-1", ":" + port, "unix:", "tls:127.0.0.1", "http://127.0.0.1:" + port):
            with self.subTest(address=address):
                self.assertFails(self.at(address), 2 if address[:4] != "http" else 4)

    @unittest.skipUnless(os.getuid() == 0, "needs a user who may not open the socket")
    def test_a_socket_without_permission_is_denied(self):
        self.start_node()
        self.directory.chmod(0o755)
        self.data.chmod(0o755)
        # In a directory that other users may read, which the build directory need not be.
        program = self.directory / "kvctl"
        program.write_bytes((BIN / "kvctl").read_bytes())
        program.chmod(0o755)
        result = subprocess.run([program, "--addr", "unix:" + self.ports["unix"], "stats"], user=65534,
                                group=65534, extra_groups=[], cwd=self.directory, env=environment(), capture_output=True,
                                timeout=180)
        self.assertFails(result, 5, "permission denied on the socket")

    def test_the_first_token_says_who_needs_one_now(self):
        self.start_node()
        first = self.kvctl("token", "create", "first", "--scope", "read,admin")
        self.assertEqual(first.returncode, 0, first.stderr)
        for text in ("worker.token_file", "EDGED_TOKEN", "--token-file", "Prometheus", "metrics", "unix socket"):
            self.assertIn(text, first.stderr.decode())
        second = self.kvctl("token", "create", "second", "--scope", "metrics")
        self.assertNotIn("worker.token_file", second.stderr.decode())
        offline = self.run_program("kvctl", "token", "--data", "other", "create", "t", "--scope", "read")
        self.assertIn("worker.token_file", offline.stderr.decode())
        offline = self.run_program("kvctl", "token", "--data", "third", "create", "t", "--scope", "read", "--json")
        self.assertIn("worker.token_file", offline.stderr.decode())
        json.loads(offline.stdout)
        for command in (("list",), ("revoke", "0123456789abcdef")):
            self.assertFails(self.run_program("kvctl", "token", "--data", "mistyped", *command), 3, "mistyped")
        self.assertFalse((self.directory / "mistyped").exists())
        address = self.ports["listen"][0]
        self.assertFails(self.at(address, "get", "k"), 5, "requires a token", "EDGED_TOKEN", "--token-file")
        self.assertFails(self.at(address, "get", "k", env={"EDGED_TOKEN": "kvt_wrong"}), 5, "not valid", "EDGED_TOKEN")
        secret = first.stdout.decode().strip()
        self.assertFails(self.at(address, "put", "k", "v", env={"EDGED_TOKEN": secret}), 5, "scope write",
                         "kvctl token create")


if __name__ == "__main__":
    unittest.main()
