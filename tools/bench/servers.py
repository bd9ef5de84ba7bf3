# SPDX-License-Identifier: Apache-2.0
"""The servers that tools/bench/node compares: each started on one core, on loopback and in a directory of
its own, and ended by its process id."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SERVER_CORE = 0
GENERATOR_CORE = 1
PATIENCE_SECONDS = 30


def pinned(core):
    """For preexec_fn: the process and its threads run on this core alone."""
    return lambda: os.sched_setaffinity(0, {core})


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            sys.exit("error: waited %d s for %s" % (PATIENCE_SECONDS, what))
        time.sleep(0.02)


def cpu_seconds(pid):
    fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settle(server):
    """Until the server works no more on what came before (flushes, compactions), at most 60 s."""
    for _ in range(60):
        before = cpu_seconds(server.pid)
        time.sleep(1)
        if cpu_seconds(server.pid) - before <= 0.02:
            return


class Server:
    """A running server: `addresses` has "tcp" and perhaps "unix"."""

    def __init__(self, name, protocol, process, addresses):
        self.name, self.protocol, self.process, self.addresses = name, protocol, process, addresses

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def memory_kib(self):
        status = Path("/proc/%d/status" % self.pid).read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


class Edged(Server):
    def __init__(self, name, program, directory, config=None, core=SERVER_CORE):
        """`config` is the configuration's "node" section."""
        data = Path(directory) / name
        data.mkdir()
        file = Path(directory) / (name + ".jsonc")
        file.write_text(json.dumps({"log_level": "warn", "node": config or {}}))
        process = subprocess.Popen(
            [program, "node", "-c", file, "--data", data, "--listen", "127.0.0.1:0",
             "--http", "127.0.0.1:0"], preexec_fn=pinned(core),
            env={key: value for key, value in os.environ.items() if not key.startswith("EDGED_")})
        ports_file = data / "ports.json"
        wait_until(lambda: ports_file.exists() or process.poll() is not None, name)
        if process.poll() is not None:
            sys.exit("error: edged did not start")
        ports = json.loads(ports_file.read_text())
        self.http = ports["http"]
        super().__init__(name, "kvb", process,
                         {"tcp": ports["listen"][0], "unix": "unix:" + ports["unix"]})

    def engine(self):
        with urllib.request.urlopen("http://%s/metrics" % self.http) as answer:
            found = re.search(r'edged_storage_engine_info\{[^}]*"([^"]+)"', answer.read().decode())
        return found[1] if found else "unknown"


class Redis(Server):
    def __init__(self, name, directory, *arguments):
        home = Path(directory) / name
        home.mkdir()
        unix = home / "redis.sock"
        port = free_port()
        process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--unixsocket", str(unix),
             "--dir", str(home), "--daemonize", "no", "--save", "", "--maxclients", "11000",
             "--logfile", str(home / "log"), *arguments], preexec_fn=pinned(SERVER_CORE))
        wait_until(lambda: unix.exists() or process.poll() is not None, name)
        if process.poll() is not None:
            sys.exit("error: redis-server did not start\n" + (home / "log").read_text())
        super().__init__(name, "resp", process,
                         {"tcp": "127.0.0.1:%d" % port, "unix": "unix:%s" % unix})


class Echo(Server):
    def __init__(self, name, program, request_bytes, response_bytes):
        process = subprocess.Popen(
            [program, "--request-bytes", str(request_bytes), "--response-bytes", str(response_bytes)],
            stdout=subprocess.PIPE, text=True, preexec_fn=pinned(SERVER_CORE))
        super().__init__(name, "echo", process, {"tcp": process.stdout.readline().strip()})


def free_port():
    """Of this moment; redis-server cannot choose one itself."""
    import socket
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]
