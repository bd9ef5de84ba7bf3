# SPDX-License-Identifier: Apache-2.0
"""What Prometheus and Grafana get: the pages of node and worker, and the files of docs/ops. promtool is of
Debian's package prometheus; without it, the tests that need it are skipped."""

import json
import re
import shutil
import subprocess
import unittest
import urllib.request

from programs_case import ProgramsCase
from reference_test import documented_metrics
from replay_case import ROOT

OPS = ROOT / "docs" / "ops"
ALERTS, CASES, GRAFANA = (OPS / name for name in ("alerts.yml", "alerts_test.yml", "grafana-dashboard.json"))
PROMTOOL = shutil.which("promtool")
# Of a histogram.
PARTS = re.compile(r"_(bucket|sum|count)$")
METRIC = re.compile(r"\b(?:edged|process)_[a-z0-9_]+")
needs_promtool = unittest.skipUnless(PROMTOOL, "promtool is not installed. Debian 12 has it in the package prometheus")


def expressions():
    """The queries of rules and panels, each with where it stands."""
    for line in ALERTS.read_text().splitlines():
        found = re.match(r"\s+expr: (.*)", line)
        if found:
            yield found[1], ALERTS.name
    for panel in json.loads(GRAFANA.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"], panel["title"]


class PagesTest(ProgramsCase):
    def accepted(self, address):
        with urllib.request.urlopen("http://%s/metrics" % address, timeout=60) as response:
            self.assertEqual(response.headers["Content-Type"], "text/plain; version=0.0.4")
            page = response.read()
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=page, capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        return page.decode()

    @needs_promtool
    def test_promtool_accepts_the_node_s_page(self):
        self.start_node()
        self.kvctl("put", "key", "value")
        self.kvctl("get", "key")
        page = self.accepted(self.ports["http"])
        self.assertIn('edged_kv_requests_total{opcode="get",class="answered"} 1\n', page)

    @needs_promtool
    def test_promtool_accepts_the_worker_s_page(self):
        page = self.accepted(self.start_worker(self.directory / "state"))
        self.assertIn("\nedged_upstream_circuit_state ", page)


class FilesTest(unittest.TestCase):
    def promtool(self, *arguments):
        done = subprocess.run([PROMTOOL, *arguments], cwd=OPS, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @needs_promtool
    def test_the_rules_do_what_their_cases_say(self):
        self.promtool("check", "rules", ALERTS.name)
        self.promtool("test", "rules", CASES.name)

    def test_each_alert_has_a_case_in_which_it_fires(self):
        alerts = re.findall(r"- alert: (\w+)", ALERTS.read_text())
        firing = re.findall(r"alertname: (\w+)\n\s+exp_alerts:", CASES.read_text())
        self.assertGreater(len(alerts), 10)
        self.assertEqual(sorted(alerts), sorted(firing))

    def test_each_metric_that_is_named_exists(self):
        documented = documented_metrics()
        count = 0
        for text, where in expressions():
            for name in METRIC.findall(text):
                self.assertIn(PARTS.sub("", name), documented, where)
                count += 1
        self.assertGreater(count, 40)

    def test_the_panels_have_places_and_names_of_their_own(self):
        panels = json.loads(GRAFANA.read_text())["panels"]
        for what in (lambda panel: panel["id"], lambda panel: panel["title"]):
            self.assertEqual(len({what(panel) for panel in panels}), len(panels))
        cells = set()
        for place in (panel["gridPos"] for panel in panels):
            self.assertLessEqual(place["x"] + place["w"], 24)
            own = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                   for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & own)
            cells |= own


if __name__ == "__main__":
    unittest.main()
