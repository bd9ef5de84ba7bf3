# SPDX-License-Identifier: Apache-2.0
"""Tables of PostgreSQL in the node: what an application that writes PostgreSQL sees there."""

import json
import subprocess
import unittest

from replay_case import DATABASE, NAMESPACE_ID, PROGRAMS, ReplayCase

RULES = [{"table": "class_states", "key": "class_state:{class_nbr}", "value": {"row": True}, "ttl": "10m"},
         {"table": "public.items", "key": "item:{id}", "value": {"column": "body"}}]
TABLES = """
create table public.items (id int primary key, body text, big text);
insert into public.items select i, 'body ' || i from generate_series(1, 500) i;
"""


class MirrorTest(ReplayCase):
    def start(self, rules=RULES, **mirror):
        """A node and a worker that mirrors, with rows loaded."""
        self.set_wal_level("logical")
        self.deploy(mirror={"mode": "logical", "namespace": "KV", "heartbeat": "100ms", "rules": rules, **mirror})
        self.sql(TABLES)
        self.node = self.deployment.start("node")
        self.deployment.wait_for_node(self.node)
        self.deployment.create_namespace()
        self.worker = self.deployment.start("worker")
        self.wait_for_key("item:500", "body 500")

    def set_wal_level(self, level):
        if self.cluster.sql("postgres", "show wal_level") == [[level]]:
            return
        self.cluster.sql("postgres", "alter system set wal_level = %s" % level)
        port = self.cluster.port
        self.cluster.stop()
        self.cluster.start(port)

    def sql(self, text):
        return self.cluster.sql(DATABASE, text)

    def get(self, key, *more):
        """The value; None: absent; "stale": it cannot be told."""
        done = subprocess.run([PROGRAMS / "kvctl", "--addr", "unix:%s/kv.sock" % self.deployment.node_dir,
                               "--ns", NAMESPACE_ID, "get", key, *more], capture_output=True, text=True, timeout=30)
        if done.returncode == 3:
            return None
        if "stale" in done.stderr:
            return "stale"
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def wait_for_key(self, key, value):
        self.deployment.wait_for("%s = %s" % (key, value), lambda: self.get(key) == value or None, self.worker)

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
        self.deployment.wait_for("the row to go", lambda: self.get("item:1001") is None, self.worker)


if __name__ == "__main__":
    unittest.main()
