# SPDX-License-Identifier: Apache-2.0
"""Runs a unit's ExecStart in a chroot as its user, with a socket in the place of systemd's. With
`traced`, strace notes the system calls, to compare them with the unit's filter."""

import re
import resource
import signal
import socket
import subprocess
import time

from chroot import Failed
from system_calls import allowed_calls, calls_after_exec, trace, wait_until_complete

PATIENCE_SECONDS = 120


class Unit:
    """`name` is a unit that the package has installed in `chroot`."""

    def __init__(self, chroot, name, traced=False):
        self.chroot, self.name, self.traced = chroot, name, traced
        self.text = text = (chroot.path / "usr/lib/systemd/system" / name).read_text()
        self.settings = dict(re.findall(r"^(\w+)=(.+)$", text, re.M))
        self.socket_path = "/run/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.said = []

    def __enter__(self):
        path = self.chroot.path / self.socket_path.lstrip("/")
        path.unlink(missing_ok=True)
        self.socket.bind(str(path))
        path.chmod(0o666)
        user = self.settings["User"]
        extra = {"NOTIFY_SOCKET": self.socket_path, "WATCHDOG_USEC": "1500000"}
        # A chroot has no --chdir of its own: the shell goes to the unit's directory and becomes the program.
        script = "cd %s && umask %s && exec %s" % (
            self.settings["WorkingDirectory"], self.settings["UMask"], self.settings["ExecStart"])
        self.log = open(self.chroot.path / ("tmp/%s.log" % self.name), "w+")
        command = [*self.chroot.wrap(user), "/bin/sh", "-c", script]
        self.calls_log = self.chroot.path / ("tmp/%s.calls" % self.name)
        if self.traced:
            command = trace(command, self.calls_log)
        self.process = subprocess.Popen(command, stderr=self.log, env=self.chroot.environment(extra),
                                        preexec_fn=self.set_limits)
        return self

    def set_limits(self):
        """In the child, while it is root. A container may not raise its limit: then that stands."""
        wanted = int(self.settings["LimitNOFILE"])
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        except (OSError, ValueError):
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.socket.close()
        self.log.close()

    def wait_for(self, line, count=1):
        end = time.monotonic() + PATIENCE_SECONDS
        while self.said.count(line) < count:
            if self.process.poll() is not None or time.monotonic() > end:
                self.log.seek(0)
                raise Failed("%s did not say %s, but %s\n%s" % (self.name, line, self.said, self.log.read()[-3000:]))
            self.socket.settimeout(0.2)
            try:
                self.said += self.socket.recv(4096).decode().splitlines()
            except TimeoutError:
                pass

    def reload(self):
        before = self.said.count("READY=1")
        self.process.send_signal(signal.SIGHUP)
        self.wait_for("RELOADING=1")
        self.wait_for("READY=1", before + 1)

    def check_calls(self):
        """After stop(), of a traced unit: Failed if the unit's SystemCallFilter would have refused a call.
        Returns how many different calls the program made."""
        program = self.settings["ExecStart"].split()[0]
        made = calls_after_exec(wait_until_complete(self.calls_log), program)
        if "openat" not in made:
            raise Failed("strace has noted no calls of %s" % program)
        refused = sorted(made - allowed_calls(self.text))
        if refused:
            raise Failed("%s would be refused these system calls: %s" % (self.name, ", ".join(refused)))
        return len(made)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_SECONDS)
        self.socket.settimeout(1)
        try:
            while "STOPPING=1" not in self.said:
                self.said += self.socket.recv(4096).decode().splitlines()
        except TimeoutError as late:
            raise Failed("%s did not say STOPPING=1" % self.name) from late
        if code != 0:
            raise Failed("%s ended with %d" % (self.name, code))
