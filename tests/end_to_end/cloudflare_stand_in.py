# SPDX-License-Identifier: Apache-2.0
"""A small server that answers like Cloudflare's REST API for Workers KV, and fails as it is told."""

import base64
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "secret-token"
ACCOUNT = "a" * 32
NAMESPACE = "b" * 32
BASE = "/client/v4/accounts/%s/storage/kv/namespaces/%s" % (ACCOUNT, NAMESPACE)


class CloudflareStandIn:
    """`entries`: key to (value as bytes, metadata or None, expiration or None)."""

    def __init__(self, entries, page_keys=1000):
        self.entries = entries
        self.page_keys = page_keys
        self.requests = []  # (method, path) in the order of their arrival
        self.failures = []  # (status, headers): answers to give instead, one to each request
        self.before = lambda method, path: None  # called with each request before its answer
        self.in_flight = 0
        self.in_flight_max = 0
        self.lock = threading.Lock()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                stand_in.handle(self, b"")

            def do_POST(self):
                stand_in.handle(self, self.rfile.read(int(self.headers["Content-Length"])))

        class Server(ThreadingHTTPServer):
            def handle_error(self, request, address):
                pass  # a client that was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/client/v4" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request, body):
        target = urllib.parse.urlsplit(request.path)
        with self.lock:
            self.requests.append((request.command, request.path))
            self.in_flight += 1
            self.in_flight_max = max(self.in_flight_max, self.in_flight)
            failure = self.failures.pop(0) if self.failures else None
        try:
            self.before(request.command, target.path)
            if failure:
                self.send(request, failure[0], self.refused(10022, "told to fail"), failure[1])
            elif request.headers["Authorization"] != "Bearer " + TOKEN:
                self.send(request, 401, self.refused(10000, "Authentication error"))
            elif not target.path.startswith(BASE):
                self.send(request, 404, self.refused(10013, "list keys: 'namespace not found'"))
            else:
                query = dict(urllib.parse.parse_qsl(target.query))
                self.answer(request, target.path[len(BASE):], query, body)
        except ConnectionError:
            request.close_connection = True  # the client was killed
        finally:
            with self.lock:
                self.in_flight -= 1

    def answer(self, request, path, query, body):
        if path == "/keys":
            self.list(request, query)
        elif path == "/bulk/get":
            self.bulk_get(request, json.loads(body))
        else:
            key = urllib.parse.unquote(path.removeprefix("/values/"))
            if key in self.entries:
                self.send(request, 200, self.entries[key][0], {"Content-Type": "application/octet-stream"})
            else:
                self.send(request, 404, self.refused(10009, "get: 'key not found'"))

    def list(self, request, query):
        after = base64.b64decode(query.get("cursor", "")).decode()
        names = sorted((key for key in self.entries if key.startswith(query.get("prefix", ""))),
                       key=lambda key: key.encode())
        left = [key for key in names if key.encode() > after.encode()]
        page = left[:self.page_keys]
        cursor = base64.b64encode(page[-1].encode()).decode() if len(left) > len(page) else ""
        keys = [{"name": key,
                 **({"metadata": self.entries[key][1]} if self.entries[key][1] is not None else {}),
                 **({"expiration": self.entries[key][2]} if self.entries[key][2] else {})}
                for key in page]
        self.send(request, 200, self.accepted(keys, {"count": len(keys), "cursor": cursor}))

    def bulk_get(self, request, asked):
        values = {}
        for key in asked["keys"]:
            value, metadata, _ = self.entries.get(key, (None, None, None))
            try:
                values[key] = None if value is None else {"value": value.decode(), "metadata": metadata}
            except UnicodeDecodeError:
                text = "bulk get keys: 'At least one of the requested keys corresponds to a non-text value'"
                return self.send(request, 400, self.refused(10029, text))
        self.send(request, 200, self.accepted({"values": values}))

    @staticmethod
    def accepted(result, info=None):
        return {"success": True, "errors": [], "messages": [], "result": result,
                **({"result_info": info} if info else {})}

    @staticmethod
    def refused(code, message):
        return {"success": False, "errors": [{"code": code, "message": message}], "messages": [],
                "result": None}

    @staticmethod
    def send(request, status, content, headers=None):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        request.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
