# SPDX-License-Identifier: Apache-2.0
"""The units of tools/deploy: systemd takes them, the program is closed in, and both say the same where
they should. Without systemd-analyze only the last is tried."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/deploy"))
from system_calls import allowed_calls, calls_after_exec  # noqa: E402

UNITS = ("edged.service", "edged-node.service")
EXPOSURE_MAX = 2.0
needs_systemd = unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")


def settings(unit):
    """[(key, value)] of the section [Service]."""
    text = (ROOT / "tools/deploy" / unit).read_text()
    section = text.split("[Service]")[1].split("\n[")[0]
    return re.findall(r"^(\w+)=(.*)$", section, re.M)


class DeployUnitsTest(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="edged-units-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def stand_in(self, unit, change=lambda text: text):
        """The unit with a program that is there: /usr/bin/edged need not be installed."""
        path = self.directory / unit
        text = (ROOT / "tools/deploy" / unit).read_text()
        self.assertIn("ExecStart=/usr/bin/edged ", text)
        path.write_text(change(text.replace("ExecStart=/usr/bin/edged ", "ExecStart=/bin/true ")))
        return path

    def exposure(self, path):
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", path],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return float(re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)[1])

    @needs_systemd
    def test_systemd_takes_the_units(self):
        for unit in UNITS:
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", self.stand_in(unit)],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    @needs_systemd
    def test_a_wrong_key_would_be_noticed(self):
        path = self.stand_in(UNITS[0], lambda text: text.replace("Type=notify", "Type=notify\nWatchdogSex=1"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60)
        self.assertIn("WatchdogSex", done.stderr)

    @needs_systemd
    def test_the_exposure_is_small(self):
        for unit in UNITS:
            self.assertLessEqual(self.exposure(self.stand_in(unit)), EXPOSURE_MAX, unit)
        opened = self.stand_in(UNITS[0], lambda text: re.sub(r"(?m)^SystemCallFilter=.*\n", "", text))
        self.assertGreater(self.exposure(opened), EXPOSURE_MAX)

    @needs_systemd
    def test_the_filter_leaves_what_a_service_needs(self):
        for unit in UNITS:
            allowed = allowed_calls((ROOT / "tools/deploy" / unit).read_text())
            self.assertLessEqual({"openat", "fallocate", "sync_file_range", "clone3", "clock_adjtime", "setpriority"}, allowed)
            self.assertFalse({"mount", "reboot", "ptrace", "chown", "setuid", "clock_settime", "mlock", "keyctl"} & allowed)

    def test_calls_count_from_the_start_of_the_program(self):
        log = """7 execve("/usr/sbin/chroot", ["chroot"], 0x7 /* 3 vars */) = 0
7 setgroups(1, [997]) = 0
7 execve("/usr/bin/edged", ["/usr/bin/edged", "node"], 0x7 /* 3 vars */) = -1 ENOENT (No such file)
7 chdir("/") = 0
7 execve("/usr/bin/edged", ["/usr/bin/edged", "node"], 0x7 /* 3 vars */) = 0
7 openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC <unfinished ...>
8 <... futex resumed>) = 0
8 exit_group(0) = ?
7 +++ exited with 0 +++
"""
        self.assertEqual(calls_after_exec(log, "/usr/bin/edged"), {"openat", "futex", "exit_group"})
        self.assertEqual(calls_after_exec("", "/usr/bin/edged"), set())

    def test_both_units_are_closed_in_alike(self):
        first, second = ([one for one in settings(unit) if one[0] != "ExecStart"] for unit in UNITS)
        self.assertEqual(first, second)

    def test_the_units_speak_to_the_service_manager_and_have_limits(self):
        for unit in UNITS:
            found = dict(settings(unit))
            self.assertEqual((found["Type"], found["NotifyAccess"], found["User"]), ("notify", "main", "_edged"))
            for key in ("WatchdogSec", "LimitNOFILE", "MemoryMax", "TasksMax", "LoadCredential"):
                self.assertTrue(found.get(key), key)

    def test_the_two_exclude_each_other(self):
        for unit, other in (UNITS, UNITS[::-1]):
            self.assertIn("Conflicts=%s\n" % other, (ROOT / "tools/deploy" / unit).read_text())


if __name__ == "__main__":
    unittest.main()
