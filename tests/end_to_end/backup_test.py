# SPDX-License-Identifier: Apache-2.0
"""Backups of a node that runs and is written to: what they hold, and what a kill, a full disk or a
second backup at the same time leaves."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

from programs_case import BIN, PATIENCE_SECONDS, ProgramsCase, environment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import reference_client  # noqa: E402

SECOND = 1_000_000  # bytes that the slow backups below copy in a second


class Writer(threading.Thread):
    """Puts key after key, each acknowledged before the next."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.client = reference_client.Client(address)
        self.ns = self.client.call("open", b"default")[1]["namespace"]
        self.acknowledged = 0
        self.ending = False

    def run(self):
        while not self.ending:
            key = b"w%08d" % self.acknowledged
            status = self.client.call("put", key, key * 20, ns=self.ns)[0]
            assert status == "ok", status
            self.acknowledged += 1

    def end(self):
        self.ending = True
        self.join(PATIENCE_SECONDS)


class BackupTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.node = self.start_node()
        self.backups = self.directory / "backups"

    def fill(self, count=12, size=1_000_000):
        """Values that do not compress: `count` files of about this size."""
        for i in range(count):
            result = self.kvctl("put", "large%d" % i, "-", stdin=os.urandom(size))
            self.assertEqual(result.returncode, 0, result.stderr)

    def run_backup(self, *arguments, directory=None, **more):
        return self.run_program("kvctl", "backup", directory or self.backups, "--data", self.data, *arguments, **more)

    def backup(self, *arguments):
        result = self.run_backup(*arguments, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def start_backup(self, *arguments, **more):
        process = subprocess.Popen([BIN / "kvctl", "backup", str(self.backups), "--data", str(self.data),
                                    *map(str, arguments)], cwd=self.directory, env=environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.end, process)
        return process

    def whole(self):
        listed = self.run_program("kvctl", "verify", self.backups, "--json")
        return [one["number"] for one in json.loads(listed.stdout) if one["state"] == "whole"]

    def restore(self, name, *arguments):
        target = self.directory / name
        result = self.run_program("kvctl", "restore", self.backups, "--to", target, "--json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return target, json.loads(result.stdout)

    def copying(self):
        """A backup is in the middle of its table files."""
        return any(self.backups.glob("tables/*.part"))

    def stop_node(self):
        self.node.send_signal(signal.SIGTERM)
        self.assertEqual(self.node.wait(PATIENCE_SECONDS), 0)

    def test_under_writes_nothing_acknowledged_is_missing(self):
        writer = Writer("unix:" + self.ports["unix"])
        writer.start()
        self.addCleanup(writer.end)
        before = []
        for n in range(4):
            self.wait_until(lambda: writer.acknowledged > 300 * (n + 1), "writes")
            before.append(writer.acknowledged)
            self.assertEqual(self.backup()["number"], n + 1)
        writer.end()
        self.stop_node()
        for n, least in enumerate(before):
            data, report = self.restore("restored%d" % n, "--backup", n + 1)
            self.assertGreaterEqual(report["keys"], least)
            self.node = self.start_node(data=data)
            client = reference_client.Client("unix:" + self.ports["unix"])
            ns = client.call("open", b"default")[1]["namespace"]
            for i in range(least):
                key = b"w%08d" % i
                self.assertEqual(client.call("get", key, ns=ns)[::2], ("ok", key * 20))
            self.assertEqual(client.call("put", b"new", b"1", ns=ns)[0], "ok")
            self.stop_node()
            checked = self.run_program("kvctl", "verify", "--data", data, "--json")
            self.assertEqual(checked.returncode, 0, checked.stderr)
            self.assertEqual(json.loads(checked.stdout)["damaged"], 0)

    def test_shapes_and_texts(self):
        self.fill(3)
        first = self.backup()
        self.assertEqual(list(first), ["number", "directory", "files", "bytes", "copied_files", "copied_bytes",
                                       "removed"])
        self.assertEqual(first["copied_bytes"], first["bytes"])
        self.fill(1)
        second = self.backup("--keep", 1)
        self.assertEqual(second["removed"], [1])
        self.assertLess(second["copied_bytes"], second["bytes"])
        text = self.run_backup().stdout.decode()
        self.assertRegex(text, r"^backup 3 in .*: \d+ files, \d+\.\d MiB; copied \d+ files, \d+\.\d MiB\n$")
        listed = json.loads(self.run_backup("--list", "--json").stdout)
        self.assertEqual([one["state"] for one in listed], ["whole", "whole"])
        _, report = self.restore("restored")
        self.assertEqual(list(report), ["number", "created", "files", "bytes", "namespaces", "keys", "mirrors"])
        self.assertEqual(report["keys"], 3)
        self.assertEqual(list(self.data.glob("checkpoints/*")), [])

    def test_wrong_use_is_told(self):
        self.assertFails(self.kvctl("backup"), 2)
        self.assertFails(self.run_backup(directory=self.data), 2, "is not empty and holds no backups")
        self.assertFails(self.run_backup("--rate", "fast"), 2, "--rate")
        self.assertFails(self.run_backup("--keep", "0"), 2, "--keep")
        self.assertFails(self.kvctl("backup", self.backups, "--data", self.directory / "x"), 3, "there is no store in")
        self.assertFails(self.kvctl("verify"), 2, "--data")
        self.assertFails(self.kvctl("verify", self.backups), 3, "holds no backups")
        self.assertFails(self.kvctl("verify", "--data", self.data), 4, "lock held by another process")
        self.assertFails(self.kvctl("restore", self.backups, "--to", self.directory / "x"), 3)
        self.backup()
        self.assertFails(self.kvctl("restore", self.backups, "--to", self.data), 2, "is not empty")
        self.assertFails(self.kvctl("restore", self.backups, "--to", self.directory / "x", "--backup", "7"), 3,
                         "no backup 7")
        self.stop_node()
        self.assertEqual(self.backup()["number"], 2)

    def test_the_data_directory_is_found(self):
        found = self.run_program("kvctl", "backup", self.backups, env={"EDGED_DATA": str(self.data)})
        self.assertEqual(found.returncode, 0, found.stderr)
        config = self.directory / "edged.jsonc"
        config.write_text(json.dumps({"node": {"data_dir": str(self.data)}}))
        found = self.run_program("kvctl", "backup", self.backups)
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertEqual(self.whole(), [1, 2])

    def test_killed_at_any_moment_leaves_no_broken_backup(self):
        self.fill()
        for delay in (0.0, 0.2, 0.7, 1.5):
            process = self.start_backup("--rate", SECOND)
            self.wait_until(lambda: self.copying() or process.poll() is not None, "a backup that copies")
            time.sleep(delay)
            process.kill()
            process.wait()
            self.assertEqual(self.whole(), [])
            self.assertFails(self.kvctl("restore", self.backups, "--to", self.directory / "x"), 3)
        report = self.backup("--rate", "0B")
        self.assertEqual(report["number"], 1)
        self.assertLess(report["copied_bytes"], report["bytes"], "what the killed ones copied is used")
        self.assertEqual(self.whole(), [1])
        self.assertEqual(self.restore("restored")[1]["keys"], 12)

    def test_two_at_once(self):
        self.fill()
        slow = self.start_backup("--rate", 4 * SECOND)
        self.wait_until(lambda: self.copying() or slow.poll() is not None, "a backup that copies")
        self.assertFails(self.run_backup(), 4, "is in use")
        self.assertFails(self.kvctl("verify", self.backups), 4, "is in use")
        other = self.run_backup(directory=self.directory / "others")
        self.assertEqual(other.returncode, 0, other.stderr)
        self.assertEqual(slow.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(self.whole(), [1])
        self.assertEqual(list(self.data.glob("checkpoints/*")), [])

    def test_a_node_that_dies_meanwhile(self):
        self.fill()
        slow = self.start_backup("--rate", 4 * SECOND)
        self.wait_until(lambda: self.copying() or slow.poll() is not None, "a backup that copies")
        self.node.kill()
        self.node.wait()
        self.assertEqual(slow.wait(PATIENCE_SECONDS), 0, slow.stderr.read())
        self.assertEqual(self.whole(), [1])
        self.assertEqual(self.restore("restored")[1]["keys"], 12)
        self.node = self.start_node()
        self.assertEqual(list(self.data.glob("checkpoints/*")), [], "removed at the next start")

    def test_a_disk_that_is_full(self):
        self.fill(2)
        limited = subprocess.run(
            [BIN / "kvctl", "backup", str(self.backups), "--data", str(self.data)],
            cwd=self.directory, env=environment(), capture_output=True, timeout=PATIENCE_SECONDS,
            preexec_fn=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                                resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))))
        self.assertFails(limited, 1, "could not back up", "File too large")
        self.assertEqual(self.whole(), [])
        self.assertEqual(list(self.backups.glob("tables/*.part")), [])
        self.assertEqual(list(self.data.glob("checkpoints/*")), [])
        self.assertEqual(self.backup()["number"], 1)

    def test_damage_is_found(self):
        self.fill(2)
        self.backup()
        table = max(self.backups.glob("tables/*.sst"), key=lambda path: path.stat().st_size)
        content = bytearray(table.read_bytes())
        content[len(content) // 2] ^= 1
        table.write_bytes(content)
        checked = self.kvctl("verify", self.backups)
        self.assertEqual(checked.returncode, 6)
        self.assertIn(str(table), checked.stdout.decode())
        self.assertFails(self.kvctl("restore", self.backups, "--to", self.directory / "x"), 6, str(table))
        self.assertFalse((self.directory / "x").exists())
        table.unlink()
        self.backup()
        self.assertEqual(self.whole(), [1, 2], "the node still had the file")
        self.stop_node()
        table = max(self.data.glob("db/*.sst"), key=lambda path: path.stat().st_size)
        content = bytearray(table.read_bytes())
        content[len(content) // 2] ^= 1
        table.write_bytes(content)
        checked = self.kvctl("verify", "--data", self.data)
        self.assertEqual(checked.returncode, 6)
        self.assertIn(table.name, checked.stdout.decode())
        shutil.rmtree(self.backups)
        self.assertFails(self.run_backup(), 6, table.name)
        self.assertEqual(self.whole(), [])


if __name__ == "__main__":
    unittest.main()
