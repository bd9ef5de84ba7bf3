# SPDX-License-Identifier: Apache-2.0
"""Tokens as a user meets them: made offline or on a running node, limited, revoked, reloaded."""

import os
import signal
import stat
import unittest
import urllib.error
import urllib.request

from programs_case import ProgramsCase


class AccessTest(ProgramsCase):
    def over_tcp(self, secret, *arguments):
        """kvctl over TCP, where nobody is known by uid."""
        return self.run_program("kvctl", "--addr", self.ports["listen"][0], *arguments,
                                env={"EDGED_TOKEN": secret} if secret else None)

    def create(self, name, scopes, *more):
        made = self.kvctl("token", "create", name, "--scope", scopes, *more)
        self.assertEqual(made.returncode, 0, made.stderr)
        return made.stdout.decode().strip()

    def status_of_metrics(self, secret=None):
        request = urllib.request.Request("http://%s/metrics" % self.ports["http"])
        if secret:
            request.add_header("Authorization", "Bearer " + secret)
        try:
            return urllib.request.urlopen(request, timeout=180).status
        except urllib.error.HTTPError as error:
            self.assertIn("kvctl token create NAME --scope metrics", error.read().decode())
            return error.code

    def test_a_token_made_offline_closes_the_node(self):
        made = self.run_program("kvctl", "token", "--data", self.data, "create", "first", "--scope", "read,write")
        self.assertEqual(made.returncode, 0, made.stderr)
        secret = made.stdout.decode().strip()
        file = self.data / "tokens.json"
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        self.assertNotIn(secret[-20:], file.read_text())
        self.start_node()
        self.assertFails(self.over_tcp(None, "--ns", "default", "get", "k"), 5)
        self.assertFails(self.over_tcp("kvt_wrong", "--ns", "default", "get", "k"), 5)
        self.assertEqual(self.over_tcp(secret, "put", "k", "v").returncode, 0)
        (self.directory / "token").write_text(secret + "\n")
        (self.directory / "token").chmod(0o600)
        got = self.over_tcp(None, "--token-file", "token", "get", "k")
        self.assertEqual(got.stdout, b"v", got.stderr)
        self.assertEqual(self.kvctl("get", "k").stdout, b"v", "the node's own user needs none")
        self.assertNotIn(secret[-20:], self.log())

    def test_scopes_namespaces_and_prefixes_limit(self):
        self.start_node()
        self.kvctl("namespace", "create", "other")
        self.kvctl("--ns", "default", "put", "a:1", "v")
        reader = self.create("reader", "read", "--only", "default", "--prefix", "a:")
        self.assertEqual(self.over_tcp(reader, "get", "a:1").stdout, b"v")
        self.assertFails(self.over_tcp(reader, "get", "b"), 5)
        self.assertFails(self.over_tcp(reader, "put", "a:1", "x"), 5, "write")
        self.assertFails(self.over_tcp(reader, "--ns", "other", "get", "a:1"), 3)
        self.assertFails(self.over_tcp(reader, "token", "list"), 5)

    def test_revoked_and_reloaded(self):
        node = self.start_node()
        self.create("keeper", "admin")
        secret = self.create("short", "read,write")
        self.assertEqual(self.over_tcp(secret, "put", "k", "v").returncode, 0)
        listed = {token["name"]: token["id"] for token in self.kvctl_json("token", "list")}
        self.assertEqual(self.kvctl("token", "revoke", listed["short"]).returncode, 0)
        self.assertFails(self.over_tcp(secret, "get", "k"), 5)
        self.assertFails(self.kvctl("token", "revoke", listed["short"]), 3)
        again = self.run_program("kvctl", "token", "--data", self.data, "create", "again", "--scope", "read")
        secret = again.stdout.decode().strip()
        self.assertFails(self.over_tcp(secret, "get", "k"), 5)
        node.send_signal(signal.SIGHUP)
        self.wait_until(lambda: self.over_tcp(secret, "get", "k").returncode == 0, "the reload")

    def test_a_token_keeps_its_namespace_when_titles_move(self):
        self.start_node()
        self.kvctl("namespace", "create", "mine")
        self.kvctl("--ns", "mine", "put", "k", "v")
        secret = self.create("app", "read,write", "--only", "mine")
        self.kvctl("namespace", "rename", "mine", "before")
        self.kvctl("namespace", "create", "mine")
        self.kvctl("--ns", "mine", "put", "k", "taken")
        self.assertEqual(self.over_tcp(secret, "--ns", "before", "get", "k").stdout, b"v")
        self.assertFails(self.over_tcp(secret, "--ns", "mine", "get", "k"), 3)
        self.assertFails(self.kvctl("token", "create", "y", "--scope", "read", "--only", "absent"), 3, "absent")

    def test_a_title_of_a_token_made_offline_becomes_an_id_at_the_start(self):
        made = self.run_program("kvctl", "token", "--data", self.data, "create", "app", "--scope", "read,write",
                                "--only", "default", "--only", "absent")
        secret = made.stdout.decode().strip()
        self.start_node()
        self.assertEqual(self.over_tcp(secret, "--ns", "default", "put", "k", "v").returncode, 0)
        self.assertNotIn('"default"', (self.data / "tokens.json").read_text())
        self.assertIn('limited to the namespace "absent", which does not exist', self.log())
        self.kvctl("namespace", "create", "absent")
        self.assertFails(self.over_tcp(secret, "--ns", "absent", "get", "k"), 3)

    def test_a_limited_token_learns_nothing_of_the_rest_of_the_node(self):
        self.start_node()
        self.kvctl("namespace", "create", "other")
        limited = self.create("limited", "list,admin,metrics", "--only", "default")
        self.assertFails(self.over_tcp(limited, "stats"), 5)
        self.assertEqual(self.status_of_metrics(limited), 403)
        self.assertFails(self.over_tcp(limited, "namespace", "rename", "default", "other"), 5)
        self.kvctl("--ns", "default", "put", "k", "secret")
        self.assertFails(self.over_tcp(limited, "--ns", "default", "list", "--values"), 5, "read")
        self.assertEqual(self.over_tcp(limited, "--ns", "default", "list").stdout, b"k\n")

    def test_metrics_want_their_scope(self):
        self.start_node()
        self.assertEqual(self.status_of_metrics(), 200)
        reader = self.create("reader", "read")
        metrics = self.create("prometheus", "metrics")
        self.assertEqual(self.status_of_metrics(), 401)
        self.assertEqual(self.status_of_metrics(reader), 403)
        self.assertEqual(self.status_of_metrics(metrics), 200)
        with urllib.request.urlopen("http://%s/healthz" % self.ports["http"], timeout=180) as answer:
            self.assertEqual(answer.status, 200)

    def test_usage(self):
        self.start_node()
        self.assertFails(self.kvctl("token", "create", "x", "--scope", "everything"), 2, "--scope")
        self.assertFails(self.kvctl("token", "create", "x", "--scope", "read", "--expires", "soon"), 2)
        self.create("x", "read")
        again = self.kvctl("token", "create", "x", "--scope", "read")
        self.assertFails(again, 1)
        self.assertEqual(again.stderr.count(b"could not create token"), 1, again.stderr)


if __name__ == "__main__":
    unittest.main()
