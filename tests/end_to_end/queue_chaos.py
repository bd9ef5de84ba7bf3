# SPDX-License-Identifier: Apache-2.0
"""Queues under chaos: tools/soak queue runs this for long, queue_chaos_test.py for a cycle.

Two workers push a queue to a URL and serve another one to pullers. Each cycle sends messages while
PostgreSQL is restarted, back ends are terminated, all its connections are taken, and workers are
killed or frozen beyond their leases. Then everything must drain: each committed message was
delivered, none that was rolled back, nothing is dead or left over.
"""

import argparse
import base64
import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.replay.cluster import Cluster, ClusterError  # noqa: E402

BIN = Path(os.environ.get("EDGED_BIN", Path(__file__).resolve().parents[2] / "build" / "release" / "bin")).resolve()
DATABASE = "chaos"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PULL_SECRET = "chaos-secret"
WORKERS = 2
DRAIN_SECONDS = 240  # leases of the dead last 30 s; the rest is for slow machines


class Broken(Exception):
    pass


class Application(http.server.BaseHTTPRequestHandler):
    """Accepts most batches; refuses some, and leaves some without an answer."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        batch = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            chance = self.server.random.random()
            if chance >= 0.1:
                self.server.seen.update(message["body"] for message in batch["messages"])
        if chance < 0.03:
            self.close_connection = True
            return
        self.send_response(500 if chance < 0.1 else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Chaos:
    def __init__(self, seed, log=print):
        self.random = random.Random(seed)
        self.log = log
        self.root = Path(tempfile.mkdtemp(prefix="edged-chaos-"))
        self.cluster = Cluster(self.root, ["max_connections=30"])
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
        self.server.seen, self.server.lock = Counter(), threading.Lock()
        self.server.random = random.Random(seed + 1)
        self.server.daemon_threads = True
        self.pulled = Counter()
        self.workers = [None] * WORKERS
        self.events = Counter()
        self.next_number = 0
        self.over = False
        self.threads = []

    def __enter__(self):
        self.cluster.start()
        self.cluster.fresh_database(DATABASE)
        self.cluster.sql(DATABASE, "create table sent (n integer primary key, queue text not null)")
        for number in range(WORKERS):
            config = self.root / ("edged-%d.jsonc" % number)
            config.write_text(json.dumps(self.config(number)))
            config.chmod(0o600)
        subprocess.run([BIN / "edged", "migrate", "-c", self.root / "edged-0.jsonc"], check=True,
                       stdout=subprocess.DEVNULL)
        for number in range(WORKERS):
            self.start_worker(number)
        for target in (self.server.serve_forever, self.pull_for_ever):
            thread = threading.Thread(target=target, daemon=True)
            thread.start()
            self.threads.append(thread)
        return self

    def __exit__(self, *_):
        self.over = True
        self.server.shutdown()
        self.server.server_close()
        for thread in self.threads:
            thread.join()
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
            worker.wait()
        self.cluster.remove()
        shutil.rmtree(self.root, ignore_errors=True)

    def config(self, number):
        return {
            "postgres": {"url": self.cluster.url(DATABASE), "pool_size": 3, "statement_timeout": "3s",
                         "connect_timeout": "2s"},
            "worker": {"http": "127.0.0.1:0", "state_dir": str(self.root / ("state-%d" % number)),
                       "roles": ["queue"], "queue_secret": PULL_SECRET},
            "queues": {"consumers": [
                {"queue": "pushed", "max_batch_timeout": 0, "max_batch_size": 20, "max_retries": 100,
                 "max_concurrency": 4},
                {"queue": "pulled", "type": "http_pull", "visibility_timeout_ms": 5000, "max_retries": 100}]},
            "queue_push": [{"queue": "pushed", "secret": SECRET, "timeout": "5s",
                            "url": "http://127.0.0.1:%d/" % self.server.server_address[1]}]}

    def start_worker(self, number):
        log = open(self.root / ("worker-%d.log" % number), "ab")
        (self.root / ("state-%d" % number) / "worker-ports.json").unlink(missing_ok=True)
        self.workers[number] = subprocess.Popen(
            [BIN / "edged", "worker", "-c", self.root / ("edged-%d.jsonc" % number)], cwd=self.root, stderr=log)
        log.close()

    def sql(self, text):
        """Rows, or None if PostgreSQL could not be asked: then nothing is known."""
        try:
            return self.cluster.sql(DATABASE, text)
        except ClusterError:
            return None

    def send(self, count):
        """Some transactions roll back; of a lost answer the table `sent` knows the truth."""
        first, self.next_number = self.next_number, self.next_number + count
        ending = "rollback" if self.random.random() < 0.2 else "commit"
        delay = self.random.choice(["null", "'1 s'"])
        for queue in ("pushed", "pulled"):
            self.sql("begin; insert into sent select n * 2 + %d, '%s' from generate_series(%d, %d) n; "
                     "select cardinality(edged.queue_send_batch('%s', array_agg(to_jsonb(n * 2 + %d)), delay => %s)) "
                     "from generate_series(%d, %d) n; %s" % (
                         queue == "pulled", queue, first, self.next_number - 1, queue, queue == "pulled", delay,
                         first, self.next_number - 1, ending))

    def pull_for_ever(self):
        turn = 0
        while not self.over:
            turn += 1
            try:
                ports = self.root / ("state-%d" % (turn % WORKERS)) / "worker-ports.json"
                address = json.loads(ports.read_text())["worker_http"]
                messages = self.ask(address, "pull", {"batch_size": 50})["messages"]
                if not messages:
                    time.sleep(0.05)
                    continue
                self.pulled.update(json.loads(base64.b64decode(message["body"])) for message in messages)
                self.ask(address, "ack", {"acks": [{"lease_id": message["lease_id"]} for message in messages]})
            except (OSError, ValueError):
                time.sleep(0.1)

    @staticmethod
    def ask(address, verb, body):
        request = urllib.request.Request(
            "http://%s/client/v4/accounts/me/queues/pulled/messages/%s" % (address, verb), json.dumps(body).encode(),
            {"authorization": "Bearer " + PULL_SECRET})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())["result"]

    # What can happen.

    def restart_postgres(self):
        self.cluster.stop(self.random.choice(["immediate", "fast"]))
        time.sleep(self.random.random())
        self.cluster.start(self.cluster.port)

    def terminate_back_ends(self):
        for _ in range(self.random.randint(1, 10)):
            self.sql("select pg_terminate_backend(pid) from pg_stat_activity "
                     "where datname = current_database() and pid <> pg_backend_pid()")
            time.sleep(self.random.random() / 5)

    def exhaust_connections(self):
        command, environment = self.cluster.psql(DATABASE)
        takers = [subprocess.Popen([*command, "-c", "select pg_sleep(3)"], env=environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(40)]
        self.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'edged%'")
        for taker in takers:
            taker.wait()

    def kill_worker(self):
        number = self.random.randrange(WORKERS)
        self.workers[number].kill()
        self.workers[number].wait()
        self.start_worker(number)

    def kill_all_workers(self):
        for number in range(WORKERS):
            self.workers[number].kill()
            self.workers[number].wait()
        for number in range(WORKERS):
            self.start_worker(number)

    def freeze_worker(self):
        """Beyond its leases: another one takes its messages over."""
        worker = self.random.choice(self.workers)
        worker.send_signal(signal.SIGSTOP)
        time.sleep(35)
        worker.send_signal(signal.SIGCONT)

    EVENTS = (restart_postgres, terminate_back_ends, exhaust_connections, kill_worker, kill_all_workers)

    def cycle(self, freeze=False):
        """All events in random order, messages all the while, then the drain."""
        events = list(self.EVENTS) + ([Chaos.freeze_worker] if freeze else [])
        self.random.shuffle(events)
        sending = threading.Event()

        def send_for_ever():
            while not sending.is_set():
                self.send(self.random.randint(1, 200))
                time.sleep(0.02)
        producer = threading.Thread(target=send_for_ever)
        producer.start()
        try:
            for event in events:
                time.sleep(self.random.random())
                event(self)
                self.events[event.__name__] += 1
        finally:
            sending.set()
            producer.join()
        self.drain()

    def drain(self):
        begin = time.monotonic()
        while (left := self.left()) != 0:
            if time.monotonic() - begin > DRAIN_SECONDS:
                raise Broken("%s messages are left after %d s" % (left, DRAIN_SECONDS))
            time.sleep(0.2)
        self.check()
        self.log("drained in %.1f s: %d messages delivered, %d again; %s" % (
            time.monotonic() - begin, len(self.server.seen) + len(self.pulled), self.doubles(),
            ", ".join("%s %d" % pair for pair in sorted(self.events.items()))))

    def left(self):
        rows = self.sql("select (select count(*) from edged.queue_messages) + (select count(*) from edged.queue_claims)")
        return None if rows is None else int(rows[0][0])

    def doubles(self):
        return sum(count - 1 for seen in (self.server.seen, self.pulled) for count in seen.values())

    def check(self):
        rows = self.sql("select queue, string_agg(n::text, ' ') from sent group by queue")
        dead = self.sql("select count(*) from edged.queue_dead")
        if rows is None or dead is None:
            raise Broken("PostgreSQL does not answer after the drain")
        if dead != [["0"]]:
            raise Broken("%s messages are dead" % dead[0][0])
        with self.server.lock:
            seen = {"pushed": set(self.server.seen), "pulled": set(self.pulled)}
        if len(rows) != 2:
            raise Broken("nothing was sent: %s" % rows)
        for queue, numbers in rows:
            sent = set(map(int, numbers.split()))
            lost, foreign = sent - seen[queue], seen[queue] - sent
            if lost or foreign:
                raise Broken("queue %s: %d messages were lost (%s), %d were delivered and never sent (%s)" % (
                    queue, len(lost), sorted(lost)[:5], len(foreign), sorted(foreign)[:5]))


def main():
    parser = argparse.ArgumentParser(prog="tools/soak queue")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print("seed %d; again: tools/soak queue --seed %d --seconds %d" % (options.seed, options.seed, options.seconds),
          flush=True)
    end = time.monotonic() + options.seconds
    cycles = 0
    with Chaos(options.seed, lambda text: print(text, flush=True)) as chaos:
        while time.monotonic() < end:
            try:
                chaos.cycle(freeze=cycles % 5 == 4)
            except Broken as error:
                print("BROKEN: %s" % error)
                return 1
            cycles += 1
        print("%d cycles, %d messages, %d delivered again, nothing lost" % (
            cycles, len(chaos.server.seen) + len(chaos.pulled), chaos.doubles()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
