# SPDX-License-Identifier: Apache-2.0
"""kvctl import --from cloudflare:…, against a server that answers like Cloudflare's REST API."""

import json
import os
import subprocess
import time
import unittest

from cloudflare_stand_in import ACCOUNT, NAMESPACE, TOKEN, CloudflareStandIn
from programs_case import BIN, PATIENCE_SECONDS, ProgramsCase, environment

NS = "default"
FROM = "cloudflare:%s/%s" % (ACCOUNT, NAMESPACE)
ODD_KEYS = ["a/b", "a b+c", "%2F", "#", "?x=1&y", "é", "😀", "..a", "__proto__", "k" * 512, "\x01\n", "0"]


class KvctlCloudflareTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.start_node()

    def serve(self, entries, **more):
        self.cloudflare = CloudflareStandIn(entries, **more)
        self.addCleanup(self.cloudflare.close)
        return self.cloudflare

    def command(self, *arguments):
        return ["import", NS, "--from", FROM, "--api", self.cloudflare.url, *arguments]

    def import_all(self, *arguments, token=TOKEN):
        return self.kvctl(*self.command(*arguments), env={"CLOUDFLARE_API_TOKEN": token})

    def stored(self):
        exported = self.kvctl("export", NS)
        self.assertEqual(exported.returncode, 0)
        return {one["key"]: one for one in json.loads(exported.stdout)}

    def assertNoState(self):
        self.assertEqual(list(self.directory.glob("kvctl-import-*")), [])

    def test_everything_comes_over(self):
        later = int(time.time()) + 100_000
        entries = {key: (b"value of " + key.encode(), None, None) for key in ODD_KEYS}
        entries |= {"k%04d" % number: (b"%d" % number, {"n": number}, later) for number in range(2400)}
        entries |= {"bytes%d" % number: (bytes(range(256)), [number], None) for number in range(30)}
        entries |= {"empty": (b"", None, None), "replaced": ("\ufffd".encode(), 0, None),
                    "large": (os.urandom(25 * 1024 * 1024), "m", None),
                    "expired": (b"", None, int(time.time()) - 1)}
        self.serve(entries)
        result = self.import_all()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, b"stored %d entries, left out 1 that have expired\n" % (len(entries) - 1))
        got = self.stored()
        self.assertEqual(set(got), set(entries) - {"expired"})
        self.assertEqual(got["k0007"], {"key": "k0007", "value": "7", "metadata": {"n": 7}, "expiration": later})
        for key in [*ODD_KEYS, "bytes3", "empty", "replaced", "large"]:
            self.assertEqual(self.kvctl("get", "--", key).stdout, entries[key][0], key)
        self.assertEqual(got["bytes3"]["metadata"], [3])
        self.assertEqual(got["replaced"]["metadata"], 0)
        self.assertGreater(self.cloudflare.in_flight_max, 1)
        self.assertLessEqual(self.cloudflare.in_flight_max, 4)
        self.assertNoState()
        # 100 keys a request: Cloudflare's API allows 1,200 requests in five minutes.
        questions = [path for method, path in self.cloudflare.requests if method == "POST"]
        self.assertLessEqual(len(questions), 30)

    def test_a_prefix(self):
        self.serve({key: (b"v", None, None) for key in ("a", "a&b", "b")})
        self.assertEqual(self.import_all("--prefix", "a&").returncode, 0)
        self.assertEqual(list(self.stored()), ["a&b"])

    def test_failures_that_pass_are_waited_for(self):
        cloudflare = self.serve({"k%d" % number: (b"v", None, None) for number in range(300)}, page_keys=150)
        cloudflare.failures = [(429, {"Retry-After": "1"}), (500, {}), (503, {"Retry-After": "0"}), None,
                               (429, {"Retry-After": "0"})]
        start = time.monotonic()
        result = self.import_all()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreaterEqual(time.monotonic() - start, 1)
        self.assertEqual(len(self.stored()), 300)

    def test_it_continues_after_a_break(self):
        entries = {"k%04d" % number: (b"%d" % number, None, None) for number in range(5000)}
        cloudflare = self.serve(entries)

        def before(method, path):  # the third page's values: the importer ends there
            if method == "POST" and len([1 for _, asked in cloudflare.requests if "/keys" in asked]) == 3:
                importer.kill()

        cloudflare.before = before
        command = [BIN / "kvctl", "--addr", "unix:" + self.ports["unix"], *self.command()]
        importer = subprocess.Popen(command, cwd=self.directory, stdout=subprocess.DEVNULL,
                                    env=environment({"CLOUDFLARE_API_TOKEN": TOKEN}))
        importer.wait(timeout=PATIENCE_SECONDS)
        cloudflare.before = lambda method, path: None
        cloudflare.requests.clear()
        result = self.import_all()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"continuing behind 2000 entries", result.stderr)
        self.assertEqual(result.stdout, b"stored 5000 entries\n")
        self.assertEqual(len([1 for _, path in cloudflare.requests if "/keys" in path]), 3)
        self.assertEqual({key: one["value"] for key, one in self.stored().items()},
                         {key: value.decode() for key, (value, _, _) in entries.items()})
        self.assertNoState()

    def test_the_state_of_another_import_is_not_continued(self):
        self.serve({"k": (b"v", None, None)})
        (self.directory / "state").write_text(json.dumps({"from": "cloudflare:x/y", "cursor": "c"}))
        self.assertFails(self.import_all("--state", "state"), 1, "another import", "--state")
        (self.directory / "state").write_text("{")
        self.assertFails(self.import_all("--state", "state"), 2, "no state of an import")

    def test_refusals_are_told(self):
        self.serve({"k": (b"v", None, None)})
        for arguments, token, code, text in (
                ((), "wrong", 5, "Authentication error (code 10000)"),
                ((), "", 2, "CLOUDFLARE_API_TOKEN"),
                (("--from", "cloudflare:%s/other" % ACCOUNT), TOKEN, 3, "namespace not found"),
                (("--from", "cloudflare:" + ACCOUNT), TOKEN, 2, "ACCOUNT/NAMESPACE"),
                (("--api", "ftp://127.0.0.1"), TOKEN, 2, "https://"),
                (("--api", "http://127.0.0.1:1"), TOKEN, 4, "could not list keys")):
            command = [*self.command(), *arguments]
            if arguments:  # the last of two would not win
                at = command.index(arguments[0])
                del command[at:at + 2]
            result = self.kvctl(*command, env={"CLOUDFLARE_API_TOKEN": token})
            self.assertEqual(result.returncode, code, (arguments, result.stderr))
            self.assertIn(text, result.stderr.decode())
            self.assertNotIn(TOKEN, result.stderr.decode())

    def test_the_token_comes_from_a_file_too(self):
        self.serve({"k": (b"v", None, None)})
        (self.directory / "token").write_text(TOKEN + "\n")
        (self.directory / "token").chmod(0o600)
        self.assertEqual(self.kvctl(*self.command("--api-token-file", "token")).returncode, 0)
        (self.directory / "token").chmod(0o644)
        self.assertFails(self.kvctl(*self.command("--api-token-file", "token")), 2, "--api-token-file")


if __name__ == "__main__":
    unittest.main()
