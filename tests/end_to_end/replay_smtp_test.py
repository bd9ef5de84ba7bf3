# SPDX-License-Identifier: Apache-2.0
"""A replay through an SMTP server gives the mails that the maildir gets; and when the server cuts
connections and refuses for a while, and the worker is killed, none is missing and a copy has the
same Message-ID."""

import unittest
from collections import Counter

from replay_case import MAIL_SECONDS, ReplayCase, mailbox, verdict
from tools.replay.deployment import start_smtp_server

TICKS = 12
FAULTS_SEED = 20261130


class SmtpReplayTest(ReplayCase):
    def start_server(self, *arguments):
        """Deploys a worker that sends to a server, whose maildir is the one that the tests read."""
        maildir = self.directory / (self.id().rpartition(".")[2] + "-mails")
        server, url = start_smtp_server(maildir, *arguments)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.deploy(mail={"transport": "smtp", "url": url, "from": "PickMyClass <notify@pickmyclass.example>"})
        self.deployment.maildir = maildir

    def test_the_mails_are_those_of_the_maildir(self):
        self.start_server()
        serve = self.serve()
        for _ in range(TICKS):
            self.settle()
        self.assert_told_as_expected(TICKS)
        self.assertEqual(serve.stop(), 0)

    def test_nothing_is_lost_when_the_server_fails_and_the_worker_is_killed(self):
        self.start_server("--faults", "4", "--seed", str(FAULTS_SEED), "--kinds", "cut,4xx")
        self.deployment.start("node")
        self.deployment.wait_for_node()
        self.deployment.create_namespace()
        for tick in range(TICKS):
            if tick % 4 == 0:
                if tick:
                    worker.popen.kill()
                    worker.popen.wait()
                worker = self.deployment.start("worker")
                self.deployment.wait_for_worker(worker)
            self.settle()
        self.assertTrue(verdict.wait_for_mails(self.sql, MAIL_SECONDS), "mails are still queued")
        mails = mailbox.Mailbox(self.deployment.maildir).new_mails()
        once = {mail["Message-ID"]: mail for mail in mails}
        told = mailbox.counts(list(once.values()))
        expected = self.expected(TICKS)
        self.assertEqual({"missing": expected - told, "extra": told - expected},
                         {"missing": Counter(), "extra": Counter()})
        contents = {}
        for mail in mails:
            self.assertEqual(contents.setdefault(mail["Message-ID"], mail.as_bytes()), mail.as_bytes())


if __name__ == "__main__":
    unittest.main()
