# SPDX-License-Identifier: Apache-2.0
"""`cmake --install` by component, and a project of somebody else that finds edged and uses the
embedded store and the C++ client. EDGED_BUILD is the build directory, EDGED_CXX its compiler."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

BUILD = Path(os.environ["EDGED_BUILD"])
SOURCE = Path(__file__).resolve().parent / "consumer"
PATIENCE_SECONDS = 300


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=PATIENCE_SECONDS, **more)
    if done.returncode != 0:
        raise AssertionError("%s\nended with %d:\n%s" % (" ".join(map(str, command)), done.returncode, done.stdout))
    return done.stdout


def install(prefix, component):
    run("cmake", "--install", BUILD, "--prefix", prefix, "--component", component)


def files_below(prefix):
    return {str(path.relative_to(prefix)) for path in prefix.rglob("*") if path.is_file()}


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Path(tempfile.mkdtemp(prefix="edged-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.prefix = cls.directory / "prefix"
        for component in ("edged", "kvctl", "dev"):
            install(cls.prefix, component)
        cls.build = cls.directory / "build"
        launcher = os.environ.get("EDGED_LAUNCHER", "")
        run("cmake", "-S", SOURCE, "-B", cls.build, "-G", "Ninja", "-DCMAKE_PREFIX_PATH=%s" % cls.prefix,
            "-DCMAKE_CXX_COMPILER=%s" % os.environ["EDGED_CXX"], "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
            *(["-DCMAKE_CXX_COMPILER_LAUNCHER=%s" % launcher] if launcher and "NOTFOUND" not in launcher else []))
        run("cmake", "--build", cls.build)

    def test_each_component_has_its_own_files(self):
        for component, needed, foreign in (("edged", "bin/edged", "bin/kvctl"), ("kvctl", "bin/kvctl", "bin/edged")):
            prefix = self.directory / ("only-" + component)
            install(prefix, component)
            files = files_below(prefix)
            self.assertIn(needed, files)
            self.assertNotIn(foreign, files)
            self.assertFalse([name for name in files if name.endswith((".h", ".a", ".cmake"))], files)

    def test_no_installed_text_names_the_source_or_build_directory(self):
        root = str(Path(__file__).resolve().parents[2])
        for name in files_below(self.prefix):
            if name.endswith((".h", ".cmake")):
                self.assertNotIn(root, (self.prefix / name).read_text(), name)

    def test_the_version_of_the_package_is_that_of_the_program(self):
        said = run(self.prefix / "bin/edged", "--version").split("\n")[0]
        file = next(self.prefix.rglob("edgedConfigVersion.cmake")).read_text()
        self.assertEqual(said, "edged " + re.search(r'PACKAGE_VERSION "([^"]+)"', file)[1])

    def test_another_minor_version_is_not_found(self):
        project = self.directory / "later"
        project.mkdir()
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(later NONE)\nfind_package(edged 99.0 REQUIRED)\n")
        with self.assertRaisesRegex(AssertionError, "99.0"):
            run("cmake", "-S", project, "-B", project / "build", "-DCMAKE_PREFIX_PATH=%s" % self.prefix)

    def test_the_embedded_store_works_in_the_other_project(self):
        self.assertEqual(run(self.build / "embedded", self.directory / "store"), "hello from the store\n")

    def test_the_client_works_in_the_other_project(self):
        data = self.directory / "data"
        with open(self.directory / "node.log", "w") as log:
            node = subprocess.Popen([self.prefix / "bin/edged", "node", "--data", data, "--listen", "127.0.0.1:0",
                                     "--http", "127.0.0.1:0", "--binding", "off"], stderr=log, cwd=self.directory)
        try:
            end = time.monotonic() + PATIENCE_SECONDS
            while not (data / "ports.json").exists():
                self.assertIsNone(node.poll(), (self.directory / "node.log").read_text())
                self.assertLess(time.monotonic(), end)
                time.sleep(0.05)
            address = json.loads((data / "ports.json").read_text())["listen"][0]
            self.assertEqual(run(self.build / "client", address), "hello from the node\n")
        finally:
            node.terminate()
            self.assertEqual(node.wait(60), 0)


if __name__ == "__main__":
    unittest.main()
