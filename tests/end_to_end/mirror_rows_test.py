# SPDX-License-Identifier: Apache-2.0
"""Rows whose keys change hands, rows that must be read from their table, and keys that are not one to one."""

import json
import unittest

from mirror_case import RULES, TABLES, MirrorCase

QUEUES = """
create table public.q (id int primary key, pos int not null, v text, unique (pos) deferrable initially immediate);
insert into public.q select i, i, 'v' || i from generate_series(1, %d) i;
alter table public.q replica identity %s;
"""


class MirrorRowsTest(MirrorCase):
    def wait_for_rows(self, table, key, prefix, where="true"):
        """Until the node has the rows of the table, and nothing else under the prefix."""
        wanted = {row[0]: row[1] for row in self.sql(
            "set timezone = 'UTC'; select %s, row_to_json(t)::text from %s t where %s" % (key, table, where))}

        def same():
            if set(self.keys(prefix)) != set(wanted):
                return False
            some = sorted(wanted)[:: max(1, len(wanted) // 40)]
            return all(self.get(name) == wanted[name] for name in some)
        self.deployment.wait_for("the rows of %s" % table, same, self.worker)

    def loads(self):
        return self.log().count("[mirror] loading")

    def test_keys_move_on_to_the_next_row(self):
        rules = RULES + [{"table": "public.q", "key": "q:{pos}", "value": {"row": True}},
                         {"table": "public.p", "key": "p:{pos}", "value": {"row": True}}]
        queues = QUEUES % (5, "full")
        self.start(rules=rules, tables=TABLES + queues + queues.replace("public.q", "public.p").replace("full", "default"))
        for change in ("pos = pos + 1", "pos = 8 - pos", "pos = pos % 5 + 1, v = v || 'x'"):
            for table in ("q", "p"):
                self.sql("update public.%s set %s" % (table, change))
                self.wait_for_rows("public." + table, "'%s:' || pos" % table, table + ":")
        self.assertEqual(self.loads(), 1, self.log())

    def test_a_worker_that_dies_within_a_large_exchange_of_keys(self):
        rules = RULES + [{"table": "public.q", "key": "q:{pos}", "value": {"row": True}}]
        self.start(rules=rules, tables=TABLES + QUEUES % (9000, "full"))
        for shift in (1, 2500, -1):
            self.sql("update public.q set pos = pos + %d" % shift)
            self.worker.popen.kill()
            self.worker.popen.wait()
            self.sql("update public.q set v = v || 'x' where id % 7 = 0")
            self.worker = self.deployment.start("worker")
            self.wait_for_rows("public.q", "'q:' || pos", "q:")
        self.assertEqual(self.loads(), 1, self.log())

    def test_an_entry_that_had_expired_is_read_from_its_table(self):
        rules = RULES + [{"table": "public.notes", "key": "note:{name}", "value": {"row": True}, "expires": "expires_at"}]
        self.start(rules=rules, tables=TABLES + """
            create table public.notes (id int primary key, name text unique, big text, expires_at timestamptz);
            alter table public.notes alter column big set storage external;
            insert into public.notes select i, 'n' || i, repeat('x', 50000), clock_timestamp() + interval '3 seconds'
            from generate_series(1, 50) i""")
        self.wait_for_key("note:n1", None)
        self.sql("update public.notes set expires_at = now() + interval '1 hour' where id <= 40")
        self.wait_for_rows("public.notes", "'note:' || name", "note:", "expires_at > now()")
        self.sql("update public.notes set expires_at = now() + interval '2 hours' where id > 30")
        self.wait_for_rows("public.notes", "'note:' || name", "note:", "expires_at > now()")
        self.assertEqual(self.loads(), 1, self.log())

    def test_a_key_that_two_rows_may_have_is_refused(self):
        self.start()
        self.sql("create table public.w (a text, b text, primary key (a, b));"
                 "insert into public.w values ('cs:101', 'a'), ('cs', '101:a')")
        rule = {"table": "public.w", "key": "w:{a}:{b}", "value": {"row": True}}

        def check():
            self.deployment.write_config(mirror={"mode": "logical", "namespace": "KV", "rules": RULES + [rule]})
            done = self.mirror("check", "--json")
            return done.returncode, json.loads(done.stdout)["obstacles"]
        code, obstacles = check()
        self.assertEqual(code, 1)
        self.assertEqual(len(obstacles), 1, obstacles)
        self.assertIn("two rows may have the same key", obstacles[0])
        self.assertIn('Set the key "w:{a|uri}:{b}"', obstacles[0])
        rule["key"] = "w:{a|uri}:{b}"
        self.assertEqual(check(), (0, []))
        self.worker.stop()
        self.worker = self.deployment.start("worker")
        self.wait_for_key("w:cs:101:a", '{"a":"cs","b":"101:a"}')
        self.assertEqual(self.keys("w:"), ["w:cs%3A101:a", "w:cs:101:a"])
        self.sql("delete from public.w where a = 'cs'")
        self.wait_for_absence("w:cs:101:a")
        self.assertEqual(json.loads(self.get("w:cs%3A101:a")), {"a": "cs:101", "b": "a"})


if __name__ == "__main__":
    unittest.main()
