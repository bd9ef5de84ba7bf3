# SPDX-License-Identifier: Apache-2.0
"""The same ticks with KV and without, against a PostgreSQL whose round trips take 100 ms longer; and the first of
them as the original application asked: three statements for each section."""

import time
from typing import NamedTuple

from . import per_section
from .delay_proxy import DelayProxy
from .deployment import Deployment, DeploymentError, seed_sql

DELAY_SECONDS = 0.1


class Measured(NamedTuple):
    name: str
    runs: int
    statements: int
    seconds: float
    kv_hits: int


def measure(cluster, directory, programs, upstream, sections, ticks):
    """The measurements, each on a fresh database and from the first frame."""
    with DelayProxy(cluster.port, DELAY_SECONDS) as proxy:
        return [_measure(name, kv, cluster, proxy.port, directory, programs, upstream, sections,
                         ticks) for name, kv in (("with KV", True), ("without KV", False))] + [
                             _measure_per_section(cluster, proxy.port, directory, programs, upstream, sections)]


def _prepare(deployment, cluster, database, sections):
    cluster.fresh_database(database)
    deployment.upstream.restart()
    deployment.clear()
    deployment.write_config()
    deployment.migrate()
    cluster.sql(database, seed_sql(sections))


def _measure_per_section(cluster, port, directory, programs, upstream, sections):
    """One tick: each section has as many statements in each, so that a second would show nothing new."""
    database = "compare_per_section"
    deployment = Deployment(directory / database, programs, cluster.url(database), upstream, kv=False)
    _prepare(deployment, cluster, database, sections)
    asked = per_section.Run(cluster, port, database, upstream)
    with asked:
        begin = time.monotonic()
        statements = asked.run(sections)
        return Measured("per section", 1, statements, time.monotonic() - begin, 0)


def _measure(name, kv, cluster, port, directory, programs, upstream, sections, ticks):
    database = "compare_" + name.replace(" ", "_").lower()
    deployment = Deployment(directory / database, programs, cluster.url(database), upstream, kv=kv)
    _prepare(deployment, cluster, database, sections)
    deployment.database_url = cluster.url(database, port)
    deployment.write_config()
    try:
        process = deployment.start("serve" if kv else "worker")
        if kv:
            deployment.wait_for_node(process)
            deployment.create_namespace()
        deployment.wait_for_worker(process)
        summaries = [_tick(deployment, upstream) for _ in range(ticks)]
    finally:
        deployment.stop()
    return Measured(name, ticks, sum(one["sql_statements"] for one in summaries),
                    sum(one["wall_seconds"] for one in summaries),
                    sum(one["kv_hits"] for one in summaries))


def _tick(deployment, upstream):
    begin = time.monotonic()
    summary = deployment.trigger()
    wall_seconds = time.monotonic() - begin
    if summary is None or summary["failed"]:
        raise DeploymentError("a run of the comparison did not succeed: %s. See %s" % (
            summary or deployment.last_error, deployment.directory))
    upstream.complete(summary["run_id"])
    return {**summary, "wall_seconds": wall_seconds}  # its own "seconds" lacks the last statement


def table(measured):
    rows = [("", "runs", "statements", "per run", "seconds", "per run")]
    rows += [(one.name, "%d" % one.runs, "%d" % one.statements,
              "%.1f" % (one.statements / one.runs), "%.2f" % one.seconds,
              "%.3f" % (one.seconds / one.runs)) for one in measured]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  " + "  ".join(
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))) for row in rows)
