# SPDX-License-Identifier: Apache-2.0
"""What tools/bench/monitor measures with: sections and watches by the thousand, an upstream that answers after a set time, the
loop of the application that edged replaces, and a worker whose CPU and memory are watched."""

import http.client
import json
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

from servers import cpu_seconds
from tools.replay.cluster import ClusterError, binaries
from tools.replay.delay_proxy import DelayProxy
from tools.replay.deployment import MIRROR, Deployment
from tools.replay.history import Section, State
from tools.replay.upstream import Faults, Upstream

TERM = "2261"
TOKEN = "bench"
FIRST_NUMBER = 10_000


class Sections:
    """`count` sections; in every frame the first `changing` of them have another number of seats."""

    def __init__(self, count, changing=0):
        self.changing = changing
        self.sections = [Section("bench", str(number), str(number), TERM, "CSE", "310", "Data Structures", "BYAC 110",
                                 "MW 9:00-10:15") for number in range(FIRST_NUMBER, FIRST_NUMBER + count)]
        self.by_number = {section.number: section for section in self.sections}

    def state(self, number, frame):
        seats = 5 + frame % 2 if int(number) < FIRST_NUMBER + self.changing else 5
        return State(seats, 120, "Jane Doe")


class Openings(Sections):
    """The first `changing` sections are full and open by turns."""

    def state(self, number, frame):
        full = int(number) < FIRST_NUMBER + self.changing and frame % 2 == 0
        return State(0 if full else 5, 120, "Jane Doe")


class TimedUpstream(Upstream):
    """Knows when it was asked first and when it had sent its last answer: what a run could not have been faster than."""

    def __init__(self, sections, answer_seconds):
        super().__init__(sections, TOKEN, Faults(delay_seconds=answer_seconds))
        self.on_answer = self._note_answer
        self.reset()

    def reset(self):
        self.first = self.last = None

    def answer(self, *request):
        self.first = self.first or time.monotonic()
        return super().answer(*request)

    def _note_answer(self, when):
        if when == "after":
            self.last = time.monotonic()
        return False

    @property
    def own_seconds(self):
        return self.last - self.first


def peak_memory_mib(pid):
    status = Path("/proc/%d/status" % pid).read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


class Monitored:
    """An edged with `count` watched sections of its own database, stopped at the end."""

    def __init__(self, cluster, directory, programs, name, sections, upstream, kv=True, mirror=False, concurrency=100,
                 delay_seconds=0.0, watchers=1, mail=None):
        self.cluster, self.upstream, self.kv = cluster, upstream, kv
        self.database = "bench_" + name
        cluster.fresh_database(self.database)
        self.deployment = Deployment(Path(directory) / name, programs, cluster.url(self.database), upstream, kv=kv)
        self.deployment.clear()
        changes = {"upstream": {"type": "scraper", "url": upstream.url, "token": TOKEN, "concurrency": concurrency}}
        if mail:
            changes["mail"] = mail
        if mirror:
            changes["mirror"] = {**MIRROR, "mode": "logical"}
        self.deployment.write_config(**changes)
        self.deployment.migrate()
        self._watch(len(sections.sections), watchers)
        self.proxy = DelayProxy(cluster.port, delay_seconds) if delay_seconds else None
        if self.proxy:
            self.proxy.__enter__()
            self.deployment.database_url = cluster.url(self.database, self.proxy.port)
            self.deployment.write_config(**changes)
        self._start(mirror)

    def _watch(self, count, watchers):
        self.cluster.sql(self.database, """
            insert into auth.users (email) select 'student' || n || '@example.edu' from generate_series(1, 100) n;
            with u as (select id, row_number() over () as n from auth.users)
            insert into class_watches (user_id, term, subject, catalog_nbr, class_nbr)
            select u.id, '%s', 'CSE', '310', number::text
            from generate_series(%d, %d) as n(number) cross join generate_series(1, %d) as w(k) join u on u.n = (number + k) %% 100 + 1;
            analyze""" % (TERM, FIRST_NUMBER, FIRST_NUMBER + count - 1, watchers))

    def _start(self, mirror):
        self.process = self.deployment.start("serve" if self.kv else "worker")
        if self.kv:
            self.deployment.wait_for_node(self.process)
            self.deployment.create_namespace()
        self.deployment.wait_for_worker(self.process)
        if mirror:
            self.deployment.wait_for("the mirror", lambda: "[mirror] following" in self.process.log.read_text())

    @property
    def worker_pid(self):
        return self.process.children()["worker"] if self.kv else self.process.popen.pid

    def run(self):
        """One run: its summary, with `wall`, `own` (the upstream's), `cpu` (of the worker) in seconds."""
        self.upstream.reset()
        cpu, begin = cpu_seconds(self.worker_pid), time.monotonic()
        summary = self.deployment.trigger(600)
        wall = time.monotonic() - begin
        if summary is None or summary["failed"]:
            raise SystemExit("error: a run did not succeed: %s. See %s" % (
                summary or self.deployment.last_error, self.deployment.directory))
        self.upstream.complete(summary["run_id"])
        return SimpleNamespace(**summary, wall=wall, own=self.upstream.own_seconds,
                               cpu=cpu_seconds(self.worker_pid) - cpu, memory=peak_memory_mib(self.worker_pid))

    def wait_for_mails(self):
        """Seconds until no mail is left to be sent."""
        begin = time.monotonic()
        pending = "select count(*) from edged.mails where status in ('pending', 'sending')"
        while self.cluster.sql(self.database, pending) != [["0"]]:
            time.sleep(0.1)
        return time.monotonic() - begin

    def stop(self):
        self.deployment.stop()
        if self.proxy:
            self.proxy.__exit__()
        slots = "select count(pg_drop_replication_slot(slot_name)) from pg_replication_slots where database = '%s'"
        self.deployment.wait_for("the slot to be free", lambda: self._try_sql(slots % self.database))

    def _try_sql(self, statement):
        try:
            return self.cluster.sql("postgres", statement)
        except ClusterError:  # the walsender has not noticed yet
            return None


def ask(address, number):
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request("POST", "/scrape", json.dumps({"sectionNumber": number, "term": TERM}),
                       {"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


def batches_of_three(upstream, sections, pause_seconds=2.0):
    """The loop of the application that edged replaces: three questions at once, a pause. Its seconds."""
    host, _, port = upstream.url.partition("//")[2].partition(":")
    numbers = [section.number for section in sections.sections]
    begin = time.monotonic()
    for first in range(0, len(numbers), 3):
        if first:
            time.sleep(pause_seconds)
        threads = [threading.Thread(target=ask, args=((host, int(port)), number))
                   for number in numbers[first:first + 3]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return time.monotonic() - begin


def one_by_one(cluster, database, count, delay_seconds):
    """`count` statements, each sent when the one before was answered. Seconds, without connecting."""
    with DelayProxy(cluster.port, delay_seconds) as proxy:
        script = "\\timing on\n" + "".join("select * from class_states where class_nbr = '%d';\n" % (
            FIRST_NUMBER + number % 100) for number in range(count))
        done = subprocess.run([binaries() / "psql", "-XqAt", "-o", "/dev/null", cluster.url(database, proxy.port)],
                              input=script, capture_output=True, text=True, check=True)
    times = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("Time:")]
    assert len(times) == count, done.stderr
    return sum(times) / 1000
