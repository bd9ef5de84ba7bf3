# SPDX-License-Identifier: Apache-2.0
"""tools/soak package: the Debian package in a minimal Debian of its own, from installation to purge.

usage: package_soak.py [--suite NAME] [--base DIR] [--keep] FIRST.deb SECOND.deb
SECOND is the same with a higher version. Each step prints a line; exit code 1: the package is broken."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from chroot import Chroot, Failed
from unit_runner import Unit

UNITS = ("edged-node.service", "edged.service")
CONFIG = "etc/edged/edged.jsonc"
# No database answers: the worker starts without it and waits.
SITE = {
    "node": {"data_dir": "/var/lib/edged", "listen": "127.0.0.1:0", "http": "127.0.0.1:0", "binding": "off"},
    "postgres": {"url": "postgres://127.0.0.1:1/none"},
    "worker": {"state_dir": "/var/lib/edged/worker", "http": "127.0.0.1:0", "roles": ["mail", "queue"]},
}
# What package management itself changes.
ADMINISTRATION = ("etc/ld.so.cache", "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-",
                  "var/lib/systemd", "usr/sbin/policy-rc.d", "etc/.pwd.lock")


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Soak:
    def __init__(self, chroot, first, second):
        self.chroot, self.first, self.second = chroot, first, second
        self.began = time.monotonic()

    def say(self, text):
        print("%5.0f s  %s" % (time.monotonic() - self.began, text), flush=True)

    def kvctl(self, *arguments):
        return self.chroot.run("kvctl", *arguments).strip()

    def installed_version(self):
        return self.chroot.run("dpkg-query", "-W", "-f", "${Version}", "edged")

    def check_installed(self):
        version = self.installed_version()
        said = self.chroot.run("edged", "--version").splitlines()
        expect(said[0] == "edged " + version.rsplit("-", 1)[0], "--version says %s, dpkg %s" % (said, version))
        expect("engine rocksdb 9." in "\n".join(said), "not the shipped engine: %s" % said)
        files = self.chroot.files()
        owner = int(self.chroot.run("id", "-u", "_edged"))
        group = int(self.chroot.run("id", "-g", "_edged"))
        for path, wanted in (("var/lib/edged", ("0o40700", owner, group)), ("etc/edged", ("0o40750", 0, group)),
                             (CONFIG, ("0o100640", 0, group)), ("etc/edged/credentials", ("0o40700", 0, 0))):
            expect(files.get(path) == wanted, "%s is %s, not %s" % (path, files.get(path), wanted))
        for path in ("usr/bin/edged", "usr/bin/kvctl", "usr/share/man/man1/edged.1.gz", "usr/share/man/man1/kvctl.1.gz",
                     "usr/share/bash-completion/completions/edged", "usr/share/zsh/vendor-completions/_kvctl",
                     *("usr/lib/systemd/system/" + unit for unit in UNITS)):
            # A minimal Debian of the kind containers use leaves man pages out.
            expect(path in files or "/man/" in path, path + " is missing")
        self.chroot.run("edged", "check-config", "-c", "/" + CONFIG, "--for", "node")
        return version

    def write_site(self):
        path = self.chroot.path / CONFIG
        path.write_text(json.dumps(SITE))  # mode and owner stay

    def run_unit(self, name, key, traced=False):
        program = "serve" if name == "edged.service" else "node"
        with Unit(self.chroot, name, traced) as unit:
            unit.wait_for("READY=1")
            self.chroot.run("edged", "health", "-c", "/" + CONFIG)
            self.kvctl("put", key, "value of " + key)
            unit.wait_for("WATCHDOG=1", 4)
            unit.reload()
            expect(self.kvctl("get", key) == "value of " + key, "the entry is gone after a reload")
            unit.stop()
        self.say("%s: ready, healthy, reloaded, stopped (edged %s)" % (name, program))
        if traced:
            self.say("%s: made %d different system calls, all of them allowed" % (name, unit.check_calls()))

    def run(self):
        self.chroot.apt("update")
        before = self.chroot.files()
        users = self.users()
        self.chroot.apt("install", "--no-install-recommends", self.first)
        first = self.check_installed()
        self.say("installed %s" % first)
        self.write_site()
        for unit in UNITS:
            self.run_unit(unit, unit)
            self.run_unit(unit, "traced " + unit, traced=True)
        self.chroot.apt("install", "--no-install-recommends", self.second)
        second = self.check_installed()
        expect(second != first, "the second package has the version of the first")
        expect(json.loads((self.chroot.path / CONFIG).read_text()) == SITE, "the upgrade changed the configuration")
        for unit in UNITS:
            self.run_unit(unit, "second " + unit)
        with Unit(self.chroot, UNITS[0]) as unit:
            unit.wait_for("READY=1")
            for key in (*UNITS, *("second " + name for name in UNITS)):
                expect(self.kvctl("get", key) == "value of " + key, key + " is gone")
            unit.stop()
        self.say("upgraded to %s: configuration and data stand" % second)
        self.chroot.apt("remove", "edged")
        left = self.chroot.files()
        expect("usr/bin/edged" not in left and CONFIG in left and "var/lib/edged/db" in left,
               "removal took data or configuration, or left the program")
        self.say("removed: data and configuration are kept")
        self.chroot.apt("install", "--no-install-recommends", self.second)
        with Unit(self.chroot, UNITS[0]) as unit:
            unit.wait_for("READY=1")
            expect(self.kvctl("get", UNITS[0]) == "value of " + UNITS[0], "the data of before are gone")
            unit.stop()
        self.say("installed again on the data of before")
        self.chroot.apt("purge", "--autoremove", "edged")
        self.check_clean(before, users)
        self.say("purged: nothing is left behind")

    def users(self):
        return [(self.chroot.path / name).read_text().splitlines() for name in ("etc/passwd", "etc/group")]

    def check_clean(self, before, users):
        after = self.chroot.files()
        left = sorted(path for path in set(after) - set(before) if not path.startswith(ADMINISTRATION))
        gone = sorted(path for path in set(before) - set(after) if not path.startswith(ADMINISTRATION))
        expect(not left, "left behind: " + ", ".join(left))
        expect(not gone, "gone that was there before: " + ", ".join(gone))
        changed = sorted(path for path in before if path in after and before[path] != after[path]
                         and not path.startswith(ADMINISTRATION))
        expect(not changed, "changed: " + ", ".join(changed))
        expect(self.users() == users, "users or groups differ: %s" % self.users())


def main():
    arguments = argparse.ArgumentParser(description="The Debian package in a minimal Debian of its own")
    arguments.add_argument("--suite", default="bookworm")
    arguments.add_argument("--base", help="a directory that debootstrap has made before: copy it")
    arguments.add_argument("--keep", action="store_true", help="leave the directory there")
    arguments.add_argument("packages", nargs=2)
    chosen = arguments.parse_args()
    if os.geteuid() != 0:
        print("error: tools/soak package needs root, for chroot and mount", file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="edged-chroot-"))
    directory.chmod(0o755)
    chroot = Chroot(directory / "debian", chosen.suite)
    try:
        print("debootstrap %s …" % chosen.suite, flush=True)
        chroot.make(chosen.base)
        inside = []
        for number, package in enumerate(chosen.packages):
            shutil.copyfile(package, chroot.path / "run" / ("%d.deb" % number))
            inside.append("/run/%d.deb" % number)
        Soak(chroot, *inside).run()
    except Failed as failed:
        print("BROKEN: %s" % failed, file=sys.stderr)
        return 1
    finally:
        if not chosen.keep:
            chroot.close()
            shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
