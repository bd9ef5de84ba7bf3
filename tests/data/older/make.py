#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the files of this directory with the programs of the present. See README.md."""

import hashlib
import io
import json
import lzma
import os
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
import reference_client  # noqa: E402

LEFT_OUT = {"ballast", "ports.json", "kv.sock", "LOCK", "checkpoints"}
FOREVER = 7_258_118_400_000 - 1  # the latest expiry there may be, Unix milliseconds

QUERIES = [
    "select version, name from edged.schema_migrations where version <= {version} order by 1",
    "select name, is_paused from edged.queues order by 1",
    "select q.name, m.body, m.content_type, m.unique_key, m.sent_at from edged.queue_messages m"
    " join edged.queues q on q.id = m.queue_id order by m.id",
    "select q.name, d.body, d.reason, d.attempts from edged.queue_dead d join edged.queues q on q.id = d.queue_id"
    " order by 1, 2::text",
    "select count(*) from edged.queue_ready", "select due_at, attempts from edged.queue_delayed order by 1",
    "select job, due_at, cause, status, epoch, summary from edged.cron_runs order by id",
    "select class_nbr, epoch, requested_at from edged.section_checks order by 1",
    "select address, reason, source, since from edged.mail_suppressions order by 1",
    "select key, recipient, at, event, detail from edged.mail_events order by id",
    "select slot, beat, at from edged.mirror_heartbeats order by 1",
    "select class_nbr, title, seats_available from public.class_states order by 1"]
ROWS = """
    select edged.queue_create('letters');
    update edged.queues set is_paused = true where name = 'letters';
    select edged.queue_send('letters', '{"n": 1, "text": "grüße"}', sent_at => '2026-01-01T00:00Z');
    select edged.queue_send('letters', '[1.50, null]', unique_key => 'once', sent_at => '2026-01-02T00:00Z');
    select edged.queue_send('letters', '"later"', delay => '20 days', sent_at => '2099-01-01T00:00Z');
    insert into edged.queue_dead (message_id, queue_id, body, content_type, reason, attempts, sent_at, died_at)
    select 900, id, '{"n": 9}', 'json', '3 attempts failed', 4, '2026-01-01', '2026-01-03' from edged.queues
    where name = 'letters';
    insert into edged.cron_runs (job, due_at, cause, status, epoch, worker, process, lease_until, started_at,
                                 finished_at, summary)
    values ('class-monitor', '2026-01-01T01:00Z', 'schedule', 'succeeded', nextval('edged.run_epoch'), 'w', 'p',
            '2026-01-01T01:01Z', '2026-01-01T01:00Z', '2026-01-01T01:00:05Z', '{"sections": 3, "failed": 0}');
    insert into edged.section_checks values ('12431', 1, '2026-01-01T01:00:01Z');
    insert into edged.mail_suppressions values ('nobody@example.edu', 'asked for it', 'operator', '2026-01-01T00:00Z');
    select edged.mail_note('a.seat_available.1', 'a@example.edu', 'accepted', 'file', '2026-01-01T01:00:05Z');
    insert into edged.mirror_heartbeats values ('edged_0123', 42, '2026-01-01T00:00Z');
    insert into public.class_states (term, subject, catalog_nbr, class_nbr, title, seats_available, seats_capacity)
    values ('2261', 'CSE', '310', '12431', 'Data Structures', 3, 120);
"""


def pack(directory, archive):
    """Sorted, without times and owners."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(directory.rglob("*")):
            if path.is_socket() or LEFT_OUT & set(path.relative_to(directory).parts):
                continue
            entry = tar.gettarinfo(path, str(path.relative_to(directory)))
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
            with open(path, "rb") if path.is_file() else io.BytesIO() as content:
                tar.addfile(entry, content if path.is_file() else None)
    archive.write_bytes(lzma.compress(raw.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def text(data):
    return data.decode() if data is not None else None


class Node:
    def __init__(self, data):
        programs = Path(os.environ["EDGED_BIN"])
        ports = data / "ports.json"
        ports.unlink(missing_ok=True)
        self.process = subprocess.Popen([programs / "edged", "node", "--data", data, "--listen", "127.0.0.1:0",
                                         "--http", "127.0.0.1:0", "--binding", "127.0.0.1:0"])
        while not ports.exists():
            assert self.process.poll() is None, "the node did not start"
            time.sleep(0.05)
        self.address = "unix:" + json.loads(ports.read_text())["unix"]
        self.client = reference_client.Client(self.address)

    def call(self, *arguments, **more):
        status, fields, value = self.client.call(*arguments, **more)
        assert status == "ok", (arguments[:2], status, fields)
        return fields, value

    def open(self, name):
        return self.call("open", name.encode())[0]["namespace"]

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait()


def entries(client, ns):
    """Of a namespace, by key in hexadecimal: the SHA-256 of the value, metadata, expiry."""
    found, cursor = {}, None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        status, fields, value = client.call("list", b"", ns=ns, flags=("metadata", "info"), **more)
        assert status == "ok", status
        for _, key, _, facts in reference_client.items(value):
            status, _, bytes_of = client.call("get", key, ns=ns)
            assert status == "ok", (key, status)
            found[key.hex()] = [hashlib.sha256(bytes_of).hexdigest(), text(facts.get("metadata")),
                                facts.get("expires_at")]
        cursor = fields.get("cursor")
        if not cursor:
            return found


def contents(address):
    """Of the two namespaces, without what a mirror owns."""
    client = reference_client.Client(address)
    found = {}
    for name in ("default", "second"):
        ns = client.call("open", name.encode())[1]["namespace"]
        found[name] = entries(client, ns)
    client.socket.close()
    return found


def fill(node):
    ns = node.open("default")
    put = lambda key, value, **more: node.call("put", key, value, ns=ns, **more)  # noqa: E731
    put(b"plain", b"text")
    put(b"empty", b"")
    put(b"bytes", bytes(range(256)))
    put(b"metadata", b"m", metadata='{"a":[1,"ü"]}'.encode())
    put(b"expires", b"late", expires_at=FOREVER)
    put(b"\xff" * 512, b"the longest key")
    put(b"inline", b"i" * 65536)
    put(b"large", bytes(range(256)) * 2400)
    put(b"deleted", b"x")
    node.call("delete", b"deleted", ns=ns)
    node.call("add", b"counter", ns=ns, delta=41)
    node.call("add", b"counter", ns=ns, delta=1)
    node.call("namespace_create", title=b"second", namespace_id=b"0123456789abcdef0123456789abcdef")
    second = node.open("second")
    for i in range(300):
        node.call("put", b"key %d" % i, b"value %d" % i, ns=second)
    node.call("namespace_create", title=b"mirrored")
    mirrored = node.open("mirrored")
    rules = struct.pack("<BBHQ", 1, 1, 2, 0) + b"m:"
    batch = reference_client.item("put", b"\0edged:rules", rules) + reference_client.item("put", b"m:1", b"row")
    node.call("batch", b"", batch, ns=mirrored, source_position=b"\0\0\0\0\0\0\0\1", fresh_as_of=1)
    node.call("namespace_create", title=b"gone")
    gone = node.open("gone")
    node.call("put", b"k", b"v", ns=gone)
    node.call("namespace_delete", ns=gone)


def make_store(out):
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        node = Node(data)
        fill(node)
        node.end(signal.SIGTERM)  # which puts everything into table files
        node = Node(data)
        ns = node.open("default")
        for i in range(20):
            node.call("put", b"logged %d" % i, b"in the log %d" % i, ns=ns)
        node.call("put", b"plain", b"overwritten", ns=ns)
        (out / "store-2.json").write_text(json.dumps(contents(node.address), indent=0, sort_keys=True) + "\n")
        node.end(signal.SIGKILL)
        pack(data, out / "store-2.tar.xz")


def make_backup(out):
    """Of the store in `out`."""
    with tempfile.TemporaryDirectory() as temporary:
        data, backups = Path(temporary) / "data", Path(temporary) / "backups"
        with tarfile.open(out / "store-2.tar.xz") as tar:
            tar.extractall(data)
        subprocess.run([Path(os.environ["EDGED_BIN"]) / "kvctl", "backup", backups, "--data", data], check=True)
        pack(backups, out / "backup-1.tar.xz")


def make_schema(out, version):
    from tools.replay.cluster import Cluster, binaries
    with tempfile.TemporaryDirectory() as temporary:
        cluster = Cluster(Path(temporary))
        cluster.start()
        try:
            cluster.fresh_database("older")
            migrations = ROOT / "worker" / "db" / "migrations"
            sql = lambda statement: cluster.sql("older", statement)  # noqa: E731
            sql((migrations / "app_schema.sql").read_text())
            sql("""create schema edged;
                create table edged.schema_migrations (version integer primary key, name text not null,
                    checksum text not null, applied_at timestamptz not null default now())""")
            for path in sorted(migrations.glob("[0-9]*.sql"))[:version]:
                checksum = hashlib.sha256(path.read_bytes()).hexdigest()
                sql("begin;" + path.read_text() + ";insert into edged.schema_migrations (version, name, checksum)"
                    " values (%d, '%s', '%s');commit" % (int(path.name[:4]), path.stem, checksum))
            sql(ROWS)
            answers = {query: answer(sql, query, version) for query in QUERIES}
            name = "schema-%02d" % version
            (out / (name + ".json")).write_text(json.dumps(answers, indent=0, ensure_ascii=False) + "\n")
            dump = subprocess.run([binaries() / "pg_dump", "--no-owner", "--no-privileges", cluster.url("older")],
                                  check=True, capture_output=True).stdout
            (out / (name + ".sql.xz")).write_bytes(lzma.compress(dump, preset=9 | lzma.PRESET_EXTREME))
        finally:
            cluster.remove()


def answer(sql, query, version):
    """Its rows as JSON, times in UTC."""
    rows = sql("set time zone 'UTC'; select coalesce(jsonb_agg(r), '[]') from (%s) r"
               % query.replace("{version}", str(version)))
    return json.loads("\t".join(rows[-1]))


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    if sys.argv[1] == "store":
        make_store(target)
    elif sys.argv[1] == "backup":
        make_backup(target)
    else:
        make_schema(target, int(sys.argv[3]))
