# SPDX-License-Identifier: Apache-2.0
"""One configured edged on this machine: directories, database, namespace, students, processes.

Every port is 0, so any number of deployments can run side by side. What the processes say goes to
files in the deployment's directory.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

START_SECONDS = 120
STOP_SECONDS = 60
STUDENTS = 12
NAMESPACE_ID = "0f2ac74b498b48028cb68387c421e279"
# The tables of class-monitor in the node, as docs/mirror.md has them.
MIRROR = {"mode": "auto", "namespace": "KV", "rules": [
    {"table": "public.class_states", "key": "class_state:{class_nbr}", "value": {"row": True}, "ttl": "1h"},
    {"table": "public.notifications_sent", "key": "notif:{class_watch_id}:{notification_type}",
     "value": {"const": "sent"}, "expires": "expires_at"}]}
# What PostgreSQL needs for it.
MIRROR_SETTINGS = ["wal_level=logical", "max_slot_wal_keep_size=1GB"]
ID_OF_STUDENT = "00000000-0000-4000-8000-%012d"


class DeploymentError(RuntimeError):
    pass


def student(index):
    return "student%02d@example.edu" % (index + 1)


def watchers(index):
    """The students who watch the index-th section: one, and for every third section another."""
    chosen = [index % STUDENTS]
    if index % 3 == 0:
        chosen.append((index + 5) % STUDENTS)
    return chosen


def seed_sql(sections):
    """SQL that inserts the students and their watches."""
    users = ["('%s', '%s')" % (ID_OF_STUDENT % i, student(i)) for i in range(STUDENTS)]
    watches = ["('%s', '%s', '%s', '%s', '%s')" % (
        ID_OF_STUDENT % one, section.term, (section.subject or "").replace("'", "''"),
        (section.catalog_nbr or "").replace("'", "''"), section.number)
        for index, section in enumerate(sections) for one in watchers(index)]
    return ("insert into auth.users (id, email) values %s;\n"
            "insert into public.class_watches (user_id, term, subject, catalog_nbr, class_nbr) "
            "values %s;\n" % (",".join(users), ",".join(watches)))


def start_smtp_server(maildir, *arguments):
    """A local SMTP server (smtp_sink.py) that puts what it accepts into a maildir. The process, which
    the caller ends, and its URL."""
    server = subprocess.Popen([sys.executable, str(Path(__file__).parent / "smtp_sink.py"), "--maildir", str(maildir),
                               *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    url = server.stdout.readline().strip()
    if not url:
        server.wait()
        raise DeploymentError("the local SMTP server did not start")
    return server, url


class Process:
    """A program of ours, in a session of its own, with its output in a log."""

    def __init__(self, command, log):
        self.log = Path(log)
        with open(self.log, "ab") as file:
            self.popen = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                          stdout=file, stderr=file, start_new_session=True)

    def running(self):
        return self.popen.poll() is None

    def children(self):
        """The child processes' ids, by the command they run: {"node": 12, "worker": 13}."""
        listed = Path("/proc/%d/task/%d/children" % (self.popen.pid, self.popen.pid))
        found = {}
        for pid in listed.read_text().split():
            try:
                words = Path("/proc/%s/cmdline" % pid).read_bytes().decode().split("\0")
            except OSError:
                continue  # it ended meanwhile
            if len(words) > 1:
                found[words[1]] = int(pid)
        return found

    def stop(self):
        """SIGTERM, and its exit code; SIGKILL for what does not end in time."""
        if self.running():
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
            raise DeploymentError("process %d did not end within %d s of SIGTERM: see %s" % (
                self.popen.pid, STOP_SECONDS, self.log))


class Deployment:
    """`prepare` writes and creates everything; `serve`, `node` and `worker` start processes."""

    def __init__(self, directory, programs, database_url, upstream, crons=(), kv=True):
        self.directory = Path(directory).resolve()
        self.programs, self.database_url = Path(programs), database_url
        self.upstream, self.crons, self.kv = upstream, list(crons), kv
        self.secret = secrets.token_hex(16)
        self.node_dir = self.directory / "node"
        self.maildir = self.directory / "maildir"
        self.config = self.directory / "edged.jsonc"
        self.processes = []

    def clear(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, mode=0o700)
        return self

    def write_config(self, path=None, state="worker", **changes):
        """Writes the configuration; `changes` replace whole sections."""
        config = {
            "node": {"data_dir": str(self.node_dir), "listen": "127.0.0.1:0",
                     "http": "127.0.0.1:0"},
            "postgres": {"url": self.database_url},
            "triggers": {"crons": self.crons},
            "worker": {"http": "127.0.0.1:0", "state_dir": str(self.directory / state),
                       "cron_secret": self.secret, "public_url": "https://pickmyclass.example"},
            "upstream": {"type": "scraper", "url": self.upstream.url,
                         "token": self.upstream.token, "concurrency": 32, "timeout": "10s"},
            "mail": {"transport": "maildir", "path": str(self.maildir),
                     "from": "PickMyClass <notify@pickmyclass.example>"},
        }
        if self.kv:
            config["kv_namespaces"] = [{"binding": "KV", "id": NAMESPACE_ID}]
        config.update(changes)
        path = path or self.config
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=2) + "\n")
        return path

    def run(self, program, *arguments):
        """Runs a program of ours to its end; its output. Errors name what it said."""
        command = [str(part) for part in (self.programs / program, *arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise DeploymentError("could not run \"%s\": exit code %d: %s" % (
                " ".join([program] + command[1:3]), done.returncode,
                done.stderr.strip().rpartition("\n")[2]))
        return done.stdout

    def migrate(self):
        self.run("edged", "migrate", "--app-schema", "-c", self.config)

    def start(self, command, config=None):
        """Starts `edged COMMAND`; `wait_for_ports` tells when it is there."""
        process = Process([self.programs / "edged", command, "-c", config or self.config],
                          self.directory / (command + ".log"))
        self.processes.append(process)
        return process

    def create_namespace(self):
        self.kvctl("namespace", "create", "class-monitor", "--id", NAMESPACE_ID)

    def kvctl(self, *arguments):
        return self.run("kvctl", "--addr", "unix:%s" % (self.node_dir / "kv.sock"), *arguments)

    def wait_for(self, what, check, process=None, seconds=START_SECONDS):
        """Polls `check` until it answers something true, which is returned."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if process and not process.running():
                raise DeploymentError("%s ended with exit code %d while waiting for %s: see %s" % (
                    process.popen.args[1], process.popen.returncode, what, process.log))
            try:
                answer = check()
            except (OSError, ValueError, KeyError):
                answer = None
            if answer:
                return answer
            time.sleep(0.05)
        raise DeploymentError("%s did not come within %d s: see %s" % (
            what, seconds, process.log if process else self.directory))

    def node_address(self):
        return json.loads((self.node_dir / "ports.json").read_text())["http"]

    def worker_address(self, state="worker"):
        ports = self.directory / state / "worker-ports.json"
        return json.loads(ports.read_text())["worker_http"]

    def wait_for_node(self, process=None):
        self.wait_for("the node", lambda: self.get(self.node_address(), "/readyz") == 200, process)

    def wait_for_worker(self, process=None, state="worker"):
        self.wait_for("the worker",
                      lambda: self.get(self.worker_address(state), "/healthz") == 200, process)

    @staticmethod
    def get(address, path):
        with urllib.request.urlopen("http://%s%s" % (address, path), timeout=5) as response:
            return response.status

    def trigger(self, seconds=120, state="worker"):
        """Runs class-monitor once over HTTP. Its summary, or None with `last_error` set."""
        summary, error = self.trigger_with_error(seconds, state)
        if summary is None:
            self.last_error = error
        return summary

    def trigger_with_error(self, seconds, state):
        """The same for several threads: the summary and None, or None and what went wrong."""
        request = urllib.request.Request(
            "http://%s/cron/class-monitor?wait=1" % self.worker_address(state), b"",
            {"Authorization": "Bearer " + self.secret}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=seconds) as response:
                return json.load(response), None
        except urllib.error.HTTPError as error:
            return None, "HTTP %d: %s" % (error.code, error.read().decode().strip())
        except OSError as error:
            return None, str(error)

    def stop(self):
        """Ends every process; raises what went wrong after all are gone."""
        problems = []
        for process in reversed(self.processes):
            try:
                process.stop()
            except DeploymentError as error:
                problems.append(error)
        self.processes = []
        if problems:
            raise problems[0]
