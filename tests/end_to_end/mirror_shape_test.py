# SPDX-License-Identifier: Apache-2.0
"""What changes the mirrored rows without a change of a row: partitions, types, settings, publications."""

import json
import os
import subprocess
import unittest

from mirror_case import RULES, TABLES, MirrorCase
from replay_case import DATABASE, NAMESPACE_ID, PROGRAMS, Deployment
from tools.replay.cluster import Session

PARTS = [{"table": "public.pt", "key": "pt:{id}", "value": {"row": True}}]
PARTED = TABLES + """
create table public.pt (id int, v text, primary key (id)) partition by range (id);
create table public.pt_a partition of public.pt for values from (0) to (10);
create table public.pt_b partition of public.pt for values from (10) to (20);
insert into public.pt select i, 'v' || i from generate_series(0, 19) i;
"""


class MirrorShapeTest(MirrorCase):
    SETTINGS = ("max_prepared_transactions=2",)

    def rows_of(self, table, key):
        """What the node must hold: keys and rows, as PostgreSQL makes JSON of them."""
        found = self.sql("set timezone = 'UTC'; set extra_float_digits = 1; set bytea_output = hex; "
                         "set intervalstyle = postgres; set datestyle = iso; "
                         "select %s, row_to_json(t) from %s t" % (key, table))
        return {row[0]: row[1] for row in found}

    def node_rows(self, prefix):
        return {key: self.get(key) for key in self.keys(prefix)}

    def wait_for_rows(self, table, key, prefix):
        self.deployment.wait_for("the node to have the rows of %s" % table,
                                 lambda: self.node_rows(prefix) == self.rows_of(table, key), self.worker)

    def loads(self):
        return self.log().count("[mirror] loading")

    def test_truncate_of_one_partition(self):
        self.start(rules=RULES + PARTS, tables=PARTED)
        self.wait_for_rows("public.pt", "'pt:' || id", "pt:")
        self.sql("truncate public.pt_b")
        self.wait_for_rows("public.pt", "'pt:' || id", "pt:")
        self.wait_for_log("a partition of table public.pt was truncated")
        self.worker.stop()
        self.sql("truncate public.pt_a; insert into public.pt values (3, 'again')")
        self.worker = self.deployment.start("worker")
        self.wait_for_rows("public.pt", "'pt:' || id", "pt:")

    def test_partitions_that_come_and_go(self):
        self.start(rules=RULES + PARTS, tables=PARTED)
        same = ("public.pt", "'pt:' || id", "pt:")
        self.sql("alter table public.pt detach partition public.pt_b; update public.pt_b set v = 'changed meanwhile';"
                 "alter table public.pt attach partition public.pt_b for values from (10) to (20)")
        self.wait_for_rows(*same)
        self.sql("alter table public.pt detach partition public.pt_b")
        self.wait_for_rows(*same)
        self.sql("drop table public.pt_a; create table public.pt_c partition of public.pt for values from (0) to (5);"
                 "insert into public.pt values (1, 'new')")
        self.wait_for_rows(*same)
        self.sql("create unlogged table public.pt_u partition of public.pt for values from (30) to (40);"
                 "insert into public.pt values (31, 'unlogged')")
        self.wait_for_log("its partition public.pt_u is a foreign or unlogged table")
        self.deployment.wait_for("the answer to be stale", lambda: self.get("pt:1", "--max-staleness", "1s") == "stale",
                                 self.worker)
        self.sql("alter table public.pt_u set logged")
        self.wait_for_rows(*same)

    def test_a_rewritten_partition_is_loaded_once(self):
        self.start(rules=RULES + PARTS, tables=PARTED)
        self.sql("vacuum full public.pt_a")
        self.wait_for_log("[mirror] loaded", times=2)
        self.sql("update public.pt set v = 'w' where id = 3")
        self.wait_for_rows("public.pt", "'pt:' || id", "pt:")
        self.sql("vacuum full public.items; cluster public.items using items_pkey")
        beat = int(self.sql("select max(beat) from edged.mirror_heartbeats")[0][0])
        self.deployment.wait_for("heartbeats", lambda: int(self.sql(
            "select max(beat) from edged.mirror_heartbeats")[0][0]) > beat + 5, self.worker)
        self.assertEqual(self.loads(), 2, self.log())

    def test_a_renamed_label_of_an_enum(self):
        rules = RULES + [{"table": "public.feelings", "key": "feeling:{id}", "value": {"row": True}}]
        self.start(rules=rules, tables=TABLES + """
            create type public.mood as enum ('sad', 'glad'); create type public.pair as (a int, m public.mood);
            create table public.feelings (id int primary key, m public.mood, ms public.mood[]);
            insert into public.feelings values (1, 'sad', '{sad,glad}')""")
        self.wait_for_rows("public.feelings", "'feeling:' || id", "feeling:")
        self.sql("alter type public.mood rename value 'sad' to 'blue'")
        self.wait_for_rows("public.feelings", "'feeling:' || id", "feeling:")
        self.assertEqual(json.loads(self.get("feeling:1"))["m"], "blue")
        self.worker.stop()
        self.sql("alter type public.mood rename value 'blue' to 'low'")
        self.worker = self.deployment.start("worker")
        self.wait_for_rows("public.feelings", "'feeling:' || id", "feeling:")

    def test_settings_of_role_database_and_url_do_not_reach_the_values(self):
        rules = RULES + [{"table": "public.printed", "key": "printed:{id}", "value": {"row": True}}]
        hostile = {"extra_float_digits": "0", "bytea_output": "escape", "intervalstyle": "iso_8601", "datestyle": "German",
                   "timezone": "America/Phoenix", "standard_conforming_strings": "off", "search_path": "pg_catalog",
                   "default_transaction_isolation": "serializable", "quote_all_identifiers": "on"}
        for name, value in hostile.items():
            self.sql("alter database %s set %s = '%s'" % (DATABASE, name, value))
        self.addCleanup(self.cluster.sql, "postgres", "alter database %s reset all" % DATABASE)
        insert = """insert into public.printed values (%d, 0.1::float8 + 0.2, 0.1, '\\x00ff', '1 day 2 hours',
            '2026-11-24 14:33:35.5Z', '2026-11-24', array[0.1::float8 + 0.2])"""
        self.start(rules=rules, tables="set search_path = public; set standard_conforming_strings = on;" + TABLES + """
            create table public.printed (id int primary key, d float8, f float4, b bytea, i interval, at timestamptz,
                                         day date, ds float8[]);""" + insert % 1)
        self.sql("set standard_conforming_strings = on;" + insert % 2)
        self.wait_for_rows("public.printed", "'printed:' || id", "printed:")
        self.worker.stop()
        options = "%20".join("-c%%20%s%%3D%s" % one for one in hostile.items())
        self.deployment.database_url += "?client_encoding=LATIN1&options=" + options
        self.deployment.write_config(mirror={"mode": "logical", "namespace": "KV", "rules": rules})
        self.sql("set standard_conforming_strings = on;" + insert % 3)
        self.worker = self.deployment.start("worker")
        self.wait_for_rows("public.printed", "'printed:' || id", "printed:")

    def test_another_column_type_is_believed_at_once(self):
        rules = RULES + [{"table": "public.typed", "key": "typed:{id}", "value": {"row": True}}]
        self.start(rules=rules, heartbeat="1m", tables=TABLES + """
            create table public.typed (id int primary key, n int); insert into public.typed values (1, 1)""")
        self.wait_for_key("typed:1", '{"id":1,"n":1}')
        self.sql("alter table public.typed alter n type text using n::text; insert into public.typed values (2, '2')")
        self.wait_for_rows("public.typed", "'typed:' || id", "typed:")
        self.wait_for_log('table public.typed was altered: column "n" has another type')

    def test_a_wait_for_an_open_transaction_is_told_and_ends_with_the_worker(self):
        self.set_wal_level("logical")
        self.deploy(mirror={"mode": "logical", "namespace": "KV", "heartbeat": "100ms", "rules": RULES})
        self.sql(TABLES)
        self.node = self.deployment.start("node")
        self.deployment.wait_for_node(self.node)
        self.deployment.create_namespace()
        with Session(self.cluster, DATABASE) as holder:
            pid = holder.sql("select pg_backend_pid()")[0][0]
            holder.sql("begin")
            holder.sql("update public.items set body = 'held' where id = 1")
            self.worker = self.deployment.start("worker")
            self.wait_for_log("waiting to create replication slot")
            self.assertRegex(self.log(), 'process %s \\(role "edged", application "psql", database "%s"\\), transaction '
                             'open for [0-9]+ s, idle in transaction, last statement begun [0-9]+ s ago: '
                             '"update public.items set body = .{5} where id = 1;"' % (pid, DATABASE))
            self.assertEqual(self.worker.stop(), 0)
            self.deployment.wait_for("PostgreSQL's process to end", lambda: self.sql(
                "select count(*) from pg_stat_activity where backend_type = 'walsender'") == [["0"]])
            self.deployment.wait_for("the slot to go", lambda: self.sql(
                "select count(*) from pg_replication_slots") == [["0"]])
            self.worker = self.deployment.start("worker")
            self.wait_for_log("waiting to create replication slot", times=2)
            os.kill(self.worker.popen.pid, 9)
            self.worker.popen.wait()
            self.deployment.wait_for("PostgreSQL's process to end", lambda: self.sql(
                "select count(*) from pg_stat_activity where backend_type = 'walsender'") == [["0"]])
            self.worker = self.deployment.start("worker")
            self.wait_for_log("waiting to create replication slot", times=3)
            holder.sql("commit")
        self.wait_for_key("item:1", "held")

    def test_a_wait_for_a_prepared_transaction_is_told(self):
        self.start()
        self.sql("begin; update public.items set body = 'held' where id = 1; prepare transaction 'forgotten'")
        try:
            self.sql("alter table class_states add column more text")
            self.wait_for_log("waiting to create replication slot")
            self.assertIn("prepared transaction 'forgotten' (prepared ", self.log())
        finally:
            self.sql("commit prepared 'forgotten'")
        self.wait_for_key("item:1", "held")

    def edge(self, name, rules):
        """A node of its own with a worker of its own; the worker, and a function that reads the node."""
        edge = Deployment(self.deployment.directory / name, PROGRAMS, self.cluster.url(DATABASE), self.upstream)
        self.addCleanup(edge.stop)
        edge.clear()
        edge.write_config(mirror={"mode": "logical", "namespace": "KV", "heartbeat": "100ms", "rules": rules,
                                  "temporary_slot": True})
        edge.wait_for_node(edge.start("node"))
        edge.create_namespace()

        def value(key):
            return subprocess.run([PROGRAMS / "kvctl", "--addr", "unix:%s/kv.sock" % edge.node_dir, "--ns", NAMESPACE_ID,
                                   "get", key], capture_output=True, text=True, timeout=180).stdout
        return edge, edge.start("worker"), value

    def test_edges_with_different_rules_share_a_publication(self):
        self.start(tables=TABLES + "create table public.notes (id int primary key, body text);"
                                   "insert into public.notes values (1, 'note')")
        other = [{"table": "public.notes", "key": "note:{id}", "value": {"column": "body"}}]
        edge, worker, value = self.edge("edge", other)
        edge.wait_for("the edge's rows", lambda: value("note:1") == "note", worker)
        for turn in range(20):
            self.sql("update public.notes set body = 'note %d'; update public.items set body = 'item %d' where id = 1"
                     % (turn, turn))
            edge.wait_for("the edge's change", lambda: value("note:1") == "note %d" % turn, worker)
            self.wait_for_key("item:1", "item %d" % turn)
        self.assertEqual(self.loads(), 1, self.log())
        self.assertEqual(worker.log.read_text().count("[mirror] loading"), 1, worker.log.read_text())

    def test_a_publication_made_by_hand_needs_no_ownership(self):
        self.set_wal_level("logical")
        self.deploy(mirror={"mode": "logical", "namespace": "KV", "heartbeat": "100ms", "rules": RULES + PARTS})
        self.sql(PARTED)
        self.sql("drop role if exists follower; create role follower login replication password 'x'")
        self.addCleanup(self.cluster.sql, DATABASE, "drop owned by follower; drop role follower")
        self.deployment.run("edged", "migrate", "-c", self.deployment.config, "--grant-to", "follower")
        self.sql("grant select on public.items, public.pt to follower")
        self.deployment.database_url = "postgresql://follower:x@127.0.0.1:%d/%s" % (self.cluster.port, DATABASE)
        self.deployment.write_config(mirror={"mode": "logical", "namespace": "KV", "heartbeat": "100ms",
                                             "rules": RULES + PARTS})
        done = self.mirror("check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("As the owner of the tables", done.stdout)
        self.sql(done.stdout.partition(" run: ")[2].partition("\n")[0])
        self.sql('alter publication "edged_%s" add table edged.mirror_heartbeats' % NAMESPACE_ID)
        done = self.mirror("check")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.node = self.deployment.start("node")
        self.deployment.wait_for_node(self.node)
        self.deployment.create_namespace()
        self.worker = self.deployment.start("worker")
        self.wait_for_key("item:500", "body 500")
        self.wait_for_rows("public.pt", "'pt:' || id", "pt:")
        self.sql("update public.pt set v = 'x' where id = 11")
        self.wait_for_rows("public.pt", "'pt:' || id", "pt:")
        self.worker.stop()
        done = self.mirror("drop")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertIn("it belongs to another role", done.stdout)


if __name__ == "__main__":
    unittest.main()
