# SPDX-License-Identifier: Apache-2.0
"""edged notifications: what became of each notification, told without SQL (docs/mail.md)."""

import json
import subprocess
import unittest

from replay_case import PROGRAMS, ReplayCase, mailbox


class NotificationsTest(ReplayCase):
    def edged(self, *arguments):
        return subprocess.run([PROGRAMS / "edged", *arguments, "-c", self.deployment.config],
                              capture_output=True, text=True, check=False)

    def told(self, *query):
        done = self.edged("notifications", *query, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def run_until_told(self):
        """Runs the frames up to the first that tells somebody something. Its mails."""
        for _ in range(60):
            done = self.edged("cron", "run", "class-monitor", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            summary = json.loads(done.stdout)
            self.upstream.complete(summary["run_id"])
            if summary["notifications"]:
                return summary, mailbox.Mailbox(self.deployment.maildir).new_mails()
        self.fail("nobody was told anything")

    def test_every_mail_has_its_story(self):
        self.deploy(kv_namespaces=[])
        summary, mails = self.run_until_told()
        self.assertEqual(len(mails), summary["notifications"])
        for mail in mails:
            address = mail["To"].addresses[0].addr_spec
            told = self.told("--to", address.upper())
            (one,) = [one for one in told["notifications"] if one["key"] == mail["X-Edged-Notification"]]
            self.assertEqual((one["status"], one["class_nbr"], one["type"], one["run_id"]),
                             ("sent", mail["X-Edged-Section"], mail["X-Edged-Type"], summary["run_id"]))
            self.assertEqual([event["event"] for event in one["events"]], ["accepted"])
            self.assertEqual(one["events"][0]["transport"], "maildir")
            self.assertEqual(told["address"]["users"], 1)
        self.assertIn(one, self.told("--watch", one["watch"])["notifications"])
        self.assertIn(one, self.told("--section", one["class_nbr"])["notifications"])
        self.assertEqual(len(self.told("--section", one["class_nbr"], "--limit", "1")["notifications"]), 1)
        words = self.edged("notifications", "--to", address).stdout
        for word in ("1 user, ", "section %s of term" % one["class_nbr"], ": sent", "detected", "queued", "accepted"):
            self.assertIn(word, words)

    def test_why_there_was_no_mail(self):
        self.deploy(kv_namespaces=[])
        self.sql("insert into public.user_profiles (user_id, email_bounced) select id, true from auth.users")
        for _ in range(60):
            summary = json.loads(self.edged("cron", "run", "class-monitor", "--json").stdout)
            self.upstream.complete(summary["run_id"])
            if self.sql("select count(*) from edged.notifications") != [["0"]]:
                break
        address = self.sql("select recipient from edged.notifications limit 1")[0][0]
        words = self.edged("notifications", "--to", address).stdout
        self.assertIn("it gets no notifications: the address bounced", words)
        self.assertIn(": dropped", words)
        self.assertIn("not sent    the address bounced", words)
        (one, *_) = self.told("--to", address)["notifications"]
        self.assertEqual((one["status"], one["reason"], one["events"]), ("dropped", "the address bounced", []))
        self.assertNotIn("message_id", one)

    def test_mails_of_applications_and_stopped_addresses(self):
        self.deploy()
        serve = self.serve()
        self.assertEqual(self.edged("mail", "suppress", "Reader@example.edu").returncode, 0)
        self.sql("""select edged.queue_send('email', '{"to":"reader@example.edu","key":"news","text":"T"}')""")
        self.deployment.wait_for("the end of the mail", lambda: self.sql("select key from edged.mail_events"), serve)
        told = self.told("--to", "reader@example.edu")
        self.assertEqual([one["key"] for one in told["notifications"]], ["news"])
        self.assertEqual([event["event"] for event in told["notifications"][0]["events"]], ["suppressed"])
        self.assertIn("suppressed", told["address"])
        words = self.edged("notifications", "--to", "reader@example.edu").stdout
        self.assertIn("nothing is sent to it", words)
        self.assertIn("news to reader@example.edu, sent by an application", words)

    def test_what_is_wrong_is_said(self):
        self.deploy()
        for arguments, code in (((), 2), (("--to", ""), 2), (("--to", "a@b.example", "--section", "1"), 2),
                                (("--section", "1", "--limit", "0"), 2), (("--watch", "no uuid"), 2)):
            done = self.edged("notifications", *arguments)
            self.assertEqual(done.returncode, code, (arguments, done.stderr))
        self.assertIn("name exactly one of --to,--watch,--section", self.edged("notifications").stderr)
        nothing = self.edged("notifications", "--section", "nothing")
        self.assertEqual(nothing.returncode, 0, nothing.stderr)
        self.assertIn("no notification is recorded", nothing.stdout)


if __name__ == "__main__":
    unittest.main()
