# SPDX-License-Identifier: Apache-2.0
"""The servers that tools/bench/compare and others measure: each started on one core, on loopback and in a
directory of its own, and ended by its process id."""

import json
import os
import re
import signal
import socket
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


def wait_until(condition, what, process, patience_seconds=PATIENCE_SECONDS):
    """Ends the process, and the program, if it takes too long."""
    end = time.monotonic() + patience_seconds
    while not condition():
        if time.monotonic() > end:
            process.kill()
            process.wait()
            sys.exit("error: waited %d s for %s" % (patience_seconds, what))
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

    def pause(self):
        """Nothing of it runs, its background work neither, until resume()."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.resume()
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
    def __init__(self, name, program, directory, config=None, core=SERVER_CORE, under=(),
                 patience_seconds=PATIENCE_SECONDS):
        """`config` is the configuration's "node" section; `under` a program, with arguments, that runs it."""
        data = Path(directory) / name
        data.mkdir(mode=0o700)
        file = Path(directory) / (name + ".jsonc")
        file.write_text(json.dumps({"log_level": "warn", "node": config or {}}))
        process = subprocess.Popen(
            [*under, program, "node", "-c", file, "--data", data, "--listen", "127.0.0.1:0",
             "--http", "127.0.0.1:0"], preexec_fn=pinned(core),
            env={key: value for key, value in os.environ.items() if not key.startswith("EDGED_")})
        ports_file = data / "ports.json"
        wait_until(lambda: ports_file.exists() or process.poll() is not None, name, process, patience_seconds)
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
    """Redis, or Valkey, which takes the same options."""

    def __init__(self, name, directory, *arguments, program="redis-server"):
        home, unix, port = home_of(name, directory)
        line = [program, "--bind", "127.0.0.1", "--port", port, "--unixsocket", unix, "--dir", home,
                "--daemonize", "no", "--save", "", "--maxclients", "11000",
                "--auto-aof-rewrite-percentage", "0", *arguments]
        super().__init__(name, "resp", start(name, line, home, unix), both(port, unix))


class Pogocache(Server):
    def __init__(self, name, directory, program):
        home, unix, port = home_of(name, directory)
        line = [program, "-h", "127.0.0.1", "-p", port, "-s", unix, "--threads", "1", "--maxconns", "11000"]
        super().__init__(name, "resp", start(name, line, home, unix), both(port, unix))


class Kvrocks(Server):
    def __init__(self, name, directory, program):
        home, unix, port = home_of(name, directory)
        config = home / "kvrocks.conf"
        config.write_text("bind 127.0.0.1\nport %s\nunixsocket %s\ndir %s\nworkers 1\ndaemonize no\n"
                          "maxclients 10000\n" % (port, unix, home))
        super().__init__(name, "resp", start(name, [program, "-c", config], home, unix), both(port, unix))


class Echo(Server):
    def __init__(self, name, directory, program):
        _, unix, _ = home_of(name, directory)
        process = subprocess.Popen([program, "--unix", unix], stdout=subprocess.PIPE, text=True,
                                   preexec_fn=pinned(SERVER_CORE))
        super().__init__(name, "echo", process,
                         {"tcp": process.stdout.readline().strip(), "unix": "unix:%s" % unix})


def home_of(name, directory):
    """A new directory, and in it a path for a socket; a port that is free at this moment, as text, for
    programs that cannot choose one themselves."""
    home = Path(directory) / name
    home.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return home, home / "socket", str(taken.getsockname()[1])


def both(port, unix):
    return {"tcp": "127.0.0.1:%s" % port, "unix": "unix:%s" % unix}


def start(name, line, home, unix):
    """The process, when it listens on the unix socket."""
    with open(home / "log", "wb") as log:
        process = subprocess.Popen(list(map(str, line)), stdout=log, stderr=log, preexec_fn=pinned(SERVER_CORE))

    def ready():
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(unix))
            return True
        except OSError:
            return process.poll() is not None

    wait_until(ready, name, process)
    if process.poll() is not None:
        sys.exit("error: %s did not start\n%s" % (name, (home / "log").read_text(errors="replace")))
    return process
