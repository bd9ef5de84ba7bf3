#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends mails through a worker that is killed again and again, to a server that fails at every step, and compares
what the server took with what the events say. Run by tools/soak mail.

Nothing may be lost: each mail ends accepted, and the server has it, or dead with the server's refusal. Through SMTP
the server may have one copy more, of the same bytes, for each time that the connection was cut after the final dot or
the worker was interrupted in the seconds after it took the mail. An idempotent provider has each mail once.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import types
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tools.replay import resend_sink, smtp_sink  # noqa: E402
from tools.replay.cluster import Cluster  # noqa: E402
from tools.replay.deployment import Deployment  # noqa: E402

# From the server's acceptance to the record in PostgreSQL, on a machine that is busy.
WINDOW_SECONDS = 2
DRAIN_SECONDS = 300
REFUSALS = ("554 5.6.0", "550 5.1.1", "422 Invalid `to`")
BACKENDS = ("select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where pid <> pg_backend_pid() and datname = current_database()")


class Broken(Exception):
    """A promise was broken; says which."""


class Smtp:
    name, allows_copies = "smtp", True

    def __init__(self, ledger, options):
        faults = smtp_sink.Faults(options.faults, options.seed)
        self.server = smtp_sink.Server(smtp_sink.Ledger(ledger), faults, stall_seconds=2.0)
        self.config = {"transport": "smtp", "url": self.server.url}
        self.unknown_in = 20

    def figures(self):
        return {"accepted": self.server.ledger.count, "faults": sum(self.server.faults.met.values()),
                "kinds_of_faults": len(self.server.faults.met)}

    def close(self):
        self.server.ended.set()


class Resend:
    name, allows_copies = "resend", False

    def __init__(self, ledger, options):
        self.server = resend_sink.Provider(ledger, options.faults, options.seed, stall_seconds=2.0, token="soak")
        self.config = {"transport": "resend", "url": self.server.url, "token": "soak"}
        self.unknown_in = 400  # each costs requests, of which there are two a second

    def figures(self):
        return {"accepted": self.server.accepted, "faults": sum(self.server.met.values()),
                "kinds_of_faults": len(self.server.met), "requests": self.server.requests,
                "repeated": self.server.repeated}

    def close(self):
        self.server.file.close()


class Soak:
    """One transport: `run` sends and kills, `judge` compares. Everything is in a database of its own."""

    def __init__(self, kind, options, directory, cluster):
        self.options, self.cluster, self.database = options, cluster, "mail_" + kind.name
        self.random = random.Random("%s %d" % (kind.name, options.seed))
        self.ledger = directory / (kind.name + ".ledger")
        self.kind = kind(self.ledger, options)
        nowhere = types.SimpleNamespace(url="http://127.0.0.1:1", token="none")
        self.deployment = Deployment(directory / kind.name, options.programs, cluster.url(self.database), nowhere)
        self.interrupted, self.recipients = [], {}
        self.counts = Counter()
        threading.Thread(target=self.kind.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def sql(self, statement):
        return self.cluster.sql(self.database, statement)

    def start(self):
        self.cluster.fresh_database(self.database)
        self.deployment.clear()
        self.deployment.write_config(
            mail={**self.kind.config, "from": "Soak <soak@pickmyclass.example>"},
            worker={"http": "127.0.0.1:0", "state_dir": str(self.deployment.directory / "worker"), "roles": ["mail"],
                    "cron_secret": self.deployment.secret})
        self.deployment.migrate()
        self.start_worker()

    def start_worker(self):
        self.worker = self.deployment.start("worker")
        self.deployment.wait_for_worker(self.worker)

    def queue(self):
        """Some mails in one statement, as an application sends them."""
        bodies = []
        for _ in range(min(self.random.randint(1, 30), self.options.mails - len(self.recipients))):
            number = len(self.recipients)
            unknown = self.random.randrange(self.kind.unknown_in) == 0
            to = "%s-%d@domain%d.example" % ("unknown" if unknown else "reader", number, number % 7)
            self.recipients["mail-%d" % number] = to
            bodies.append(json.dumps({"key": "mail-%d" % number, "to": to, "subject": "Nr. %d – Übung" % number,
                                      "text": ".\n" + "text %d\n" % number * self.random.randint(1, 40)}))
        self.sql("select edged.queue_send_batch('email', array[%s]::jsonb[])" % ",".join(
            "'%s'" % body.replace("'", "''") for body in bodies))

    def strike(self):
        event = self.random.choices(("kill", "stop", "backends"), (8, 1, 2))[0]
        self.counts[event] += 1
        if event == "backends":
            self.sql(BACKENDS)
            return
        begin = time.time()
        if event == "kill":
            self.worker.popen.kill()
            self.worker.popen.wait()
        else:
            self.worker.stop()
        self.interrupted.append((begin, time.time()))
        self.deployment.processes.remove(self.worker)
        self.start_worker()

    def run(self):
        begin = time.monotonic()
        next_strike = begin + self.random.uniform(0.5, 2)
        while time.monotonic() - begin < self.options.seconds:
            part = (time.monotonic() - begin) / self.options.seconds
            if len(self.recipients) < min(self.options.mails, self.options.mails * part * 1.2 + 1):
                self.queue()
            if time.monotonic() > next_strike:
                self.strike()
                next_strike = time.monotonic() + self.random.expovariate(1 / self.options.every)
            time.sleep(0.02)
        while len(self.recipients) < self.options.mails:
            self.queue()
        if self.options.canary:
            self.lose_one()
        self.deployment.wait_for("the end of the queue", lambda: self.sql(
            "select count(*) from edged.queue_messages") == [["0"]], self.worker, DRAIN_SECONDS)

    def lose_one(self):
        """The canary: the server forgets a mail that it took."""
        lines = self.deployment.wait_for("a mail", lambda: self.ledger.read_text().splitlines())
        self.forgotten = json.loads(lines[0])["message_id"]

    def entries(self):
        """The ledger by key; each entry in the order in which they came."""
        found = {}
        for line in self.ledger.read_text().splitlines():
            entry = json.loads(line)
            if entry["message_id"] != getattr(self, "forgotten", None):
                found.setdefault(entry["message_id"].strip("<>").partition("@")[0], []).append(entry)
        return found

    def judge(self):
        ends = {}
        for key, event, detail in self.sql("select key, event, coalesce(detail, '') from edged.mail_events "
                                           "where event <> 'retry' order by id"):
            ends.setdefault(key, {})[event] = detail
        taken, problems = self.entries(), []
        for key, to in self.recipients.items():
            problems += self.problems_of(key, to, ends.get(key, {}), taken.get(key, []))
        problems += ["%s was never sent, and the server has it" % key for key in taken if key not in self.recipients]
        if problems:
            raise Broken("%s: %s" % (self.kind.name, "\n".join(problems[:20])))
        copies = sum(len(entries) - 1 for entries in taken.values())
        return {"mails": len(self.recipients), **self.kind.figures(), "copies": copies,
                "dead": sum("dead" in end for end in ends.values()), **self.counts}

    def problems_of(self, key, to, ends, entries):
        found = []
        if "accepted" in ends:
            if not entries:
                found.append("%s counts as accepted, and the server has it not" % key)
        elif "dead" not in ends:
            found.append("%s to %s has no end: %s" % (key, to, ends))
        elif not any(text in ends["dead"] for text in REFUSALS):
            found.append("%s is dead, and was not refused: %s" % (key, ends["dead"]))
        if len({(entry["message_id"], entry["content"]) for entry in entries}) > 1:
            found.append("copies of %s differ" % key)
        if len(entries) > 1 and not self.kind.allows_copies:
            found.append("%s came %d times" % (key, len(entries)))
        for entry in entries[:-1]:
            if not entry.get("unanswered") and not self.was_interrupted_after(entry["at"]):
                found.append("a copy of %s came, and nothing had happened after %.3f" % (key, entry["at"]))
        return found

    def was_interrupted_after(self, at):
        return any(at - 0.1 <= end and begin <= at + WINDOW_SECONDS for begin, end in self.interrupted)

    def close(self):
        try:
            self.deployment.stop()
        finally:
            self.kind.server.shutdown()
            self.kind.server.server_close()
            self.kind.close()


def arguments():
    parser = argparse.ArgumentParser(prog="tools/soak mail", description=__doc__)
    parser.add_argument("--transport", choices=("smtp", "resend", "both"), default="both", help="both: at once")
    parser.add_argument("--seconds", type=float, default=600, help="of kills; then the queue drains (600)")
    parser.add_argument("--mails", type=int, default=5000, help="of each transport (5,000)")
    parser.add_argument("--every", type=float, default=1.5, help="mean seconds between two events (1.5)")
    parser.add_argument("--faults", type=int, default=6, help="one fault in so many mails or requests (6)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--canary", action="store_true", help="the server forgets a mail; exit 1 if that goes unnoticed")
    parser.add_argument("--programs", type=Path,
                        default=Path(os.environ.get("EDGED_BIN", ROOT / "build" / "release" / "bin")).resolve())
    return parser.parse_args()


def go(soak, results):
    try:
        soak.start()
        soak.run()
        results[soak.kind.name] = soak.judge()
    except (Broken, RuntimeError, OSError) as error:
        results[soak.kind.name] = error


def main():
    options = arguments()
    print("seed %d; again: tools/soak mail --seed %d --transport %s --seconds %g --mails %d --every %g --faults %d%s" % (
        options.seed, options.seed, options.transport, options.seconds, options.mails, options.every, options.faults,
        " --canary" if options.canary else ""), flush=True)
    directory = Path(tempfile.mkdtemp(prefix="edged-soak-mail-"))
    cluster, results, soaks = Cluster(directory), {}, []
    cluster.start()
    try:
        soaks = [Soak(kind, options, directory, cluster) for kind in (Smtp, Resend)
                 if options.transport in (kind.name, "both")]
        threads = [threading.Thread(target=go, args=(soak, results)) for soak in soaks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for soak in soaks:
            soak.close()
    broken = [str(result) for result in results.values() if isinstance(result, Exception)]
    if options.canary:
        print("the canary was noticed" if broken else "the canary went unnoticed")
        broken = [] if len(broken) == len(soaks) else ["the canary went unnoticed"]
    else:
        print(json.dumps({name: result for name, result in results.items() if not isinstance(result, Exception)}))
    cluster.remove() if not broken else cluster.stop()
    if broken:
        print("BROKEN: %s\nwhat there was is in %s and %s" % ("\n".join(broken), directory, cluster.directory))
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
