# SPDX-License-Identifier: Apache-2.0
"""`edged mirror check` against the application's tables, as somebody who sets the mirror up uses it."""

import json
import subprocess
import unittest

from replay_case import DATABASE, PROGRAMS, ReplayCase

RULES = [{"table": "class_states", "key": "class_state:{class_nbr}", "value": {"row": True}, "ttl": "10m"},
         {"table": "public.notifications_sent", "key": "notif:{class_watch_id}:{notification_type}",
          "value": {"const": "1"}, "expires": "expires_at"}]


class MirrorCheckTest(ReplayCase):
    def check(self, *arguments, rules=RULES, **more):
        deployment = self.deployment
        deployment.write_config(mirror={"namespace": "KV", "rules": rules, **more})
        return subprocess.run([PROGRAMS / "edged", "mirror", "check", "-c", deployment.config, "--log-level", "off",
                               *arguments], capture_output=True, text=True, timeout=60)

    def set_wal_level(self, level):
        self.cluster.sql(DATABASE, "alter system set wal_level = %s" % level)
        port = self.cluster.port
        self.cluster.stop()
        self.cluster.start(port)

    def test_tells_what_is_there_and_what_is_missing(self):
        self.deploy()
        self.set_wal_level("logical")
        done = self.check()
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual(done.stdout.splitlines()[0],
                         'table public.class_states: keys "class_state:...", 14 columns, rows told apart by id')
        self.assertEqual(done.stdout.splitlines()[-1], "logical replication: possible")
        answer = json.loads(self.check("--json").stdout)
        self.assertEqual((answer["logical"], answer["obstacles"], len(answer["tables"])), (True, [], 2))

        self.set_wal_level("replica")
        done = self.check()
        self.assertEqual(done.returncode, 1)
        self.assertIn("missing: wal_level is replica: set wal_level = logical and restart PostgreSQL", done.stdout)
        self.assertTrue(done.stdout.endswith("logical replication: not possible\n"))

        wrong = [{**RULES[0], "key": "class_state:{nbr}"}, {**RULES[1], "table": "notifications"}]
        answer = json.loads(self.check("--json", rules=wrong).stdout)
        self.assertEqual(answer["tables"], [])
        self.assertEqual(answer["obstacles"][:2],
                         ['table public.class_states: key names the column "nbr", which does not exist',
                          "table public.notifications: does not exist"])

    def test_tells_whether_the_mirror_s_own_address_is_the_same_database(self):
        self.deploy()
        self.set_wal_level("logical")
        done = self.check(url=self.cluster.url(DATABASE))
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.cluster.fresh_database("elsewhere")
        done = self.check(url=self.cluster.url("elsewhere"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("missing: mirror.url and postgres.url do not name the same database", done.stdout)
        done = self.check(url="postgresql://edged@127.0.0.1:1/" + DATABASE)
        self.assertEqual(done.returncode, 4)
        self.assertRegex(done.stderr, "^edged mirror: mirror.url: could not connect to PostgreSQL: ")


if __name__ == "__main__":
    unittest.main()
