# SPDX-License-Identifier: Apache-2.0
"""The tree lint: what the compiler does not see. Each complaint says what to do about it.

Checks the files git knows (and new ones it does not ignore): include edges as docs/architecture.md
states them, file length, tests that no build runs, paths of somebody's machine, the form of TODO.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES_MAX = 400
CODE = {".h", ".cc", ".py", ".sh", ".sql", ".cmake", ".mjs"}
# Of ours, what each folder may include; "" is the folder itself, always allowed.
WORKER = ["worker/db", "worker/cron", "worker/upstream", "worker/mail", "worker/mirror"]
STORE = ["kvstore/storage/store.h", "kvstore/storage/operation.h"]
EDGES = {
    "proto/base": [],
    "proto/json": ["proto/base"],
    "proto/wire": ["proto/base"],
    "proto/net": ["proto/wire", "proto/base"],
    "proto/http": ["proto/net/condition.h", "proto/net/peer.h", "proto/net/tls.h",
                   "proto/net/unix_acceptor.h", "proto/base"],
    "kvstore/access": ["proto/json", "proto/base"],
    "kvstore/storage": ["proto/base"],
    "kvstore/storage/format": [*STORE, "kvstore/storage/engine", "proto/base"],
    "kvstore/storage/engine": ["kvstore/storage", "proto/base"],  # opens the database: needs filter and recovery
    "kvstore/storage/tables": [*STORE, "kvstore/storage/engine", "kvstore/storage/format", "proto/base"],
    "kvstore/storage/read": [*STORE, "kvstore/storage/engine", "kvstore/storage/format", "kvstore/storage/tables",
                             "proto/base"],
    "kvstore/storage/write": [*STORE, "kvstore/storage/engine", "kvstore/storage/format", "kvstore/storage/tables",
                              "kvstore/storage/read/hot_cache.h", "proto/base"],
    "kvstore/storage/expiry": [*STORE, "kvstore/storage/engine", "kvstore/storage/format", "kvstore/storage/tables",
                               "kvstore/storage/write/writer.h", "kvstore/storage/checkpoint/checkpoints.h",
                               "proto/base"],
    "kvstore/storage/recovery": [*STORE, "kvstore/storage/engine", "kvstore/storage/format", "kvstore/storage/tables",
                                 "kvstore/storage/write/write_group.h", "proto/base"],
    "kvstore/storage/checkpoint": [*STORE, "kvstore/storage/rocks_store.h", "kvstore/storage/engine",
                                   "kvstore/storage/format", "kvstore/storage/tables", "proto/base"],
    "kvstore/backup": ["kvstore/storage", "proto/json", "proto/base"],
    "kvstore/operations": ["kvstore/access", "kvstore/storage/store.h", "proto/base"],
    "kvstore/server": ["kvstore/operations", "kvstore/access", "kvstore/storage/store.h",
                       "proto/net", "proto/wire", "proto/base"],
    "kvstore/redis": ["kvstore/operations", "kvstore/access", "kvstore/storage/store.h",
                      "kvstore/server/memory_share.h", "kvstore/server/reactors.h", "kvstore/server/turns.h",
                      "proto/net", "proto/base"],
    "kvstore/http": ["kvstore/operations", "kvstore/access", "kvstore/storage/store.h",
                     "proto/http", "proto/json", "proto/net/condition.h", "proto/base"],
    "worker/db": ["proto/net", "proto/base"],
    "worker/cron": ["worker/db", "proto/http", "proto/json", "proto/net", "proto/base"],
    "worker/http": ["proto/base"],
    "worker/queue_http": ["worker/db", "worker/queue", "proto/http", "proto/json", "proto/base"],
    "worker/queue_push": ["worker/queue", "worker/http", "proto/json", "proto/base"],
    "worker/upstream": ["worker/http", "proto/json", "proto/base"],
    "worker/mail": ["worker/db", "worker/queue", "worker/http", "proto/http", "proto/json",
                    "proto/net/condition.h", "proto/net/spawn.h", "proto/base"],
    "worker/mirror": ["worker/db", "proto/json", "proto/net", "proto/base"],
    "worker/class_monitor": [*WORKER, "proto"],
    "worker/status": ["proto/net", "proto/base"],
    "tools": ["proto", "kvstore", "worker", "tools"],
    "tests": ["proto", "kvstore", "worker", "tools", "tests"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"((?:proto|kvstore|worker|tools|tests)/[^"]+)"')
TEST = re.compile(r"(_test\.(cc|py)|\.test\.mjs)$")
# Assembled so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w./~$-])/(?:" + "|".join(["home", "root", "work", "Users"]) + r")/\w")
# Boost.JSON's serializer, which writes 1.5 as 1.5E0. Assembled as above.
SERIALIZE = re.compile(r"json::" + r"serialize\(")
TODO = re.compile(r"(?://|#|--)\s*(?:TODO|FIXME|XXX)\b(?!\([^)]+\): )")


def tracked_files():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split("\n")
    return [Path(name) for name in listed if name and (ROOT / name).is_file()]


def folder_of(path):
    """The most particular folder of EDGES that holds the path."""
    parts = path.as_posix()
    held = [folder for folder in EDGES if parts.startswith(folder + "/")]
    return max(held, key=len, default=None)


def check_includes(path, lines):
    folder = folder_of(path)
    if folder is None or path.suffix not in (".h", ".cc"):
        return
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found or found[1].startswith(folder + "/"):
            continue
        if not any(found[1] == edge or found[1].startswith(edge + "/") for edge in EDGES[folder]):
            yield number, "%s may not include \"%s\". Move the code, or turn the edge round " \
                "(docs/architecture.md)" % (folder, found[1])


def check_length(path, lines):
    if path.suffix in CODE and len(lines) > LINES_MAX:
        yield len(lines), "%d lines, at most %d. Split it by noun" % (len(lines), LINES_MAX)


def check_text(path, lines):
    for number, line in enumerate(lines, 1):
        if MACHINE_PATH.search(line):
            yield number, "an absolute path of one machine. Make it relative or a parameter"
        if SERIALIZE.search(line) and path.parts[:2] != ("proto", "json"):
            yield number, "Boost.JSON's own text of a value. Call write_json (proto/json/write_json.h)"
        if path.suffix in CODE and TODO.search(line):
            yield number, "a note for later without a reason. Write TODO(reason): what"


def check_tests_are_built(files):
    for path in files:
        if path.parts[0] != "tests" or not TEST.search(path.name):
            continue
        listed = [ROOT / parent / "CMakeLists.txt" for parent in (path.parent, path.parent.parent)]
        text = "".join(one.read_text() for one in listed if one.is_file())
        name = re.escape(TEST.sub("_test" if path.suffix != ".mjs" else "", path.name))
        if not re.search(r"(?<![\w])%s(?:\.(?:cc|py))?(?![\w.])" % name, text):
            yield path, 1, "no CMakeLists.txt names this test. Add it, or it never runs"


def main():
    files = tracked_files()
    complaints = list(check_tests_are_built(files))
    for path in files:
        if path.parts[:2] == ("tests", "data"):
            continue
        try:
            lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # not text
        for check in (check_includes, check_length, check_text):
            complaints += [(path, number, text) for number, text in check(path, lines)]
    for path, number, text in complaints:
        print("%s:%d: %s" % (path, number, text), file=sys.stderr)
    print("tree lint: %d files, %d complaints" % (len(files), len(complaints)))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
