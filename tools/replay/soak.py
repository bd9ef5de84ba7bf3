#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays a whole recording while everything is killed, stopped, cut and misanswered, and compares what was
told with the oracle. Run by tools/soak replay.

Each frame is settled by a run that has seen all of it before the next; every few frames an event of chaos.py
comes first. The mails may at no time be more than the oracle says, and must be exactly that at the end.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tools.replay import history as recording, verdict  # noqa: E402
from tools.replay.chaos import Chaos  # noqa: E402
from tools.replay.cluster import Cluster  # noqa: E402
from tools.replay.deployment import MIRROR, MIRROR_SETTINGS, Deployment, seed_sql  # noqa: E402
from tools.replay.fleet import Fleet  # noqa: E402
from tools.replay.upstream import Upstream  # noqa: E402

DATABASE = "replay"
SETTLE_SECONDS = 400  # more than the two minutes that an upstream's open circuit takes
MAIL_SECONDS = 240    # a mail whose worker was killed waits for the end of its lease, 30 s
MIRROR_SECONDS = 180
TELL_SECONDS = 10
PREFIX = {"colleges": "", "pcc": "pcc"}  # below tests/data


class Broken(Exception):
    """A promise was broken; says which."""


def arguments():
    parser = argparse.ArgumentParser(prog="tools/soak replay", description=__doc__)
    parser.add_argument("--recording", choices=sorted(PREFIX), default="colleges",
                        help="colleges: 290 sections of two; pcc: all 2,795 of one, with its mass event")
    parser.add_argument("--first", type=int, default=0, help="the first frame (0)")
    parser.add_argument("--ticks", type=int, help="frames to replay (all that follow)")
    parser.add_argument("--seconds", type=float, help="begin no frame later than that")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--workers", type=int, help="workers beside one node (edged serve with one)")
    parser.add_argument("--mirror", action="store_true", help="states come through the mirror")
    parser.add_argument("--only", choices=sorted({**Chaos.EVENTS, **Chaos.LONG_EVENTS}), metavar="EVENT")
    parser.add_argument("--every", type=int, default=3, help="an event about every so many frames (3)")
    parser.add_argument("--long", action="store_true", help="also outages of the upstream and, with several workers, "
                        "one that stands still past its lease: one or two minutes each")
    parser.add_argument("--canary", action="store_true",
                        help="spoil a state behind the worker's back; exit 1 if that goes unnoticed")
    parser.add_argument("--programs", type=Path, default=ROOT / "build" / "release" / "bin")
    return parser.parse_args()


def read_history(options):
    data = recording.DATA / PREFIX[options.recording]
    last = None if options.ticks is None else options.first + options.ticks
    moments = {source: of_source[options.first:last] or of_source[-1:]
               for source, of_source in recording.tick_moments(data).items() if of_source}
    if options.recording == "pcc":
        del moments[recording.UCSD]
    return recording.History(data, moments=moments)


class Replay:
    """One replay: `run` goes through the frames, `close` ends every process."""

    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        # Two: how often a run has to be repeated must not change which events come.
        self.schedule, self.random = random.Random(options.seed), random.Random(options.seed)
        self.history = read_history(options)
        self.expectation = verdict.Expectation(self.history)
        self.expected = self.expectation.told_until(0)
        self.cluster = Cluster(directory, ["max_connections=120"] + (MIRROR_SETTINGS if options.mirror else []))
        self.upstream = Upstream(self.history, "upstream-token")
        self.runs = self.hits = self.misses = self.ticks = 0
        self.deployment = self.chaos = None

    def start(self):
        self.cluster.start()
        self.cluster.fresh_database(DATABASE)
        self.upstream.__enter__()
        self.deployment = Deployment(self.directory / "edged", Path(os.environ.get("EDGED_BIN", self.options.programs)),
                                     self.cluster.url(DATABASE), self.upstream).clear()
        changes = {"upstream": {"type": "scraper", "url": self.upstream.url, "token": self.upstream.token,
                                "concurrency": 32, "timeout": "2s"}}
        if self.options.mirror:
            changes["mirror"] = {**MIRROR, "heartbeat": "100ms"}
        self.deployment.write_config(**changes)
        self.deployment.migrate()
        self.sql(seed_sql(self.history.sections))
        self.told = verdict.Told(self.deployment.maildir)
        self.fleet = Fleet(self.deployment, self.options.workers)
        self.fleet.start(**changes)
        self.chaos = Chaos(self.fleet, self.cluster, DATABASE, self.upstream, self.random,
                           self.options.only, self.options.long)

    def sql(self, statement):
        return self.cluster.sql(DATABASE, statement)

    def close(self):
        try:
            if self.deployment:
                self.deployment.stop()
        finally:
            self.upstream.__exit__()
            self.cluster.stop("immediate")

    def run(self):
        begin = told_at = time.monotonic()
        for tick in range(self.history.ticks):
            now = time.monotonic()
            if self.options.seconds and now - begin > self.options.seconds:
                break
            if now - told_at > TELL_SECONDS:
                told_at = now
                print("frame %d, %.0f s, events %s" % (tick, now - begin, json.dumps(self.chaos.counts)), flush=True)
            if tick > 0 and self.schedule.randrange(self.options.every) == 0:
                print("%.1f s, frame %d: %s" % (now - begin, tick, self.chaos.strike(self.schedule)), flush=True)
            self.settle(tick)
            if self.options.canary and tick == self.history.ticks // 2:
                self.spoil(tick)
        self.judge()
        return self.figures(time.monotonic() - begin)

    def settle(self, tick):
        """Runs class-monitor until one run has seen every section of the frame."""
        self.fleet.wake()
        self.fleet.wait_until_back()
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            summary = self.fleet.trigger(self.random.choice(self.fleet.awake()))
            # A run that was taken over after a crash may have seen an older frame only.
            if summary and summary["failed"] == 0 and self.upstream.complete(summary["run_id"]) is not None:
                break
            if time.monotonic() > end:
                raise Broken("no run settled frame %d in %d s: %s" % (
                    tick, SETTLE_SECONDS, summary or self.deployment.last_error))
            time.sleep(0.1)
        self.ticks += 1
        self.hits += summary["kv_hits"]
        self.misses += summary["kv_misses"]
        self.expected += self.expectation.told_at(tick)
        self.refuse(self.told.surplus(self.expected))

    def settle_again(self):
        """Another run of the last frame, after a worker came back that had slept."""
        self.fleet.wait_until_back()
        while self.fleet.trigger(self.random.choice(self.fleet.states)) is None:
            time.sleep(0.1)

    def spoil(self, tick):
        """The canary: the state of a section that is about to open says that it is open already."""
        for later in range(tick + 1, self.history.ticks):
            for _, number, kind in self.expectation.told_at(later):
                if kind == "seat_available":
                    self.sql("update public.class_states set seats_available = 1 where class_nbr = '%s'" % number)
                    print("canary: section %s, which opens in frame %d" % (number, later))
                    return
        raise Broken("the canary found no section that opens")

    @staticmethod
    def refuse(problems):
        if problems:
            raise Broken("\n".join(problems[:20] + (["and %d more" % (len(problems) - 20)] if problems[20:] else [])))

    def judge(self):
        """Everything has to be told now, and node and PostgreSQL to agree."""
        if self.fleet.wake(everyone=True):
            self.settle_again()
        if not verdict.wait_for_mails(self.sql, MAIL_SECONDS):
            raise Broken("mails are still queued after %d s" % MAIL_SECONDS)
        self.refuse(self.told.surplus(self.expected) + self.told.missing(self.expected))
        self.refuse(verdict.record_differs(self.sql, self.expected))
        if self.options.mirror:
            self.deployment.wait_for("PostgreSQL's rows in the node", self.mirror_is_level, None, MIRROR_SECONDS)
        else:
            self.refuse(verdict.believed_states(self.deployment.kvctl, self.sql)[1])
        logs = "".join(log.read_text(errors="replace") for log in self.deployment.directory.glob("*.log"))
        self.refuse(sorted(set(re.findall(r".*was ended by signal (?!9 )\d+.*", logs))))

    def mirror_is_level(self):
        try:
            return not verdict.mirrored_states_differ(self.deployment.kvctl, self.sql)
        except RuntimeError:  # the node says "stale"
            return False

    def figures(self, seconds):
        taken_over, runs = map(int, self.sql(verdict.TAKEN_OVER)[0])
        return {"seed": self.options.seed, "recording": self.options.recording, "mirror": self.options.mirror,
                "workers": self.options.workers or 1, "ticks": self.ticks, "sections": len(self.history.sections),
                "asked": self.upstream.requests, "runs": runs, "take_overs": taken_over,
                "kv_hits": self.hits, "kv_misses": self.misses, "mails": sum(self.told.mails.values()),
                "recorded_only": int(self.sql(verdict.REFUSED)[0][0]),
                "events": dict(sorted(self.chaos.counts.items())), "seconds": round(seconds, 1)}


def again(options):
    words = ["tools/soak replay --seed %d --recording %s --first %d --every %d" % (
        options.seed, options.recording, options.first, options.every)]
    words += ["--%s %s" % (name, getattr(options, name)) for name in ("ticks", "seconds", "workers", "only")
              if getattr(options, name) is not None]
    return " ".join(words + ["--" + name for name in ("mirror", "long", "canary") if getattr(options, name)])


def main():
    options = arguments()
    print("seed %d; again: %s" % (options.seed, again(options)), flush=True)
    directory = Path(tempfile.mkdtemp(prefix="edged-soak-replay-"))
    replay = Replay(options, directory)
    broken = None
    try:
        replay.start()
        print(json.dumps(replay.run()))
    except (Broken, RuntimeError) as error:
        broken = str(error)
    finally:
        replay.close()
    if options.canary and broken and "not told" in broken:
        print("the canary was noticed:\n" + broken)
        broken = None
    elif options.canary:
        broken = broken or "the canary went unnoticed"
    if broken is None:
        replay.cluster.remove()
        shutil.rmtree(directory)
        return 0
    print("BROKEN: %s\nafter %s; what there was is in %s and %s" % (
        broken, json.dumps(replay.chaos.counts if replay.chaos else {}), directory, replay.cluster.directory))
    return 1


if __name__ == "__main__":
    sys.exit(main())
