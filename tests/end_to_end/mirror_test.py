# SPDX-License-Identifier: Apache-2.0
"""Tables of PostgreSQL in the node: what an application that writes PostgreSQL sees there."""

import json
import os
import signal
import subprocess
import time
import unittest

from mirror_case import RULES, TABLES, MirrorCase
from replay_case import DATABASE, NAMESPACE_ID, PROGRAMS, Deployment


class MirrorTest(MirrorCase):
    def test_rows_appear_change_and_go(self):
        self.start()
        self.sql("insert into public.items values (1000, 'new')")
        self.wait_for_key("item:1000", "new")
        self.sql("update public.items set body = 'changed' where id = 1000")
        self.wait_for_key("item:1000", "changed")
        self.sql("update public.items set id = 1001 where id = 1000")
        self.wait_for_key("item:1001", "changed")
        self.assertIsNone(self.get("item:1000"))
        self.sql("delete from public.items where id = 1001")
        self.wait_for_absence("item:1001")
        self.sql("truncate public.items; insert into public.items values (7, 'after')")
        self.wait_for_key("item:7", "after")
        self.assertEqual(self.keys("item:"), ["item:7"])

    def test_nobody_else_writes_mirrored_keys(self):
        self.start()
        done = self.kvctl("put", "item:1", "mine")
        self.assertEqual(done.returncode, 1)
        self.assertIn("belongs to the mirror", done.stderr)
        self.assertEqual(self.get("item:1"), "body 1")
        self.assertEqual(self.kvctl("put", "other:1", "mine").returncode, 0)

    def test_a_large_unchanged_column_stays(self):
        rules = RULES + [{"table": "public.notes", "key": "note:{name}", "value": {"row": True}}]
        tables = TABLES + """
            create table public.notes (id int primary key, name text unique, n int, big text);
            alter table public.notes alter column big set storage external;
            insert into public.notes values (1, 'a', 1, repeat('x', 20000));"""
        self.start(rules=rules, tables=tables)
        self.sql("update public.notes set n = 2")
        self.deployment.wait_for("the update", lambda: json.loads(self.get("note:a"))["n"] == 2, self.worker)
        self.assertEqual(json.loads(self.get("note:a"))["big"], "x" * 20000)
        self.sql("update public.notes set name = 'b'")
        self.wait_for_absence("note:a")
        self.assertEqual(json.loads(self.get("note:b")), {"id": 1, "name": "b", "n": 2, "big": "x" * 20000})

    def test_unchanged_columns_may_make_more_than_a_batch(self):
        rules = RULES + [{"table": "public.notes", "key": "note:{name}", "value": {"row": True}}]
        self.start(rules=rules, tables=TABLES + """
            create table public.notes (id int primary key, name text unique, big text);
            alter table public.notes alter column big set storage external;
            insert into public.notes select i, 'a' || i, repeat('x', 200000) from generate_series(1, 100) i;""")
        self.sql("update public.notes set name = 'b' || id")
        self.wait_for_key("note:b100", json.dumps({"id": 100, "name": "b100", "big": "x" * 200000},
                                                  separators=(",", ":")))
        self.deployment.wait_for("the old keys to go", lambda: len(self.keys("note:")) == 100, self.worker)
        self.assertEqual(self.log().count("[mirror] loading"), 1, self.log())

    def test_goes_on_where_it_was(self):
        self.start()
        self.worker.popen.kill()
        self.worker.popen.wait()
        self.sql("insert into public.items values (1000, 'meanwhile')")
        self.worker = self.deployment.start("worker")
        self.wait_for_key("item:1000", "meanwhile")
        self.assertEqual(self.log().count("[mirror] loading"), 1, self.log())
        self.node.popen.kill()
        self.node.popen.wait()
        self.sql("insert into public.items values (1001, 'without a node')")
        self.node = self.deployment.start("node")
        self.deployment.wait_for_node(self.node)
        self.wait_for_key("item:1001", "without a node")
        self.assertEqual(self.log().count("[mirror] loading"), 1, self.log())

    def test_loads_anew_when_it_must(self):
        self.start()
        self.sql("alter table public.items add column more text default 'more'")
        self.wait_for_log("a table or the publication has changed")
        self.wait_for_log("[mirror] loaded", times=2)
        self.assertEqual(self.kvctl("namespace", "clear", NAMESPACE_ID, "--yes").returncode, 0)
        self.wait_for_log("[mirror] loaded", times=3)
        self.wait_for_key("item:500", "body 500")
        self.worker.stop()
        self.sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots;"
                 "delete from public.items where id = 500")
        self.worker = self.deployment.start("worker")
        self.wait_for_log("the replication slot is gone")
        self.wait_for_absence("item:500")
        self.assertEqual(len(self.keys("item:")), 499)

    def test_another_bound_on_staleness_loads_nothing(self):
        self.start()
        self.worker.stop()
        rules = [{**RULES[0], "ttl": "20m"}, {**RULES[1], "ttl": "30m"}]
        self.deployment.write_config(mirror={"mode": "logical", "namespace": "KV", "rules": rules})
        self.worker = self.deployment.start("worker")
        self.deployment.wait_for("the bounds", lambda: [rule["ttl_ms"] for rule in json.loads(
            self.mirror("status", "--json").stdout)["rules"]] == [1200000, 1800000], self.worker)
        self.assertEqual(self.log().count("[mirror] loading"), 1, self.log())

        rules[1]["key"] = "thing:{id}"
        self.worker.stop()
        self.deployment.write_config(mirror={"mode": "logical", "namespace": "KV", "rules": rules})
        self.worker = self.deployment.start("worker")
        self.wait_for_log("loading 2 tables: the rules have changed")
        self.wait_for_key("thing:500", "body 500")
        self.wait_for_absence("item:500")
        self.assertEqual(self.keys("item:"), [])

    def test_a_transaction_above_a_batch_comes_whole(self):
        self.start()
        self.sql("update public.items set body = repeat('z', 2000);"
                 "insert into public.items select i, repeat('y', 2000) from generate_series(1001, 21000) i")
        self.wait_for_key("item:21000", "y" * 2000)
        self.assertEqual(len(self.keys("item:")), 20500)
        self.assertEqual(self.get("item:1"), "z" * 2000)
        self.assertEqual(self.log().count("[mirror] loading"), 1, self.log())

    def test_a_reader_gets_its_own_write_or_stale(self):
        self.start()
        for version in range(20):
            self.sql("update public.items set body = 'v%d' where id = 1" % version)
            position = self.sql("select pg_current_wal_lsn()")[0][0]
            self.assertEqual(self.get("item:1", "--min-position", position, "--wait", "10s"), "v%d" % version)
        self.assertEqual(self.get("item:1", "--min-position", "F/0"), "stale")
        self.assertEqual(self.get("item:1", "--max-staleness", "10s"), "v19")
        self.worker.stop()
        self.deployment.wait_for("staleness", lambda: self.get("item:1", "--max-staleness", "1s") == "stale", self.node)
        self.assertEqual(self.get("item:1"), "v19", "the rule has no bound")

    def test_a_row_that_has_no_place_is_named_and_mended(self):
        rules = RULES + [{"table": "public.notes", "key": "note:{name}", "value": {"row": True}}]
        self.start(rules=rules, tables=TABLES + "create table public.notes (id int primary key, name text unique)")
        self.sql("insert into public.notes values (1, repeat('x', 600))")
        self.wait_for_log("table public.notes: the key of a row has 605 bytes, not 1 to 512")
        self.assertEqual(self.get("item:1"), "body 1", "what is loaded stays readable")
        self.sql("update public.notes set name = 'short'; update public.items set body = 'later' where id = 1")
        self.wait_for_key("item:1", "later")
        self.assertEqual(json.loads(self.get("note:short")), {"id": 1, "name": "short"})

    def test_partitions_are_one_table(self):
        rules = RULES + [{"table": "public.parts", "key": "part:{id}", "value": {"column": "body"}}]
        self.start(rules=rules, tables=TABLES + """
            create table public.parts (id int primary key, body text) partition by range (id);
            create table public.parts_1 partition of public.parts for values from (1) to (100);
            insert into public.parts values (1, 'one')""")
        self.assertEqual(self.get("part:1"), "one")
        self.sql("update public.parts set body = 'uno'")
        self.wait_for_key("part:1", "uno")
        self.sql("create table public.parts_2 (id int primary key, body text); insert into parts_2 values (200, 'more');"
                 "alter table public.parts attach partition public.parts_2 for values from (100) to (300)")
        self.wait_for_key("part:200", "more")

    def test_a_forgotten_heartbeat_is_noticed_by_a_session_that_goes_on(self):
        """As if a backup were restored while the stream hears nothing: the next beat must not cover it up."""
        self.start()
        beats = "select coalesce(max(beat), 0) from edged.mirror_heartbeats"
        self.deployment.wait_for("heartbeats", lambda: int(self.sql(beats)[0][0]) > 20, self.worker)
        self.sql("update edged.mirror_heartbeats set beat = 1")
        self.wait_for_log("PostgreSQL has forgotten a heartbeat")
        self.wait_for_log("[mirror] loaded", times=2)

    def test_a_dead_stream_does_not_lie(self):
        rules = [{**rule, "ttl": "3s"} for rule in RULES]
        self.start(rules=rules)
        status = json.loads(self.mirror("status", "--json").stdout)
        self.assertEqual((status["state"], status["mode"]), ("following", "logical"))
        self.worker.stop()
        self.assertEqual(self.get("item:1"), "body 1")
        self.deployment.wait_for("item:1 to be stale", lambda: self.get("item:1") == "stale", self.node)
        self.assertEqual(self.get("item:99999"), "stale", "neither is a miss an answer any more")
        done = self.mirror("status")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stdout.endswith("state: no worker follows PostgreSQL: is it running?\n"), done.stdout)
        self.worker = self.deployment.start("worker")
        self.wait_for_key("item:1", "body 1")

    def test_an_edge_leaves_nothing_in_postgres(self):
        self.start()
        edge = Deployment(self.deployment.directory / "edge", PROGRAMS, self.cluster.url(DATABASE), self.upstream)
        self.addCleanup(edge.stop)
        edge.clear()
        edge.write_config(mirror={"mode": "logical", "namespace": "KV", "heartbeat": "100ms", "rules": RULES,
                                  "temporary_slot": True})
        edge.wait_for_node(edge.start("node"))
        edge.create_namespace()
        worker = edge.start("worker")

        def value(key):
            done = subprocess.run([PROGRAMS / "kvctl", "--addr", "unix:%s/kv.sock" % edge.node_dir, "--ns", NAMESPACE_ID,
                                   "get", key], capture_output=True, text=True, timeout=180)
            return done.stdout
        edge.wait_for("the edge's rows", lambda: value("item:500") == "body 500", worker)
        self.sql("update public.items set body = 'both' where id = 500")
        self.wait_for_key("item:500", "both")
        edge.wait_for("the edge's change", lambda: value("item:500") == "both", worker)
        worker.popen.kill()
        worker.popen.wait()
        edge.wait_for("the edge's slot to go", lambda: self.sql(
            "select count(*) from pg_replication_slots") == [["1"]])
        self.sql("update public.items set body = 'later' where id = 500")
        worker = edge.start("worker")
        edge.wait_for("the edge's rows", lambda: value("item:500") == "later", worker)
        self.assertEqual(self.get("item:500"), "later")

    def test_postgres_is_answered_while_the_node_is_not(self):
        self.set_wal_level("logical")
        self.cluster.sql("postgres", "alter system set wal_sender_timeout = '3s'")
        self.cluster.sql("postgres", "select pg_reload_conf()")
        self.addCleanup(self.cluster.sql, "postgres", "alter system reset wal_sender_timeout")
        self.start()
        self.wait_for_log("[mirror] following")
        os.kill(self.node.popen.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.node.popen.pid, signal.SIGCONT)
        self.sql("update public.items set body = 'late' where id = 1")
        time.sleep(7)  # above wal_sender_timeout, below the 10 s after which the worker gives a write up
        os.kill(self.node.popen.pid, signal.SIGCONT)
        self.wait_for_key("item:1", "late")
        self.assertEqual(self.log().count("[mirror] following"), 1, self.log())
        self.assertNotIn("not following", self.log())

    def test_postgres_shuts_down_behind_what_nobody_committed(self):
        self.start(heartbeat="1m")
        port = self.cluster.port
        try:
            for _ in range(2):
                self.sql("update items set body = 'x' where id = 1")
                self.wait_for_key("item:1", "x")
                # In the log behind the last commit that the mirror will ever be sent.
                self.sql("begin; update items set body = 'never' where id = 2; checkpoint; rollback; checkpoint")
                self.cluster.stop()
                self.assertFalse((self.cluster.data / "postmaster.pid").exists(), "it has not shut down in 30 s")
                self.cluster.start(port)
                self.sql("update items set body = 'y' where id = 1")
                self.wait_for_key("item:1", "y")
            self.assertEqual(self.log().count("[mirror] loading"), 1)
            self.assertEqual(self.get("item:2"), "body 2")
        finally:
            self.cluster.stop("immediate")
            self.cluster.start(port)

    def test_a_slot_that_postgres_gave_up_loads_anew(self):
        self.start()
        self.worker.stop()
        self.sql("alter system set max_slot_wal_keep_size = '1MB'")
        self.sql("select pg_reload_conf()")
        self.addCleanup(self.cluster.sql, "postgres", "alter system reset max_slot_wal_keep_size")
        self.sql("update public.items set body = 'unseen' where id = 1")
        for _ in range(6):
            self.sql("create table filler as select repeat('x', 1000) from generate_series(1, 20000)")
            self.sql("drop table filler; select pg_switch_wal()")
            self.sql("checkpoint")
        self.assertEqual(self.sql("select wal_status from pg_replication_slots"), [["lost"]])
        done = self.mirror("status")
        self.assertEqual(done.returncode, 1)
        self.assertIn("PostgreSQL has removed the log that the slot needs", done.stdout)
        self.assertEqual(self.get("item:1"), "body 1", "old, and marked as old")
        self.worker = self.deployment.start("worker")
        self.wait_for_log("PostgreSQL no longer has the log the slot needs")
        self.wait_for_key("item:1", "unseen")

    def test_drop_leaves_nothing(self):
        self.start()
        done = self.mirror("drop")
        self.assertEqual(done.returncode, 4)
        self.assertIn("stop the worker first", done.stderr)
        self.worker.stop()
        done = self.mirror("drop")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual(self.sql("select count(*) from pg_replication_slots"), [["0"]])
        self.assertEqual(self.sql("select count(*) from pg_publication"), [["0"]])
        self.assertEqual(self.sql("select count(*) from edged.mirror_heartbeats"), [["0"]])
        self.assertEqual(self.keys(""), [])
        self.assertEqual(self.kvctl("put", "item:1", "mine").returncode, 0)


if __name__ == "__main__":
    unittest.main()
