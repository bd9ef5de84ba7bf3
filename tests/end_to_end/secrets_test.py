# SPDX-License-Identifier: Apache-2.0
"""Secrets in files of their own: replaced while a worker runs, refused where everybody can read them, and which
key a refusal names."""

import json
import os
import subprocess
import unittest
import urllib.error
import urllib.request

from replay_case import PROGRAMS, ReplayCase

JOB = "class-monitor"


class SecretsTest(ReplayCase):
    def secret(self, name, text, mode=0o600):
        """A file with a secret, replaced as a whole."""
        path = self.deployment.directory / name
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        fresh.chmod(mode)
        os.replace(fresh, path)
        return path

    def write(self, *removed, **keys):
        """The usual configuration with `keys` ("upstream.token_file") set and others removed."""
        self.deployment.write_config()
        config = json.loads(self.deployment.config.read_text())
        for place in removed:
            section, key = place.split(".")
            config[section].pop(key, None)
        for place, value in keys.items():
            section, key = place.split("__")
            config[section][key] = str(value)
        self.deployment.config.write_text(json.dumps(config))

    def post(self, secret):
        request = urllib.request.Request("http://%s/cron/%s?wait=1" % (self.deployment.worker_address(), JOB), b"",
                                         {"Authorization": "Bearer " + secret}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def worker(self):
        process = self.deployment.start("worker")
        self.deployment.wait_for_worker(process)
        self.deployment.wait_for("its readiness", lambda: self.deployment.get(
            self.deployment.worker_address(), "/readyz") == 200, process)
        return process

    def edged(self, *arguments):
        return subprocess.run([PROGRAMS / "edged", *arguments, "-c", self.deployment.config], capture_output=True,
                              text=True, timeout=120)

    def log(self):
        return (self.deployment.directory / "worker.log").read_text()

    def test_both_are_replaced_while_the_worker_runs(self):
        self.deploy()
        cron = self.secret("cron", "first\n")
        upstream = self.secret("upstream", "  %s \r\nanother line\n" % self.upstream.token)
        self.write("worker.cron_secret", "upstream.token", worker__cron_secret_file=cron, upstream__token_file=upstream)
        worker = self.worker()
        status, summary = self.post("first")
        self.assertEqual((status, summary["failed"]), (200, 0))
        self.secret("cron", "second")
        self.assertEqual(self.post("first")[0], 401)
        self.assertEqual(self.post("second")[0], 200)
        self.upstream.token = "rotated"
        status, body = self.post("second")
        self.assertEqual(status, 500)
        self.assertIn("upstream.token", body["error"])
        self.secret("upstream", "rotated\n")
        status, summary = self.post("second")
        self.assertEqual((status, summary["failed"]), (200, 0))
        # Written in place, as an editor does it.
        cron.write_text("third\n")
        self.assertEqual(self.post("second")[0], 401)
        self.assertEqual(self.post("third")[0], 200)
        # What becomes unusable changes nothing, and is told.
        cron.chmod(0o644)
        self.assertEqual(self.post("third")[0], 200)
        self.assertIn("worker.cron_secret_file: could not use the secret", self.log())
        self.assertIn("chmod o-rwx", self.log())
        cron.unlink()
        self.assertEqual(self.post("third")[0], 200)
        self.secret("cron", "fourth")
        self.assertEqual(self.post("third")[0], 401)
        self.assertEqual(self.post("fourth")[0], 200)
        for secret in ("first", "second", "third", "fourth", "rotated"):
            self.assertNotIn(secret + "\n", self.log())
        self.assertEqual(worker.stop(), 0)

    def test_an_unusable_file_is_a_mistake_of_the_configuration(self):
        self.deploy()
        for place, key in (("worker", "cron_secret"), ("upstream", "token")):
            file = place + "__" + key + "_file"
            named = place + "." + key + "_file: "
            cases = (("absent", "No such file", lambda: self.deployment.directory / "absent"),
                     ("open", "everybody can read it", lambda: self.secret("s", "x\n", 0o604)),
                     ("empty", "empty", lambda: self.secret("s", "")),
                     ("blank", "its first line is empty", lambda: self.secret("s", " \t\r\nx\n")),
                     ("control", "a control character", lambda: self.secret("s", "a\x01b\n")),
                     ("directory", "not a regular file", lambda: self.deployment.directory))
            for name, said, make in cases:
                with self.subTest(key=key, case=name):
                    self.write(place + "." + key, **{file: make()})
                    for command in (("check-config",), ("worker",)):
                        told = self.edged(*command)
                        self.assertEqual(told.returncode, 2, told.stderr)
                        self.assertIn(named, told.stderr)
                        self.assertIn(said, told.stderr)
            self.write(**{file: self.secret("s", "x\n")})
            told = self.edged("check-config")
            self.assertEqual(told.returncode, 2)
            self.assertIn("exclude each other", told.stderr)

    def test_a_run_by_hand_uses_the_file(self):
        self.deploy()
        self.write("upstream.token", upstream__token_file=self.secret("upstream", self.upstream.token))
        told = self.edged("cron", "run", JOB, "--json")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(json.loads(told.stdout)["failed"], 0)

    def test_refusals_name_the_key(self):
        self.deploy()
        node = self.deployment.start("node")
        self.deployment.wait_for_node(node)
        self.deployment.create_namespace()
        self.deployment.kvctl("token", "create", "admin", "--scope", "admin")
        # Over TCP: a unix socket's peer with the node's own uid needs no token.
        self.write(worker__node=json.loads((self.deployment.node_dir / "ports.json").read_text())["listen"][0])
        worker = self.worker()
        self.deployment.wait_for("the hint", lambda: "wants a token: set worker.token_file" in self.log(), worker)
        status, body = self.post("wrong")
        self.assertEqual(status, 401)
        self.assertIn("worker.cron_secret", body["error"])
        worker.stop()
        self.write("upstream.token")
        told = self.edged("cron", "run", JOB)
        self.assertNotEqual(told.returncode, 0)
        self.assertIn("Set its token in upstream.token or upstream.token_file", told.stderr)


if __name__ == "__main__":
    unittest.main()
