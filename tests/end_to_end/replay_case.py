# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: a throwaway PostgreSQL per class, a deployment per test, and the
comparison of the maildir with the oracle."""

import os
import shutil
import sys
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tools.replay import history, mailbox, verdict  # noqa: E402, F401
from tools.replay.cluster import Cluster  # noqa: E402
from tools.replay.deployment import (  # noqa: E402
    MIRROR, MIRROR_SETTINGS, NAMESPACE_ID, Deployment, DeploymentError, seed_sql)
from tools.replay.upstream import Faults, Upstream  # noqa: E402

PROGRAMS = Path(os.environ.get("EDGED_BIN", ROOT / "build" / "release" / "bin"))
DATABASE = "replay"
SETTLE_SECONDS = 180
MAIL_SECONDS = 240  # a lease of 30 s may have to end first


# A notification of each watch of `{watches}` with its mail in the queue.
QUEUE_MAILS = """
    insert into edged.notifications (notification_id, run_id, class_watch_id, user_id, notification_type, class_nbr,
                                     term, recipient, message_id, valid_until, created_at)
    select key, {run}, id, user_id, 'seat_available', class_nbr, term, 'a@example.edu',
           edged.queue_send('email', jsonb_build_object(
               'kind', 'class-monitor', 'to', 'a@example.edu', 'key', key,
               'valid_until', to_char(({valid_until}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
               'data', jsonb_build_object('type', 'seat_available', 'class_nbr', class_nbr, 'term', term,
                                          'checked_at', '2026-01-01T00:00:00Z'))), {valid_until}, now()
    from (select *, id || '.seat_available.1' as key from {watches} as watch) as w"""


class ReplayCase(unittest.TestCase):
    maxDiff = None
    SETTINGS = ()  # of PostgreSQL, NAME=VALUE
    CONFIG = {}  # sections of the configuration besides the usual ones

    @classmethod
    def setUpClass(cls):
        cls.directory = Path(tempfile.mkdtemp(prefix="edged-e2e-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.cluster = Cluster(cls.directory, cls.SETTINGS)
        cls.addClassCleanup(cls.cluster.remove)
        cls.cluster.start()
        cls.history = history.History()

    def setUp(self):
        self.upstream = self.enterContext(Upstream(self.history, "upstream-token"))
        self.cluster.fresh_database(DATABASE)

    def deploy(self, crons=(), **changes):
        """A deployment with its database ready and nothing started."""
        self.deployment = Deployment(self.directory / self.id().rpartition(".")[2], PROGRAMS,
                                     self.cluster.url(DATABASE), self.upstream, crons)
        self.deployment.clear()
        self.deployment.write_config(**{**self.CONFIG, **changes})
        self.deployment.migrate()
        self.cluster.sql(DATABASE, seed_sql(self.history.sections))
        self.addCleanup(self.stop)
        return self.deployment

    def sql(self, statement):
        return self.cluster.sql(DATABASE, statement)

    def stop(self):
        """Stops everything; shows the logs if the test has failed."""
        try:
            self.deployment.stop()
        finally:
            outcome = self._outcome.result
            if any(test is self for test, _ in outcome.failures + outcome.errors):
                for log in sorted(self.deployment.directory.glob("*.log")):
                    print("--- %s\n%s" % (log, log.read_text()[-4000:]), file=sys.stderr)

    def serve(self, namespace=True):
        process = self.deployment.start("serve")
        self.deployment.wait_for_node(process)
        if namespace:
            self.deployment.create_namespace()
        self.deployment.wait_for_worker(process)
        return process

    def settle(self):
        """Runs class-monitor until one run has seen every section of the frame. Its summary."""
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end:
            try:
                summary = self.deployment.trigger()
            except (ValueError, KeyError, OSError) as error:  # the worker is being restarted
                summary, self.deployment.last_error = None, str(error)
            # A run that was taken over after a crash may have seen an older frame only.
            if (summary and summary["failed"] == 0
                    and self.upstream.complete(summary["run_id"]) is not None):
                return summary
            time.sleep(0.1)
        self.fail("no run settled frame %d in %d s: %s" % (
            self.upstream.frame, SETTLE_SECONDS, self.deployment.last_error))

    def expected(self, ticks):
        """By the oracle: how often each (address, section, type) is told in the first ticks."""
        return verdict.Expectation(self.history, ticks).told_until(ticks)

    def assert_told_as_expected(self, ticks):
        """The maildir holds exactly what the oracle says, each mail once."""
        self.assertTrue(verdict.wait_for_mails(self.sql, MAIL_SECONDS), "mails are still queued")
        mails = mailbox.Mailbox(self.deployment.maildir).new_mails()
        expected = self.expected(ticks)
        self.assertGreater(len(expected), 15, "the frames must have something to tell")
        told = mailbox.counts(mails)
        self.assertEqual({"missing": expected - told, "extra": told - expected},
                         {"missing": Counter(), "extra": Counter()})
        identities = Counter(mail["Message-ID"] for mail in mails)
        self.assertEqual([one for one, count in identities.items() if count != 1], [])
        for mail in mails:
            self.assertEqual(mail.defects, [])
            self.assertIn(mail["X-Edged-Section"],
                          mail.get_body(("plain",)).get_content() + mail["Subject"])
            self.assertIsNotNone(mail.get_body(("html",)))

    def assert_believed_states_are_postgres(self):
        """The classic flow's bound. The number of states in the node that a run would believe."""
        believed, different = verdict.believed_states(self.deployment.kvctl, self.sql)
        self.assertEqual(different, [])
        return believed
