# SPDX-License-Identifier: Apache-2.0
"""The measuring of tools/bench/compare: starts servers, fills them, and alternates between them until the ratios
are stable. Who is not measured is stopped, its background work too: that falls into its next measurement."""

import statistics
import sys
import tempfile
from pathlib import Path

import compare_loads
import servers
from compare_loads import LOADS
from servers import Echo, Edged, Kvrocks, Pogocache, Redis


def quartiles(values):
    """Lower quartile, median, upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def is_stable(values, spread):
    """The quartiles lie no further apart than this share of the median."""
    low, middle, high = quartiles(values)
    return high - low <= spread * middle


def makers(options, bin_dir, work):
    """{name: function that starts the server}; those that were given no path are not in it."""
    node = {"io_threads": options.io_threads, "memory_budget": options.memory_budget}
    if options.hot_cache:
        node["hot_cache"] = options.hot_cache
    redis = {"redis": ["--appendonly", "no"], "redis-aof": ["--appendonly", "yes", "--appendfsync", "everysec"],
             "redis-always": ["--appendonly", "yes", "--appendfsync", "always"]}
    found = {"edged": lambda: Edged("edged", options.edged or bin_dir / "edged", work, node),
             "echo": lambda: Echo("echo", work, bin_dir / "edged-bench-echo")}
    for name, program in options.build:
        found[name] = lambda name=name, program=program: Edged(name, program, work, node)
    for name, arguments in redis.items():
        found[name] = lambda name=name, arguments=arguments: Redis(name, work, *arguments)
    if options.valkey:
        found["valkey"] = lambda: Redis("valkey", work, "--appendonly", "no", program=options.valkey)
    if options.pogocache:
        found["pogocache"] = lambda: Pogocache("pogocache", work, options.pogocache)
    if options.kvrocks:
        found["kvrocks"] = lambda: Kvrocks("kvrocks", work, options.kvrocks)
    return found


class Session:
    """Running servers, all stopped but the one that is measured. A context manager."""

    def __init__(self, options, bin_dir, names, generator):
        self.options, self.generator, self.running = options, generator, {}
        self.work = tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory)
        known = makers(options, bin_dir, self.work.name)
        try:
            for name in names:
                if name not in known:
                    print("skipped: %s, no --%s PATH was given" % (name, name), file=sys.stderr)
                    continue
                self.running[name] = known[name]()
                self.running[name].pause()
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.running.values():
            server.stop()
        self.work.cleanup()

    def engine(self):
        for server in self.running.values():
            if isinstance(server, Edged):
                server.resume()
                engine = server.engine()
                server.pause()
                return engine
        return "none"

    def fill(self, keys, load, first=0):
        for server in self.running.values():
            server.resume()
            self.generator.fill(server, keys, load, first)
            servers.settle(server)
            server.pause()

    def measure_once(self, name, call):
        """`call(server)` on a quiet machine while the others are stopped."""
        quiet = compare_loads.wait_for_quiet(self.options.quiet_seconds)
        server = self.running[name]
        server.resume()
        figures = call(server)
        server.pause()
        figures["quiet"] = quiet
        return figures

    def measure_cell(self, load, names, transport, mode, keys):
        """{server: [figures of each round]}"""
        names = [name for name in names if name in self.running and transport in self.running[name].addresses]
        found = {name: [] for name in names}
        for number in range(self.options.rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                found[name].append(self.measure_once(name, lambda server: self.generator.measure(
                    load, server, transport, mode, keys, number + 1)))
            if number + 1 >= self.options.rounds_min and self.is_stable(load, found):
                break
        return found

    def is_stable(self, load, found):
        base = found.get(self.options.base or load.base)
        if not base:
            return all(is_stable([one["rate"] for one in rounds], self.options.spread) for rounds in found.values())
        return all(is_stable([one["rate"] / other["rate"] for one, other in zip(rounds, base)], self.options.spread)
                   for rounds in found.values())


def servers_of(load, options):
    wanted = options.servers or [*load.servers[:1], *(name for name, _ in options.build), *load.servers[1:]]
    builds = [name for name, _ in options.build]
    return [name for name in wanted if name in load.servers or name in builds]


def measure_loads(options, bin_dir, generator):
    """[cell]: {"load", "mode", "transport", "servers": {name: [figures]}}, and the node's engine."""
    cells, engine, sessions = [], "none", {}
    for name in options.only:
        load = options.loads[name]
        sessions.setdefault((load.value_bytes, tuple(servers_of(load, options))), []).append(name)
    for (_, names), loads in sessions.items():
        with Session(options, bin_dir, names, generator) as session:
            engine = session.engine() if "edged" in session.running else engine
            # A TTL, if one of the loads has one: what is put again shall not change its sort.
            session.fill(options.keys, max((options.loads[name] for name in loads), key=lambda load: load.ttl_ms))
            for name in loads:
                cells += measure_load(options, session, name, names, options.keys)
    return cells, engine


def measure_load(options, session, name, names, keys, **more):
    load, cells = options.loads[name], []
    for transport in options.transports:
        for mode in options.modes or load.modes:
            found = session.measure_cell(load, names, transport, mode, keys)
            cells.append({"load": name, "mode": list(mode), "transport": transport, "keys": keys,
                          "value_bytes": load.value_bytes, "servers": found, **more})
            print("%s %dx%d %s%s: %s" % (name, *mode, transport, " %(curve)s=%(x)s" % more if more else "", ", ".join(
                "%s %.0f" % (one, statistics.median(figures["rate"] for figures in rounds))
                for one, rounds in found.items())), file=sys.stderr)
    return cells


def default_directory(root):
    directory = Path(root) / "build"
    directory.mkdir(exist_ok=True)
    return directory


def make_loads(options):
    """LOADS with what the command line changes."""
    from dataclasses import replace
    changes = {}
    if options.value_bytes is not None:
        changes["value_bytes"] = options.value_bytes
    if options.ttl_ms is not None:
        changes["ttl_ms"] = options.ttl_ms
    return {name: replace(load, **changes) for name, load in LOADS.items()}
