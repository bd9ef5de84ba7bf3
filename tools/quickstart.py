# SPDX-License-Identifier: Apache-2.0
"""The quick start behind tools/quickstart: PostgreSQL, edged and the recorded history, together.

With --once a fixed number of ticks is triggered one by one, then the same ticks are measured with
and without KV against a distant PostgreSQL. Otherwise edged runs class-monitor every two seconds
and the replay moves on whenever a run has settled its frame, until Ctrl-C.
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import time
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tools.replay import comparison, mailbox, per_section  # noqa: E402
from tools.replay.cluster import Cluster, ClusterError  # noqa: E402
from tools.replay.deployment import (  # noqa: E402
    MIRROR, MIRROR_SETTINGS, Deployment, DeploymentError, seed_sql, start_smtp_server)
from tools.replay.history import History  # noqa: E402
from tools.replay.oracle import INSTRUCTOR  # noqa: E402
from tools.replay.upstream import Upstream  # noqa: E402

PROGRAMS = Path(os.environ.get("EDGED_BIN", ROOT / "build" / "release" / "bin"))
DATABASE = "quickstart"
TOKEN = "quickstart-upstream"
TICKS, COMPARED_TICKS = 40, 10
ATTEMPTS_PER_TICK = 5
MAIL_SECONDS = 30
SUMS = ("openings", "instructor_assignments", "sql_statements", "kv_hits", "kv_misses")


def read_arguments():
    parser = argparse.ArgumentParser(
        prog="tools/quickstart", description="Replay recorded enrolment history through edged.")
    parser.add_argument("--once", action="store_true",
                        help="run a fixed number of ticks, print a summary and exit")
    parser.add_argument("--ticks", type=int, default=TICKS, metavar="N",
                        help="how many ticks --once runs (default %(default)s)")
    parser.add_argument("--json", action="store_true",
                        help="with --once: the last line on stdout is the summary as JSON")
    parser.add_argument("--smtp", action="store_true",
                        help="send the mails through a local SMTP server, which is started, too")
    parser.add_argument("--state", type=Path, metavar="DIR", help="where cluster, data, mails and "
                        "logs are kept (default .quickstart in the repository)")
    arguments = parser.parse_args()
    if arguments.ticks < 1:
        parser.error("--ticks must be at least 1")
    if arguments.json and not arguments.once:
        parser.error("--json needs --once")
    arguments.state = (arguments.state or ROOT / ".quickstart").resolve()
    return arguments


def say(text=""):
    print(text, flush=True)


class Show:
    """Prints mails as they arrive."""

    def __init__(self, maildir, history):
        self.mailbox, self.history = mailbox.Mailbox(maildir), history

    def print_new(self):
        for mail in self.mailbox.new_mails():
            section = self.history.by_number[mail["X-Edged-Section"]]
            course = " ".join(part for part in (section.subject, section.catalog_nbr) if part)
            said = mailbox.fact(mail, "Seats")
            if mail["X-Edged-Type"] == INSTRUCTOR:
                said = mailbox.fact(mail, "Instructor")
            say("%s  %-19s  %-10s  section %s  %-24s  to %s" % (
                time.strftime("%H:%M:%S"), mail["X-Edged-Type"], course or "-", section.number,
                said, mail["To"]))

    def wait_for(self, mails):
        end = time.monotonic() + MAIL_SECONDS
        while True:
            self.print_new()
            if self.mailbox.count >= mails:
                return
            if time.monotonic() > end:
                raise DeploymentError("%d of %d mails arrived within %d s" % (
                    self.mailbox.count, mails, MAIL_SECONDS))
            time.sleep(0.05)


def prepare(cluster, deployment, history, mail):
    """Database, schema, students, node with its namespace: a deployment that is ready to run."""
    cluster.fresh_database(DATABASE)
    deployment.clear()
    deployment.write_config(mirror=MIRROR, **mail)
    deployment.migrate()
    cluster.sql(DATABASE, seed_sql(history.sections))
    serve = deployment.start("serve")
    deployment.wait_for_node(serve)
    deployment.create_namespace()
    deployment.wait_for_worker(serve)
    return serve


def say_where_to_look(deployment):
    say("  mails    %s" % (deployment.maildir / "new"))
    say("  metrics  http://%s/metrics (node), http://%s/metrics (worker)" % (
        deployment.node_address(), deployment.worker_address()))
    say("  logs     %s" % (deployment.directory / "serve.log"))
    say("  try      build/release/bin/kvctl --addr unix:%s list --limit 5"
        % (deployment.node_dir / "kv.sock"))
    say("           build/release/bin/edged mirror status -c %s" % deployment.config)
    say()


def one_tick(deployment, upstream):
    """Runs class-monitor until a run has settled the frame. The summaries of its runs."""
    runs = []
    for _ in range(ATTEMPTS_PER_TICK):
        summary = deployment.trigger()
        if summary is None:
            raise DeploymentError("could not run class-monitor: %s. See %s" % (
                deployment.last_error, deployment.directory / "serve.log"))
        runs.append(summary)
        if summary["failed"] == 0 and upstream.complete(summary["run_id"]) is not None:
            return runs
    raise DeploymentError("no run of class-monitor settled tick %d in %d attempts: see %s" % (
        upstream.frame, ATTEMPTS_PER_TICK, deployment.directory / "serve.log"))


def run_once(arguments, cluster, deployment, upstream, show):
    totals = dict.fromkeys(SUMS, 0)
    sections = mails = 0
    begin = time.monotonic()
    for _ in range(arguments.ticks):
        for summary in one_tick(deployment, upstream):
            sections = summary["sections"]
            mails += summary["notifications"]
            for name in SUMS:
                totals[name] += summary[name]
        show.print_new()
    show.wait_for(mails)
    seconds = time.monotonic() - begin
    say("\n%d ticks, %d sections: %d openings, %d instructor assignments, %d mails, %.1f s" % (
        arguments.ticks, sections, totals["openings"], totals["instructor_assignments"],
        show.mailbox.count, seconds))
    deployment.stop()
    say("\nThe same first %d ticks on a fresh database, with KV and without, when each round trip\n"
        "to PostgreSQL takes 100 ms longer; and the first of them as the original application did it,\n"
        "with three statements for each section on %d connections:\n" % (
            min(arguments.ticks, COMPARED_TICKS), per_section.CONNECTIONS))
    say(comparison.table(comparison.measure(
        cluster, deployment.directory / "comparison", PROGRAMS, upstream, show.history.sections,
        min(arguments.ticks, COMPARED_TICKS))))
    return {"ticks": arguments.ticks, "sections": sections, "openings": totals["openings"],
            "instructor_assignments": totals["instructor_assignments"],
            "mails": show.mailbox.count, "sql_statements": totals["sql_statements"],
            "kv_hits": totals["kv_hits"], "kv_misses": totals["kv_misses"],
            "seconds": round(seconds, 3)}


def run_until_stopped(deployment, upstream, show, serve):
    """Follows edged's own schedule; returns only by Ctrl-C or an error."""
    last_told = False
    while True:
        if not serve.running():
            raise DeploymentError("edged serve ended by itself: see %s" % serve.log)
        settled = settled_run(deployment)
        if settled is not None and upstream.frame < show.history.ticks - 1:
            upstream.complete(settled)
        elif upstream.frame >= show.history.ticks - 1 and not last_told:
            last_told = True
            say("the recording has ended: its last frame stays. Ctrl-C stops everything")
        show.print_new()
        time.sleep(0.2)


def settled_run(deployment):
    """The last run's id if it has seen every section, else None."""
    try:
        url = "http://%s/cron" % deployment.worker_address()
        with urllib.request.urlopen(url, timeout=10) as response:
            run = json.load(response)["jobs"][0]["last_run"]
    except (OSError, ValueError, KeyError):
        return None  # the worker is starting again
    if not run or run["status"] != "succeeded" or run["summary"]["failed"]:
        return None
    return run["run_id"]


def run(arguments):
    history = History()
    arguments.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = open(arguments.state / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise DeploymentError("another quick start is running in %s" % arguments.state) from None
    say("starting PostgreSQL, edged node and edged worker (state in %s)" % arguments.state)
    maildir = arguments.state / "edged" / "maildir"
    server, mail = None, {}
    if arguments.smtp:
        maildir = arguments.state / "smtp-maildir"
        shutil.rmtree(maildir, ignore_errors=True)
        server, url = start_smtp_server(maildir)
        mail = {"mail": {"transport": "smtp", "url": url, "from": "PickMyClass <notify@pickmyclass.example>"}}
        say("the local SMTP server is %s; read what it accepted: mail -f %s, or mutt -f %s" % (url, maildir, maildir))
    with Cluster(arguments.state, MIRROR_SETTINGS) as cluster, Upstream(history, TOKEN) as upstream:
        deployment = Deployment(
            arguments.state / "edged", PROGRAMS, cluster.url(DATABASE), upstream,
            crons=[] if arguments.once else ["@every 2s"])
        deployment.maildir = maildir
        try:
            serve = prepare(cluster, deployment, history, mail)
            say("%d recorded sections of two colleges, one frame per completed run" %
                len(history.sections))
            say_where_to_look(deployment)
            show = Show(deployment.maildir, history)
            if arguments.once:
                summary = run_once(arguments, cluster, deployment, upstream, show)
                if arguments.json:
                    say(json.dumps(summary, separators=(",", ":")))
            else:
                run_until_stopped(deployment, upstream, show, serve)
        except KeyboardInterrupt:
            say("\nstopping")
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is stopping already
        finally:
            deployment.stop()
            if server:
                server.terminate()
                server.wait()
                server.stdout.close()


def main():
    arguments = read_arguments()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    try:
        run(arguments)
    except KeyboardInterrupt:
        return 0
    except (DeploymentError, ClusterError, OSError) as error:
        print("error: %s" % error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
