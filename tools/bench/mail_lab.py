# SPDX-License-Identifier: Apache-2.0
"""What tools/bench/mail measures with: a worker that finds a full queue, and an SMTP server of its own process."""

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from monitor_lab import peak_memory_mib
from servers import cpu_seconds
from tools.replay.delay_proxy import DelayProxy
from tools.replay.deployment import Deployment

SINK = Path(__file__).resolve().parents[1] / "replay" / "smtp_sink.py"
DRAIN_SECONDS = 1800
TEXT = "A seat is open in CSE 310.\n" * 12
STATEMENTS = "select coalesce(sum(calls), 0) from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = '%s'"


class SmtpServer:
    """smtp_sink.py; takes each mail after `answer_seconds`. Without a ledger it keeps nothing."""

    def __init__(self, ledger=None, answer_seconds=0.0):
        self.ledger, self.answer_seconds = ledger, answer_seconds

    def __enter__(self):
        command = [sys.executable, str(SINK), "--answer", str(self.answer_seconds)]
        if self.ledger:
            command += ["--ledger", str(self.ledger)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().strip()
        host, _, port = self.url.rpartition("/")[2].partition(":")
        self.address = host, int(port)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def entries(self):
        return [json.loads(line) for line in Path(self.ledger).read_text().splitlines()]


class MailWorker:
    """A database with a full queue, and a worker that starts then. `drain` measures."""

    def __init__(self, cluster, directory, programs, transport, delay_seconds):
        self.cluster, self.transport = cluster, transport
        self.database = "mails_%s_%d" % (transport, delay_seconds * 1000)
        self.proxy = DelayProxy(cluster.port, delay_seconds) if delay_seconds else None
        nowhere = SimpleNamespace(url="http://127.0.0.1:1", token="none")
        self.deployment = Deployment(Path(directory) / self.database, programs, cluster.url(self.database), nowhere)
        self.server = SmtpServer()

    def __enter__(self):
        self.server.__enter__()
        self.cluster.fresh_database(self.database)
        self.deployment.clear()
        self.deployment.write_config()
        self.deployment.migrate()
        self.sql("create extension pg_stat_statements")
        if self.proxy:
            self.proxy.__enter__()
            self.deployment.database_url = self.cluster.url(self.database, self.proxy.port)
        return self

    def __exit__(self, *_):
        self.deployment.stop()
        if self.proxy:
            self.proxy.__exit__()
        self.server.__exit__()

    def sql(self, statement):
        return self.cluster.sql(self.database, statement)

    def drain(self, mails):
        mail = {"transport": self.transport, "from": "Bench <bench@example.org>"}
        mail.update({"path": str(self.deployment.maildir)} if self.transport == "maildir" else {"url": self.server.url})
        self.deployment.write_config(mail=mail, worker={
            "http": "127.0.0.1:0", "state_dir": str(self.deployment.directory / "worker"), "roles": ["mail"],
            "cron_secret": self.deployment.secret})
        self.sql("select edged.queue_send_batch('email', (select array_agg(jsonb_build_object("
                 "'key', 'mail-' || n, 'to', 'student' || n % 5000 || '@example.edu', 'subject', 'Seat open', "
                 "'text', '" + TEXT + "', 'html', '<p>" + TEXT + "</p>')) from generate_series(a, least(a + 999, " +
                 str(mails) + ")) n)) from generate_series(1, " + str(mails) + ", 1000) a; "
                 "vacuum analyze; select pg_stat_statements_reset()")
        worker = self.deployment.start("worker")
        end = time.monotonic() + DRAIN_SECONDS
        while not self.sql("select 1 where not exists (select from edged.queue_messages)"):
            if time.monotonic() > end or not worker.running():
                raise SystemExit("error: the queue was not drained. See %s" % worker.log)
            time.sleep(1)  # its statement counts too
        (statements,), = self.sql(STATEMENTS % self.database)
        (seconds, accepted), = self.sql("select extract(epoch from max(at) - min(at)), count(*) from edged.mail_events "
                                        "where event = 'accepted'")
        if int(accepted) != mails:
            raise SystemExit("error: %s mails were accepted, not %d. See %s" % (accepted, mails, worker.log))
        return {"transport": self.transport, "seconds": float(seconds), "per_second": mails / float(seconds),
                "statements": int(statements) / mails, "peak_mib": peak_memory_mib(worker.popen.pid),
                "cpu_ms": 1000 * cpu_seconds(worker.popen.pid) / mails}
