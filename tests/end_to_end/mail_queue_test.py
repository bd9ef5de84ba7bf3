# SPDX-License-Identifier: Apache-2.0
"""Mails that an application sends with SQL, and readers who want no more of them."""

import json
import subprocess
import unittest
import urllib.error
import urllib.parse
import urllib.request

from replay_case import PROGRAMS, ReplayCase, mailbox

SECRET = "unsubscribe-secret-of-the-test"


class MailQueueTest(ReplayCase):
    def start(self):
        self.deploy()
        mail = json.loads(self.deployment.config.read_text())["mail"]
        self.deployment.write_config(mail={**mail, "unsubscribe_secret": SECRET})
        return self.serve()

    def send(self, to, key):
        body = json.dumps({"to": to, "key": key, "subject": "Grüße", "text": "Hello.\n.\nBye.",
                           "html": "<p>Hello.</p>"}).replace("'", "''")
        self.sql("select edged.queue_send('email', '%s')" % body)

    def event(self, key, serve):
        """The last event of a mail, once it has ended."""
        rows = self.deployment.wait_for("the end of mail %s" % key, lambda: self.sql(
            "select event, coalesce(detail, '') from edged.mail_events where key = '%s' and event <> 'retry'" % key), serve)
        return rows[-1]

    def edged(self, *arguments):
        return subprocess.run([PROGRAMS / "edged", "mail", *arguments, "-c", self.deployment.config],
                              capture_output=True, text=True, check=False)

    def test_a_mail_from_sql_arrives_and_its_reader_can_stop_them(self):
        serve = self.start()
        self.send("Reader@example.edu", "first")
        self.assertEqual(self.event("first", serve)[0], "accepted")
        (mail,) = mailbox.Mailbox(self.deployment.maildir).new_mails()
        self.assertEqual((mail["To"], mail["Subject"]), ("Reader@example.edu", "Grüße"))
        self.assertEqual(mail["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
        link = urllib.parse.urlsplit(mail["List-Unsubscribe"].strip("<>"))
        self.assertEqual(link.netloc, "pickmyclass.example")
        self.assertIn(link.geturl().replace("&", "&amp;"), mail.get_body(("html",)).get_content())
        page = "http://%s%s?%s" % (self.deployment.worker_address(), link.path, link.query)

        with urllib.request.urlopen(page) as asked:  # a GET changes nothing
            self.assertIn("text/html", asked.headers["Content-Type"])
        self.assertEqual(json.loads(self.edged("suppressed", "--json").stdout), [])
        with self.assertRaises(urllib.error.HTTPError) as wrong:
            urllib.request.urlopen(page[:-2], b"List-Unsubscribe=One-Click")
        self.assertIn(wrong.exception.code, (400, 403, 404))
        wrong.exception.close()
        self.assertEqual(json.loads(self.edged("suppressed", "--json").stdout), [])
        # What a browser says: the link was opened in webmail, the form's page sends no referrer.
        from_webmail = urllib.request.Request(page, headers={"Sec-Fetch-Site": "cross-site"})
        with urllib.request.urlopen(from_webmail) as asked:
            self.assertEqual(asked.status, 200)
        form = urllib.request.Request(page, b"", headers={"Origin": "null", "Sec-Fetch-Site": "same-origin"})
        with urllib.request.urlopen(form) as done:
            self.assertEqual(done.status, 200)

        (row,) = json.loads(self.edged("suppressed", "--json").stdout)
        self.assertEqual((row["address"], row["source"]), ("reader@example.edu", "unsubscribe"))
        self.send("reader@example.edu", "second")
        self.assertEqual(self.event("second", serve)[0], "suppressed")
        self.assertEqual(self.edged("unsuppress", "READER@example.edu").returncode, 0)
        self.assertEqual(self.edged("unsuppress", "READER@example.edu").returncode, 3)
        self.send("reader@example.edu", "third")
        self.assertEqual(self.event("third", serve)[0], "accepted")
        self.assertEqual(len(mailbox.Mailbox(self.deployment.maildir).new_mails()), 2)

    def test_an_operator_suppresses_an_address(self):
        serve = self.start()
        self.assertEqual(self.edged("suppress", "no address").returncode, 2)
        done = self.edged("suppress", "a@example.edu")
        self.assertEqual((done.returncode, done.stdout), (0, "a@example.edu: suppressed\n"))
        self.assertIn("a@example.edu", self.edged("suppressed").stdout)
        self.send("a@example.edu", "one")
        self.assertEqual(self.event("one", serve)[0], "suppressed")

    def test_what_is_no_mail_becomes_a_dead_message_with_the_reason(self):
        serve = self.start()
        self.sql("select edged.queue_send('email', '{\"subject\": \"nobody\"}')")
        (row,) = self.deployment.wait_for("the dead message", lambda: self.sql(
            "select reason from edged.queue_dead"), serve)
        self.assertIn("to", row[0])


if __name__ == "__main__":
    unittest.main()
