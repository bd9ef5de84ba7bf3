# SPDX-License-Identifier: Apache-2.0
"""The Debian package without installing it: its scripts always; its fields, files and programs if
tools/package has built it. tools/soak package installs it in a Debian of its own."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "tools/deploy/debian"
BUILT = sorted((ROOT / "build/package").glob("edged_*.deb"))
# Packages that every Debian 12 has; RocksDB, Boost, spdlog and fmt are in the programs.
DEPENDS = {"adduser", "tzdata", "libc6", "libgcc-s1", "libstdc++6", "libssl3", "libpq5", "libcurl4", "libcctz2",
           "libidn2-0", "libunistring2", "libsnappy1v5", "liblz4-1", "libzstd1", "zlib1g"}
FILES = {"/usr/bin/edged", "/usr/bin/kvctl", "/usr/share/man/man1/edged.1.gz", "/usr/share/man/man1/kvctl.1.gz",
         "/usr/share/bash-completion/completions/edged", "/usr/share/bash-completion/completions/kvctl",
         "/usr/share/zsh/vendor-completions/_edged", "/usr/share/zsh/vendor-completions/_kvctl",
         "/usr/lib/systemd/system/edged.service", "/usr/lib/systemd/system/edged-node.service",
         "/etc/edged/edged.jsonc", "/usr/share/doc/edged/copyright"}


def output(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError("%s: %s" % (command, done.stderr))
    return done.stdout


class ScriptsTest(unittest.TestCase):
    def test_sh_takes_the_maintainer_scripts(self):
        for name in ("postinst", "prerm", "postrm"):
            path = DEBIAN / name
            self.assertTrue(path.read_text().startswith("#!/bin/sh\n"))
            self.assertIn("\nset -e\n", path.read_text())
            output("sh", "-n", path)
            self.assertTrue(path.stat().st_mode & 0o100, name)

    def test_the_unknown_actions_of_dpkg_do_nothing(self):
        for name, action in (("postinst", "abort-upgrade"), ("prerm", "upgrade"), ("postrm", "upgrade")):
            done = subprocess.run(["/bin/sh", DEBIAN / name, action, "0.0.1-1"], env={"PATH": "/nowhere"}, capture_output=True)
            if Path("/run/systemd/system").is_dir() and name == "postrm":
                continue  # it would tell the systemd of this machine
            self.assertEqual((done.returncode, done.stderr), (0, b""), name)

    def test_the_conffiles_are_those_of_the_component(self):
        listed = (DEBIAN / "conffiles").read_text().split()
        cmake = (ROOT / "tools/cmake/EdgedPackage.cmake").read_text()
        self.assertEqual(listed, ["/etc/edged/edged.jsonc"])
        self.assertIn("edged.jsonc DESTINATION /etc/edged ", cmake)


@unittest.skipUnless(BUILT, "tools/package has built no package in build/package")
class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.package = BUILT[-1]
        cls.directory = Path(tempfile.mkdtemp(prefix="edged-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        output("dpkg-deb", "-x", cls.package, cls.directory)
        output("dpkg-deb", "-e", cls.package, cls.directory / "control")

    def field(self, name):
        return output("dpkg-deb", "-f", self.package, name).strip()

    def test_the_fields(self):
        self.assertEqual(self.field("Package"), "edged")
        version = re.search(r"^project\(edged VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M)[1]
        self.assertRegex(self.field("Version"), r"^%s-\d+$" % re.escape(version))
        names = {re.match(r"[\w.+-]+", one.strip())[0] for one in self.field("Depends").split(",")}
        self.assertLessEqual(names, DEPENDS)
        self.assertIn("libc6 (>= ", self.field("Depends"))

    def test_the_files_and_their_owners(self):
        listed = [line.split(None, 5) for line in output("dpkg-deb", "-c", self.package).splitlines()]
        files = {line[5].lstrip(".") for line in listed if not line[0].startswith("d")}
        self.assertEqual(files, FILES)
        self.assertEqual({line[1] for line in listed}, {"root/root"})
        for line in listed:
            self.assertNotRegex(line[0], "^-.{4}w|^-.{7}w|s", line)  # nobody else writes, nothing is setuid
        conffiles = (self.directory / "control/conffiles").read_text().split()
        self.assertEqual(conffiles, ["/etc/edged/edged.jsonc"])

    def test_the_programs_run_and_carry_their_engine(self):
        said = output(self.directory / "usr/bin/edged", "--version").splitlines()
        self.assertRegex(said[2], r"^engine rocksdb 9\.\d+\.\d+$")
        self.assertTrue(output(self.directory / "usr/bin/kvctl", "--version").startswith("kvctl "))
        output(self.directory / "usr/bin/edged", "check-config", "-c", self.directory / "etc/edged/edged.jsonc", "--for", "node")

    def test_the_programs_are_hardened_and_stripped(self):
        for name in ("edged", "kvctl"):
            program = self.directory / "usr/bin" / name
            text = output("readelf", "-W", "-h", "-l", "-d", "-n", "-S", program)
            self.assertRegex(text, r"Type:\s+DYN \(Position-Independent")
            self.assertIn("GNU_RELRO", text)
            self.assertRegex(text, r"FLAGS_1.*NOW.*PIE")
            self.assertRegex(text, r"GNU_STACK.* RW ")
            self.assertRegex(text, r"Build ID: [0-9a-f]{16}")
            self.assertNotRegex(text, r"RPATH|RUNPATH|\.debug_info")
            self.assertIn(".gnu_debuglink", text)
            symbols = output("readelf", "-W", "--dyn-syms", program)
            self.assertIn("__stack_chk_fail", symbols)
            self.assertRegex(symbols, r"__(memcpy|snprintf|vsnprintf|fprintf|read|printf)_chk")
            for library in ("boost", "rocksdb", "spdlog", "fmt"):
                self.assertNotIn(library, "".join(re.findall(r"NEEDED.*", text)))

    def test_the_debug_information_fits_the_programs(self):
        found = sorted(self.package.parent.glob("edged-dbgsym_*.*deb"))
        self.assertEqual(len(found), 1)
        output("dpkg-deb", "-x", found[0], self.directory / "debug")
        for name in ("edged", "kvctl"):
            note = output("readelf", "-n", self.directory / "usr/bin" / name)
            build = re.search(r"Build ID: ([0-9a-f]+)", note)[1]
            debug = self.directory / "debug/usr/lib/debug/.build-id" / build[:2] / (build[2:] + ".debug")
            self.assertTrue(debug.is_file(), debug)

    def test_no_path_of_the_machine_that_built_it_is_inside(self):
        for name in ("edged", "kvctl"):
            self.assertNotIn(str(ROOT).encode() + b"/", (self.directory / "usr/bin" / name).read_bytes())


if __name__ == "__main__":
    unittest.main()
