# SPDX-License-Identifier: Apache-2.0
"""What tools/bench/compare asks the servers: the loads, and the generator that makes them."""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import servers

HOUR_MS = 3_600_000
EVERY = ("edged", "redis", "redis-aof", "valkey", "pogocache", "kvrocks", "echo")
STORES = tuple(name for name in EVERY if name not in ("echo", "pogocache"))  # those that have pages


@dataclass(frozen=True)
class Load:
    title: str
    arguments: tuple = ()
    value_bytes: int = 100
    ttl_ms: int = 0
    sync: bool = False
    modes: tuple = ((50, 1), (8, 32))  # connections, operations under way on each
    servers: tuple = EVERY
    unit: str = "operations"  # or items: what is counted
    base: str = "redis"


LOADS = {
    "get": Load("GET"),
    "mixed": Load("95/5 GET/PUT with TTL", ("--put-percent", "5"), ttl_ms=HOUR_MS),
    "put": Load("PUT", ("--put-percent", "100")),
    "mget": Load("MGET of 100, entries", ("--work", "mget", "--items", "100"), modes=((50, 1), (8, 8)), unit="items"),
    "list": Load("LIST of 1,000 with values, entries (RESP: SCAN and MGET)", ("--work", "list", "--items", "1000"),
                 modes=((8, 1),), servers=STORES, unit="items"),
    "half": Load("50/50 GET/PUT, 1 KiB", ("--put-percent", "50"), value_bytes=1024),
    "durable": Load("durable PUT", ("--put-percent", "100"), sync=True, modes=((50, 1), (50, 16)),
                    servers=("edged", "redis-always"), base="redis-always"),
}


def busy_and_stolen():
    """CPU seconds of all cores since the start of the machine: used, and taken by its host."""
    fields = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    tick = os.sysconf("SC_CLK_TCK")
    return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / tick, fields[7] / tick


def wait_for_quiet(limit_seconds):
    """Until nothing else uses the cores, at most so long. Whether it became quiet."""
    end, calm = time.monotonic() + limit_seconds, 0
    while True:
        before, _ = busy_and_stolen()
        time.sleep(0.15)
        calm = calm + 1 if busy_and_stolen()[0] - before <= 0.04 else 0
        if calm == 2:
            return True
        if time.monotonic() > end:
            return False


@dataclass
class Generator:
    """edged-bench-load on its core."""
    program: Path
    options: object
    extra: list = field(default_factory=list)

    def call(self, command, server, transport, arguments):
        """One load. Its figures, with "rate" (operations a second), "item_rate", "cpu_us" of the server each
        operation, and "others": cores that neither of the two used."""
        line = [self.program, command, "--address", server.addresses[transport], "--protocol", server.protocol,
                *arguments]
        if command == "run":
            line += ["--server-pid", server.pid]
        line = list(map(str, line))
        before, stolen_before = busy_and_stolen()
        server_before, own_before, started = servers.cpu_seconds(server.pid), own_cpu_seconds(), time.monotonic()
        done = subprocess.run(line, stdout=subprocess.PIPE, text=True, preexec_fn=servers.pinned(servers.GENERATOR_CORE))
        took = time.monotonic() - started
        if done.returncode != 0:
            sys.exit("error: %s\n%s" % (" ".join(line), done.stdout))
        figures = json.loads(done.stdout)
        if not figures["operations"]:
            sys.exit("error: %s answered nothing while it was measured; measure longer (--seconds)" % server.name)
        after, stolen = busy_and_stolen()
        known = servers.cpu_seconds(server.pid) - server_before + own_cpu_seconds() - own_before
        figures["others"] = max(0.0, after - before - known) / took
        figures["stolen"] = (stolen - stolen_before) / took
        figures["rate"] = figures["operations"] / figures["seconds"]
        figures["item_rate"] = figures["items"] / figures["seconds"]
        figures["cpu_us"] = 1e6 * figures["server_cpu_seconds"] / figures["operations"]
        return figures

    def fill(self, server, keys, load, first=0):
        """Puts the keys, reads all of them once, which verifies them, and asks for some by the load's law, so
        that caches hold what they will."""
        if server.protocol == "echo":
            return
        common = ["--keys", keys, "--first", first, "--connections", 8, "--value-bytes", load.value_bytes,
                  "--pipeline", pipeline_for(load.value_bytes)]
        ttl = ["--ttl-ms", load.ttl_ms] if load.ttl_ms else []
        figures = self.call("fill", server, "unix", common + ttl)
        print("  %s: %d keys at %.0f a second" % (server.name, figures["operations"], figures["rate"]), file=sys.stderr)
        self.call("read", server, "unix", common)
        self.call("run", server, "unix", ["--keys", keys, *self.law(), "--value-bytes", load.value_bytes, "--connections",
                                          8, "--pipeline", pipeline_for(load.value_bytes), "--ms", 1000])

    def law(self):
        return ["--zipf", self.options.zipf] if self.options.zipf else []

    def measure(self, load, server, transport, mode, keys, seed):
        sync = ["--sync"] if load.sync and server.protocol == "kvb" else []
        ttl = ["--ttl-ms", load.ttl_ms] if load.ttl_ms else []
        return self.call("run", server, transport, [
            "--keys", keys, *self.law(), "--value-bytes", load.value_bytes, "--connections", mode[0], "--pipeline",
            mode[1], "--seed", seed, "--ms", round(1000 * self.options.seconds), "--warm-up-ms",
            round(1000 * self.options.warm_up), *load.arguments, *ttl, *sync, *self.extra])


def own_cpu_seconds():
    """Of this process and of the generators that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def pipeline_for(value_bytes):
    """So that what is under way on 8 connections stays in the servers' bounds."""
    return max(1, min(32, (1 << 20) // max(1, value_bytes)))
