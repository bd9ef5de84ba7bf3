# SPDX-License-Identifier: Apache-2.0
"""The configurations in tools/deploy are valid, as they stand and with their examples switched on."""

import re
import unittest
from pathlib import Path

from programs_case import ProgramsCase

DEPLOY = Path(__file__).resolve().parents[2] / "tools/deploy"


class DeployFilesTest(ProgramsCase):
    def check(self, text, *programs, env=None):
        path = self.directory / "edged.jsonc"
        path.write_text(text)
        path.chmod(0o600)
        wanted = [part for program in programs for part in ("--for", program)]
        result = self.edged("check-config", "-c", path, *wanted, env=env)
        self.assertEqual(result.returncode, 0, result.stderr.decode() + result.stdout.decode())

    def test_the_installed_example_suffices_for_the_node(self):
        self.check((DEPLOY / "edged.jsonc").read_text(), "node")

    def test_with_its_examples_switched_on_it_suffices_for_everything(self):
        text, count = re.subn(r'(?m)^(\s*)// (?=\s*["}])', r"\1", (DEPLOY / "edged.jsonc").read_text())
        self.assertGreater(count, 8)
        credentials = self.directory / "credentials"
        credentials.mkdir()
        for name in ("edged_upstream-token", "edged_smtp-password"):
            (credentials / name).write_text("secret\n")
            (credentials / name).chmod(0o600)
        self.check(text, "serve", env={"CREDENTIALS_DIRECTORY": str(credentials)})

    def test_the_configuration_of_compose_suffices_for_everything(self):
        env = {"DATABASE_URL": "postgres://edged:secret@postgres/edged"}
        self.check((DEPLOY / "compose.jsonc").read_text(), "serve", "migrate", env=env)

    def test_the_dockerfile_and_compose_name_files_that_are_there(self):
        compose = (DEPLOY / "compose.yaml").read_text()
        for name in re.findall(r"(?<![\w.])\./([\w.]+)|tools/deploy/(\w+)", compose):
            self.assertTrue((DEPLOY / (name[0] or name[1])).is_file(), name)
        docker = (DEPLOY / "Dockerfile").read_text()
        self.assertLess(docker.index("USER _edged"), docker.index("ENTRYPOINT"))
        self.assertNotIn(":latest", docker + compose)


if __name__ == "__main__":
    unittest.main()
