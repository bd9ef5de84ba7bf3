# SPDX-License-Identifier: Apache-2.0
"""The work of tools/bench/rest."""

import argparse
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("EDGED_BIN", ROOT / "build" / "release" / "bin"))
LARGE = 25 * 1024 * 1024
STREAMS = 8
AUTH = {"Authorization": "Bearer any"}

NGINX = """
worker_processes 1; daemon off; pid {work}/nginx.pid; error_log {work}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
  client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f;
  uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  open_file_cache max=1000; default_type application/octet-stream;
  server {{ listen 127.0.0.1:{port}; root {work}/files; }}
}}
"""

PUT = """
local n = 0
local body = string.rep("x", %d)
request = function()
  n = n + 1
  return wrk.format("PUT", "%s" .. "w" .. (n %% 1000), {["Authorization"] = "Bearer any"}, body)
end
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def call(method, url, body=None, headers=()):
    request = urllib.request.Request(url, body, {**AUTH, **dict(headers)}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def wait_until(condition, what):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit("rest_lab: %s did not come" % what)


class Node:
    def __init__(self, work):
        self.data = work / "data"
        self.process = subprocess.Popen(
            [BIN / "edged", "node", "--data", self.data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
             "--binding", "127.0.0.1:0"], stderr=subprocess.DEVNULL, cwd=work)
        wait_until(lambda: (self.data / "ports.json").exists(), "the node")
        ports = json.loads((self.data / "ports.json").read_text())
        self.base = "http://%s/client/v4/accounts/a/storage/kv/namespaces" % ports["http"]
        wait_until(lambda: call("GET", self.base), "the node's HTTP")
        created = json.loads(call("POST", self.base, b'{"title":"bench"}'))["result"]["id"]
        self.values = "%s/%s/values/" % (self.base, created)
        self.binding = "http://%s/" % ports["binding"]
        self.namespace = created

    def peak_kib(self):
        return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/%d/status" % self.process.pid).read_text()).group(1))

    def resident_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/%d/status" % self.process.pid).read_text()).group(1))

    def forget_peak(self):
        Path("/proc/%d/clear_refs" % self.process.pid).write_text("5")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Nginx:
    def __init__(self, work):
        self.port = free_port()
        (work / "files").mkdir()
        (work / "nginx.conf").write_text(NGINX.format(work=work, port=self.port))
        os.chmod(work, 0o755)
        self.process = subprocess.Popen(["nginx", "-c", work / "nginx.conf", "-e", work / "nginx-error.log"])
        wait_until(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() is None, "nginx")
        self.files, self.base = work / "files", "http://127.0.0.1:%d/" % self.port

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wrk(url, options, headers=(), script=None):
    command = ["wrk", "-t1", "-c%d" % options.connections, "-d%ds" % options.seconds]
    for name, value in dict(headers).items():
        command += ["-H", "%s: %s" % (name, value)]
    if script:
        command += ["-s", script]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in done or "Socket errors" in done:
        sys.exit("rest_lab: failures\n" + done)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done).group(1))


def measure(node, nginx, work, size, options):
    call("PUT", node.values + "k", b"x" * size)
    (nginx.files / ("k%d" % size)).write_bytes(b"x" * size)
    script = work / "put.lua"
    path = node.values.split("/", 3)[3]
    script.write_text(PUT % (size, "/" + path))
    ways = {
        "nginx": lambda: wrk(nginx.base + "k%d" % size, options),
        "rest get": lambda: wrk(node.values + "k", options, AUTH),
        "binding get": lambda: wrk(node.binding + "k?urlencoded=true", options, {"X-KV-Namespace": node.namespace}),
        "rest put, synced": lambda: wrk(node.values, options, script=script),
    }
    rounds = [{name: way() for name, way in ways.items()} for _ in range(options.rounds)]
    print("\n%d bytes, %d connections, requests a second (median of %d rounds; ratio to nginx)" % (
        size, options.connections, options.rounds))
    result = {}
    for name in ways:
        rate = statistics.median(one[name] for one in rounds)
        ratio = statistics.median(one["nginx"] / one[name] for one in rounds)
        result[name] = {"per_second": rate, "nginx_is_times_faster": ratio}
        print("  %-18s %10.0f   nginx / this: %.2f" % (name, rate, ratio))
    return result


def stream(node):
    """Eight puts, then eight gets of 25 MiB at once: what the node's memory grows by."""
    body = os.urandom(LARGE)
    before = node.resident_kib()
    node.forget_peak()
    result = {}
    for what, one in (("put", lambda i: call("PUT", node.values + "large%d" % i, body)),
                      ("get", lambda i: call("GET", node.values + "large%d" % i) == body or sys.exit("wrong bytes"))):
        begin = time.monotonic()
        threads = [threading.Thread(target=one, args=(i,)) for i in range(STREAMS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        result[what] = {"seconds": time.monotonic() - begin, "peak_mib": node.peak_kib() / 1024,
                        "before_mib": before / 1024}
        print("  %d x 25 MiB %s at once: %.1f s, resident before %.0f MiB, at most %.0f MiB" % (
            STREAMS, what, result[what]["seconds"], before / 1024, node.peak_kib() / 1024))
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--sizes", default="100,1000,10000,100000")
    parser.add_argument("--json")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as directory:
        work = Path(directory)
        node, nginx = Node(work), Nginx(work)
        try:
            results = {size: measure(node, nginx, work, int(size), options) for size in options.sizes.split(",")}
            print()
            results["streams"] = stream(node)
        finally:
            node.stop()
            nginx.stop()
    print("\n%d cores, kernel %s, load at the start %.2f" % (os.cpu_count(), platform.release(), load))
    if options.json:
        Path(options.json).write_text(json.dumps(results))


if __name__ == "__main__":
    main()
