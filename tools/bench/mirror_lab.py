# SPDX-License-Identifier: Apache-2.0
"""What tools/bench/mirror measures with: a PostgreSQL with tables, pairs of node and worker that mirror one of
them, the load of edged-bench-mirror, and what everybody's CPU was."""

import json
import os
import re
import resource
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from servers import cpu_seconds  # noqa: E402
from tools.replay.cluster import Cluster  # noqa: E402
from tools.replay.deployment import NAMESPACE_ID, Deployment, DeploymentError  # noqa: E402

DATABASE = "bench"
ASIDE_ID = "a51de0000000000000000000000000a5"  # of the namespace that no mirror owns
PREFIX = "b:"
IDS = 10_000
SETTINGS = ["wal_level=logical", "max_connections=400", "max_wal_senders=80", "max_replication_slots=80",
            "shared_buffers=256MB", "max_wal_size=8GB"]
LOAD_SECONDS = 300
REAP_SECONDS = 0.3  # until PostgreSQL counts the process of a connection that has ended
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def stat_fields(pid):
    return Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()


def children(pid):
    return [int(one) for one in Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()]


def machine_seconds():
    """(busy, all) of all cores since the machine started."""
    fields = [int(one) for one in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    total = sum(fields) / CLOCK_TICKS
    return total - (fields[3] + fields[4]) / CLOCK_TICKS, total


class Pair:
    """A node and a worker that mirrors `table` into it, connected by the node's unix socket."""

    def __init__(self, lab, name, table, temporary=False, small=False):
        """`temporary`: its slot; `small`: as one of many on a machine."""
        self.lab, self.table = lab, table
        upstream = SimpleNamespace(url="http://127.0.0.1:9", token="unused")
        self.deployment = Deployment(lab.directory / name, lab.bin, lab.cluster.url(DATABASE), upstream)
        self.deployment.clear()
        rule = {"table": "public." + table, "key": PREFIX + "{id}", "value": {"row": True}}
        self.deployment.write_config(
            node={"data_dir": str(self.deployment.node_dir), "listen": "127.0.0.1:0", "http": "127.0.0.1:0",
                  **({"io_threads": 1, "memory_budget": "64MiB"} if small else {})},
            postgres={"url": lab.cluster.url(DATABASE), "pool_size": 1 if small else 4},
            mirror={"mode": "logical", "namespace": "KV", "rules": [rule], "publication": "bench_" + table,
                    "temporary_slot": temporary, **({} if temporary else {"slot": "bench_" + table})})
        lab.migrate(self.deployment)
        self.address = "unix:%s" % (self.deployment.node_dir / "kv.sock")

    def start_node(self):
        self.node = self.deployment.start("node")
        self.deployment.wait_for_node(self.node)
        self.deployment.create_namespace()
        self.deployment.kvctl("namespace", "create", "aside", "--id", ASIDE_ID)

    def start_worker(self):
        self.worker = self.deployment.start("worker")

    def wait_for_log(self, pattern):
        """The match, once the worker's log has one."""
        return self.deployment.wait_for(pattern, lambda: re.search(pattern, self.worker.log.read_text()), self.worker,
                                        LOAD_SECONDS)

    def start(self):
        self.start_node()
        self.start_worker()
        self.wait_for_log(r"\[mirror\] following")
        return self

    def counters(self):
        """Of the worker's mirror: {"transactions", "changes", "batches"}."""
        with urllib.request.urlopen("http://%s/metrics" % self.deployment.worker_address(), timeout=10) as answer:
            text = answer.read().decode()
        return {name: int(float(re.search(r"^edged_mirror_%s_total (\S+)" % name, text, re.M)[1]))
                for name in ("transactions", "changes", "batches")}

    def stop(self):
        self.deployment.stop()


class Lab:
    """PostgreSQL and pairs; `close` ends and removes everything."""

    def __init__(self, directory, bin_dir, million):
        self.directory, self.bin, self.million = Path(directory), bin_dir, million
        self.cluster = Cluster(directory, SETTINGS)
        self.pairs, self.migrated = [], False

    def __enter__(self):
        try:
            self.cluster.start()
            self.cluster.fresh_database(DATABASE)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.stop_pairs()
        finally:
            self.cluster.remove()

    def sql(self, text):
        return self.cluster.sql(DATABASE, text)

    def migrate(self, deployment):
        if not self.migrated:
            deployment.migrate()
        self.migrated = True

    def make_table(self, name, rows=IDS, fill=50):
        """(id, version, pad of 100 bytes). Half empty pages, so that PostgreSQL updates in place."""
        self.sql("create table public.%s (id int primary key, version bigint not null, pad text not null) "
                 "with (fillfactor = %d);"
                 "insert into public.%s select i, 0, repeat('x', 100) from generate_series(1, %d) i;"
                 "vacuum analyze public.%s" % (name, fill, name, rows, name))

    def pair(self, name, table, **options):
        made = Pair(self, name, table, **options)
        self.pairs.append(made)
        return made

    def stop_pairs(self):
        def stop(pair):
            try:
                pair.stop()
            except DeploymentError as error:
                print("warning: %s" % error, file=sys.stderr)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(stop, self.pairs))
        self.pairs = []

    def run(self, *arguments):
        """edged-bench-mirror, and its figures with "cpu": seconds of each, and the machine's share that was busy."""
        environment = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(self.cluster.port), PGUSER="edged",
                           PGPASSWORD=self.cluster.password, PGDATABASE=DATABASE)
        before = self.cpu()
        done = subprocess.run([str(one) for one in (self.bin / "edged-bench-mirror", *arguments)],
                              stdout=subprocess.PIPE, text=True, env=environment)
        busy = machine_seconds()
        time.sleep(REAP_SECONDS)
        after = {**self.cpu(), "busy": busy[0], "machine": busy[1]}
        if done.returncode != 0:
            sys.exit("error: could not measure: edged-bench-mirror ended with exit code %d" % done.returncode)
        figures = json.loads(done.stdout)
        figures["cpu"] = {name: after[name] - before[name] for name in after}
        busy = figures["cpu"].pop("busy"), figures["cpu"].pop("machine")
        figures["busy_percent"] = 100 * busy[0] / busy[1] if busy[1] else 0
        return figures

    def cpu(self):
        """Seconds of CPU so far: of the nodes, the workers, PostgreSQL's senders of changes, all of PostgreSQL with
        the processes of it that have ended, the load, and the machine."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        postmaster = int((self.cluster.data / "postmaster.pid").read_text().split()[0])
        own = sum(int(one) for one in stat_fields(postmaster)[11:15]) / CLOCK_TICKS
        senders = [int(row[0]) for row in self.sql("select pid from pg_stat_replication")]
        busy, machine = machine_seconds()
        return {"node": sum(cpu_seconds(pair.node.popen.pid) for pair in self.pairs if hasattr(pair, "node")),
                "worker": sum(cpu_seconds(pair.worker.popen.pid) for pair in self.pairs if hasattr(pair, "worker")),
                "sender": sum(map(cpu_seconds, senders)),
                "postgres": own + sum(self.living(pid) for pid in children(postmaster)),
                "load": usage.ru_utime + usage.ru_stime, "busy": busy, "machine": machine}

    @staticmethod
    def living(pid):
        try:
            return cpu_seconds(pid)
        except OSError:
            return 0.0  # it has ended: the postmaster's own figures have it

    def load(self, name):
        """One initial load of the big table into an empty node: {"rows", "seconds", "cpu"}."""
        pair = self.pair(name, "big", temporary=True)
        pair.start_node()
        before = self.cpu()
        begun = time.monotonic()
        pair.start_worker()
        found = pair.wait_for_log(r"\[mirror\] loaded (\d+) rows in (\d+) ms")
        after = self.cpu()
        figures = {"rows": int(found[1]), "seconds": int(found[2]) / 1000, "whole_seconds": time.monotonic() - begun,
                   "cpu": {part: after[part] - before[part] for part in ("node", "worker", "sender", "postgres")}}
        self.stop_pairs()
        return figures


def follow(lab, pairs, *arguments, table="rows_mirrored"):
    """A load on rows that the mirror brings to the nodes of these pairs."""
    addresses = [part for pair in pairs for part in ("--address", pair.address)]
    return lab.run("follow", "--table", table, "--prefix", PREFIX, "--ns", NAMESPACE_ID, "--ids", IDS, *addresses,
                   *arguments)


def aside(lab, how, pair, *arguments):
    """A load on rows that the application brings to the node itself, of a table that no mirror follows."""
    return lab.run(how, "--table", "rows_aside", "--prefix", PREFIX, "--ns", ASIDE_ID, "--ids", IDS,
                   "--address", pair.address, *arguments)
