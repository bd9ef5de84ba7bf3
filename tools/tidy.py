# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over every .cc file of the `clang` build, and compiles every header alone.

Wants a finished build in build/clang (its compile database, precompiled header and dependencies). A
file is checked again only if it, a header of ours it includes, its command or the configuration
has changed: the stamps are in build/clang/tidy. usage: python3 tools/tidy.py [FILE...]
"""

import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build/clang"
STAMPS = BUILD / "tidy"
CLANG_TIDY = "clang-tidy-14"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def is_ours(path):
    return path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "build")


class Subject:
    """One file to check: the command that does it, and where that leaves the file's dependencies."""

    def __init__(self, path, command, dependency_file=None):
        self.path = path
        self.command = command
        self.dependency_file = dependency_file
        self.stamp = STAMPS / (str(path.relative_to(ROOT)).replace("/", "+") + ".json")

    def state(self, dependencies, config):
        """Everything the outcome depends on, as the stamp keeps it."""
        return {"command": sha256("\0".join(self.command).encode()), "config": config,
                "files": {str(path.relative_to(ROOT)): sha256(path.read_bytes())
                          for path in sorted({self.path, *dependencies})}}

    def is_fresh(self, config):
        try:
            kept = json.loads(self.stamp.read_text())
            return kept == self.state([ROOT / name for name in kept["files"]], config)
        except (OSError, ValueError, KeyError):
            return False

    def check(self, config, dependencies):
        """Returns the complaints, and stamps the file if there are none."""
        done = subprocess.run(self.command, cwd=BUILD, capture_output=True, text=True)
        if done.returncode != 0:
            return done.stdout + ("" if "error:" in done.stdout else done.stderr)
        if self.dependency_file:
            words = self.dependency_file.read_text().replace("\\\n", " ").split()[1:]
            dependencies = [path for path in map(Path, words) if is_ours(path)]
        self.stamp.write_text(json.dumps(self.state(dependencies, config)))
        return ""


def dependencies_by_object():
    """What ninja learnt from the compiler: object file, and the files of ours it was made from."""
    listing = subprocess.run(["ninja", "-C", BUILD, "-t", "deps"], check=True, capture_output=True,
                             text=True).stdout
    found, current = {}, None
    for line in listing.splitlines():
        if line and not line.startswith(" "):
            current = found.setdefault(line.split(": #deps", 1)[0], [])
        elif line:
            path = Path(os.path.normpath(BUILD / line.strip()))
            if is_ours(path):
                current.append(path)
    return found


def header_command(words, header, dependency_file):
    """The command of a .cc file, turned to compile only `header`. Without precompiled header (all
    that -Xclang is used for here), which would hide that the header lacks an include."""
    kept, words = [], iter(words)
    for word in words:
        if word in ("-c", "-o", "-Xclang"):
            next(words)
        else:
            kept.append(word)
    return [*kept, "-Wno-pragma-once-outside-header", "-fsyntax-only", "-MD", "-MF",
            str(dependency_file), "-x", "c++", str(header)]


def subjects():
    """Every .cc file of the compile database, then every header with the flags of its folder."""
    objects = dependencies_by_object()
    flags = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        path = Path(entry["file"])
        if not is_ours(path):
            continue
        words = shlex.split(entry["command"])
        flags.setdefault(path.parent, words)
        made_of = objects.get(words[words.index("-o") + 1])
        if made_of is not None:  # else of a target that is not built
            command = [CLANG_TIDY, "--quiet", "-p", str(BUILD), str(path)]
            yield Subject(path, command), made_of
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.h"], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.split()
    for header in sorted(ROOT / name for name in listed if (ROOT / name).is_file()):
        folder = next((one for one in [header.parent, *header.parents] if one in flags), None)
        words = flags[folder] if folder else next(iter(flags.values()))
        dependency_file = STAMPS / (str(header.relative_to(ROOT)).replace("/", "+") + ".d")
        yield Subject(header, header_command(words, header, dependency_file), dependency_file), []


def main():
    if not (BUILD / "compile_commands.json").is_file():
        sys.exit("error: could not read build/clang. Build the preset \"clang\" first")
    STAMPS.mkdir(exist_ok=True)
    config = sha256((ROOT / ".clang-tidy").read_bytes())
    wanted = {Path(name).resolve() for name in sys.argv[1:]}
    everything = {one.path: (one, files) for one, files in subjects()}
    stale = [(one, files) for one, files in everything.values()
             if (one.path in wanted if wanted else not one.is_fresh(config))]
    failures = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for complaints in pool.map(lambda pair: pair[0].check(config, pair[1]), stale):
            if complaints:
                failures += 1
                print(complaints.rstrip(), file=sys.stderr, flush=True)
    print("clang-tidy: %d files, %d checked, %d with complaints" %
          (len(everything), len(stale), failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
