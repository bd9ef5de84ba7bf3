# SPDX-License-Identifier: Apache-2.0
"""Very many keys, written by bulk requests and listed page by page through the REST API, while others write and
delete in the same namespace. usage: python3 tests/end_to_end/rest_pages.py [--keys N] [--seed S]"""

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

BIN = Path(os.environ.get("EDGED_BIN", Path(__file__).resolve().parents[2] / "build" / "release" / "bin"))
ENTRIES_A_REQUEST = 10_000
BASE = "/client/v4/accounts/any/storage/kv/namespaces"
AUTH = {"Authorization": "Bearer any"}
DISTURBED = 50  # keys that come and go between the pages


def name_of(number):
    return "key/%02d/%08d" % (number % 10, number)


class Api:
    """One kept connection."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=120)

    def call(self, method, path, body=None):
        self.connection.request(method, BASE + path, None if body is None else json.dumps(body), AUTH)
        answer = self.connection.getresponse()
        envelope = json.loads(answer.read())
        if answer.status != 200 or not envelope["success"]:
            sys.exit("FAILED: %s %s: %d %s" % (method, path, answer.status, envelope["errors"]))
        return envelope


def start_node(directory):
    data = Path(directory) / "data"
    node = subprocess.Popen(
        [BIN / "edged", "node", "--data", data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--binding", "off"],
        cwd=directory, stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("EDGED_")})
    end = time.monotonic() + 60
    while not (data / "ports.json").exists():
        if node.poll() is not None or time.monotonic() > end:
            sys.exit("FAILED: the node did not start")
        time.sleep(0.02)
    return node, json.loads((data / "ports.json").read_text())["http"]


def disturb(address, path, stop, seed, failed):
    """Writes and deletes keys of its own, which lie between the others."""
    api, random_keys = Api(address), random.Random(seed)
    try:
        while not stop.is_set():
            key = "key%%2F%02d%%2F%08d%%2Fextra" % (random_keys.randrange(10), random_keys.randrange(DISTURBED))
            method = random_keys.choice(("PUT", "DELETE"))
            api.call(method, "%s/values/%s" % (path, key), "v" if method == "PUT" else None)
    except (SystemExit, OSError) as error:
        failed.append(error)


def expect(condition, what):
    if not condition:
        sys.exit("FAILED: " + what)


def list_all(api, path, query, limit):
    """The names in the order of the pages. Each page but the last is full and has a cursor."""
    names, cursor = [], ""
    while True:
        page = api.call("GET", "%s/keys?limit=%d&%s&cursor=%s" % (path, limit, query, cursor))
        items, cursor = page["result"], page["result_info"]["cursor"]
        expect(page["result_info"]["count"] == len(items), "the count of a page")
        names += [item["name"] for item in items]
        if not cursor:
            return names
        expect(len(items) == limit, "a page of %d keys, and there are more" % len(items))


def run(keys, seed):
    started, failed = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="edged-pages-") as directory:
        node, address = start_node(directory)
        stop = threading.Event()
        try:
            api = Api(address)
            path = "/" + api.call("GET", "")["result"][0]["id"]
            numbers = list(range(keys))
            random.Random(seed).shuffle(numbers)
            for at in range(0, keys, ENTRIES_A_REQUEST):
                part = [{"key": name_of(number), "value": "v"} for number in numbers[at:at + ENTRIES_A_REQUEST]]
                stored = api.call("PUT", path + "/bulk", part)["result"]
                expect(stored["successful_key_count"] == len(part), "all entries of a bulk write are stored")
            written = time.monotonic()
            wanted = sorted(map(name_of, numbers))
            expect(list_all(api, path, "prefix=", 1000) == wanted, "every key once, in order")
            listed = time.monotonic()
            disturber = threading.Thread(target=disturb, args=(address, path, stop, seed, failed))
            disturber.start()
            for query, limit in (("prefix=key/03/", 999), ("prefix=", 1000)):
                seen = list_all(api, path, query, limit)
                expect(seen == sorted(set(seen)), "no key twice, and in order, beside other writes")
                prefix = query.split("=")[1]
                mine = [name for name in seen if not name.endswith("/extra")]
                expect(mine == [name for name in wanted if name.startswith(prefix)], "no key is missing")
            stop.set()
            disturber.join()
            expect(not failed, "the other writes: %s" % failed)
            expect(list_all(api, path, "prefix=key/11/", 1000) == [], "a prefix that no key has")
        finally:
            stop.set()
            node.terminate()
            node.wait()
    print("%d keys: written in %.1f s, listed in %.1f s" % (keys, written - started, listed - written))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print("seed %d: python3 %s --keys %d --seed %d" % (options.seed, Path(__file__).name, options.keys, options.seed))
    run(options.keys, options.seed)


if __name__ == "__main__":
    main()
