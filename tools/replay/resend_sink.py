#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Resend's HTTP interface that takes each Idempotency-Key once, writes down what it accepts, and
fails on purpose.

A request that it accepts becomes one line of the ledger for each of its mails, before the answer: {"at": seconds,
"message_id": ..., "to": [...], "content": JSON of the mail, "key": ..., "mails": of the request}. The same key and
body get the same answer again and no line; another body is refused. With --faults N one request in N meets a fault:
at `request` it was not taken, at `answer` it was, and nobody heard of it.
"""
import argparse
import http.server
import json
import random
import signal
import sys
import threading
import time

STEPS = ("request", "answer")
KINDS = ("cut", "stall", "429", "500")
BATCH_MAX = 100


class Refused(Exception):
    def __init__(self, status, name, message):
        super().__init__(message)
        self.status, self.body = status, {"statusCode": status, "name": name, "message": message}


class Provider(http.server.ThreadingHTTPServer):
    """The sink; port 0 takes a free one, which `url` names."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, ledger, one_in=0, seed=0, port=0, stall_seconds=3.0, token=None):
        self.file = open(ledger, "a", encoding="utf-8")
        self.one_in, self.stall_seconds, self.token = one_in, stall_seconds, token
        self.random, self.lock = random.Random(seed), threading.Lock()
        self.answers, self.under_way = {}, set()  # by key: (body, answer); keys
        self.accepted = self.requests = self.repeated = 0
        self.met = {}
        super().__init__(("127.0.0.1", port), Session)

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]

    def choose_fault(self):
        with self.lock:
            self.requests += 1
            if not self.one_in or self.random.randrange(self.one_in):
                return None
            fault = self.random.choice(STEPS), self.random.choice(KINDS)
            name = " ".join(fault)
            self.met[name] = self.met.get(name, 0) + 1
            return fault

    def begin(self, key, body):
        """The answer that was given before, or None: the request is new, and under way from now on."""
        with self.lock:
            if key in self.answers:
                if self.answers[key][0] != body:
                    raise Refused(409, "invalid_idempotent_request", "Another body under the same key")
                self.repeated += 1
                return self.answers[key][1]
            if key in self.under_way:
                raise Refused(409, "concurrent_idempotent_requests", "A request with this key is under way")
            self.under_way.add(key)
            return None

    def accept(self, key, body, mails):
        with self.lock:
            ids = []
            for mail in mails:
                self.accepted += 1
                ids.append({"id": "sink-%d" % self.accepted})
                self.file.write(json.dumps({
                    "at": round(time.time(), 6), "message_id": mail["headers"]["Message-ID"], "to": mail["to"],
                    "content": json.dumps(mail), "key": key, "mails": len(mails)}) + "\n")
            self.file.flush()
            self.answers[key] = body, ids
            return ids

    def end(self, key):
        with self.lock:
            self.under_way.discard(key)


class Session(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        fault = self.server.choose_fault()
        if fault and fault[0] == "request":
            return self.fail(fault[1])
        try:
            answer = self.take(key, body)
        except Refused as refused:
            return self.say(refused.status, refused.body)
        if fault:
            return self.fail(fault[1] if fault[1] != "429" else "cut")
        return self.say(200, {"data": answer} if self.path == "/emails/batch" else answer[0])

    def take(self, key, body):
        if self.server.token and self.headers["Authorization"] != "Bearer " + self.server.token:
            raise Refused(401, "invalid_api_key", "API key is invalid")
        ids = self.server.begin(key, body)
        if ids is not None:
            return ids
        try:
            mails = json.loads(body)
            mails = mails if self.path == "/emails/batch" else [mails]
            if not 0 < len(mails) <= BATCH_MAX:
                raise Refused(422, "validation_error", "%d mails in a request" % len(mails))
            if any(to.startswith("unknown") for mail in mails for to in mail["to"]):
                raise Refused(422, "validation_error", "Invalid `to` field")
            return self.server.accept(key, body, mails)
        finally:
            self.server.end(key)

    def fail(self, kind):
        if kind == "429":
            self.say(429, {"name": "rate_limit_exceeded", "message": "Too many requests"}, {"Retry-After": "1"})
        elif kind == "500":
            self.say(500, {"name": "application_error", "message": "A fault of this moment"})
        else:
            if kind == "stall":
                time.sleep(self.server.stall_seconds)
            self.close_connection = True

    def say(self, status, body, headers=None):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(text)
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", required=True, help="file of JSON lines, appended to")
    parser.add_argument("--faults", type=int, default=0, metavar="N", help="one fault in N requests")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stall", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--token", help="what the requests must give")
    given = parser.parse_args()
    server = Provider(given.ledger, given.faults, given.seed, given.port, given.stall, given.token)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(server.url, flush=True)
    try:
        server.serve_forever()
    finally:
        print(json.dumps({"accepted": server.accepted, "requests": server.requests, "repeated": server.repeated,
                          "faults": server.met}), file=sys.stderr)


if __name__ == "__main__":
    main()
