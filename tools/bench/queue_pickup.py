# SPDX-License-Identifier: Apache-2.0
"""Pick-up latency: from the commit of edged.queue_send to the request at the URL that consumes the queue."""

import argparse
import base64
import http.server
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tools.replay.cluster import Cluster, Session  # noqa: E402

BIN = Path(os.environ.get("EDGED_BIN", ROOT / "build" / "release" / "bin")).resolve()


class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        at = time.perf_counter()
        batch = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for message in batch["messages"]:
            self.server.arrived[message["body"]] = at
        self.send_response(204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("waited for 60 s in vain")
        time.sleep(0.001)


def measure(cluster, root, messages, listens):
    """Milliseconds of each message."""
    cluster.fresh_database("pickup")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    server.arrived = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = root / "edged.jsonc"
    config.write_text(json.dumps({
        "postgres": {"url": cluster.url("pickup"), "session_state": listens},
        "worker": {"http": "127.0.0.1:0", "state_dir": str(root / "state"), "roles": ["queue"]},
        "queues": {"consumers": [{"queue": "q", "max_batch_timeout": 0}]},
        "queue_push": [{"queue": "q", "secret": base64.b64encode(bytes(32)).decode(),
                        "url": "http://127.0.0.1:%d/" % server.server_address[1]}]}))
    config.chmod(0o600)
    subprocess.run([BIN / "edged", "migrate", "-c", config], check=True, stdout=subprocess.DEVNULL)
    worker = subprocess.Popen([BIN / "edged", "worker", "-c", config], stderr=subprocess.DEVNULL)
    latencies = []
    try:
        with Session(cluster, "pickup") as session:
            wait_for(lambda: session.sql("select 1 from edged.queues where name = 'q'"))
            time.sleep(1)
            for number in range(messages):
                time.sleep(random.uniform(0.1, 0.5))
                session.sql("select edged.queue_send('q', '%d')" % number)
                committed = time.perf_counter()
                wait_for(lambda: number in server.arrived)
                latencies.append((server.arrived[number] - committed) * 1000)
    finally:
        worker.terminate()
        worker.wait()
        server.shutdown()
        server.server_close()
    return sorted(latencies)


def main():
    parser = argparse.ArgumentParser(prog="tools/bench/queue pickup")
    parser.add_argument("--messages", type=int, default=100)
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="edged-pickup-"))
    cluster = Cluster(root, ["fsync=on"])
    cluster.start()
    try:
        print("%-16s %9s %9s %9s" % ("wake-up", "p50 ms", "p90 ms", "max ms"))
        for name, listens in (("polling alone", False), ("LISTEN", True)):
            found = measure(cluster, root, options.messages, listens)
            print("%-16s %9.1f %9.1f %9.1f" % (name, found[len(found) // 2], found[len(found) * 9 // 10], found[-1]))
    finally:
        cluster.remove()
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
