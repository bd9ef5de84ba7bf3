# SPDX-License-Identifier: Apache-2.0
"""The worker behind Debian's PgBouncer in transaction mode, where a session's state is nobody's."""

import json
import os
import subprocess
import unittest

from pooler import SERVER_CONNECTIONS, Pooler
from replay_case import DATABASE, MIRROR, MIRROR_SETTINGS, ReplayCase
from tools.replay.cluster import binaries

TICKS = 12


class PoolerTest(ReplayCase):
    SETTINGS = MIRROR_SETTINGS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pooler = Pooler(cls.cluster)
        cls.pooler.start()
        cls.addClassCleanup(cls.pooler.stop)

    def postgres(self, **more):
        return {"url": self.cluster.url(DATABASE, self.pooler.port), "session_state": False, **more}

    def log(self, name="serve"):
        return (self.deployment.directory / (name + ".log")).read_text()

    def test_the_same_notifications_and_four_statements_a_run(self):
        self.deploy(postgres=self.postgres())  # migrates through it too
        serve = self.serve()
        summaries = [self.settle() for _ in range(TICKS)]
        self.assert_told_as_expected(TICKS)
        # Each statement takes its settings along: two messages instead of one.
        # A run is warm if the node has every state that the run before it saw. The first runs are
        # not: they fill the node, all of it or a part, as the worker reaches it.
        warm = [one for before, one in zip(summaries, summaries[1:])
                if one["kv_misses"] <= before["absent"]]
        self.assertGreaterEqual(len(warm), TICKS - 3)
        self.assertEqual({one["sql_statements"] for one in warm if one["changed"] == 0}, {4})
        self.assertEqual({one["sql_statements"] for one in warm if one["changed"] > 0}, {6})
        sessions = self.cluster.sql(DATABASE, "select count(*) from pg_stat_activity "
                                    "where datname = '%s' and pid <> pg_backend_pid()" % DATABASE)
        self.assertLessEqual(int(sessions[0][0]), SERVER_CONNECTIONS)
        self.assertEqual(serve.stop(), 0)

    def test_nothing_is_left_in_the_sessions(self):
        self.deploy(postgres=self.postgres())
        self.serve()
        self.settle()
        environment = dict(os.environ, PGPASSWORD=self.cluster.password)
        for _ in range(2 * SERVER_CONNECTIONS):
            found = subprocess.run(
                [binaries() / "psql", "-XqAt", "-h", "127.0.0.1", "-p", str(self.pooler.port), "-U", "edged", DATABASE, "-c",
                 "select current_setting('statement_timeout'), count(*) from pg_locks where locktype = 'advisory'"],
                capture_output=True, text=True, env=environment, check=True)
            self.assertEqual(found.stdout.strip(), "0|0")

    def test_postgres_restarted_and_its_sessions_ended_behind_it(self):
        self.deploy(postgres=self.postgres())
        self.serve()
        for tick in range(TICKS):
            if tick == 4:
                self.cluster.sql("postgres", "select pg_terminate_backend(pid) from pg_stat_activity "
                                             "where datname = '%s'" % DATABASE)
            if tick == 8:
                port = self.cluster.port
                self.cluster.stop("immediate")
                self.cluster.start(port)
            self.settle()
        self.assert_told_as_expected(TICKS)

    def test_the_mirror_goes_past_it(self):
        self.deploy(postgres=self.postgres(), mirror={**MIRROR, "url": self.cluster.url(DATABASE)})
        self.serve()
        self.settle()
        status = self.deployment.wait_for("the mirror", lambda: self.following())
        self.assertEqual(status["mode"], "logical")
        for _ in range(1, TICKS):
            self.settle()
        self.assert_told_as_expected(TICKS)

    def test_a_mirror_of_another_database_is_refused(self):
        self.cluster.fresh_database("elsewhere")
        self.deploy(mirror={**MIRROR, "mode": "logical", "url": self.cluster.url("elsewhere")})
        self.serve()
        self.settle()
        self.deployment.wait_for("the complaint", lambda: "mirror.url and postgres.url do not name the same database"
                                 in self.log())

    def following(self):
        done = subprocess.run([self.deployment.programs / "edged", "mirror", "status", "--json", "-c",
                               self.deployment.config], capture_output=True, text=True)
        return done.returncode == 0 and json.loads(done.stdout)

    def test_without_an_address_of_its_own_the_mirror_is_left_out_and_says_why(self):
        self.deploy(postgres=self.postgres(), mirror=MIRROR)
        self.serve()
        self.settle()
        self.assertIn("postgres.session_state is false, and a pooler does not pass replication on", self.log())

    def test_without_the_switch_the_error_names_it(self):
        self.deploy()
        self.deployment.write_config(postgres={"url": self.cluster.url(DATABASE, self.pooler.port)})
        with self.assertRaisesRegex(RuntimeError, "exit code 4.*postgres.session_state"):
            self.deployment.run("edged", "cron", "run", "class-monitor", "-c", self.deployment.config)


if __name__ == "__main__":
    unittest.main()
