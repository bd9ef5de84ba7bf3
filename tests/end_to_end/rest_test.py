# SPDX-License-Identifier: Apache-2.0
"""The REST API of a node, asked by a plain HTTP client; kvctl sees the same data. Values of 25 MiB, eight at once, keep
the node's memory small; what was answered survives kill -9."""

import hashlib
import json
import os
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from programs_case import ProgramsCase

MIB = 1 << 20
ID = "0f2ac74b498b48028cb68387c421e279"
PREVIEW = "06779da6940b431db6e566b4846d64db"


class RestTest(ProgramsCase):
    token = "any"

    def call(self, method, path, body=None, headers=(), account="a1"):
        """Status, headers and body."""
        url = "http://%s/client/v4/accounts/%s/storage/kv/namespaces%s" % (self.ports["http"], account, path)
        request = urllib.request.Request(url, data=body, method=method)
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        for name, value in headers:
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def result(self, method, path, body=None, **more):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        status, _, answer = self.call(method, path, body, **more)
        self.assertEqual(status, 200, answer)
        envelope = json.loads(answer)
        self.assertTrue(envelope["success"])
        return envelope["result"]

    def value(self, ns, key):
        return "/%s/values/%s" % (ns, urllib.parse.quote(key, safe=""))

    def namespaces(self):
        return {ns["title"]: ns["id"] for ns in self.result("GET", "?per_page=1000")}

    def test_the_configured_namespaces_are_there_under_dev(self):
        config = self.directory / "edged.jsonc"
        config.write_text('{"kv_namespaces": [{"binding": "KV", "id": "%s", "preview_id": "%s"}]}' % (ID, PREVIEW))
        self.start_node("-c", config, "--dev")
        self.assertEqual(self.namespaces(), {"KV": PREVIEW})
        self.assertIsNone(self.result("PUT", self.value(PREVIEW, "k"), b"v"))
        self.assertEqual(self.call("GET", self.value(PREVIEW, "k"))[2], b"v")

    def test_every_face_sees_the_same(self):
        self.start_node()
        ns = self.namespaces()["default"]
        names = ["a/b", "/", "%", "a+b", " ", "#?&", "\u20ac\U0001f600", "..x", "x" * 512]
        for name in names:
            self.result("PUT", self.value(ns, name) + "?expiration_ttl=3600", name.encode())
        for name in names:
            self.assertEqual(self.kvctl("get", "--", name).stdout, name.encode())
        self.assertEqual(self.kvctl("put", "from kvctl", "hello").returncode, 0)
        self.assertEqual(self.call("GET", self.value(ns, "from kvctl"))[2], b"hello")
        listed = {key["name"]: key for key in self.result("GET", "/%s/keys" % ns)}
        self.assertEqual(set(listed), {*names, "from kvctl"})
        self.assertNotIn("expiration", listed["from kvctl"])
        self.assertIn("expiration", listed["a/b"])
        made = self.result("POST", "", {"title": "made here"})
        self.assertIn("made here", [one["title"] for one in self.kvctl_json("namespace", "list")])
        self.result("DELETE", "/" + made["id"])
        self.assertNotIn("made here", [one["title"] for one in self.kvctl_json("namespace", "list")])

    def test_what_was_answered_survives_a_kill(self):
        node = self.start_node()
        ns = self.namespaces()["default"]
        large = os.urandom(3 * MIB)
        self.result("PUT", self.value(ns, "small"), b"v")
        self.result("PUT", self.value(ns, "large"), large)
        self.result("PUT", "/%s/bulk" % ns, [{"key": "b%d" % i, "value": "v"} for i in range(1000)])
        self.result("DELETE", self.value(ns, "b7"))
        self.end(node)
        self.start_node()
        self.assertEqual(self.call("GET", self.value(ns, "small"))[2], b"v")
        self.assertEqual(self.call("GET", self.value(ns, "large"))[2], large)
        self.assertEqual(len(self.result("GET", "/%s/keys?prefix=b" % ns)), 999)

    def memory_peak(self, node):
        for line in (Path("/proc/%d" % node.pid) / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def test_large_values_are_streamed(self):
        node = self.start_node("--memory-budget", "16MiB")
        ns = self.namespaces()["default"]
        before = self.memory_peak(node)
        values = [bytes([i]) * (25 * MIB) for i in range(8)]
        failures = []

        def each(work):
            def run(i):
                try:
                    work(i)
                except Exception as error:  # pylint: disable=broad-except
                    failures.append(error)
            threads = [threading.Thread(target=run, args=(i,)) for i in range(len(values))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])

        def read(i):
            got = self.call("GET", self.value(ns, "k%d" % i))[2]
            self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(values[i]).digest())

        each(lambda i: self.result("PUT", self.value(ns, "k%d" % i), values[i]))
        each(read)
        grown = self.memory_peak(node) - before
        print("memory grew by %.1f MiB, from %.1f" % (grown / MIB, before / MIB))
        self.assertLess(grown, 64 * MIB)  # 400 MiB went through it
        status, _, answer = self.call("PUT", self.value(ns, "k0"), values[1] + b"x")
        self.assertEqual((status, json.loads(answer)["errors"][0]["code"]), (413, 10024))

    def test_tokens_and_the_account_are_demanded(self):
        config = self.directory / "edged.jsonc"
        config.write_text('{"node": {"account_id": "acc"}}')
        self.start_node("-c", config)
        made = self.kvctl_json("token", "create", "app", "--scope", "read,list")
        self.assertEqual(self.call("GET", "", account="acc")[0], 401)
        self.token = None
        self.assertEqual(self.call("GET", "", account="acc")[0], 401)
        self.token = made["secret"]
        self.assertEqual(self.call("GET", "", account="other")[0], 403)
        ns = self.result("GET", "", account="acc")[0]["id"]
        self.assertEqual(self.call("PUT", self.value(ns, "k"), b"v", account="acc")[0], 403)
        self.assertEqual(self.call("GET", self.value(ns, "k"), account="acc")[0], 404)

    def test_a_full_quota_is_told(self):
        self.start_node("--disk-quota", "64MiB", "--memory-budget", "16MiB")
        ns = self.namespaces()["default"]
        status = answer = None
        for i in range(40):
            status, _, answer = self.call("PUT", self.value(ns, "k%d" % i), os.urandom(4 * MIB))
            if status != 200:
                break
        self.assertEqual(status, 507, answer)
        self.assertFalse(json.loads(answer)["success"])
        self.assertEqual(self.call("GET", self.value(ns, "k0"))[0], 200)

    def test_the_configuration_names_a_bad_account(self):
        config = self.directory / "edged.jsonc"
        config.write_text('{"node": {"account_id": "a/b"}}')
        result = self.edged("check-config", "-c", config)
        self.assertEqual(result.returncode, 2)
        self.assertIn("node.account_id", result.stderr.decode())


if __name__ == "__main__":
    unittest.main()
