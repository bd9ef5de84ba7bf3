# SPDX-License-Identifier: Apache-2.0
"""`edged init`: by flags and by a person at a terminal (a pseudo terminal), against a real PostgreSQL, the upstream of
the replay and a local SMTP server."""

import errno
import json
import os
import pty
import re
import select
import stat
import subprocess
import threading
import time
import unittest

from programs_case import environment
from replay_case import DATABASE, MIRROR_SETTINGS, PROGRAMS, ReplayCase, mailbox
from tools.replay import smtp_sink
from tools.replay.deployment import Deployment, seed_sql

DEAD = "127.0.0.1:1"  # nobody listens there
PATIENCE_SECONDS = 120


class Person:
    """Somebody at a terminal: waits for a question, types an answer. Keeps all that was shown."""

    def __init__(self, case, *arguments, **extra):
        self.case, self.shown, self.seen = case, "", 0
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(case.home)
                os.execve(PROGRAMS / "edged", ["edged", "init", "-c", str(case.config), *map(str, arguments)],
                          environment(extra))
            finally:
                os._exit(127)

    def read(self):
        """What is shown within a moment; False at the end."""
        if not select.select([self.terminal], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self.terminal, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)

    def wait_for(self, text):
        end = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown[self.seen:]:
            self.case.assertTrue(self.read() and time.monotonic() < end,
                                 "%r did not come:\n%s" % (text, self.shown))
        self.seen = self.shown.index(text, self.seen) + len(text)

    def answer(self, question, text):
        self.wait_for(question)
        self.wait_for(": ")
        os.write(self.terminal, text.encode() + b"\n")

    def leave(self, keys=b""):
        """The exit code, once it has ended."""
        if keys:
            os.write(self.terminal, keys)
        end = time.monotonic() + PATIENCE_SECONDS
        while self.read():
            self.case.assertLess(time.monotonic(), end, self.shown)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class InitTest(ReplayCase):
    SETTINGS = MIRROR_SETTINGS

    def setUp(self):
        super().setUp()
        self.home = self.directory / self.id().rpartition(".")[2]
        self.home.mkdir()
        self.config = self.home / "edged.jsonc"
        self.url = self.cluster.url(DATABASE)
        self.token = self.home / "token"
        self.token.touch(mode=0o600)
        self.token.write_text(self.upstream.token + "\n")

    def run_init(self, *arguments, **extra):
        return subprocess.run([PROGRAMS / "edged", "init", "-c", self.config, *map(str, arguments)], cwd=self.home, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, env=environment(extra),
                              timeout=PATIENCE_SECONDS)

    def flags(self, *more):
        return ("--database", self.url, "--upstream", self.upstream.url, "--upstream-token-file", self.token,
                "--mail", "maildir", "--app-schema", *more)

    def edged(self, *arguments):
        return subprocess.run([PROGRAMS / "edged", *arguments, "-c", self.config], cwd=self.home, text=True,
                              capture_output=True, env=environment(), timeout=PATIENCE_SECONDS)

    def smtp_server(self, **more):
        server = smtp_sink.Server(smtp_sink.Ledger(None), **more)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def assertPrivate(self, path):
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)

    def test_by_flags_from_nothing_to_a_mail(self):
        done = self.run_init(*self.flags("--public-url", "https://app.example"))
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertPrivate(self.config)
        text = self.config.read_text()
        self.assertIn("// The service that knows the seats of a section.", text)
        self.assertIn('"mode": "auto"', text)
        self.assertNotIn(self.upstream.token, text)
        self.assertIn("schema edged is at version", done.stdout)
        self.assertRegex(done.stdout, r"created namespace KV \([0-9a-f]{32}\)")
        self.assertIn("edged serve -c %s" % self.config, done.stdout)
        self.assertEqual(self.edged("check-config", "--for", "serve").returncode, 0)

        # What it wrote runs, and a seat that opens becomes a mail.
        self.cluster.sql(DATABASE, seed_sql(self.history.sections))
        for _ in range(60):
            run = self.edged("cron", "run", "class-monitor", "--json")
            self.assertEqual(run.returncode, 0, run.stderr)
            summary = json.loads(run.stdout)
            self.upstream.complete(summary["run_id"])
            if summary["notifications"]:
                break
        mails = mailbox.Mailbox(self.home / "edged-worker" / "maildir").new_mails()
        self.assertEqual(len(mails), summary["notifications"])
        self.assertGreater(len(mails), 0)

    def test_what_is_missing_is_listed(self):
        done = self.run_init()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        for flag in ("--database URL", "--upstream URL", "--mail maildir"):
            self.assertIn("\n  " + flag, done.stderr)
        done = self.run_init("--database", self.url, "--upstream", "none", "--mail", "smtp")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(re.findall(r"--[a-z-]+ [A-Z]", done.stderr), ["--mail-url U", "--mail-from S"])
        self.assertFalse(self.config.exists())
        for wrong in (["--mail", "pigeon"], ["--upstream-field", "no pointer"], ["--database", ""]):
            self.assertEqual(self.run_init(*self.flags(*wrong)).returncode, 2, wrong)

    def test_a_test_that_fails_writes_nothing(self):
        for change, said in (
                (("--upstream", "http://" + DEAD), "upstream.url"),
                (("--database", "postgresql://edged@%s/x" % DEAD), "pg_isready"),
                (("--database", self.url.replace(self.cluster.password, "wrong")), "pg_hba.conf"),
                (("--mail", "smtp", "--mail-url", "smtp://" + DEAD, "--mail-from", "a@example.org"), "mail.url"),
                (("--mail-from", "nobody"), "mail.from"),
                (("--data", self.token / "below"), "node.data_dir")):
            # A flag that is given twice is an error, so the usual one goes.
            flags = list(self.flags())
            for name in change[::2]:
                if name in flags:
                    del flags[flags.index(name):flags.index(name) + 2]
            done = self.run_init(*flags, *change)
            self.assertEqual(done.returncode, 1, (change, done.stdout, done.stderr))
            self.assertIn("error: ", done.stdout)
            self.assertIn(said, done.stdout)
            self.assertIn("nothing was written", done.stderr)
            self.assertFalse(self.config.exists())
        done = self.run_init("--accept-failures", "--upstream", "http://" + DEAD, "--database", self.url, "--mail",
                             "maildir", "--app-schema")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.config.exists())

    def test_a_second_run_keeps_what_the_file_holds(self):
        self.assertEqual(self.run_init(*self.flags()).returncode, 0)
        text = self.config.read_text()
        again = self.run_init("--yes")
        self.assertEqual((again.returncode, again.stderr), (0, ""), again.stdout)
        self.assertEqual(self.config.read_text(), text)
        self.assertIn("stays as it is", again.stdout)

        mine = text.replace('"node": {', '"node": { // mine\n    "io_threads": 2,')
        self.config.write_text(mine)
        server = self.smtp_server()
        change = ("--mail", "smtp", "--mail-url", server.url, "--mail-from", "App <app@example.org>")
        asked = self.run_init(*change)
        self.assertEqual(asked.returncode, 2)
        self.assertIn("--yes changes it", asked.stderr)
        self.assertEqual(self.config.read_text(), mine)
        self.assertEqual(self.run_init("--yes", *change).returncode, 0)
        changed = self.config.read_text()
        for part in ("// mine", '"io_threads": 2', '"transport": "smtp"', server.url, self.url):
            self.assertIn(part, changed)
        self.assertEqual(server.ledger.count, 0, "a test sends no mail")
        self.assertPrivate(self.config)

    def test_placeholders_stay_as_they_are(self):
        flags = list(self.flags())
        flags[1] = "${APP_DATABASE}"
        done = self.run_init(*flags, APP_DATABASE=self.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"${APP_DATABASE}"', self.config.read_text())
        self.assertNotIn(self.cluster.password, self.config.read_text())
        self.config.unlink()
        done = self.run_init(*flags)
        self.assertEqual(done.returncode, 1)
        self.assertIn("APP_DATABASE", done.stdout)

    def test_a_file_that_is_no_configuration_is_left_alone(self):
        self.config.write_text("{ broken")
        done = self.run_init("--yes", *self.flags())
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(self.config.read_text(), "{ broken")

    def test_namespaces_of_a_running_node(self):
        self.assertEqual(self.run_init(*self.flags()).returncode, 0)
        text = self.config.read_text()
        self.config.write_text(text.replace('"binding": "KV"', '"binding": "OTHER", "id": "%s" }, { "binding": "KV"' % (
            "ab" * 16)))
        deployment = Deployment(self.home, PROGRAMS, self.url, self.upstream)
        deployment.node_dir = self.home / "edged-data"
        self.addCleanup(deployment.stop)
        free = text.replace('"data_dir"', '"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "binding": "off", "data_dir"')
        (self.home / "node.jsonc").write_text(free)
        deployment.wait_for_node(deployment.start("node", self.home / "node.jsonc"))
        again = self.run_init("--yes")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("created namespace OTHER (%s)" % ("ab" * 16), again.stdout)
        self.assertNotIn("created namespace KV", again.stdout)

    def test_at_a_terminal(self):
        server = self.smtp_server(login=["edged", "right"])
        person = Person(self)
        person.answer("\n  URL", "postgresql://edged@%s/x" % DEAD)
        person.wait_for("error: could not connect to PostgreSQL")
        person.answer("Enter it again", "")
        person.answer("\n  URL", self.url)
        person.wait_for("ok: PostgreSQL ")
        person.answer("knows the seats", self.upstream.url)
        person.answer("Type", "")
        person.answer("Bearer token", "wrong")
        person.wait_for("error: ")
        person.answer("Enter it again", "")
        person.answer("knows the seats", "")
        person.answer("Type", "")
        person.answer("Bearer token", self.upstream.token)
        person.wait_for("ok: http")
        person.answer("Transport", "smtp")
        person.answer("Server", server.url)
        person.answer("User", "edged")
        person.answer("Password", "right")
        person.answer("Sender", "App <app@example.org>")
        person.answer("Address of the application", "")
        person.wait_for("lets this machine in")
        person.answer("Create them", "yes")
        person.wait_for("What next:")
        self.assertEqual(person.leave(), 0, person.shown)
        for secret in (self.upstream.token, "right\n", self.cluster.password + "@127.0.0.1:%d/%s]" % (
                self.cluster.port, DATABASE)):
            self.assertNotIn(secret, person.shown)
        text = self.config.read_text()
        self.assertNotIn(self.upstream.token, text)
        for name, secret in (("upstream.token", self.upstream.token), ("mail.password", "right")):
            self.assertPrivate(self.home / name)
            self.assertEqual((self.home / name).read_text(), secret + "\n")
            self.assertIn(json.dumps(str(self.home / name)), text)
        self.assertEqual(self.edged("check-config", "--for", "serve").returncode, 0)

        # A second time Enter takes everything.
        person = Person(self)
        for question in ("\n  URL", "knows the seats", "Type", "Bearer token", "Transport", "Server", "User",
                         "Password", "Sender", "Address of the application"):
            person.answer(question, "")
        self.assertEqual(person.leave(), 0, person.shown)
        self.assertIn("stays as it is", person.shown)
        self.assertNotIn(self.cluster.password, person.shown)
        self.assertEqual(self.config.read_text(), text)

    def test_who_leaves_the_terminal_leaves_nothing(self):
        person = Person(self)
        person.wait_for("URL")
        self.assertEqual(person.leave(b"\x04"), 1, person.shown)
        self.assertIn("nothing was written", person.shown)
        person = Person(self, "--database", self.url)
        person.answer("knows the seats", self.upstream.url)
        person.answer("Type", "")
        person.wait_for("Bearer token")
        self.assertEqual(person.leave(b"\x03"), 1, person.shown)
        person = Person(self)
        person.answer("URL", "nonsense://")
        person.answer("Enter it again", "quit")
        self.assertEqual(person.leave(), 1)
        self.assertEqual([path.name for path in self.home.iterdir()], ["token"])

    def test_without_jobs(self):
        done = self.run_init("--database", self.url, "--upstream", "none", "--mail", "maildir", "--app-schema",
                             "--mirror", "off")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = self.config.read_text()
        self.assertIn('"roles": ["mirror", "mail", "queue"]', text)
        self.assertNotIn('"mirror": {', text)
        self.assertEqual(self.edged("check-config", "--for", "worker").returncode, 0)


if __name__ == "__main__":
    unittest.main()
