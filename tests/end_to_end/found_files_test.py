# SPDX-License-Identifier: Apache-2.0
"""Files that another user may have put there, and files that are none: configurations, tokens, certificates."""

import json
import os
import socket
import threading
import unittest
from pathlib import Path

from programs_case import ProgramsCase

SOMEBODY = 65534
TOKEN = "kvt_" + "a" * 43


class Listener:
    """Takes what a client that was led astray would send."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.received = b""
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
                with connection:
                    connection.settimeout(2)
                    while data := connection.recv(4096):
                        self.received += data
            except OSError:
                return


class FoundFilesTest(ProgramsCase):
    def place(self, address, owner=None, mode=0o644, directory_mode=0o755):
        """./edged.jsonc that names `address`."""
        file = self.directory / "edged.jsonc"
        file.write_text(json.dumps({"node": {"data_dir": str(self.data), "listen": address}}))
        file.chmod(mode)
        self.directory.chmod(directory_mode)
        if owner is not None:
            os.chown(file, owner, owner)
        return file

    def check_that_kvctl_ignores(self, why, **place):
        thief = Listener()
        self.place(thief.address, **place)
        result = self.run_program("kvctl", "namespace", "list", env={"EDGED_TOKEN": TOKEN})
        stderr = result.stderr.decode()
        self.assertIn("kvctl: ./edged.jsonc is ignored: " + why, stderr)
        self.assertIn("-c edged.jsonc", stderr)
        self.assertNotIn(thief.address, stderr)
        self.assertEqual(thief.received, b"")
        for command in ("node", "serve", "check-config"):
            with self.subTest(command=command):
                refused = self.edged(command)
                self.assertEqual(refused.returncode, 2)
                self.assertIn(why, (refused.stderr + refused.stdout).decode())

    def test_a_file_that_others_can_write(self):
        self.check_that_kvctl_ignores("other users can write it", mode=0o664)

    def test_a_directory_that_others_can_write(self):
        self.check_that_kvctl_ignores("other users can write its directory", directory_mode=0o777)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to make a file of another user")
    def test_a_file_of_another_user(self):
        self.check_that_kvctl_ignores("it belongs to another user (uid 65534)", owner=SOMEBODY)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to make a file of another user")
    def test_a_file_in_another_users_directory(self):
        os.chown(self.directory, SOMEBODY, SOMEBODY)
        self.check_that_kvctl_ignores("its directory belongs to another user (uid 65534)")

    def test_the_users_own_file_and_a_named_one_count(self):
        thief = Listener()
        self.place(thief.address)
        self.assertIn(thief.address, self.run_program("kvctl", "namespace", "list").stderr.decode())
        self.place(thief.address, mode=0o666)
        named = self.run_program("kvctl", "-c", "edged.jsonc", "namespace", "list")
        self.assertIn(thief.address, named.stderr.decode())

    def check(self, *arguments):
        result = self.edged("check-config", "--json", *arguments)
        return result.returncode, json.loads(result.stdout)

    def test_what_is_no_file_is_refused_at_once(self):
        os.mkfifo(self.directory / "pipe")
        (self.directory / "large").write_bytes(b" " * (1 << 20) + b"{}")
        for file, why in (("/dev/zero", "not a regular file"), ("pipe", "not a regular file"),
                          (str(self.directory), "is a directory"), ("large", "larger than"),
                          ("none", "No such file")):
            with self.subTest(file=file):
                code, found = self.check("-c", file)
                self.assertEqual(code, 2)
                self.assertIn(why, found["errors"][0]["message"])
                (self.directory / "edged.jsonc").write_text(json.dumps({"wrangler": file}))
                code, found = self.check("-c", "edged.jsonc")
                self.assertIn(why, found["errors"][0]["message"])
                result = self.run_program("kvctl", "--token-file", file, "namespace", "list")
                self.assertEqual(result.returncode, 2, result.stderr)
                result = self.edged("node", "--data", self.data, "--listen", "tls:127.0.0.1:0", "--http",
                                    "127.0.0.1:0", "--tls-certificate", file, "--tls-key", file)
                self.assertEqual(result.returncode, 2, result.stderr)

    def test_secrets_that_everybody_can_read_are_warned_of(self):
        file = self.directory / "edged.jsonc"
        file.write_text(json.dumps({
            "node": {"data_dir": str(self.data)},
            "postgres": {"url": "postgres://u:pw-1@db/x"}, "mirror": {"url": "host=db password=pw-2"},
            "upstream": {"url": "http://u:pw-3@up", "proxy": "http://u:pw-4@p:1", "token": "tok-5"},
            "worker": {"cron_secret": "sec-6"}, "mail": {"url": "smtp://u:pw-7@m"},
            "queue_push": [{"queue": "q", "url": "http://u:pw-8@127.0.0.1:1", "secret": "sec-9"}],
            "triggers": {"crons": ["0 * * * *"]}}))
        file.chmod(0o644)
        _, found = self.check("-c", file)
        warnings = [line for line in found["warnings"] if "everybody can read" in line]
        self.assertEqual(len(warnings), 1, found)
        for key in ("postgres.url", "mirror.url", "worker.cron_secret", "upstream.token", "upstream.url",
                    "upstream.proxy", "mail.url", "queue_push[0].url", "queue_push[0].secret"):
            self.assertIn(key, warnings[0])
        for secret in ("pw-", "tok-", "sec-"):
            self.assertNotIn(secret, json.dumps(found))
        file.chmod(0o640)
        self.assertNotIn("everybody can read", json.dumps(self.check("-c", file)))

    def test_secrets_in_the_environment_are_not_warned_of(self):
        file = self.directory / "edged.jsonc"
        file.write_text('{"postgres": {"url": "postgres://u:${PW}@db/x"}, "worker": {"cron_secret": "${PW}"},'
                        '"upstream": {"url": "http://up"}, "triggers": {"crons": ["0 * * * *"]}}')
        file.chmod(0o644)
        result = self.edged("check-config", "-c", file, "--json", env={"PW": "x"})
        self.assertNotIn(b"everybody can read", result.stdout)

    def test_no_message_shows_a_password(self):
        file = self.directory / "edged.jsonc"
        for section, key in (("upstream", "url"), ("upstream", "proxy"), ("worker", "public_url"), ("mail", "url"),
                             ("postgres", "url"), ("mirror", "url")):
            for text in ("ftp://user:hunter2@host/", "user:hunter2@host", "http//user:hunter2@host",
                         "http://user:hunter2@ho st:99999/{x}"):
                with self.subTest(key=section + "." + key, text=text):
                    config = {"postgres": {"url": "postgres://db"}, "upstream": {"url": "http://up"}, "mail": {},
                              "worker": {"state_dir": str(self.directory / "state")}, "mirror": {},
                              "triggers": {"crons": ["0 * * * *"]}}
                    config[section][key] = text
                    file.write_text(json.dumps(config))
                    file.chmod(0o600)
                    for arguments in (("check-config", "-c", file), ("migrate", "-c", file),
                                      ("cron", "run", "class-monitor", "-c", file), ("mirror", "check", "-c", file)):
                        result = self.edged(*arguments)
                        self.assertNotIn(b"hunter2", result.stdout + result.stderr, arguments)


if __name__ == "__main__":
    unittest.main()
