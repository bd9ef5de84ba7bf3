# SPDX-License-Identifier: Apache-2.0
"""The curves of tools/bench/compare: one load over numbers of keys, sizes of values or connections, and their
pictures, drawn by gnuplot."""

import statistics
import subprocess
import sys
from dataclasses import replace

from compare_run import Session, measure_load, quartiles, servers_of

BYTES_MAX = 256 << 20  # of all values of one point of the curve over their sizes
CURVES = {
    "keys": ([10 ** n for n in range(4, 8)], "keys"),
    "values": ([16, 128, 1024, 16 << 10, 128 << 10, 1 << 20], "bytes of a value"),
    "connections": ([1, 10, 50, 200, 1000, 5000], "connections"),
}
COLOURS = ("#1b6ca8", "#c0392b", "#e08e0b", "#7d3c98", "#27865b", "#5d4037", "#777777", "#d81b60")


def measure_curve(options, bin_dir, generator):
    """Cells as of measure_loads(), each with "curve" and "x"; and the node's engine."""
    name, kind = options.only[0], options.curve
    load, points = options.loads[name], options.points or CURVES[kind][0]
    if kind == "values":
        cells = []
        for size in points:
            options.loads[name] = replace(load, value_bytes=size)
            keys = max(1, min(options.keys, BYTES_MAX // size))
            with Session(options, bin_dir, servers_of(load, options), generator) as session:
                engine = session.engine()
                session.fill(keys, options.loads[name])
                cells += measure_load(options, session, name, servers_of(load, options), keys, curve=kind, x=size)
        return cells, engine
    cells, filled, modes = [], 0, options.modes or load.modes
    with Session(options, bin_dir, servers_of(load, options), generator) as session:
        engine = session.engine()
        for x in points:
            keys = x if kind == "keys" else options.keys
            if keys > filled:
                session.fill(keys, load, filled)
                filled = keys
            options.modes = [(x, pipeline) for _, pipeline in modes] if kind == "connections" else modes
            cells += measure_load(options, session, name, servers_of(load, options), keys, curve=kind, x=x)
    return cells, engine


def series_of(cells):
    """{title: [(x, low, median, high)]} of operations a second, for all transports and pipelines."""
    found = {}
    for cell in cells:
        many = len({(one["transport"], one["mode"][1]) for one in cells}) > 1
        where = ", %s, pipeline %d" % (cell["transport"], cell["mode"][1]) if many else ""
        for name, rounds in cell["servers"].items():
            low, middle, high = quartiles([figures["rate"] for figures in rounds])
            found.setdefault(name + where, []).append((cell["x"], low, middle, high))
    return found


def draw(cells, title, path):
    """An SVG of the cells of one curve: the median of operations a second, and its quartiles."""
    kind = cells[0]["curve"]
    blocks, plots = [], []
    for number, (name, points) in enumerate(sorted(series_of(cells).items())):
        blocks.append("$s%d << EOD\n%s\nEOD\n" % (number, "\n".join("%g %g %g %g" % point for point in points)))
        style = "lc rgb '%s' lw 2" % COLOURS[number % len(COLOURS)]
        plots.append("$s%d using 1:3:2:4 with yerrorlines %s pt 7 ps 0.5 title '%s'" % (number, style, name))
    script = "".join(blocks) + """
set terminal svg size 800,440 background rgb 'white' font 'sans-serif,12'
set title '%s' noenhanced
set logscale xy
set format x '%s'
set format y '%%.0s%%c'
set xlabel '%s'
set ylabel 'operations a second'
set grid xtics ytics lc rgb '#dddddd'
set key outside right noenhanced
plot %s
""" % (title, "%.0s%c" if kind == "keys" else "%g", CURVES[kind][1], ", ".join(plots))
    done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("error: gnuplot could not draw: %s" % done.stderr)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(done.stdout)


def table(cells, titles):
    """Markdown: operations a second of each server at each point."""
    names = sorted({name for cell in cells for name in cell["servers"]}, key=lambda name: (name != "edged", name))
    lines = ["| %s | load | %s |" % (CURVES[cells[0]["curve"]][1], " | ".join(names)),
             "| --- | --- | %s |" % " | ".join("---" for _ in names)]
    for cell in cells:
        rates = ["%s" % format(round(statistics.median(one["rate"] for one in cell["servers"][name])), ",")
                 if cell["servers"].get(name) else "" for name in names]
        lines.append("| %s | %s, pipeline %d, %s | %s |" % (
            format(cell["x"], ","), titles[cell["load"]], cell["mode"][1], cell["transport"], " | ".join(rates)))
    return "\n".join(lines)
