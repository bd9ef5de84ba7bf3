# SPDX-License-Identifier: Apache-2.0
"""What the tests of the mirror share: a node and a worker that mirrors, and what a reader finds in the node."""

import subprocess

from replay_case import DATABASE, NAMESPACE_ID, PROGRAMS, ReplayCase

RULES = [{"table": "class_states", "key": "class_state:{class_nbr}", "value": {"row": True}, "ttl": "10m"},
         {"table": "public.items", "key": "item:{id}", "value": {"column": "body"}}]
TABLES = """
create table public.items (id int primary key, body text, big text);
insert into public.items select i, 'body ' || i from generate_series(1, 500) i;
"""


class MirrorCase(ReplayCase):
    def start(self, rules=RULES, tables=TABLES, **mirror):
        """A node and a worker that mirrors, with rows loaded."""
        self.set_wal_level("logical")
        self.deploy(mirror={"mode": "logical", "namespace": "KV", "heartbeat": "100ms", "rules": rules, **mirror})
        self.sql(tables)
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
        done = self.kvctl("get", key, *more)
        if done.returncode == 3:
            return None
        if "stale" in done.stderr:
            return "stale"
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def wait_for_key(self, key, value):
        self.deployment.wait_for("%s = %s" % (key, value), lambda: self.get(key) == value, self.worker)

    def wait_for_absence(self, key):
        self.deployment.wait_for("%s to go" % key, lambda: self.get(key) is None, self.worker)

    def kvctl(self, *arguments):
        return subprocess.run([PROGRAMS / "kvctl", "--addr", "unix:%s/kv.sock" % self.deployment.node_dir,
                               "--ns", NAMESPACE_ID, *arguments], capture_output=True, text=True, timeout=180)

    def mirror(self, command, *arguments):
        return subprocess.run([PROGRAMS / "edged", "mirror", command, "-c", self.deployment.config, "--log-level",
                               "off", *arguments], capture_output=True, text=True, timeout=180)

    def log(self):
        return self.worker.log.read_text()

    def wait_for_log(self, text, times=1):
        self.deployment.wait_for("the log to say %s" % text, lambda: self.log().count(text) >= times, self.worker)

    def keys(self, prefix):
        answer = self.kvctl("list", "--all", "--prefix", prefix)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return answer.stdout.splitlines()
