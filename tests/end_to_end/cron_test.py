# SPDX-License-Identifier: Apache-2.0
"""Triggers that are repeated, the history of runs, and the end of a worker, as a user meets them: the built
programs over HTTP and on the command line."""

import json
import signal
import subprocess
import time
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from replay_case import DATABASE, DeploymentError, Faults, PROGRAMS, QUEUE_MAILS, ReplayCase

SLOW = Faults(delay_seconds=0.1)  # 290 sections, 32 at a time: about a second
JOB = "class-monitor"


class CronCase(ReplayCase):
    def post(self, key=None, wait=False, state="worker"):
        """(status, body) of a trigger."""
        headers = {"Authorization": "Bearer " + self.deployment.secret}
        if key is not None:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request("http://%s/cron/%s%s" % (
            self.deployment.worker_address(state), JOB, "?wait=1" if wait else ""),
            b"", headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def get_runs(self, query=""):
        with urllib.request.urlopen("http://%s/cron/%s/runs%s" % (
                self.deployment.worker_address(), JOB, query), timeout=10) as response:
            return json.load(response)

    def cron(self, *arguments):
        return subprocess.run([PROGRAMS / "edged", "cron", *arguments, "-c", self.deployment.config,
                               "--log-level", "off"], capture_output=True, text=True, timeout=120)

    def worker(self, config=None, state="worker"):
        process = self.deployment.start("worker", config)
        self.deployment.wait_for_worker(process, state)
        self.deployment.wait_for("its readiness", lambda: self.deployment.get(
            self.deployment.worker_address(state), "/readyz") == 200, process)
        return process

    def sql(self, text):
        return self.cluster.sql(DATABASE, text)

    def wait_for_questions(self, more):
        wanted = self.upstream.requests + more
        self.deployment.wait_for("question %d" % wanted, lambda: self.upstream.requests >= wanted)


class IdempotencyKeyTest(CronCase):
    def test_one_run_over_restarts_workers_and_programs(self):
        self.deploy()
        first = self.worker()
        status, summary = self.post("k", wait=True)
        self.assertEqual(status, 200)
        run = summary["run_id"]
        self.assertEqual(self.post("k"), (202, {"run_id": run}))
        self.assertEqual(self.post("k", wait=True), (200, summary))
        first.popen.kill()
        first.popen.wait()
        self.worker()
        self.assertEqual(self.post("k", wait=True), (200, summary))
        second = self.deployment.write_config(self.deployment.directory / "second.jsonc", "second")
        self.worker(second, "second")
        self.assertEqual(self.post("k", wait=True, state="second"), (200, summary))
        told = self.cron("run", JOB, "--json", "--idempotency-key", "k")
        self.assertEqual((told.returncode, json.loads(told.stdout)), (0, summary), told.stderr)
        told = self.cron("run", JOB, "--json", "--idempotency-key", "other")
        self.assertEqual(told.returncode, 0, told.stderr)
        other = json.loads(told.stdout)
        self.assertGreater(other["run_id"], run)
        self.assertEqual(self.post("other", wait=True), (200, other))
        self.assertEqual(self.sql("select count(*) from edged.cron_runs"), [["2"]])

    def test_while_a_run_is_under_way(self):
        self.deploy()
        self.worker()
        self.upstream.set_faults(SLOW)
        status, body = self.post("a")
        self.assertEqual(status, 202)
        run = body["run_id"]
        self.assertEqual(self.post("a"), (202, {"run_id": run}))
        self.assertEqual(self.post("b")[0], 409)
        self.assertEqual(self.post()[0], 409)
        told = self.cron("run", JOB, "--json", "--idempotency-key", "a")  # waits
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(json.loads(told.stdout)["run_id"], run)
        status, summary = self.post("a", wait=True)
        self.assertEqual((status, summary["run_id"]), (200, run))
        self.upstream.set_faults(Faults())
        status, summary = self.post("b", wait=True)  # its refusal has not used it up
        self.assertEqual(status, 200)
        self.assertGreater(summary["run_id"], run)

    def test_many_at_once_at_two_workers(self):
        self.deploy()
        self.worker()
        second = self.deployment.write_config(self.deployment.directory / "second.jsonc", "second")
        self.worker(second, "second")
        with ThreadPoolExecutor(12) as pool:
            for key in ("x", "y", "z"):
                answers = list(pool.map(lambda i: self.post(
                    key, wait=i % 3 != 0, state=("worker", "second")[i % 2]), range(12)))
                runs = {body.get("run_id") for _, body in answers}
                self.assertEqual(len(runs), 1, answers)
                self.assertEqual({status for status, _ in answers}, {200, 202}, answers)
                # The 202s may have come before its end.
                self.assertEqual(self.post(key, wait=True)[0], 200)
        self.assertEqual(self.sql("select count(*) from edged.cron_runs"), [["3"]])

    def test_without_any_worker_a_dead_run_is_taken_over(self):
        self.deploy(kv_namespaces=[])
        self.upstream.set_faults(SLOW)
        dead = subprocess.Popen([PROGRAMS / "edged", "cron", "run", JOB, "--idempotency-key", "k",
                                 "-c", self.deployment.config], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        try:
            self.wait_for_questions(32)
        finally:
            dead.kill()
            dead.wait()
        self.assertEqual(self.sql("select status from edged.cron_runs"), [["running"]])
        self.upstream.set_faults(Faults())
        self.sql("update edged.cron_runs set lease_until = now()")  # as a minute later
        told = self.cron("run", JOB, "--json", "--idempotency-key", "k")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(
            self.sql("select id, status, attempts, idempotency_key from edged.cron_runs"),
            [[str(json.loads(told.stdout)["run_id"]), "succeeded", "2", "k"]])

    def test_a_dead_run_of_another_key_does_not_stand_in_the_way(self):
        self.deploy(kv_namespaces=[])
        self.sql("insert into edged.cron_runs (job, due_at, cause, status, epoch, worker, process, lease_until, "
                 "started_at, idempotency_key) select 'class-monitor', now(), 'manual', 'running', "
                 "nextval('edged.run_epoch'), 'w', 'p', now(), now(), 'dead'")
        told = self.cron("run", JOB, "--json", "--idempotency-key", "k")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(
            self.sql("select idempotency_key, status, attempts from edged.cron_runs order by id"),
            [["dead", "succeeded", "2"], ["k", "succeeded", "1"]])

    def test_what_is_no_key(self):
        self.deploy()
        self.worker()
        self.assertEqual(self.post("")[0], 400)
        self.assertEqual(self.post("k" * 256)[0], 400)
        self.assertEqual(self.cron("run", JOB, "--idempotency-key", "").returncode, 2)
        self.assertEqual(self.cron("run", JOB, "--idempotency-key", "caf\u00e9").returncode, 2)
        self.assertEqual(self.sql("select count(*) from edged.cron_runs"), [["0"]])


class PatienceTest(CronCase):
    STATE_IS_OLD = """update public.class_states set last_checked_at = now() - interval '1 h';
        update edged.section_checks set requested_at = now() - interval '1 h'"""

    def test_mails_that_hang_are_left_after_30_seconds(self):
        self.deploy(kv_namespaces=[], upstream={"type": "scraper", "url": self.upstream.url,
                                                "token": self.upstream.token, "timeout": "100s"})
        told = self.cron("run", JOB, "--json", "--idempotency-key", "k")
        self.assertEqual(told.returncode, 0, told.stderr)
        summary = json.loads(told.stdout)
        self.sql(self.STATE_IS_OLD)
        self.sql(QUEUE_MAILS.format(run=summary["run_id"], valid_until="now() - interval '1 min'",
                                    watches="(select * from public.class_watches limit 1)"))
        self.upstream.set_faults(Faults(delay_seconds=100))
        begin = time.monotonic()
        told = self.cron("run", JOB, "--json", "--idempotency-key", "k")
        seconds = time.monotonic() - begin
        self.assertEqual(told.returncode, 1, told.stderr)
        self.assertIn("1 mails of the run are still queued after 30 s", told.stderr)
        self.assertEqual(json.loads(told.stdout), summary)
        self.assertTrue(29 < seconds < 95, seconds)  # the upstream takes 100 s
        self.assertEqual(self.sql("select status from edged.mails"), [["pending"]])
        # They were given back: the next one has them at once.
        self.upstream.set_faults(Faults())
        told = self.cron("run", JOB, "--json", "--idempotency-key", "k")
        self.assertEqual(told.returncode, 0, told.stderr)


class DeadMailTest(CronCase):
    def test_a_mail_that_can_never_be_sent_is_a_failure_and_is_named(self):
        self.deploy(kv_namespaces=[])
        self.sql("update auth.users set email = 'nowhere'")
        for _ in range(60):
            told = self.cron("run", JOB, "--json")
            summary = json.loads(told.stdout)
            self.upstream.complete(summary["run_id"])
            if summary["notifications"]:
                break
            self.assertEqual(told.returncode, 0, told.stderr)
        dead = self.sql("select notification_id from edged.mails where status = 'dead' order by message_id")
        self.assertEqual(len(dead), summary["notifications"])
        self.assertEqual(told.returncode, 1, told.stderr)
        self.assertIn("%d mails of the run will never be sent: %s" % (len(dead), dead[0][0]), told.stderr)
        self.assertIn("nowhere", told.stderr)


class HistoryTest(CronCase):
    def test_http_and_the_command_line_tell_the_same(self):
        self.deploy()
        self.worker()
        summaries = [self.post(wait=True)[1] for _ in range(3)]
        answer = self.get_runs()
        self.assertEqual([run["run_id"] for run in answer["runs"]],
                         [summary["run_id"] for summary in reversed(summaries)])
        self.assertEqual([run["summary"] for run in answer["runs"]], summaries[::-1])
        for run in answer["runs"]:
            self.assertEqual((run["status"], run["attempts"]), ("succeeded", 1))
            self.assertGreaterEqual(run["duration_seconds"], 0)
        self.assertEqual(len(self.get_runs("?limit=2")["runs"]), 2)
        told = self.cron("history", JOB, "--json")
        self.assertEqual((told.returncode, json.loads(told.stdout)), (0, answer), told.stderr)
        table = self.cron("history", JOB, "--limit", "1").stdout.splitlines()
        self.assertEqual(table[0].split(), ["ID", "DUE", "CAUSE", "STATUS", "SECTIONS", "CHANGED",
                                            "NOTIFICATIONS", "STATEMENTS", "SECONDS", "ERROR"])
        newest = answer["runs"][0]
        self.assertEqual(table[1].split(), [
            str(newest["run_id"]), newest["due_at"], "manual", "succeeded", str(newest["summary"]["sections"]),
            str(newest["summary"]["changed"]), str(newest["summary"]["notifications"]),
            str(newest["summary"]["sql_statements"]), "%.3f" % newest["duration_seconds"]])
        self.assertEqual(len(table), 2)

    def test_exit_codes(self):
        self.deploy()
        told = self.cron("history", JOB)
        self.assertEqual((told.returncode, len(told.stdout.splitlines())), (0, 1), told.stderr)
        self.assertEqual(self.cron("history", "unknown").returncode, 2)
        for limit in ("0", "101", "ten"):
            self.assertEqual(self.cron("history", JOB, "--limit", limit).returncode, 2)
        self.assertEqual(self.cron("run", "unknown").returncode, 2)
        # A database without the schema, one that is away.
        config = json.loads(self.deployment.config.read_text())
        for database, code in ((self.deployment.database_url.rsplit("/", 1)[0] + "/postgres", 3),
                               ("postgres://127.0.0.1:1/x", 4)):
            config["postgres"]["url"] = database
            self.deployment.config.write_text(json.dumps(config))
            for command in ("run", "history"):
                told = self.cron(command, JOB)
                self.assertEqual(told.returncode, code, told.stderr)
                self.assertIn("edged cron %s: " % command, told.stderr)

    def old_run(self, days, status="succeeded"):
        return self.sql(
            "insert into edged.cron_runs (job, due_at, cause, status, epoch, worker, process, lease_until, "
            "started_at, finished_at) select 'class-monitor', at, 'schedule', '%s', "
            "nextval('edged.run_epoch'), 'w', 'p', at, at, at "
            "from (select now() - interval '%f days' as at) t returning id" % (status, days))[0][0]

    def test_a_worker_deletes_what_is_too_old(self):
        self.deploy(jobs={"class-monitor": {"history": "10d"}})
        old = [self.old_run(days) for days in (20, 11)]
        kept = [self.old_run(days) for days in (9, 1)]
        self.worker()
        runs = "select id from edged.cron_runs order by id"
        self.deployment.wait_for("the deletion", lambda: self.sql(runs) == [[id] for id in kept])
        self.assertEqual(len(old), 2)
        self.assertEqual(self.post(wait=True)[1]["sql_statements"], 5)  # 290 sections without a node: 2 + 3

    def test_forever_keeps_everything(self):
        self.deploy(jobs={"class-monitor": {"history": "forever"}})
        ids = [self.old_run(days) for days in (20000, 10000)]
        self.worker()
        self.assertEqual(self.post(wait=True)[0], 200)
        self.assertEqual(self.sql("select id from edged.cron_runs order by id")[:2], [[id] for id in ids])


class EndOfAWorkerTest(CronCase):
    def test_a_run_that_ends_in_time_is_waited_for(self):
        self.deploy()
        worker = self.worker()
        self.upstream.set_faults(SLOW)
        self.post()
        self.wait_for_questions(40)
        worker.popen.send_signal(signal.SIGTERM)
        self.assertEqual(worker.popen.wait(90), 0)
        self.assertEqual(self.sql("select status, attempts from edged.cron_runs"), [["succeeded", "1"]])

    def test_a_longer_run_is_taken_over_by_the_next_start(self):
        self.deploy()
        worker = self.worker()
        self.upstream.set_faults(Faults(delay_seconds=2))
        run = self.post()[1]["run_id"]
        self.wait_for_questions(10)
        worker.popen.send_signal(signal.SIGTERM)
        self.assertEqual(worker.popen.wait(90), 0)
        self.assertEqual(self.sql("select status from edged.cron_runs"), [["running"]])
        self.upstream.set_faults(Faults())
        self.worker()
        self.deployment.wait_for("the take-over", lambda: self.sql(
            "select id, status, attempts from edged.cron_runs") == [[str(run), "succeeded", "2"]])


if __name__ == "__main__":
    unittest.main()
