# SPDX-License-Identifier: Apache-2.0
"""Kills a process at a given step of what it does, seen from outside.

A step is a boundary of a message: a request held before it is passed on or just passed on, an answer held
before the process gets it or just given; and a file that appears. `Steps` counts them and kills; the proxies
and the watch report to it: `PostgresWire` and `NodeWire` cut the two protocols into messages (PostgreSQL's
frontend/backend protocol, version 3; docs/protocol.md), `DirectoryWatch` is inotify.
"""

import ctypes
import os
import re
import select
import struct
import threading
from collections import Counter
from pathlib import Path

IN_CREATE, IN_MOVED_TO = 0x100, 0x80
SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
HELLO_BYTES, HEADER_BYTES = 16, 24
# How the product names its statements (tools/cmake/embed_sql.cmake). What has no name, such as "begin", is its own.
STATEMENT_NAME = re.compile(r"\s*/\* edged: (\S+) \*/")


class Steps:
    """Numbers the steps of each kind: "before class_monitor.apply_results, 2" is the second of
    its kind.

    `arm(step, kill)` begins to count; at `step`, if it comes, `kill` is called, once. `reach(kind)` may be called on
    any thread; True: the process is dead now, and a message that was held must not go on. Of each kind no more
    than the first `most` are steps.
    """

    def __init__(self, most=1000):
        self._most = most
        self._lock = threading.Lock()
        self._armed, self._target, self._kill = False, None, None
        self._counts = Counter()
        self.killed_at = None
        self.seen = []  # the steps that ever came, in the order of their first time

    def arm(self, step, kill):
        with self._lock:
            self._armed, self._target, self._kill = True, step, kill
            self._counts.clear()
            self.killed_at = None

    def disarm(self):
        """Nothing is counted any more. The step at which the process was killed, or None."""
        with self._lock:
            self._armed = False
            return self.killed_at

    def reach(self, kind):
        with self._lock:
            if not self._armed:
                return False
            self._counts[kind] += 1
            if self._counts[kind] > self._most:
                return False
            step = "%s, %d" % (kind, self._counts[kind])
            if step not in self.seen:
                self.seen.append(step)
            if step != self._target:
                return False
            self._kill()
            self._armed, self.killed_at = False, step
            return True


class PostgresWire:
    """A connection to PostgreSQL as messages. `requests` and `answers` take bytes and give what is to be
    passed on as (bytes, label); label None: part of no statement."""

    def __init__(self):
        self._there, self._back = b"", b""
        self._starting, self._plain_answers = True, 0  # of SSLRequest and GSSENCRequest: one byte each
        self._parts, self._statement, self._under_way, self._answer = b"", "", [], b""
        self._prepared = {}  # the statement of each name

    def requests(self, data):
        self._there += data
        while True:
            if self._starting:
                if len(self._there) < 8:
                    return
                length, code = struct.unpack(">ii", self._there[:8])
                message = self._take_request(length)
                if message is None:
                    return
                if code in (SSL_REQUEST, GSS_REQUEST):
                    self._plain_answers += 1
                elif code != CANCEL_REQUEST:
                    self._starting = False
                yield message, None
                continue
            if len(self._there) < 5:
                return
            kind, = struct.unpack(">i", self._there[1:5])
            message = self._take_request(1 + kind)
            if message is None:
                return
            yield from self._request(message)

    def _take_request(self, length):
        if len(self._there) < length:
            return None
        message, self._there = self._there[:length], self._there[length:]
        return message

    def _request(self, message):
        kind = message[:1]
        if kind in b"pXdcf":  # password, end, copied data
            yield message, None
            return
        if kind in b"PQB":
            fields = message[5:].split(b"\0")
            if kind == b"B":  # of a statement that was parsed before, under its name
                self._statement = self._prepared.get(fields[1], self._statement)
            else:
                text = fields[1 if kind == b"P" else 0].decode(errors="replace")
                named = STATEMENT_NAME.match(text)
                self._statement = (named[1] if named else text.strip()) or self._statement
            if kind == b"P":
                self._prepared[fields[0]] = self._statement
        self._parts += message
        if kind in b"SQ":  # a statement is complete
            whole, self._parts = self._parts, b""
            self._under_way.append(self._statement)
            yield whole, self._statement

    def answers(self, data):
        self._back += data
        while self._back:
            if self._plain_answers:
                message, self._back = self._back[:1], self._back[1:]
                self._plain_answers -= 1
                yield message, None
                continue
            if len(self._back) < 5:
                return
            length = 1 + struct.unpack(">i", self._back[1:5])[0]
            if len(self._back) < length:
                return
            message, self._back = self._back[:length], self._back[length:]
            self._answer += message
            if message[:1] == b"Z" and self._under_way:
                label = self._under_way.pop(0)
            elif message[:1] in b"Wd" or not self._under_way:
                label = None  # a replication stream, or what belongs to the start
            else:
                continue
            whole, self._answer = self._answer, b""
            yield whole, label


class NodeWire:
    """The same of a connection to the node: frames."""

    def __init__(self):
        self._buffers = {}

    def requests(self, data):
        return self._frames("requests", data)

    def answers(self, data):
        return self._frames("answers", data)

    def _frames(self, direction, data):
        greeted, buffer = self._buffers.get(direction, (False, b""))
        buffer += data
        try:
            while True:
                length = HELLO_BYTES
                if greeted and len(buffer) >= HEADER_BYTES:
                    length = HEADER_BYTES + struct.unpack("<I", buffer[8:12])[0]
                elif greeted:
                    return
                if len(buffer) < length:
                    return
                message, buffer = buffer[:length], buffer[length:]
                label = "node opcode %02x" % message[1] if greeted else None
                greeted = True
                yield message, label
        finally:
            self._buffers[direction] = greeted, buffer


class DirectoryWatch:
    """Reports to `steps` each file that is created in, or moved into, one of `directories`."""

    def __init__(self, steps, directories):
        self._steps = steps
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_CLOEXEC)
        self._names = {}
        for directory in directories:
            watch = self._libc.inotify_add_watch(self._descriptor, str(directory).encode(), IN_CREATE | IN_MOVED_TO)
            if self._descriptor < 0 or watch < 0:
                raise OSError(ctypes.get_errno(), "could not watch %s" % directory)
            self._names[watch] = Path(directory).name
        self._end = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="directory-watch", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.write(self._end[1], b".")
        self._thread.join()
        for descriptor in (self._descriptor, *self._end):
            os.close(descriptor)

    def _watch(self):
        while True:
            ready = select.select([self._descriptor, self._end[0]], [], [])[0]
            if self._end[0] in ready:
                return
            events = os.read(self._descriptor, 64 * 1024)
            at = 0
            while at < len(events):
                watch, _, _, length = struct.unpack_from("iIII", events, at)
                at += 16 + length
                self._steps.reach("a file appeared in %s/" % self._names[watch])
