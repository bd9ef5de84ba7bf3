# SPDX-License-Identifier: Apache-2.0
"""What the documents list is what the programs have: flags, environment variables, metrics."""

import json
import re
import subprocess
import unittest
import urllib.request

from programs_case import environment
from replay_case import MIRROR, MIRROR_SETTINGS, PROGRAMS, ROOT, ReplayCase

DOCS = ROOT / "docs"
SOURCES = ("kvstore", "worker", "proto", "tools/edged")
METRIC = re.compile(r"`((?:edged|process)_[a-z0-9_]+)")
# Shown only with a certificate.
SELDOM = {"edged_tls_certificate_not_after_seconds"}


def help_of(*command):
    return subprocess.run([PROGRAMS / "edged", *command, "--help"], capture_output=True, text=True,
                          env=environment(), check=True).stdout


def commands(text):
    """The subcommands that a help lists."""
    listed = re.search(r"(?m)^Subcommands:\n((?: .*\n)+)", text)
    return re.findall(r"(?m)^  ([a-z][a-z-]*)", listed[1]) if listed else []


def documented_metrics():
    text = (DOCS / "operations.md").read_text()
    part = text[text.index("\n## Metrics\n"):]
    part = part[:part.index("\nAlert rules")]
    rows = [line.split(" | ")[0] for line in part.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in METRIC.findall(row)}


class FlagsTest(unittest.TestCase):
    def test_every_flag_of_every_command_is_documented(self):
        text = "\n".join(path.read_text() for path in DOCS.glob("*.md"))
        known = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
        ways = [(command,) for command in commands(help_of())]
        self.assertGreater(len(ways), 9)
        ways += [(*way, command) for way in ways for command in commands(help_of(*way))]
        for way in ways:
            flags = set(re.findall(r"(?m)^\s+(?:-\w,)?(--[a-z][a-z-]+)", help_of(*way)))
            self.assertLessEqual(flags - {"--help"}, known, "edged " + " ".join(way))

    def test_the_table_of_shared_flags_is_that_of_serve(self):
        table = (DOCS / "configuration.md").read_text()
        table = table[table.index("## Flags of the commands"):table.index("`--dev`: `preview_id`s")]
        rows = [line for line in table.splitlines() if line.startswith("| `-")]
        documented = {flag for row in rows for flag in re.findall(r"`(?:-\w`, `)?(--[a-z-]+)", row)}
        text = help_of("serve")
        flags = set(re.findall(r"(?m)^\s+(?:-\w,)?(--[a-z][a-z-]+)", text)) - {"--help"}
        self.assertEqual(flags, documented)
        variables = {name for row in rows for name in re.findall(r"EDGED_[A-Z_]+", row)}
        self.assertEqual(set(re.findall(r"EDGED_[A-Z_]+", text)), variables)


class MetricsTest(ReplayCase):
    SETTINGS = MIRROR_SETTINGS
    CONFIG = {"mirror": {**MIRROR, "mode": "logical"},
              "queues": {"producers": [{"queue": "events"}],
                         "consumers": [{"queue": "events"}, {"queue": "email"}]},
              "queue_push": [{"queue": "events", "url": "http://127.0.0.1:1/", "secret": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}

    def metrics(self, address):
        with urllib.request.urlopen("http://%s/metrics" % address, timeout=30) as response:
            text = response.read().decode()
        return set(re.findall(r"(?m)^# TYPE (\S+)", text))

    def test_every_metric_is_documented_and_every_documented_metric_exists(self):
        deployment = self.deploy()
        deployment.write_config(**self.CONFIG, node={"data_dir": str(deployment.node_dir), "listen": "127.0.0.1:0",
                                                     "http": "127.0.0.1:0", "redis": "127.0.0.1:0"})
        self.serve()
        self.settle()
        shown = self.metrics(self.deployment.worker_address()) | self.metrics(self.deployment.node_address())
        self.assertGreater(len(shown), 60)
        documented = documented_metrics()
        self.assertEqual(sorted(shown - documented), [], "not in docs/operations.md")
        self.assertEqual(sorted(documented - shown - SELDOM), [], "documented, and not there")

    def test_every_metric_in_the_sources_is_documented(self):
        documented = documented_metrics()
        for folder in SOURCES:
            for path in (ROOT / folder).rglob("*.cc"):
                for name in re.findall(r'(?:counter|gauge|histogram)\(\s*"(edged_[a-z0-9_]+)"', path.read_text()):
                    self.assertIn(name, documented, path)

    def test_keys_of_doctor_s_json_are_those_of_the_document(self):
        self.deploy()
        done = subprocess.run([PROGRAMS / "edged", "doctor", "--json", "-c", self.deployment.config],
                              capture_output=True, text=True, env=environment(), check=False)
        answer = json.loads(done.stdout)
        document = (DOCS / "operations.md").read_text()
        shape = re.search(r'`\{"ok","errors","warnings","findings":\[\{(.*?)\}\]\}`', document)[1]
        self.assertEqual(list(answer), ["ok", "errors", "warnings", "findings"])
        self.assertEqual(list(answer["findings"][0]), re.findall(r'"(\w+)"', shape))
        documented = set(re.findall(r"(?m)^\| `(\w+)`", document[document.index("## edged doctor"):]))
        self.assertLessEqual({one["check"] for one in answer["findings"]}, documented)


if __name__ == "__main__":
    unittest.main()
