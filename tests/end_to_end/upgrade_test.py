# SPDX-License-Identifier: Apache-2.0
"""Stores, backups and schemas that earlier releases wrote (tests/data/older) under the programs of
today: opened in place, restored and migrated, with everything in them."""

import json
import lzma
import signal
import subprocess
import sys
import tarfile
import unittest
from pathlib import Path

from programs_case import PATIENCE_SECONDS, ProgramsCase

ROOT = Path(__file__).resolve().parents[2]
OLDER = ROOT / "tests" / "data" / "older"
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(OLDER)]
import make  # noqa: E402
import reference_client  # noqa: E402
from tools.replay.cluster import Cluster  # noqa: E402


class OldStoreTest(ProgramsCase):
    def unpack(self, archive):
        target = self.directory / archive.name
        target.mkdir(mode=0o700)
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():  # what they hold is this repository's
                self.assertTrue(member.isfile() or member.isdir(), member.name)
                tar.extract(member, target)
        return target

    def stop(self, node):
        node.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(PATIENCE_SECONDS), 0, self.log())

    def verify(self, *what):
        result = self.run_program("kvctl", "verify", *what)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def serve(self, data):
        """What is in it, under a node of today that also writes."""
        node = self.start_node(data=data)
        found = make.contents("unix:" + self.ports["unix"])
        self.assertEqual(self.kvctl("get", "deleted", "--ns", "default").returncode, 3)
        self.assertEqual(self.kvctl("get", "k", "--ns", "gone").returncode, 3)
        self.assertEqual(self.kvctl("add", "counter", "1", "--ns", "default").returncode, 0)
        self.assertEqual(self.kvctl("get", "counter", "--ns", "default").stdout, b"43")
        self.stop(node)
        self.verify("--data", data)
        return found

    def test_stores_open_in_place(self):
        archives = sorted(OLDER.glob("store-*.tar.xz"))
        self.assertTrue(archives)
        for archive in archives:
            with self.subTest(archive.name):
                expected = json.loads((OLDER / archive.name.replace(".tar.xz", ".json")).read_text())
                self.assertGreater(len(expected["default"]), 20)
                data = self.unpack(archive)
                (data / "store.lock").touch()
                self.verify("--data", data)
                self.assertEqual(self.serve(data), expected)

    def test_backups_are_restored(self):
        archives = sorted(OLDER.glob("backup-*.tar.xz"))
        self.assertTrue(archives)
        for archive in archives:
            with self.subTest(archive.name):
                expected = json.loads((OLDER / archive.name.replace("backup-1.tar.xz", "store-2.json")).read_text())
                backups = self.unpack(archive)
                self.verify(backups)
                data = self.directory / (archive.name + ".restored")
                result = self.run_program("kvctl", "restore", backups, "--to", data, "--json")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(json.loads(result.stdout)["mirrors"], 1)
                self.assertEqual(self.serve(data), expected)

    def test_a_mirror_of_a_restored_store_is_loaded_anew(self):
        backups = self.unpack(OLDER / "backup-1.tar.xz")
        data = self.directory / "restored"
        self.assertEqual(self.run_program("kvctl", "restore", backups, "--to", data).returncode, 0)
        self.start_node(data=data)
        client = reference_client.Client("unix:" + self.ports["unix"])
        ns = client.call("open", b"mirrored")[1]["namespace"]
        self.assertEqual(client.call("get", b"m:1", ns=ns)[0], "stale")
        self.assertEqual(client.call("put", b"m:1", b"mine", ns=ns)[0], "conflict")


class OldSchemaTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.cluster = Cluster(self.directory)
        self.addCleanup(self.cluster.remove)
        self.cluster.start()

    def load(self, name):
        self.cluster.fresh_database("older")
        dump = lzma.decompress((OLDER / (name + ".sql.xz")).read_bytes())
        # Of newer pg_dumps, for newer psqls.
        dump = b"\n".join(line for line in dump.split(b"\n") if not line.startswith((b"\\restrict", b"\\unrestrict")))
        command, environment = self.cluster.psql("older")
        done = subprocess.run(command, input=dump, capture_output=True, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)

    def migrate(self):
        config = self.directory / "migrate.jsonc"
        config.write_text(json.dumps({"postgres": {"url": self.cluster.url("older")}}))
        config.chmod(0o600)
        return self.edged("migrate", "--json", "-c", config)

    def answers(self, queries, version):
        return {query: make.answer(lambda text: self.cluster.sql("older", text), query, version) for query in queries}

    def test_schemas_are_migrated_with_their_rows(self):
        newest = len(list((ROOT / "worker" / "db" / "migrations").glob("[0-9]*.sql")))
        names = sorted(path.name.removesuffix(".sql.xz") for path in OLDER.glob("schema-*.sql.xz"))
        self.assertTrue(names)
        for name in names:
            with self.subTest(name):
                version = int(name[-2:])
                expected = json.loads((OLDER / (name + ".json")).read_text())
                self.load(name)
                self.assertEqual(self.answers(expected, version), expected)
                done = self.migrate()
                self.assertEqual(done.returncode, 0, done.stderr)
                report = json.loads(done.stdout)
                self.assertEqual(report["version"], newest)
                self.assertEqual(len(report["applied"]), newest - version)
                self.assertEqual(self.answers(expected, version), expected)
                self.assertEqual(json.loads(self.migrate().stdout)["applied"], [])
                sent = self.cluster.sql("older", "select edged.queue_send('letters', '1')")
                self.assertGreater(int(sent[0][0]), 0)

    def test_a_newer_schema_is_refused(self):
        self.load("schema-10")
        self.cluster.sql("older", "insert into edged.schema_migrations (version, name, checksum)"
                         " values (9999, '9999_later', 'x')")
        before = self.cluster.sql("older", "select count(*) from edged.schema_migrations")
        self.assertFails(self.migrate(), 1, "9999_later", "Use the newer edged")
        self.assertEqual(self.cluster.sql("older", "select count(*) from edged.schema_migrations"), before)


if __name__ == "__main__":
    unittest.main()
