# SPDX-License-Identifier: Apache-2.0
"""Mails through Debian's Postfix: TLS with an authority of our own, both ways to log in, addresses that do not
exist, and what a mail is after a real server had it."""

import json
import re
import subprocess
import unittest

import postfix_server
from replay_case import PROGRAMS, ReplayCase

PASSWORD = "pa55 w0rd/of+the=test"
READERS = ["anna@one.example", "bert@two.example", "carla.o'neil+news@three.example"]
FOREIGN = "dora@xn--bcher-kva.example"  # bücher.example
SUBJECT = "Plätze frei: «Übung» – 数学 ✓"
TEXT = ".\n..\n.hidden\nGrüße\n" + "lang " * 300 + "\nFrom here on\n\n.end\n"
HTML = "<p>Grüße</p>\n<p>.</p>\n"


def make_authority(directory, name):
    """An authority and a certificate of 127.0.0.1 that it has signed: NAME-ca.pem, NAME.pem, NAME.key."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", name + "-ca.key", "-out", name + "-ca.pem", "-days", "2",
            "-subj", "/CN=authority " + name)
    openssl("req", *key, "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
    (directory / "extensions").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", name + ".csr", "-CA", name + "-ca.pem", "-CAkey", name + "-ca.key",
            "-CAcreateserial", "-out", name + ".pem", "-days", "2", "-extfile", "extensions")


@unittest.skipIf(postfix_server.reason_to_skip(), postfix_server.reason_to_skip())
class PostfixTest(ReplayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory.chmod(0o755)
        for name in ("own", "other"):
            make_authority(cls.directory, name)
        (cls.directory / "postfix").mkdir()
        cls.postfix = postfix_server.Postfix(
            cls.directory / "postfix", [*READERS, FOREIGN], "edged", PASSWORD,
            cls.directory / "own.pem", cls.directory / "own.key")
        cls.postfix.start()
        cls.addClassCleanup(cls.postfix.stop)

    def mail(self, **changes):
        return {"transport": "smtp", "url": "smtp://127.0.0.1:%d" % self.postfix.starttls_port, "tls": "required",
                "tls_ca": str(self.directory / "own-ca.pem"), "user": self.postfix.user, "password": PASSWORD,
                "from": "Plätze <notify@pickmyclass.example>", **changes}

    def queue(self, to, key, **content):
        body = {"to": to, "key": key, "subject": SUBJECT, "text": TEXT, "html": HTML, **content}
        self.sql("select edged.queue_send('email', '%s')" % json.dumps(body).replace("'", "''"))

    def end_of(self, key, worker):
        rows = self.deployment.wait_for("the end of mail %s" % key, lambda: self.sql(
            "select event, detail from edged.mail_events where key = '%s' and event <> 'retry'" % key), worker)
        return rows[-1]

    def start(self, **mail):
        self.deploy(mail=self.mail(**mail))
        self.deployment.write_config(mail=self.mail(**mail), worker={
            "http": "127.0.0.1:0", "state_dir": str(self.deployment.directory / "worker"), "roles": ["mail"],
            "cron_secret": self.deployment.secret})
        worker = self.deployment.start("worker")
        self.deployment.wait_for_worker(worker)
        return worker

    def arrived(self, address, message_id, worker):
        def find():
            return [(raw, mail) for raw, mail in zip(self.postfix.mails(address), self.postfix.parsed(address))
                    if mail["Message-ID"] == message_id]
        (found,) = self.deployment.wait_for("the mail to %s" % address, find, worker)
        return found

    def test_mails_to_several_domains_arrive_as_they_were_written(self):
        worker = self.start()
        addresses = [*READERS, FOREIGN]
        for number, address in enumerate(addresses):
            self.queue(address.replace("xn--bcher-kva", "bücher"), "reader-%d" % number)
        for number, address in enumerate(addresses):
            event, detail = self.end_of("reader-%d" % number, worker)
            self.assertEqual(event, "accepted", detail)
            queued_as = re.fullmatch(r"250 2\.0\.0 Ok: queued as (\w+)", detail)[1]
            raw, mail = self.arrived(address, "<reader-%d@pickmyclass.example>" % number, worker)
            self.assertIn(queued_as.encode(), raw)
            self.assertRegex(self.postfix.log(), r"%s: client=.* sasl_method=PLAIN" % queued_as)
            self.assertIn("with ESMTPSA", mail["Received"])
            self.assertEqual((mail["Subject"], mail["To"]), (SUBJECT, address))
            self.assertEqual(mail["From"].addresses[0].display_name, "Plätze")
            self.assertEqual(mail.defects, [])
            self.assertEqual(mail.get_body(("plain",)).get_content().rstrip("\n"), TEXT.rstrip("\n"))
            self.assertEqual(mail.get_body(("html",)).get_content().rstrip("\n"), HTML.rstrip("\n"))
            self.assertTrue(raw.isascii())
            self.assertEqual([line for line in raw.split(b"\n") if line.startswith(b".")], [])

    def test_an_unknown_address_is_suppressed(self):
        worker = self.start()
        self.queue("Nobody@one.example", "unknown-1")
        event, detail = self.end_of("unknown-1", worker)
        self.assertEqual(event, "dead")
        self.assertIn("550 5.1.1 <Nobody@one.example>: Recipient address rejected: User unknown", detail)
        self.assertEqual(self.sql("select address, source from edged.mail_suppressions"),
                         [["nobody@one.example", "bounce"]])
        self.queue("nobody@one.example", "unknown-2")
        self.assertEqual(self.end_of("unknown-2", worker)[0], "suppressed")
        self.queue(READERS[0], "known")
        self.assertEqual(self.end_of("known", worker)[0], "accepted")

    def test_tls_from_the_first_byte_with_the_other_login(self):
        worker = self.start(url="smtps://127.0.0.1:%d" % self.postfix.tls_port)
        self.queue(READERS[1], "implicit")
        event, detail = self.end_of("implicit", worker)
        self.assertEqual(event, "accepted", detail)
        self.arrived(READERS[1], "<implicit@pickmyclass.example>", worker)
        self.assertRegex(self.postfix.log(), r"%s: client=.* sasl_method=LOGIN" % detail.rpartition(" ")[2])

    def test_settings_that_the_server_refuses(self):
        self.deploy()
        for changes, text in ((dict(tls_ca=str(self.directory / "other-ca.pem")), "certificate"),
                              (dict(password="wrong"), "535 5.7.8"),
                              (dict(tls="off"), "the server offers no login (AUTH)"),
                              (dict(tls="off", user="", password=""), "554 5.7.1")):
            with self.subTest(changes=changes):
                self.deployment.write_config(mail=self.mail(**changes))
                done = subprocess.run([PROGRAMS / "edged", "mail", "test", READERS[2], "-c", self.deployment.config],
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(text, done.stdout + done.stderr)
        self.assertEqual([mail for mail in self.postfix.parsed(READERS[2]) if "Test mail" in mail["Subject"]], [])


if __name__ == "__main__":
    unittest.main()
