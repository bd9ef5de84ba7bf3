# SPDX-License-Identifier: Apache-2.0
"""Compares the system calls that a unit's program makes with those that the unit allows.

There is no systemd in a chroot, so nothing enforces SystemCallFilter= there: strace notes the calls."""

import re
import subprocess
import time
from functools import lru_cache
from pathlib import Path

PATIENCE_SECONDS = 60


@lru_cache(maxsize=None)
def calls_of(group):
    """The names in a group such as "@system-service", from systemd's own table."""
    done = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", group],
                          capture_output=True, text=True, timeout=60, check=True)
    names = set()
    for line in done.stdout.splitlines()[1:]:
        name = line.strip()
        if name and not name.startswith("#"):
            names |= calls_of(name) if name.startswith("@") else {name}
    return frozenset(names)


def allowed_calls(unit_text):
    """The names that the SystemCallFilter= lines of a unit leave allowed; the first line must be a list
    of allowed ones, as in our units."""
    allowed = set(calls_of("@default"))
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit_text, re.M):
        refused = value.startswith("~")
        for name in value.lstrip("~").split():
            names = calls_of(name) if name.startswith("@") else {name}
            allowed = allowed - names if refused else allowed | names
    return allowed


def trace(command, log):
    """COMMAND under strace, which notes every call of it and its children in LOG. The process that is
    started stays the command itself, so that signals reach it."""
    return ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", str(log), *command]


def calls_after_exec(text, program):
    """The names of the calls in strace's log that came after PROGRAM was started. A process that the
    program starts is the program again."""
    started, names = False, set()
    for line in text.splitlines():
        found = re.match(r"\d+\s+(?:<\.\.\. )?(\w+)[( ]", line)
        if found is None:
            continue  # "+++ exited with 0 +++"
        if not started:
            started = found[1] == "execve" and '"%s"' % program in line and line.endswith("= 0")
        else:
            names.add(found[1])
    return names


def wait_until_complete(log):
    """strace writes on after the program has ended: waits until the log stands still."""
    end = time.monotonic() + PATIENCE_SECONDS
    size = -1
    while time.monotonic() < end:
        now = Path(log).stat().st_size
        if now == size and now > 0:
            break
        size = now
        time.sleep(1)
    return Path(log).read_text(errors="replace")
