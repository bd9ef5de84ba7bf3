# SPDX-License-Identifier: Apache-2.0
"""A node that was restored from a backup: what it mirrors is stale until its worker has loaded it."""

import json
import shutil
import subprocess
import unittest

from mirror_case import MirrorCase
from replay_case import PROGRAMS


class MirrorRestoreTest(MirrorCase):
    def backup(self):
        done = self.kvctl("backup", str(self.deployment.directory / "backups"), "--data",
                          str(self.deployment.node_dir))
        self.assertEqual(done.returncode, 0, done.stderr)

    def restore(self):
        """In the place of the node's directory, the node stopped."""
        self.node.stop()
        shutil.rmtree(self.deployment.node_dir)
        done = subprocess.run([PROGRAMS / "kvctl", "restore", self.deployment.directory / "backups", "--to",
                               self.deployment.node_dir, "--json"], capture_output=True, text=True, timeout=180)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["mirrors"], 1)
        self.node = self.deployment.start("node")
        self.deployment.wait_for_node(self.node)

    def test_it_is_loaded_anew(self):
        self.start()
        self.backup()
        self.sql("update public.items set body = 'later' where id = 1; delete from public.items where id = 2;"
                 "insert into public.items values (1000, 'new')")
        self.wait_for_key("item:1000", "new")
        self.worker.stop()
        self.restore()
        # This rule has no ttl: without a word from the restore, the rows of then would be believed.
        for key in ("item:1", "item:2", "item:1000"):
            self.assertEqual(self.get(key), "stale")
        self.worker = self.deployment.start("worker")
        self.wait_for_key("item:1", "later")
        self.wait_for_key("item:1000", "new")
        self.wait_for_absence("item:2")
        self.assertEqual(len(self.keys("item:")), 500)

    def test_a_worker_that_runs_meanwhile_loads_too(self):
        self.start()
        self.backup()
        self.sql("update public.items set body = 'later' where id = 1")
        self.wait_for_key("item:1", "later")
        self.restore()
        self.wait_for_log("[mirror] loaded", times=2)
        self.wait_for_key("item:1", "later")
        self.sql("update public.items set body = 'still later' where id = 1")
        self.wait_for_key("item:1", "still later")


if __name__ == "__main__":
    unittest.main()
