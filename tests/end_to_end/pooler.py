# SPDX-License-Identifier: Apache-2.0
"""Debian's PgBouncer before a cluster of the tests."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.replay.cluster import free_port  # noqa: E402

SERVER_CONNECTIONS = 2  # fewer than the worker has, so that they are really shared


class Pooler:
    """PgBouncer before a cluster, on a free loopback port, run by the user that runs the cluster."""

    def __init__(self, cluster, mode="transaction"):
        self._cluster = cluster
        self._mode = mode
        self._directory = cluster.directory / ("pgbouncer-" + mode)
        self._as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.port = free_port()

    def start(self):
        self._directory.mkdir(mode=0o700)
        users, config = self._directory / "users.txt", self._directory / "pgbouncer.ini"
        users.write_text('"edged" "%s"\n' % self._cluster.password)
        config.write_text("\n".join((
            "[databases]", "* = host=127.0.0.1 port=%d" % self._cluster.port, "[pgbouncer]",
            "listen_addr = 127.0.0.1", "listen_port = %d" % self.port, "unix_socket_dir =",
            "auth_type = scram-sha-256", "auth_file = %s" % users, "pool_mode = " + self._mode,
            "default_pool_size = %d" % SERVER_CONNECTIONS, "logfile = %s" % (self._directory / "log"),
            "server_login_retry = 1", "")))
        if self._as_user:
            for path in (self._directory, users, config):
                shutil.chown(path, "postgres", "postgres")
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
        assert program, "PgBouncer is missing: run tools/setup test"
        self._process = subprocess.Popen([program, "-q", config], stdin=subprocess.DEVNULL, cwd="/",
                                         stderr=subprocess.DEVNULL, **self._as_user)
        end = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < end, (self._directory / "log").read_text()
                time.sleep(0.05)

    def stop(self):
        self._process.kill()
        self._process.wait()
