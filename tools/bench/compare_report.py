# SPDX-License-Identifier: Apache-2.0
"""The tables of tools/bench/compare, from the figures it keeps."""

import statistics

from compare_loads import LOADS
from compare_run import quartiles

OTHERS_MAX = 0.15  # cores; a measurement beside which others used more is counted as disturbed


def ratios(rounds, base, figure):
    return [one[figure] / other[figure] for one, other in zip(rounds, base)]


def ratio_text(rounds, base, figure):
    low, middle, high = quartiles(ratios(rounds, base, figure))
    return "%.2f (%.2f, %.2f)" % (middle, low, high)


def median_of(rounds, *path):
    def at(figures):
        for step in path:
            figures = figures[step]
        return figures
    return statistics.median(at(one) for one in rounds)


def disturbed(cells):
    """How many measurements others took part in, of how many."""
    every = [one for cell in cells for rounds in cell["servers"].values() for one in rounds]
    return sum(one["others"] > OTHERS_MAX or one["stolen"] > OTHERS_MAX for one in every), len(every)


def columns(cells):
    order = ["edged", "redis", "redis-aof", "redis-always", "valkey", "pogocache", "kvrocks"]
    names = {name for cell in cells for name in cell["servers"]}
    return sorted(names, key=lambda name: (name == "echo", order.index(name) if name in order else 1, name))


def table(cells, base_name):
    """Markdown, a line each cell: the base's rate, each server's ratio to it with its quartiles, and CPU."""
    names = columns(cells)
    lines = ["| load | mode | base: rate a second | %s |" % " | ".join("%s: ratio, CPU µs" % name for name in names),
             "| --- | --- | --- | %s |" % " | ".join("---" for _ in names)]
    for cell in cells:
        load = LOADS[cell["load"]]
        base_of = base_name or load.base
        base = cell["servers"].get(base_of)
        figure = "item_rate" if load.unit == "items" else "rate"
        texts = []
        for name in names:
            rounds = cell["servers"].get(name)
            if not rounds:
                texts.append("")
                continue
            text = ratio_text(rounds, base, figure) if base else "%s" % format(round(median_of(rounds, figure)), ",")
            texts.append("%s, %.3g" % (text, median_of(rounds, "cpu_us")))
        first = "%s: %s" % (base_of, format(round(median_of(base, figure)), ",")) if base else "none"
        lines.append("| %s | %dx%d %s | %s | %s |" % (
            load.title, *cell["mode"], cell["transport"], first, " | ".join(texts)))
    return "\n".join(lines)


def latency_table(cells):
    """Markdown, a line each cell and server: percentiles in µs of the closed loop, medians of the rounds."""
    lines = ["| load | mode | server | reads: p50 µs | p99 | p99.9 | max | writes: p50 µs | p99 | p99.9 | max | rounds |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for cell in cells:
        for name, rounds in cell["servers"].items():
            texts = []
            for kind in ("reads", "writes"):
                there = median_of(rounds, kind, "count") > 0
                texts += ["%.0f" % median_of(rounds, kind, one + "_us") if there else ""
                          for one in ("p50", "p99", "p999", "max")]
            lines.append("| %s | %dx%d %s | %s | %s | %d |" % (
                LOADS[cell["load"]].title, *cell["mode"], cell["transport"], name, " | ".join(texts), len(rounds)))
    return "\n".join(lines)
