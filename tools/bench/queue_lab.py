# SPDX-License-Identifier: Apache-2.0
"""The work of tools/bench/queue: scripts for pgbench, and a table of what it counted."""

import argparse
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tools.replay.cluster import Cluster, binaries  # noqa: E402

BODY = '{"to": "student@example.edu", "subject": "Seat open", "text": "%s"}' % ("x" * 130)
SETTINGS = ["full_page_writes=on", "shared_buffers=256MB", "max_wal_size=8GB"]
MIGRATIONS = ROOT / "worker" / "db" / "migrations"


def block(name):
    """A statement of worker/queue/queue.sql."""
    text = (ROOT / "worker" / "queue" / "queue.sql").read_text()
    found = re.search(r"-- name: %s\n(.*?)(?=\n-- name: |\Z)" % name, text, re.S).group(1)
    return re.sub(r"^--.*\n", "", found, flags=re.M).strip()


def with_parameters(statement, *values):
    for number, value in reversed(list(enumerate(values, 1))):
        statement = statement.replace("$%d" % number, value)
    return statement


class Edged:
    name = "edged"
    schema = None

    def prepare(self, sql):
        sql("create schema edged")
        for pattern in ("000[1-4]_*.sql", "000[89]_*.sql", "0011_*.sql"):
            for migration in sorted(MIGRATIONS.glob(pattern)):
                sql(migration.read_text())

    def send(self, batch):
        return ("select edged.queue_send_batch('email', array_agg('%s'::jsonb)) "
                "from generate_series(1, %d);" % (BODY, batch))

    def consume(self, batch):
        claim = with_parameters(block("claim"), "1", str(batch), ":low", "'bench'", "30000")
        claim = """with found as materialized (%s)
select coalesce(max(position), :low) as low, count(body) as got,
       coalesce(json_agg(json_build_object('claim', claim, 'message', message_id, 'what', 'ack')), '[]')::text as done
from found
\\gset
""" % claim
        complete = with_parameters(block("complete"), ":done", "now()")
        return claim + "\\if :got\n" + complete + ";\n\\else\n\\sleep 1 ms\n\\endif\n"

    variables = {"low": "0"}
    left = "select count(*) from edged.queue_messages"
    sent = "select last_value from edged.queue_messages_id_seq"


class Pgmq:
    name = "pgmq's shape"

    def prepare(self, sql):
        sql("create table q (msg_id bigint generated always as identity primary key, read_ct int not null default 0, "
            "enqueued_at timestamptz not null default now(), vt timestamptz not null, message jsonb); "
            "create index q_vt on q (vt)")

    def send(self, batch):
        return ("insert into q (vt, message) select clock_timestamp(), '%s'::jsonb from generate_series(1, %d);"
                % (BODY, batch))

    def consume(self, batch):
        return """with cte as (select msg_id from q where vt <= clock_timestamp() order by msg_id limit %d
             for update skip locked),
     taken as (update q m set vt = clock_timestamp() + interval '30 s', read_ct = read_ct + 1 from cte
               where m.msg_id = cte.msg_id returning m.msg_id, m.message)
select count(message) as got, coalesce(array_agg(msg_id), '{}')::text as done from taken
\\gset
\\if :got
delete from q where msg_id = any (:done::bigint[]);
\\else
\\sleep 1 ms
\\endif
""" % batch

    variables = {}
    left = "select count(*) from q"
    sent = "select last_value from q_msg_id_seq"


class River:
    name = "River's shape"

    def prepare(self, sql):
        sql("create type job_state as enum ('available', 'running', 'completed'); "
            "create table job (id bigserial primary key, state job_state not null default 'available', "
            "attempt smallint not null default 0, attempted_at timestamptz, created_at timestamptz not null default now(), "
            "finalized_at timestamptz, scheduled_at timestamptz not null default now(), "
            "priority smallint not null default 1, args jsonb, attempted_by text[], kind text not null, "
            "queue text not null default 'default'); "
            "create index job_fetch on job (state, queue, priority, scheduled_at, id); "
            "create index job_kind on job (kind); "
            "create index job_finalized on job (state, finalized_at) where finalized_at is not null")

    def send(self, batch):
        return "insert into job (args, kind) select '%s'::jsonb, 'mail' from generate_series(1, %d);" % (BODY, batch)

    def consume(self, batch):
        return """with locked as (select id from job where state = 'available' and queue = 'default' and scheduled_at <= now()
                order by priority, scheduled_at, id limit %d for update skip locked),
     taken as (update job set state = 'running', attempt = attempt + 1, attempted_at = now(),
               attempted_by = array_append(attempted_by, 'bench') from locked where job.id = locked.id
               returning job.id, job.args)
select count(args) as got, coalesce(array_agg(id), '{}')::text as done from taken
\\gset
\\if :got
update job set state = 'completed', finalized_at = now() where id = any (:done::bigint[]);
\\else
\\sleep 1 ms
\\endif
""" % batch

    variables = {}
    left = "select count(*) from job where state <> 'completed'"
    sent = "select last_value from job_id_seq"


class Lab:
    def __init__(self, seconds, fsync="on"):
        self.seconds = seconds
        self.directory = Path(tempfile.mkdtemp(prefix="edged-queue-lab-"))
        self.directory.chmod(0o755)
        self.cluster = Cluster(self.directory, [*SETTINGS, "fsync=" + fsync])
        self.cluster.start()

    def close(self):
        self.cluster.remove()

    def psql(self, text):
        done = subprocess.run([binaries() / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", self.cluster.url("lab")],
                              input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def pgbench(self, script, name, variables, clients=1):
        path = self.directory / name
        path.write_text(script)
        defines = [part for key, value in variables.items() for part in ("-D", "%s=%s" % (key, value))]
        return subprocess.Popen([binaries() / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-T", str(self.seconds),
                                 "-f", path, *defines, self.cluster.url("lab")],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, shape, batch, held, mode):
        """Messages a second that went through; of `send`, that were sent."""
        self.cluster.fresh_database("lab")
        shape.prepare(self.psql)
        if mode == "drain":
            self.fill(shape, 1_000_000 if batch >= 100 else 100_000)
        holder = None
        if held:
            holder = subprocess.Popen([binaries() / "psql", "-Xq", self.cluster.url("lab")], stdin=subprocess.PIPE,
                                      stdout=subprocess.DEVNULL, text=True)
            holder.stdin.write("begin isolation level repeatable read;\nselect 1;\n")
            holder.stdin.flush()
        programs = []
        if mode == "steady":
            programs.append(self.pgbench(shape.send(batch) + "\n" + shape.consume(batch), "steady", shape.variables, 2))
        if mode in ("both", "send"):
            programs.append(self.pgbench(shape.send(batch), "send", {}))
        if mode in ("both", "drain"):
            programs.append(self.pgbench(shape.consume(batch), "consume", shape.variables))
        for program in programs:
            output, _ = program.communicate()
            if program.returncode:
                raise RuntimeError(output)
        if holder:
            holder.stdin.close()
            holder.wait()
        left = int(self.psql(shape.left))
        if mode == "drain" and left == 0:
            raise RuntimeError("%s was empty before the end: use fewer seconds" % shape.name)
        return (int(self.psql(shape.sent)) - (left if mode != "send" else 0)) / self.seconds

    def fill(self, shape, count):
        self.psql((shape.send(10_000) + "\n") * (count // 10_000) + "analyze;")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--batches", default="1,10,100,2000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--modes", default="both", help="of both, steady, send, drain; separated by commas")
    parser.add_argument("--snapshots", default="none,held")
    parser.add_argument("--shapes", default="edged,pgmq,river")
    parser.add_argument("--fsync", choices=("on", "off"), default="on", help="off: what the disk costs is left out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    every = {"edged": Edged(), "pgmq": Pgmq(), "river": River()}
    shapes = [every[name] for name in options.shapes.split(",")]
    lab = Lab(options.seconds, options.fsync)
    figures = {}
    try:
        for _ in range(options.rounds):
            for mode, batch, snapshot, shape in itertools.product(
                    options.modes.split(","), map(int, options.batches.split(",")), options.snapshots.split(","), shapes):
                figures.setdefault((mode, batch, snapshot, shape.name), []).append(
                    lab.run(shape, batch, snapshot == "held", mode))
    finally:
        lab.close()
    rows = {key: statistics.median(values) for key, values in figures.items()}
    if options.json:
        print(json.dumps([{"mode": m, "batch": b, "snapshot": h, "shape": s, "messages_per_second": round(v)}
                          for (m, b, h, s), v in rows.items()]))
        return
    print("%-6s %6s %-9s %-14s %12s %8s" % ("mode", "batch", "snapshot", "shape", "messages/s", "ratio"))
    for (mode, batch, snapshot, name), value in rows.items():
        first = rows[(mode, batch, snapshot, shapes[0].name)]
        print("%-6s %6d %-9s %-14s %12.0f %8.2f" % (mode, batch, snapshot, name, value, value / max(1, first)))


if __name__ == "__main__":
    main()
