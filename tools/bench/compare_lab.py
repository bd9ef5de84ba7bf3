# SPDX-License-Identifier: Apache-2.0
"""What tools/bench/compare measures besides full load: latency at half load, and resident memory."""

import statistics
import subprocess
import sys
import tempfile
import time

from compare_loads import HOUR_MS
from compare_run import Session, makers

IDLE_CONNECTIONS = 10_000
LATENCY_BUDGET_US, LATENCY_BUDGET_999_US, IDLE_BUDGET_MIB = 200, 1000, 40


def measure_half_load(options, bin_dir, generator):
    """GETs over the unix socket at half of what the server answers at most; alone, and beside puts of 4 KiB, a
    tenth of the operations, into keys of their own. {kind: {server: [figures]}}"""
    load, found = options.loads["get"], {}
    names = options.servers or ["edged", "redis"]
    common = ["--keys", options.keys, *generator.law(), "--value-bytes", load.value_bytes]
    half = ["--pipeline", 64, "--warm-up-ms", 500, "--ms", round(2000 * options.seconds)]
    beside = ["--put-percent", 10, "--put-offset", options.keys, "--put-value-bytes", 4096, "--ttl-ms", HOUR_MS]
    with Session(options, bin_dir, names, generator) as session:
        session.fill(options.keys, load)
        for number in range(options.rounds):
            for kind, more in (("alone", []), ("beside puts", beside)):
                for name in session.running:
                    def both(server):
                        most = generator.call("run", server, "unix", [*common, *more, "--ms", 700])["rate"]
                        return generator.call("run", server, "unix", [*common, *half, *more, "--seed", number + 1,
                                                                      "--rate", round(most / 2)])
                    found.setdefault(kind, {}).setdefault(name, []).append(session.measure_once(name, both))
            print("half load, round %d of %d" % (number + 1, options.rounds), file=sys.stderr)
    return found


def half_load_table(found):
    lines = ["| GET, unix socket, half load | operations a second | p50 µs | p99 µs | p99.9 µs | max µs | budget |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for kind, peers in found.items():
        for name, rounds in peers.items():
            rate = statistics.median(one["rate"] for one in rounds)
            p50, p99, p999, most = (statistics.median(one["reads"][figure + "_us"] for one in rounds)
                                    for figure in ("p50", "p99", "p999", "max"))
            kept = p99 <= LATENCY_BUDGET_US and p999 <= LATENCY_BUDGET_999_US
            verdict = "" if name != "edged" else "%d, %d: %s" % (
                LATENCY_BUDGET_US, LATENCY_BUDGET_999_US, "kept" if kept else "missed")
            lines.append("| %s, %s | %s | %.0f | %.0f | %.0f | %.0f | %s |" % (
                name, kind, format(round(rate), ","), p50, p99, p999, most, verdict))
    return "\n".join(lines)


def measure_memory(options, bin_dir, generator):
    """Resident KiB of a fresh server: idle, and with idle connections. {server: {"idle_kib", "connected_kib"}}"""
    found = {}
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as work:
        making = makers(options, bin_dir, work)
        for name in options.servers or ["edged", "redis"]:
            server = making[name]()
            try:
                time.sleep(3)
                idle = server.memory_kib()
                line = [generator.program, "hold", "--address", server.addresses["tcp"], "--protocol",
                        server.protocol, "--connections", str(IDLE_CONNECTIONS)]
                with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
                    if not holder.stdout.readline().startswith(b"held"):
                        sys.exit("error: %s would not hold %d connections" % (name, IDLE_CONNECTIONS))
                    time.sleep(3)
                    found[name] = {"idle_kib": idle, "connected_kib": server.memory_kib()}
            finally:
                server.stop()
    return found


def memory_table(found):
    lines = ["| resident memory | idle, MiB | with 10,000 idle connections, MiB | KiB a connection | budget |",
             "| --- | --- | --- | --- | --- |"]
    for name, kib in found.items():
        idle, connected = kib["idle_kib"], kib["connected_kib"]
        verdict = "" if name != "edged" else "%d, %s" % (
            IDLE_BUDGET_MIB, "kept" if idle <= IDLE_BUDGET_MIB * 1024 else "missed")
        lines.append("| %s | %.1f | %.1f | %.1f | %s |" % (
            name, idle / 1024, connected / 1024, (connected - idle) / IDLE_CONNECTIONS, verdict))
    return "\n".join(lines)
