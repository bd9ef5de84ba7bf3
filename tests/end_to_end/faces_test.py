# SPDX-License-Identifier: Apache-2.0
"""Both HTTP faces of a node as raw bytes show them: mirrored keys that are stale, HEAD on every route, methods that
nobody knows, 100-continue, chunks, pipelines, and every way to escape a key."""

import http.client
import json
import socket
import struct
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import reference_client  # noqa: E402
from programs_case import PATIENCE_SECONDS, ProgramsCase  # noqa: E402

BASE = "/client/v4/accounts/any/storage/kv/namespaces"
MISSING = "f" * 32


class Raw:
    """A connection to a face. Requests are bytes, answers are (status, headers, body)."""

    def __init__(self, address, head):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
        self.input = self.socket.makefile("rb")
        self.head = head

    def send(self, method, target, body=b"", *more):
        lines = ["%s %s HTTP/1.1" % (method, target), *self.head, *more]
        if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in more):
            lines.append("Content-Length: %d" % len(body))
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def answer(self, without_body=False):
        line = self.input.readline().decode()
        status, headers = int(line.split()[1]), http.client.parse_headers(self.input)
        if without_body or status in (100, 204, 304):
            return status, headers, b""
        if headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.input.readline(), 16):
                body += self.input.read(size)
                self.input.readline()
            self.input.readline()
            return status, headers, body
        return status, headers, self.input.read(int(headers["Content-Length"]))

    def ask(self, method, target, body=b"", *more):
        self.send(method, target, body, *more)
        return self.answer(method == "HEAD")

    def close(self):
        self.input.close()
        self.socket.close()


class FacesTest(ProgramsCase):
    def setUp(self):
        super().setUp()
        self.start_node()
        self.ns = json.loads(self.rest().ask("GET", BASE)[2])["result"][0]["id"]

    def opened(self, address, *head):
        raw = Raw(self.ports[address], head)
        self.addCleanup(raw.close)
        return raw

    def rest(self):
        return self.opened("http", "Host: localhost", "Authorization: Bearer any")

    def binding(self):
        return self.opened("binding", "Host: fake-host", "X-KV-Namespace: default")

    def faces(self):
        """(connection, the target of a key's escaped segment) of each."""
        return ((self.rest(), lambda key: "%s/%s/values/%s" % (BASE, self.ns, key)),
                (self.binding(), lambda key: "/%s?urlencoded=true" % key))

    def error(self, answer):
        status, _, body = answer
        return status, json.loads(body)["errors"][0]["code"]

    def test_stale_mirrored_keys(self):
        self.assertEqual(self.kvctl("put", "plain", "v").returncode, 0)
        mirror = reference_client.Client("unix:" + self.ports["unix"])
        ns = mirror.call("open", b"default")[1]["namespace"]
        rules = b"\1" + b"".join(struct.pack("<BHQ", 1, len(prefix), ttl) + prefix
                                 for ttl, prefix in ((3_600_000, b"m:"), (1, b"late:")))
        for key, value, mark in ((b"\0edged:rules", rules, {}),
                                 (b"m:1", b"row", {"fresh_as_of": int(time.time() * 1000) - 2000})):
            item = reference_client.item("put", key, value)
            put = mirror.call("batch", b"", item, ns=ns, source_position=b"", **mark)
            self.assertEqual(put[0], "ok")
        rest, binding = self.rest(), self.binding()
        value = "%s/%s/values/" % (BASE, self.ns)
        for target in (value + "late:1", value.replace("values", "metadata") + "late:1",
                       "%s/%s/keys?prefix=late:" % (BASE, self.ns)):
            answer = rest.ask("GET", target)
            self.assertEqual(self.error(answer), (503, 10001), answer)
            self.assertEqual(answer[1]["Retry-After"], "1")
            self.assertIn(b"behind", answer[2])
        bulk = json.dumps({"keys": ["plain", "late:1"]}).encode()
        self.assertEqual(self.error(rest.ask("POST", "%s/%s/bulk/get" % (BASE, self.ns), bulk)), (503, 10001))
        for target in ("/late:1?urlencoded=true", "/?prefix=late:"):
            status, _, body = binding.ask("GET", target)
            self.assertEqual(status, 503)
            self.assertIn(b"behind", body)
        self.assertEqual(binding.ask("POST", "/bulk/get", bulk)[0], 503)
        # Writes are the mirror's; the other keys are served.
        self.assertEqual(self.error(rest.ask("PUT", value + "m:1", b"mine")), (403, 10037))
        self.assertEqual(binding.ask("PUT", "/m:1?urlencoded=true", b"mine")[0], 403)
        self.assertEqual(rest.ask("GET", value + "m:1")[2], b"row")
        self.assertEqual(binding.ask("GET", "/m:1?urlencoded=true")[2], b"row")
        self.assertEqual(rest.ask("GET", value + "plain")[2], b"v")
        self.assertEqual(json.loads(binding.ask("GET", "/?prefix=m:")[2])["keys"], [{"name": "m:1"}])

    def test_head_is_get_without_its_body_on_every_route(self):
        large = b"x" * 200_000
        rest = self.rest()
        for key, value in (("small", b"v"), ("large", large)):
            self.assertEqual(rest.ask("PUT", "%s/%s/values/%s" % (BASE, self.ns, key), value)[0], 200)
        ns = "%s/%s" % (BASE, self.ns)
        places = ["/client/v4" + path for path in ("/user", "/user/tokens/verify", "/accounts", "/accounts/any",
                                                   "/memberships", "/accounts/any/queues", "/nowhere")]
        places += [BASE, ns, ns + "/keys", ns + "/values/small", ns + "/values/large", ns + "/values/none",
                   ns + "/metadata/small", ns + "/bulk", ns + "/bulk/get", ns + "/bulk/delete",
                   "%s/%s" % (BASE, MISSING), "/healthz", "/readyz", "/nowhere"]
        asked = [(rest, place) for place in places]
        asked += [(self.binding(), place) for place in (
            "/small?urlencoded=true", "/large?urlencoded=true", "/none?urlencoded=true", "/", "/?prefix=s",
            "/bulk/get", "/%zz?urlencoded=true")]
        for connection, place in asked:
            got = connection.ask("GET", place)
            head = connection.ask("HEAD", place)
            self.assertEqual(head[0], got[0], place)
            if got[0] == 405:  # its text names the method
                del got[1]["Content-Length"], head[1]["Content-Length"]
            for name in ("Content-Type", "Content-Length", "Allow"):
                self.assertEqual(head[1].get(name), got[1].get(name), (place, name))

    def test_methods_that_nobody_knows(self):
        ns = "%s/%s" % (BASE, self.ns)
        rest, binding = self.rest(), self.binding()
        for method in ("PATCH", "OPTIONS", "TRACE", "BREW", "get", "PROPFIND"):
            for place in (BASE, ns, ns + "/keys", ns + "/values/k", ns + "/metadata/k", ns + "/bulk", ns + "/bulk/get"):
                answer = rest.ask(method, place, b"body")
                self.assertEqual(self.error(answer), (405, 7001), (method, place))
                self.assertTrue(answer[1]["Allow"], place)
            self.assertEqual(self.error(rest.ask(method, "/client/v4/nowhere")), (404, 7003))
            for place in ("/", "/k?urlencoded=true", "/bulk/get"):
                status, headers, _ = binding.ask(method, place, b"body")
                self.assertEqual(status, 405)
                self.assertTrue(headers["Allow"])
        self.assertEqual(rest.ask("GET", ns + "/keys")[0], 200)  # on the same connection

    def test_a_client_that_waits_for_100_continue(self):
        for face, target in self.faces():
            body = b"b" * 100_000
            face.send("PUT", target("waited"), b"", "Expect: 100-continue", "Content-Length: %d" % len(body))
            self.assertEqual(face.answer()[0], 100)
            face.socket.sendall(body)
            self.assertEqual(face.answer()[0], 200)
            self.assertEqual(face.ask("GET", target("waited"))[2], body)
            # Refused before the body is asked for. The client may send it or not, so the connection ends.
            more = "&" if "?" in target("") else "?"
            face.send("PUT", target("waited") + more + "expiration_ttl=1", b"", "Expect: 100-continue",
                      "Content-Length: %d" % len(body))
            status, headers, _ = face.answer()
            self.assertEqual((status, headers["Connection"]), (400, "close"))

    def test_chunks(self):
        for face, target in self.faces():
            chunks = b"".join(b"%x;extension=\"x\"\r\n%s\r\n" % (len(part), part)
                              for part in (b"a", b"b" * 70_000, b"c" * 15)) + b"0\r\nTrailer: x\r\n\r\n"
            self.assertEqual(face.ask("PUT", target("chunked"), chunks, "Transfer-Encoding: chunked")[0], 200)
            self.assertEqual(face.ask("GET", target("chunked"))[2], b"a" + b"b" * 70_000 + b"c" * 15)
            self.assertEqual(face.ask("PUT", target("chunked"), b"0\r\n\r\n", "Transfer-Encoding: chunked")[0], 200)
            self.assertEqual(face.ask("GET", target("chunked"))[2], b"")
            face.send("PUT", target("chunked"), b"zz\r\nbroken\r\n", "Transfer-Encoding: chunked")
            self.assertEqual(face.answer()[0], 400)

    def test_pipelined_requests_are_answered_in_order(self):
        for face, target in self.faces():
            count = 200
            for number in range(count):
                face.send("PUT", target("p%d" % number), b"%d" % number)
                face.send("GET", target("p%d" % number))
                face.send("HEAD", target("p%d" % number))
                face.send("DELETE", target("none"))
            for number in range(count):
                self.assertEqual(face.answer()[0], 200)
                self.assertEqual(face.answer()[::2], (200, b"%d" % number))
                self.assertEqual(face.answer(without_body=True)[0], 200)
                self.assertEqual(face.answer()[0], 200)

    def test_every_way_to_escape_a_key(self):
        # Segment of the path, and the key that it names.
        segments = {
            "a%2Fb": "a/b", "a%2fb": "a/b", "%61": "a", "a+b": "a+b", "a%2Bb": "a+b", "a%20b": "a b", "%2520": "%20",
            "%00": "\0", "%7F": "\x7f", "%0D%0A": "\r\n", "...": "...", "%2E%2E%2E": "...", "..%2Fx": "../x",
            "%2F": "/", "%2F%2F": "//", "a:b@c": "a:b@c", "[a]|^": "[a]|^", "!$&'()*,;=~": "!$&'()*,;=~",
            "%F0%9F%98%80": "\U0001f600", "%EF%BF%BF": "\uffff", "%C3%A9" * 256: "\u00e9" * 256, "%23%3F": "#?",
            "%e2%80%a8": "\u2028", "bulk": "bulk", "a%25zz": "a%zz", "__proto__": "__proto__",
        }
        refused = {"x" * 513: 10030, "%C3%A9" * 257: 10030}
        for segment in (".", "..", "%2E", "%2e%2E", "%", "%zz", "%1", "%FF", "%C3", "%ED%A0%80", "%C0%AF"):
            refused[segment] = 10042
        for at, (face, target) in enumerate(self.faces()):
            for segment, key in segments.items():
                value = b"%d %s" % (at, key.encode())
                self.assertEqual(face.ask("PUT", target(segment), value)[0], 200, segment)
                self.assertEqual(face.ask("GET", target(segment))[2], value, segment)
                body = json.dumps({"keys": [key]}).encode()
                bulk = self.rest().ask("POST", "%s/%s/bulk/get" % (BASE, self.ns), body)
                self.assertEqual(json.loads(bulk[2])["result"]["values"], {key: value.decode()}, segment)
            listed = json.loads(self.rest().ask("GET", "%s/%s/keys" % (BASE, self.ns))[2])["result"]
            self.assertEqual({item["name"] for item in listed}, set(segments.values()))
            for segment, code in refused.items():
                for method in ("GET", "PUT", "DELETE"):
                    answer = face.ask(method, target(segment))
                    self.assertIn(answer[0], (400, 414), (method, segment))
                    if at == 0:
                        self.assertEqual(self.error(answer)[1], code, segment)
            for segment in segments:
                self.assertEqual(face.ask("DELETE", target(segment))[0], 200, segment)


if __name__ == "__main__":
    unittest.main()
