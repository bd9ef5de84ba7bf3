# SPDX-License-Identifier: Apache-2.0
"""What a worker leaves alone: by its roles, and under --dev. Everything is looked up in PostgreSQL."""

import json
import subprocess
import unittest
import urllib.error
import urllib.request

from replay_case import DATABASE, DeploymentError, MIRROR, MIRROR_SETTINGS, PROGRAMS, QUEUE_MAILS, ReplayCase
from tools.replay.deployment import Process

JOB = "class-monitor"
QUEUED = QUEUE_MAILS.format(run=0, valid_until="now() + interval '1 h'",
                            watches="(select * from public.class_watches limit 5)")
ABANDONED = """
    insert into edged.cron_runs (job, due_at, cause, status, epoch, worker, process, lease_until, started_at)
    select 'class-monitor', now() - interval '1 h', 'schedule', 'running', nextval('edged.run_epoch'), 'w', 'p',
           now() - interval '1 h', now() - interval '1 h'"""
OLD = """
    insert into edged.cron_runs (job, due_at, cause, status, epoch, worker, process, lease_until, started_at, finished_at)
    select 'class-monitor', at, 'schedule', 'succeeded', nextval('edged.run_epoch'), 'w', 'p', at, at, at
    from (select now() - interval '400 days' as at union all select now() - interval '300 days') t"""
EVERY_TABLE = ("edged.cron_runs", "edged.notifications", "edged.queue_messages", "edged.queue_claims",
               "edged.queue_ready", "edged.mail_events", "edged.section_checks", "edged.mirror_heartbeats",
               "public.class_states", "public.notifications_sent")


class WorkerCase(ReplayCase):
    SETTINGS = MIRROR_SETTINGS

    def fill(self):
        """Five queued mails, a run whose worker died, and runs that are older than the history."""
        for statement in (QUEUED, ABANDONED, OLD):
            self.sql(statement)

    def contents(self):
        """Everything that a worker could have changed."""
        rows = {table: self.sql("select t::text from %s t order by 1" % table) for table in EVERY_TABLE}
        rows["slots"] = self.sql("select slot_name from pg_replication_slots")
        rows["publications"] = self.sql("select pubname from pg_publication")
        return rows

    def statuses(self, table):
        return [row[0] for row in self.sql("select distinct status from edged.%s order by 1" % table)]

    def get(self, path, method="GET", token=None):
        request = urllib.request.Request("http://" + self.deployment.worker_address() + path, method=method,
                                         headers={"Authorization": "Bearer " + token} if token else {})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def start_worker(self, command="worker"):
        process = self.deployment.start(command)
        self.deployment.wait_for_worker(process)
        self.deployment.wait_for("its readiness", lambda: self.get("/readyz")[0] == 200, process)
        return process

    def log(self, name="worker"):
        return (self.deployment.directory / (name + ".log")).read_text()

    def write(self, roles=None, **changes):
        self.deployment.write_config(**changes)
        if roles is not None:
            config = json.loads(self.deployment.config.read_text())
            config["worker"]["roles"] = roles
            self.deployment.config.write_text(json.dumps(config))

    def program(self, *arguments):
        return subprocess.run([PROGRAMS / "edged", *arguments, "-c", self.deployment.config], capture_output=True,
                              text=True, timeout=120)


class RolesTest(WorkerCase):
    def test_a_mirror_does_nothing_but_mirror(self):
        self.deploy()
        self.write(["mirror"], mirror=MIRROR, triggers={"crons": ["@every 1s"]})
        config = json.loads(self.deployment.config.read_text())
        del config["upstream"]  # and needs no upstream
        self.deployment.config.write_text(json.dumps(config))
        self.fill()
        before = self.contents()
        node = self.deployment.start("node")
        self.deployment.wait_for_node(node)
        self.deployment.create_namespace()
        worker = self.start_worker()
        self.deployment.wait_for("the stream", lambda: self.program("mirror", "status").returncode == 0, worker)
        after = self.contents()
        self.assertEqual(len(after.pop("slots")), 1)
        self.assertEqual(len(after.pop("publications")), 1)
        self.assertEqual(len(after.pop("edged.mirror_heartbeats")), 1)
        self.assertEqual(after, {name: before[name] for name in after})
        self.assertEqual(self.get("/cron"), (200, '{"jobs":[]}\n'))
        status, body = self.get("/cron/" + JOB, "POST", self.deployment.secret)
        self.assertEqual(status, 404)
        self.assertIn('worker.roles does not name \\"cron\\"', body)
        metrics = self.get("/metrics")[1]
        self.assertIn('edged_worker_role{role="mirror"} 1', metrics)
        for absent in ("edged_queued_mails_total", "edged_monitor_last_success", "edged_upstream_circuit_state", 'role="cron"'):
            self.assertNotIn(absent, metrics)
        told = self.program("cron", "run", JOB)
        self.assertEqual(told.returncode, 2, told.stderr)
        self.assertIn('worker.roles: does not name "cron"', told.stderr)
        self.assertEqual(worker.stop(), 0)

    def test_a_mirror_needs_no_rights_on_mails_and_no_tables_of_the_job(self):
        self.deploy()
        self.sql("drop role if exists edge; create role edge login replication password 'edge'")
        self.addCleanup(self.sql, "drop owned by edge cascade; drop role edge")
        self.sql("create table public.things (id int primary key); alter table public.things owner to edge;"
                 "grant create on database %s to edge;"
                 "grant usage on schema edged to edge; grant select on edged.schema_migrations to edge;"
                 "grant select, insert, update on edged.mirror_heartbeats to edge" % DATABASE)
        self.write(["mirror"], postgres={"url": self.deployment.database_url.replace("//edged:", "//edge:").replace(
            self.cluster.password, "edge")}, mirror={"mode": "logical", "rules": [
                {"table": "public.things", "key": "thing:{id}", "value": {"row": True}}]})
        node = self.deployment.start("node")
        self.deployment.wait_for_node(node)
        self.deployment.create_namespace()
        worker = self.start_worker()
        self.deployment.wait_for("the stream", lambda: self.program("mirror", "status").returncode == 0, worker)
        worker.stop()
        self.write(["mirror", "mail"], postgres=json.loads(self.deployment.config.read_text())["postgres"])
        worker = self.deployment.start("worker")
        self.deployment.wait_for_worker(worker)
        self.deployment.wait_for("the complaint", lambda: "on edged.mail" in self.log(), worker)
        self.assertEqual(self.get("/readyz")[0], 503)

    def test_mails_are_delivered_where_the_role_is_and_jobs_run_where_theirs_is(self):
        self.deploy()
        self.fill()
        self.write(["cron"])
        worker = self.start_worker()
        self.deployment.wait_for("the take-over", lambda: self.statuses("cron_runs") == ["succeeded"], worker)
        self.deployment.wait_for("the deletion", lambda: self.sql(
            "select count(*) from edged.cron_runs where due_at < now() - interval '350 days'") == [["0"]], worker)
        self.assertEqual(self.statuses("mails"), ["pending"])
        self.assertEqual(worker.stop(), 0)
        self.write(["mail"], upstream={})
        runs = self.sql("select id from edged.cron_runs")
        worker = self.start_worker()
        self.deployment.wait_for("the delivery", lambda: self.statuses("mails") == ["sent"], worker)
        self.assertEqual(self.sql("select id from edged.cron_runs"), runs)

    def test_serve_hands_the_roles_on(self):
        self.deploy()
        self.fill()
        self.write(["mail"])
        serve = self.start_worker("serve")
        self.deployment.wait_for("the delivery", lambda: self.statuses("mails") == ["sent"], serve)
        self.assertEqual(self.statuses("cron_runs"), ["running", "succeeded"])

    def test_the_status_in_the_node_names_the_roles(self):
        self.deploy()
        self.write(["mail", "queue"], upstream={})
        self.serve(namespace=False)
        def published():
            try:
                found = self.deployment.kvctl("--ns", "edged-system", "list", "--prefix", "status:worker:")
            except DeploymentError:
                return None  # the worker has not created the namespace yet
            return found.split()
        self.deployment.create_namespace()
        key = self.deployment.wait_for("the status", published)[0]
        status = json.loads(self.deployment.kvctl("--ns", "edged-system", "get", key))
        self.assertEqual(status["roles"], ["mail", "queue"])
        self.assertNotIn("upstream", status)

    def test_a_job_beside_a_mirror_that_another_process_keeps(self):
        self.deploy(mirror=MIRROR)
        node = self.deployment.start("node")
        self.deployment.wait_for_node(node)
        self.deployment.create_namespace()
        self.write(["mirror"], mirror=MIRROR)
        mirror = self.start_worker()
        self.deployment.wait_for("the stream", lambda: self.program("mirror", "status").returncode == 0, mirror)
        second = self.deployment.write_config(self.deployment.directory / "second.jsonc", "second", mirror=MIRROR)
        config = json.loads(second.read_text())
        config["worker"]["roles"] = ["cron", "mail"]
        second.write_text(json.dumps(config))
        jobs = self.deployment.start("worker", second)
        self.deployment.wait_for_worker(jobs, "second")
        self.deployment.wait_for("its readiness", lambda: self.deployment.get(
            self.deployment.worker_address("second"), "/readyz") == 200, jobs)
        hits = 0
        for _ in range(3):
            summary = self.deployment.trigger(state="second")
            self.upstream.complete(summary["run_id"])
            hits = summary["kv_hits"]
        self.assertGreater(hits, 100, "it reads what the mirror keeps")
        self.assertNotIn("takes no writes", "".join(
            path.read_text() for path in self.deployment.directory.glob("*.log")))


class DevTest(WorkerCase):
    def test_nothing_in_the_database_is_touched(self):
        self.deploy()
        self.write(mirror={**MIRROR, "mode": "logical"}, triggers={"crons": ["@every 1s"]})
        self.fill()
        before = self.contents()
        for command in ("serve", "worker"):
            process = self.dev(command)
            self.deployment.wait_for("its readiness", lambda: self.get("/readyz")[0] == 200, process)
            self.assertIn("this worker leaves the database alone", self.log(command + "-dev"))
            self.assertIn("--dev-database NAME", self.log(command + "-dev"))
            status, body = self.get("/cron/" + JOB, "POST", self.deployment.secret)
            self.assertEqual(status, 404)
            self.assertIn("--dev-database", body)
            self.assertEqual(process.stop(), 0)
        told = self.program("cron", "run", JOB, "--dev")
        self.assertEqual(told.returncode, 2)
        self.assertIn("--dev-database NAME", told.stderr)
        self.assertEqual(self.contents(), before)

    def test_the_flag_names_the_database(self):
        self.deploy()
        self.fill()
        before = self.contents()
        told = self.program("cron", "run", JOB, "--dev", "--dev-database", "another")
        self.assertEqual(told.returncode, 2, told.stderr)
        self.assertIn('--dev-database names "another", but postgres.url leads to database "%s"' % DATABASE, told.stderr)
        wrong = self.dev("worker", "--dev-database", "another")
        self.deployment.wait_for("the complaint", lambda: "--dev-database names" in self.log("worker-dev"), wrong)
        self.assertEqual(self.get("/readyz")[0], 503)
        wrong.stop()
        self.assertEqual(self.contents(), before)
        right = self.dev("serve", "--dev-database", DATABASE)
        self.deployment.wait_for("the delivery", lambda: self.statuses("mails") == ["sent"], right)
        self.deployment.wait_for("the take-over", lambda: self.statuses("cron_runs") == ["succeeded"], right)
        self.assertIn('uses database "%s" as it would without --dev' % DATABASE, self.log("serve-dev"))
        right.stop()
        self.sql("update edged.cron_runs set status = 'failed' where status = 'running'")
        told = self.program("cron", "run", JOB, "--dev", "--dev-database", DATABASE, "--json")
        self.assertEqual(told.returncode, 0, told.stderr)

    def dev(self, command, *flags):
        """A program started with --dev, and with the state directory that the test looks into."""
        process = Process([PROGRAMS / "edged", command, "--dev", *flags, "--data", self.deployment.directory / "dev-node",
                           "--state-dir", self.deployment.directory / "worker", "-c", self.deployment.config],
                          self.deployment.directory / (command + "-dev.log"))
        self.addCleanup(process.stop)
        self.deployment.wait_for_worker(process)
        return process


if __name__ == "__main__":
    unittest.main()
