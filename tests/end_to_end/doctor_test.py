# SPDX-License-Identifier: Apache-2.0
"""`edged doctor`: a deployment that is well, then each thing broken in turn, with the finding and its fix."""

import json
import os
import resource
import subprocess
import threading
import unittest

from pooler import Pooler
from programs_case import environment
from replay_case import DATABASE, MIRROR, MIRROR_SETTINGS, NAMESPACE_ID, PROGRAMS, ReplayCase
from tools.replay import smtp_sink

DEAD = "127.0.0.1:1"  # nobody listens there
PATIENCE_SECONDS = 120


class DoctorTest(ReplayCase):
    SETTINGS = MIRROR_SETTINGS
    CONFIG = {"mirror": {**MIRROR, "mode": "logical"}}

    def setUp(self):
        super().setUp()
        self.deploy(crons=["0 0 29 2 *"])
        # The Workers binding's default address may be in use on this machine.
        self.change("node", binding="127.0.0.1:0")

    def change(self, section, **keys):
        """Sets keys of a section; None removes one."""
        config = json.loads(self.deployment.config.read_text())
        for key, value in keys.items():
            config.setdefault(section, {}).pop(key, None)
            if value is not None:
                config[section][key] = value
        self.deployment.config.write_text(json.dumps(config))

    def doctor(self, *arguments, **more):
        return subprocess.run([PROGRAMS / "edged", "doctor", "-c", self.deployment.config, *arguments], text=True,
                              env=environment(), capture_output=True, timeout=PATIENCE_SECONDS, **more)

    def findings(self, *arguments, **more):
        """The findings that have to be mended: (check, what, fix)."""
        done = self.doctor("--json", *arguments, **more)
        answer = json.loads(done.stdout)
        bad = [(one["check"], one["what"], one["fix"]) for one in answer["findings"]
               if one["severity"] in ("warning", "error")]
        self.assertEqual(done.returncode, 1 if bad else 0, done.stderr)
        self.assertEqual(len(bad), answer["errors"] + answer["warnings"])
        self.assertEqual([one for one in bad if not one[2]], [], "every finding has a fix")
        self.assertEqual(done.stderr, "")
        return bad

    def assertFound(self, check, what, fix, *arguments, **more):
        found = self.findings(*arguments, **more)
        hits = [one for one in found if one[0] == check and what in one[1] and fix in one[2]]
        self.assertEqual(len(hits), 1, found)

    def stopped(self, found):
        """Without what is said because nothing runs."""
        return [one for one in found if one[0] not in ("node", "worker", "mirror")]

    def test_a_deployment_that_is_well_has_nothing_to_mend(self):
        self.serve()
        self.settle()
        following = [PROGRAMS / "edged", "mirror", "status", "-c", self.deployment.config]
        self.deployment.wait_for("the mirror", lambda: subprocess.run(
            following, capture_output=True, check=False).returncode == 0)
        self.assertEqual(self.findings(), [])
        table = self.doctor().stdout
        self.assertTrue(table.endswith("nothing to mend\n"), table)
        for check in ("configuration", "disk", "descriptors", "tokens", "exposure", "node", "database", "clock",
                      "schema", "mirror", "upstream", "mail", "worker"):
            self.assertRegex(table, r"(?m)^(ok|note) +%s " % check)
        self.assertNotIn(self.cluster.password, table)
        self.assertNotIn(self.upstream.token, table)

    def test_what_does_not_run_is_told(self):
        found = self.findings()
        self.assertEqual({one[0] for one in found}, {"node", "worker", "mirror"} & {one[0] for one in found})
        self.assertIn(("worker", "edged serve -c %s" % self.deployment.config), [(one[0], one[2]) for one in found])
        self.assertIn("node", [one[0] for one in found])

    def test_it_changes_nothing(self):
        def state():
            files = sorted((str(path), path.stat().st_mtime_ns) for path in self.deployment.directory.rglob("*"))
            return files, self.sql("select schemaname, relname, n_tup_ins + n_tup_upd + n_tup_del "
                                   "from pg_stat_user_tables order by 1, 2"), self.sql(
                                       "select slot_name from pg_replication_slots")
        before = state()
        self.doctor()
        self.assertEqual(state(), before)

    def test_configuration(self):
        self.change("upstream", url=None)
        self.assertFound("configuration", "upstream.url is missing", "edged init -c")
        self.change("upstream", url="http://" + DEAD, nonsense=1)
        self.assertFound("configuration", "nonsense", "edit ")
        self.deployment.config.unlink()
        self.assertFound("configuration", "could not read configuration", "edit ")

    def test_database(self):
        url = self.cluster.url(DATABASE)
        self.change("postgres", url="postgresql://edged@%s/%s" % (DEAD, DATABASE))
        self.assertFound("database", "could not connect to PostgreSQL", "pg_isready")
        self.change("postgres", url=url.replace(self.cluster.password, "wrong"))
        self.assertFound("database", "password authentication failed", "pg_hba.conf")
        self.change("postgres", url=self.cluster.url("nowhere"))
        self.assertTrue(any(one[0] == "database" for one in self.findings()))
        self.change("postgres", url=url)
        self.sql("alter role edged set default_transaction_read_only = on")
        self.addCleanup(self.cluster.sql, "postgres", "set default_transaction_read_only = off; "
                        "alter role edged reset default_transaction_read_only")
        self.assertFound("database", "are read-only", "default_transaction_read_only = off")

    def test_schema_and_rights(self):
        self.sql("create role doctor_reader login password 'reader'")
        self.addCleanup(self.cluster.sql, "postgres", "drop role doctor_reader")
        self.change("postgres", url="postgresql://doctor_reader:reader@127.0.0.1:%d/%s" % (
            self.cluster.port, DATABASE))
        self.assertFound("schema", 'role "doctor_reader" lacks rights', "edged migrate --grant-to")
        self.assertTrue(any("alter role doctor_reader replication" in one[2] for one in self.findings()))
        self.change("postgres", url=self.cluster.url(DATABASE))
        self.sql("insert into edged.schema_migrations (version, name, checksum) values (9999, 'of the future', '')")
        self.assertFound("schema", "is at version 9999", "newer edged")
        self.sql("drop schema edged cascade")
        self.assertFound("schema", 'schema "edged" does not exist', "edged migrate")

    def test_pooler(self):
        pooler = Pooler(self.cluster)
        pooler.start()
        self.addCleanup(pooler.stop)
        url = self.cluster.url(DATABASE, pooler.port)
        self.change("mirror", mode="cache-aside")
        self.change("postgres", url=url)
        self.assertFound("database", "unsupported startup parameter", "postgres.session_state to false")
        self.change("postgres", session_state=False)
        self.assertFound("database", "no address goes past the pooler", "postgres.listen_url")
        self.change("postgres", listen_url=self.cluster.url(DATABASE))
        self.assertEqual(self.stopped(self.findings()), [])

    def test_mirror(self):
        port = self.cluster.port
        self.cluster.stop()
        kept, self.cluster._settings = self.cluster._settings, [
            one for one in self.cluster._settings if not one.startswith(("wal_level", "max_slot"))]
        self.cluster.start(port)

        def restore():
            self.cluster.stop()
            self.cluster._settings = kept
            self.cluster.start(port)
        self.addCleanup(restore)
        self.assertFound("mirror", "wal_level is replica", "set wal_level = logical")
        self.assertFound("mirror", "max_slot_wal_keep_size is -1", "set a bound")
        self.change("mirror", mode="cache-aside")
        self.assertEqual(self.stopped(self.findings()), [])

    def test_upstream(self):
        self.change("upstream", url="http://" + DEAD)
        self.assertFound("upstream", DEAD, "upstream.url")
        self.change("upstream", url=self.upstream.url, token="wrong")
        self.assertFound("upstream", "401", "upstream.token")
        self.change("upstream", token=self.upstream.token)
        self.sql("insert into public.class_watches (user_id, term, subject, catalog_nbr, class_nbr, created_at) "
                 "select user_id, term, 'A', '1', '99999', now() + interval '1 day' from public.class_watches limit 1")
        self.assertFound("upstream", "does not know section 99999", "public.class_watches")

    def test_mail(self):
        self.change("mail", path=str(self.deployment.config))
        self.assertFound("mail", "is not a directory", "mail.path")
        self.change("mail", transport="smtp", url="smtp://" + DEAD)
        self.assertFound("mail", DEAD, "mail.url")
        server = smtp_sink.Server(smtp_sink.Ledger(None), login=["edged", "right"])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.change("mail", url=server.url, user="edged", password="wrong")
        self.assertFound("mail", "AUTH", "mail.user")
        self.change("mail", password="right")
        self.assertEqual(self.stopped(self.findings()), [])
        self.assertEqual(server.ledger.count, 0, "a doctor sends no mail")
        self.change("mail", tls="required")
        self.assertFound("mail", "STARTTLS", "mail.tls")
        self.change("mail", transport="resend", url=None, user=None, password=None, token="nonsense", tls=None)
        self.assertFound("mail", 'does not begin with "re_"', "mail.token_file")

    def test_tokens_of_a_running_node(self):
        process = self.deployment.start("node")
        self.deployment.wait_for_node(process)
        found = self.findings()
        self.assertIn(("node", "kvctl namespace create KV --id %s" % NAMESPACE_ID), [(one[0], one[2]) for one in found])
        self.deployment.create_namespace()
        self.deployment.kvctl("token", "create", "admin", "--scope", "admin")
        # Over the unix socket the node's own user needs none.
        address = json.loads((self.deployment.node_dir / "ports.json").read_text())["listen"][0]
        self.change("worker", node=address)
        self.assertFound("node", "wants a token", "worker.token_file")
        (self.deployment.node_dir / "tokens.json").chmod(0o644)
        self.assertFound("tokens", "tokens.json", "chmod 600")

    def test_machine(self):
        low = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))  # noqa: E731
        self.assertFound("descriptors", "512 open files", "LimitNOFILE", preexec_fn=low)
        self.change("node", disk_reserve="1024TiB")
        self.assertFound("disk", "writes need", "make room")
        self.change("node", disk_reserve=None)
        self.deployment.node_dir.mkdir(exist_ok=True)
        self.deployment.node_dir.chmod(0o755)
        self.assertFound("disk", "open to other users", "chmod 700")

    def test_exposure(self):
        self.change("worker", http="0.0.0.0:0")
        self.change("node", listen="0.0.0.0:0")
        self.assertFound("configuration", "node.listen", "edit ")
        found = self.findings("--insecure")
        exposed = [one for one in found if one[0] == "exposure"]
        self.assertEqual(len(exposed), 3, found)
        self.assertTrue(any("kvctl token create" in one[2] for one in exposed))

    def test_of_a_node_alone(self):
        for section in ("postgres", "upstream", "mail", "worker", "triggers", "mirror"):
            config = json.loads(self.deployment.config.read_text())
            config.pop(section, None)
            self.deployment.config.write_text(json.dumps(config))
        self.assertEqual([one[0] for one in self.findings("--for", "node")], ["node"])
        process = self.deployment.start("node")
        self.deployment.wait_for_node(process)
        self.deployment.create_namespace()
        self.assertEqual(self.findings("--for", "node"), [])

    def test_an_open_file_of_secrets_is_told(self):
        os.chmod(self.deployment.config, 0o644)
        self.assertFound("configuration", "it holds secrets", "chmod o-rwx")


if __name__ == "__main__":
    unittest.main()
