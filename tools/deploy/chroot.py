# SPDX-License-Identifier: Apache-2.0
"""A Debian of its own in a directory, for tools/soak package: made by debootstrap from the mirror this
machine uses, with /proc and a private /dev. Needs root. Other users of the machine see nothing of it."""

import os
import shutil
import subprocess
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Failed(Exception):
    """What went wrong, for the user."""


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **more)
    if done.returncode != 0:
        raise Failed("%s\nended with %d:\n%s" % (" ".join(map(str, command)), done.returncode, done.stdout[-4000:]))
    return done.stdout


def mirrors():
    """{suite: URI} of Debian's own archives, from apt's configuration of this machine."""
    found = {}
    for line in run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages").splitlines():
        uri, suite = line.split()
        found.setdefault(suite, uri)
    return found


class Chroot:
    def __init__(self, path, suite):
        self.path = Path(path)
        self.suite = suite
        self.mounted = []

    def make(self, base=None):
        """`base`: a directory that debootstrap has made before, copied instead."""
        known = mirrors()
        main = known.get(self.suite) or known.get("bookworm")
        if main is None:
            raise Failed("no mirror of Debian is configured on this machine")
        extra = ["--include=ca-certificates"] if main.startswith("https") else []
        if base:
            run("cp", "-a", base, self.path)
        else:
            run("debootstrap", "--variant=minbase", "--keyring=" + KEYRING, *extra, self.suite, self.path, main,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        lines = ["deb [signed-by=%s] %s %s main" % (KEYRING, main, self.suite)]
        lines += ["deb [signed-by=%s] %s %s main" % (KEYRING, uri, suite) for suite, uri in sorted(known.items())
                  if suite.startswith(self.suite + "-")]
        (self.path / "etc/apt/sources.list").write_text("\n".join(lines) + "\n")
        for name in ("etc/resolv.conf", "etc/hosts"):
            shutil.copyfile("/" + name, self.path / name)
        # No service is started in here.
        policy = self.path / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        self.mount("-t", "proc", "proc", "proc")
        self.mount("-t", "tmpfs", "tmpfs", "run")

    def mount(self, *arguments):
        target = self.path / arguments[-1]
        run("mount", *arguments[:-1], target)
        self.mounted.append(target)

    def close(self):
        while self.mounted:
            run("umount", "--lazy", self.mounted.pop())
        shutil.rmtree(self.path, ignore_errors=True)

    def run(self, *command, user=None, **more):
        """Runs a command inside, its output returned; Failed if it ends with anything but 0."""
        return run(*self.wrap(user), *command, env=self.environment(), **more)

    def wrap(self, user):
        return ["chroot", *(["--userspec=%s:%s" % (user, user)] if user else []), str(self.path)]

    @staticmethod
    def environment(extra=None):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8",
                **(extra or {})}

    def apt(self, *arguments):
        return self.run("apt-get", "-y", "-q", "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-confold",
                        *arguments)

    def files(self):
        """{path: (mode, owner, group)} of what a package may leave behind; what apt and dpkg note for
        themselves is left out."""
        ignored = ("proc", "run", "sys", "dev", "tmp", "var/cache", "var/log", "var/lib/apt", "var/lib/dpkg", "root")
        found = {}
        for folder, folders, names in os.walk(self.path):
            here = os.path.relpath(folder, self.path)
            folders[:] = [name for name in folders if os.path.normpath(os.path.join(here, name)) not in ignored]
            for name in folders + names:
                status = os.lstat(os.path.join(folder, name))
                found[os.path.normpath(os.path.join(here, name))] = (oct(status.st_mode), status.st_uid, status.st_gid)
        return found
