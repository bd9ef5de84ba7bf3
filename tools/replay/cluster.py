# SPDX-License-Identifier: Apache-2.0
"""A private PostgreSQL cluster on a free loopback port, run by an unprivileged user.

PostgreSQL refuses to run as root: then the user postgres runs it, in /var/tmp, since that user can
seldom reach root's directories. Only the password in the cluster's own file opens it.
"""

import hashlib
import os
import secrets
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

START_ATTEMPTS = 3
SETTINGS = ["fsync=off", "full_page_writes=off", "max_connections=50",
            "listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=32MB"]


class ClusterError(RuntimeError):
    pass


def binaries():
    """The directory of PostgreSQL's programs: the newest version Debian has installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda path: float(path.parts[-3]))
    if not found:
        raise ClusterError("could not find PostgreSQL in /usr/lib/postgresql. Run tools/setup")
    return found[-1].parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """One cluster. `start` creates it at the first time; `stop` keeps its data. `settings` are NAME=VALUE."""

    def __init__(self, state_dir, settings=()):
        self._settings = SETTINGS + list(settings)
        state_dir = Path(state_dir).resolve()
        self._as_user = {}
        if os.geteuid() == 0:
            self._as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            name = hashlib.sha256(str(state_dir).encode()).hexdigest()[:12]
            self.directory = Path("/var/tmp") / ("edged-postgres-" + name)
        else:
            self.directory = state_dir / "postgres"
        self.data = self.directory / "data"
        self.log = self.directory / "postgres.log"
        self._password_file = self.directory / "password"
        self.port = None

    def start(self, port=None):
        """Starts it on `port`, or on a free one. An interrupted start leaves nothing running."""
        try:
            return self._start(port)
        except KeyboardInterrupt:
            self.stop("immediate")
            raise

    def _start(self, port):
        self._refuse_foreign_directory()
        if not (self.data / "PG_VERSION").exists():
            self._create()
        self.password = self._password_file.read_text().strip()
        for _ in range(START_ATTEMPTS):
            self.port = port or free_port()
            options = " ".join("-c %s" % setting for setting in self._settings + ["port=%d" % self.port])
            done = self._run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "60",
                             "-o", options, "start")
            if done.returncode == 0:
                return self
            self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")
        raise ClusterError("could not start PostgreSQL in %s: see %s" % (self.data, self.log))

    def stop(self, mode="fast"):
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", "30", "stop")

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def url(self, database, port=None):
        return "postgresql://edged:%s@127.0.0.1:%d/%s" % (
            quote(self.password), port or self.port, database)

    def fresh_database(self, name):
        self.sql("postgres", 'drop database if exists "%s" with (force)' % name)
        self.sql("postgres", 'create database "%s"' % name)

    def psql(self, database):
        """The command line of psql and its environment."""
        environment = dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(self.port), PGUSER="edged",
                           PGPASSWORD=self.password, PGDATABASE=database)
        return [binaries() / "psql", "-XqAt", "-F", "\t", "-v", "ON_ERROR_STOP=1"], environment

    def sql(self, database, statements):
        """Runs the statements; the rows of the last one as lists of text."""
        command, environment = self.psql(database)
        done = subprocess.run(command, input=statements, text=True, capture_output=True, env=environment)
        if done.returncode != 0:
            raise ClusterError("could not run SQL in database \"%s\": %s" % (
                database, done.stderr.strip()))
        return [line.split("\t") for line in done.stdout.splitlines()]

    def _refuse_foreign_directory(self):
        """Anyone may write /var/tmp: what stands there must be the user's own."""
        if not self._as_user or not os.path.lexists(self.directory):
            return
        if self.directory.is_symlink() or self.directory.owner() != self._as_user["user"]:
            raise ClusterError("could not use %s: it does not belong to the user %s" % (
                self.directory, self._as_user["user"]))

    def _create(self):
        if self.directory.exists():
            shutil.rmtree(self.directory)
        self.directory.mkdir(mode=0o700, parents=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_hex(16) + "\n")
        if self._as_user:
            for path in (self.directory, self._password_file):
                shutil.chown(path, "postgres", "postgres")
        done = self._run("initdb", "-D", self.data, "-U", "edged", "--auth=scram-sha-256",
                         "--pwfile", self._password_file, "-E", "UTF8", "--locale=C.UTF-8",
                         "--no-sync")
        if done.returncode != 0:
            raise ClusterError("could not create a PostgreSQL cluster in %s: %s" % (
                self.data, done.stderr.strip()))

    def _run(self, program, *arguments):
        # A session of its own: Ctrl-C at the terminal is for the script, which stops us in order.
        command = [str(argument) for argument in (binaries() / program, *arguments)]
        with open(os.devnull) as nothing:
            return subprocess.run(command, stdin=nothing, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True, cwd="/",
                                  start_new_session=True, **self._as_user)


class Session:
    """One psql that stays: for many small statements one after the other. It ends with its `with`."""

    END = "-- end of the answer"

    def __init__(self, cluster, database):
        command, environment = cluster.psql(database)
        self._psql = subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._psql.stdin.close()
        self._psql.stdout.close()
        self._psql.wait()

    def sql(self, statement):
        """Runs one statement; its rows as lists of text. After an error the session is useless."""
        self._psql.stdin.write("%s;\n\\echo %s\n" % (statement, self.END))
        self._psql.stdin.flush()
        lines = []
        for line in self._psql.stdout:
            if line == self.END + "\n":
                return [one.split("\t") for one in lines]
            lines.append(line.rstrip("\n"))
        raise ClusterError("could not run SQL: %s" % "\n".join(lines))
