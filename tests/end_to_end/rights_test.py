# SPDX-License-Identifier: Apache-2.0
"""A database that was there before, and a role with just the rights that the documentation lists."""

import json
import re
import subprocess
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from replay_case import DATABASE, PROGRAMS, ROOT, ReplayCase, seed_sql
from tools.replay.cluster import binaries
from tools.replay.deployment import Deployment, DeploymentError

TICKS = 12
ROLE = "edged worker"  # a name that must be quoted
PASSWORD = "of-the-worker"
GRANTS = re.search(r"```sql\n(grant .*?)```", (ROOT / "docs" / "postgresql.md").read_text(), re.S).group(1)
SCHEMA = (Path(__file__).parent / "existing_database.sql").read_text()


class ExistingDatabaseTest(ReplayCase):
    def setUp(self):
        super().setUp()
        self.cluster.sql(DATABASE, SCHEMA + seed_sql(self.history.sections))
        self.cluster.sql(DATABASE, "drop role if exists \"%s\"; create role \"%s\" login password '%s' bypassrls"
                         % (ROLE, ROLE, PASSWORD))
        self.addCleanup(self.forget_role)
        self.owner = self.cluster.url(DATABASE)
        self.worker = "postgresql://%s:%s@127.0.0.1:%d/%s" % (
            ROLE.replace(" ", "%20"), PASSWORD, self.cluster.port, DATABASE)
        self.deployment = Deployment(self.directory / self.id().rpartition(".")[2], PROGRAMS, self.owner,
                                     self.upstream, ())
        self.deployment.clear()
        self.addCleanup(self.stop)

    def forget_role(self):
        self.cluster.sql(DATABASE, 'drop owned by "%s"; drop role "%s"' % (ROLE, ROLE))

    def migrate(self, *flags):
        self.deployment.write_config(postgres={"url": self.owner})
        output = self.deployment.run("edged", "migrate", "--json", *flags, "-c", self.deployment.config)
        self.deployment.write_config(postgres={"url": self.worker})
        return json.loads(output)

    def run_once(self):
        """`edged cron run` as the worker's role."""
        return subprocess.run([self.deployment.programs / "edged", "cron", "run", "class-monitor", "--json", "-c",
                               self.deployment.config], capture_output=True, text=True)

    def readiness(self):
        try:
            return self.deployment.get(self.deployment.worker_address(), "/readyz")
        except urllib.error.HTTPError as error:
            return error.code

    def dump(self):
        """The definition of everything but edged's own schema."""
        done = subprocess.run([binaries() / "pg_dump", "--schema-only", "--exclude-schema=edged", "--no-privileges",
                               self.owner], capture_output=True, text=True, check=True)
        # pg_dump ends with a token of its own, another one each time.
        return re.sub(r"(?m)^\\(un)?restrict .*$", "", done.stdout)

    def test_it_works_unchanged_and_tells_what_the_oracle_says(self):
        before = self.dump()
        done = self.migrate("--app-schema", "--grant-to", ROLE)
        self.assertEqual(done["created_tables"], [])
        self.assertEqual(self.migrate("--grant-to", ROLE)["applied"], [])
        self.serve()
        for _ in range(TICKS):
            self.settle()
        self.assert_told_as_expected(TICKS)
        self.assertEqual(self.dump(), before)
        kept = int(self.cluster.sql(DATABASE, "select count(*) from class_state_changes")[0][0])
        self.assertGreater(kept, 20, "the application's trigger goes on")
        self.assertNotIn("row-level security", (self.deployment.directory / "serve.log").read_text())

    def test_the_documented_rights_are_those_that_are_given(self):
        given = (ROOT / "worker" / "db" / "grants.sql").read_text()
        given = "".join(line + "\n" for line in given.splitlines() if not line.startswith("--"))
        self.assertEqual(GRANTS, given.replace("{role}", "edged_worker"))

    def test_each_of_them_is_needed(self):
        self.migrate()
        grants = GRANTS.replace("edged_worker", '"%s"' % ROLE).splitlines()
        for left_out in grants:
            if left_out.startswith("alter default"):
                continue  # for what a later version of edged creates
            self.cluster.sql(DATABASE, 'drop owned by "%s"' % ROLE)
            # Everybody may use the schema public, unless a careful owner has revoked that.
            self.cluster.sql(DATABASE, "revoke all on schema public from public")
            self.cluster.sql(DATABASE, ";".join(one for one in grants if one != left_out))
            done = self.run_once()
            self.assertEqual(done.returncode, 5, (left_out, done.stderr))
            self.assertIn('role "%s" lacks rights' % ROLE, done.stderr)
            self.assertIn("edged migrate --grant-to", done.stderr)
        for schema in ("auth", "public", "edged"):
            self.cluster.sql(DATABASE, ";".join(grants))
            self.cluster.sql(DATABASE, 'revoke usage on schema %s from "%s"' % (schema, ROLE))
            done = self.run_once()
            self.assertEqual(done.returncode, 5, (schema, done.stderr))
            self.assertIn('role "%s" lacks rights' % ROLE, done.stderr)
        self.cluster.sql(DATABASE, ";".join(grants))
        self.assertEqual(self.run_once().returncode, 0)

    def test_rights_on_columns_are_enough_where_the_documentation_says_so(self):
        self.migrate("--grant-to", ROLE)
        columns = {"auth.users": ("select", "id, email"), "public.user_profiles": (
            "select", "user_id, notifications_enabled, email_bounced, spam_complained, is_disabled")}
        for table, (right, names) in columns.items():
            self.cluster.sql(DATABASE, 'revoke %s on %s from "%s"; grant %s (%s) on %s to "%s"' % (
                right, table, ROLE, right, names, table, ROLE))
        for _ in range(3):
            done = self.run_once()
            self.assertEqual(done.returncode, 0, done.stderr)
            self.upstream.complete(json.loads(done.stdout)["run_id"])
        self.cluster.sql(DATABASE, 'revoke select on class_watches from "%s"; grant select (id, user_id, term, subject, '
                         'catalog_nbr, class_nbr, created_at) on class_watches to "%s"' % (ROLE, ROLE))
        done = self.run_once()
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("select on public.class_watches", done.stderr)

    def test_a_role_from_which_rows_are_hidden_is_told_so(self):
        self.migrate("--grant-to", ROLE)
        self.cluster.sql(DATABASE, 'alter role "%s" nobypassrls' % ROLE)
        done = self.run_once()
        self.assertEqual((done.returncode, done.stdout), (5, ""), "a green, empty run")
        self.assertIn('row-level security hides rows from role "%s"' % ROLE, done.stderr)
        self.assertEqual(self.cluster.sql(DATABASE, "select count(*) from edged.cron_runs"), [["0"]])
        worker = self.deployment.start("worker")
        self.deployment.wait_for_worker(worker)
        log = self.deployment.directory / "worker.log"
        self.deployment.wait_for("the complaint", lambda: "alter role" in log.read_text(), worker)
        self.assertEqual(self.readiness(), 503)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(
                "http://%s/cron/class-monitor?wait=1" % self.deployment.worker_address(), b"",
                {"Authorization": "Bearer " + self.deployment.secret}, method="POST"))
        self.assertEqual(refused.exception.code, 503)
        self.assertIn("row-level security", refused.exception.read().decode())
        self.assertEqual(self.cluster.sql(DATABASE, "select count(*) from edged.cron_runs"), [["0"]])
        # What the message says, word for word, mends it; the worker goes on by itself.
        policies = done.stderr[done.stderr.index("create policy"):]
        self.assertIn("class_watches", policies)
        self.cluster.sql(DATABASE, policies)
        self.deployment.wait_for("its readiness", lambda: self.readiness() == 200, worker)
        worker.stop()
        done = self.run_once()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("row-level security", done.stderr)
        self.assertEqual(json.loads(done.stdout)["sections"], len(self.history.sections))

    def test_rows_that_are_hidden_while_a_worker_runs_are_noticed_after_the_next_tick(self):
        self.migrate("--grant-to", ROLE)
        self.deployment.write_config(postgres={"url": self.worker}, triggers={"crons": ["@every 1s"]})
        worker = self.deployment.start("worker")
        self.deployment.wait_for_worker(worker)
        succeeded = "select count(*) > 0 from edged.cron_runs where status = 'succeeded'"
        self.deployment.wait_for("a run", lambda: self.sql(succeeded) == [["t"]], worker)
        self.cluster.sql(DATABASE, 'alter role "%s" nobypassrls' % ROLE)
        self.deployment.wait_for("the verdict", lambda: self.readiness() == 503, worker)
        self.assertIn("cannot work any more: row-level security hides rows",
                      (self.deployment.directory / "worker.log").read_text())
        self.cluster.sql(DATABASE, 'alter role "%s" bypassrls' % ROLE)
        self.deployment.wait_for("its readiness", lambda: self.readiness() == 200, worker)
        before = self.sql("select max(id) from edged.cron_runs")
        self.deployment.wait_for("the schedule", lambda: self.sql("select max(id) from edged.cron_runs") > before, worker)

    def test_an_unknown_role_is_an_error(self):
        with self.assertRaisesRegex(DeploymentError, "could not grant the rights of a worker to role \"nobody here\""):
            self.migrate("--grant-to", "nobody here")


if __name__ == "__main__":
    unittest.main()
