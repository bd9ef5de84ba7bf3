# SPDX-License-Identifier: Apache-2.0
"""What a run of 100 sections asks of PostgreSQL, counted by PostgreSQL itself (pg_stat_statements)."""

import json
import re
import unittest
import urllib.request
from collections import Counter

from replay_case import DATABASE, MIRROR, MIRROR_SETTINGS, ReplayCase
from tools.replay.history import History, read_sections

SECTIONS = 100
BUDGET = 4
COUNTED = "counted"
OF_THE_JOB = re.compile(r"\b(edged\.(cron_runs|section_checks|mails)|public\.(class_|notifications_|user_)|auth\.users)")
OF_THE_CATALOGUE = re.compile(r"\bpg_(class|publication|replication_slots|roles|settings|catalog)\b|"
                              r"edged\.schema_migrations|row_security_active|has_table_privilege|has_history")


class StatementsTest(ReplayCase):
    SETTINGS = (*MIRROR_SETTINGS, "shared_preload_libraries=pg_stat_statements")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        opening = [section for section in read_sections() if section.source.startswith("pcc")]
        cls.history = History(sections=opening[:SECTIONS])
        cls.cluster.sql("postgres", "create role %s login superuser password '%s'" % (COUNTED, cls.cluster.password))
        cls.cluster.sql("template1", "create extension pg_stat_statements")

    def counted_run(self):
        """One `edged cron run`: its summary, and the calls of the job's statements by PostgreSQL's count."""
        self.cluster.sql(DATABASE, "select pg_stat_statements_reset()")
        summary = json.loads(self.deployment.run(
            "edged", "cron", "run", "class-monitor", "--no-mail", "--json", "-c", self.counted_config))
        self.upstream.complete(summary["run_id"])
        rows = self.cluster.sql(DATABASE, "select calls, translate(query, E'\\n\\t', '  ') from pg_stat_statements "
                                "where userid = '%s'::regrole" % COUNTED)
        calls = 0
        for count, query in rows:
            if OF_THE_CATALOGUE.search(query) or "current_database()" in query:
                continue  # what every start asks once; BEGIN, COMMIT and SET would not come this way
            self.assertRegex(query, OF_THE_JOB)
            calls += int(count)
        return summary, calls

    def assert_counts(self, found, statements):
        summary, calls = found
        self.assertEqual(summary["sections"], SECTIONS)
        self.assertEqual(summary["failed"], 0)
        self.assertEqual(calls, summary["sql_statements"])
        self.assertEqual(calls, statements)
        self.assertLessEqual(calls, BUDGET)

    def prepare(self, **changes):
        """A deployment, and a configuration with a role of its own for the runs that are counted."""
        self.deploy(**changes)
        url = self.deployment.database_url.replace("//edged:", "//%s:" % COUNTED)
        self.counted_config = self.deployment.write_config(
            self.deployment.directory / "counted.jsonc", postgres={"url": url}, **changes)

    def count_start(self):
        """How many statements one `edged cron run` sends besides those of its run, by PostgreSQL's count."""
        self.cluster.sql(DATABASE, "select pg_stat_statements_reset()")
        summary = json.loads(self.deployment.run(
            "edged", "cron", "run", "class-monitor", "--no-mail", "--json", "-c", self.counted_config))
        self.upstream.complete(summary["run_id"])
        calls = self.cluster.sql(DATABASE, "select coalesce(sum(calls), 0) from pg_stat_statements "
                                 "where userid = '%s'::regrole" % COUNTED)
        return int(calls[0][0]) - summary["sql_statements"]

    def node_requests(self):
        """Requests of the binary protocol that the node has answered, by operation."""
        with urllib.request.urlopen("http://%s/metrics" % self.deployment.node_address(), timeout=10) as response:
            counts = Counter()
            for operation, count in re.findall(r'^edged_kv_requests_total\{.*opcode="(\w+)".*\} (\d+)$',
                                               response.read().decode(), re.M):
                counts[operation] += int(count)
            return counts

    def test_a_start_costs_two_statements(self):
        self.prepare(kv_namespaces=[])
        self.assertEqual(self.count_start(), 2)

    def test_a_start_with_a_mirror_costs_two_statements_too(self):
        self.prepare(mirror=MIRROR)
        self.assertEqual(self.count_start(), 2, "the node is not there")
        self.serve()
        self.assertEqual(self.count_start(), 2, "the mirror runs in another process")

    def test_a_mirror_that_nobody_keeps_is_not_waited_for(self):
        self.prepare(mirror=MIRROR)
        node = self.deployment.start("node")
        self.deployment.wait_for_node(node)
        self.deployment.create_namespace()
        for _ in range(2):
            before = self.node_requests()
            self.assertEqual(self.count_start(), 2)
            asked = self.node_requests()["multi_get"] - before["multi_get"]
            self.assertLessEqual(asked, 4, "a mirror that is waited for is asked every 20 ms")
        self.assertGreater(sum(self.node_requests().values()), 0)

    def test_without_a_node(self):
        self.prepare(kv_namespaces=[])
        for _ in range(3):
            self.assert_counts(self.counted_run(), 3)

    def test_with_a_node(self):
        self.prepare()
        node = self.deployment.start("node")
        self.deployment.wait_for_node(node)
        self.deployment.create_namespace()
        self.assert_counts(self.counted_run(), 3)  # nothing in the node yet
        self.check_frames()

    def test_with_the_mirror(self):
        self.prepare(mirror=MIRROR)
        self.serve()
        self.assert_counts(self.counted_run(), 3)
        self.check_frames()

    def check_frames(self):
        """Runs frames until one was as before and one told something."""
        seen = set()
        for _ in range(60):
            summary, calls = self.counted_run()
            self.assert_counts((summary, calls), 2 if summary["kv_misses"] <= summary["absent"]
                               and summary["changed"] == 0 else 3)
            seen.add("unchanged" if summary["changed"] == 0 else
                     "notifications" if summary["notifications"] else "changed")
            if {"unchanged", "notifications"} <= seen:
                return
        self.fail("the recording had only %s" % seen)


if __name__ == "__main__":
    unittest.main()
