# SPDX-License-Identifier: Apache-2.0
"""The worker and PostgreSQL under TLS: certificate and name are verified where the URL asks for it."""

import json
import os
import shutil
import subprocess
import unittest

from replay_case import DATABASE, MIRROR, ReplayCase


class PostgresTlsTest(ReplayCase):
    SETTINGS = ("wal_level=logical",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = cls.make_certificate("server")
        cls.stranger = cls.make_certificate("stranger")
        for name in ("server.crt", "server.key"):
            shutil.copy(cls.directory / name, cls.cluster.data / name)
            (cls.cluster.data / name).chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(cls.cluster.data / name, "postgres", "postgres")
        cls.cluster.sql("postgres", "alter system set ssl = on")
        cls.cluster.sql("postgres", "select pg_reload_conf()")

    @classmethod
    def make_certificate(cls, name):
        """Of localhost, its own authority."""
        certificate = cls.directory / (name + ".crt")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out",
                        certificate, "-keyout", cls.directory / (name + ".key")], check=True, capture_output=True)
        return certificate

    def url(self, host, authority):
        return self.cluster.url(DATABASE).replace("127.0.0.1", host) + \
            "?sslmode=verify-full&sslrootcert=%s" % authority

    def cron_run(self, url):
        if not hasattr(self, "deployment"):
            self.deploy(kv_namespaces=[])
        self.deployment.write_config(kv_namespaces=[], postgres={"url": url})
        return subprocess.run([self.deployment.programs / "edged", "cron", "run", "class-monitor", "--json", "-c",
                               self.deployment.config], capture_output=True, text=True, timeout=180)

    def test_a_server_whose_certificate_is_right_is_spoken_to(self):
        done = self.cron_run(self.url("localhost", self.authority))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["failed"], 0)

    def test_another_authority_or_name_is_refused(self):
        for host, authority in (("localhost", self.stranger), ("127.0.0.1", self.authority)):
            with self.subTest(host=host):
                done = self.cron_run(self.url(host, authority))
                self.assertEqual(done.returncode, 4, done.stderr)
                self.assertIn("certificate", done.stderr)
                self.assertNotIn(self.cluster.password, done.stderr)

    def test_the_mirror_follows_under_it(self):
        self.deploy(postgres={"url": self.url("localhost", self.authority)}, mirror={**MIRROR, "mode": "logical"})
        serve = self.serve()
        self.deployment.wait_for("the mirror", lambda: "[mirror] following" in serve.log.read_text(), serve)
        self.settle()
        plain = self.cluster.sql(DATABASE, "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) "
                                 "where not ssl and application_name like 'edged%'")
        self.assertEqual(plain, [["0"]])
        secure = self.cluster.sql(DATABASE, "select count(*) from pg_stat_ssl join pg_stat_activity using (pid) "
                                  "where ssl and backend_type = 'walsender'")
        self.assertEqual(secure, [["1"]])


if __name__ == "__main__":
    unittest.main()
