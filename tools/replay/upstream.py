# SPDX-License-Identifier: Apache-2.0
"""The class-search service of a replay: POST /scrape answers the current frame over HTTP/1.1.

Runs on a thread of its own with its own event loop; thousands of requests a second. A run (the
header X-Edged-Run) sees one frame from its first question to its last: `frame_of` tells which, and
`complete` moves on to the next frame once a run has settled this one. Faults misbehave on purpose.
"""

import asyncio
import json
import random
import threading
from collections import Counter
from dataclasses import dataclass

from .history import PCC

ANSWERS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
           429: "Too Many Requests", 503: "Service Unavailable"}
HEADER_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 16 * 1024


@dataclass
class Faults:
    """The probability of each misbehaviour for one request, and the time every answer takes."""

    delay_seconds: float = 0.0
    unavailable: float = 0.0  # 503
    too_many: float = 0.0     # 429 with Retry-After: 1
    rubbish: float = 0.0      # 200 with a body that is no JSON, or JSON of another shape
    cut: float = 0.0          # the connection ends in the middle of the answer
    reset: float = 0.0        # the connection ends without an answer
    stall: float = 0.0        # no answer ever comes
    partial: float = 0.0      # seats and instructor are missing from the answer
    seed: int = 1


class Upstream:
    """Start with `with Upstream(history, token) as upstream:`; `url` is where it listens.

    `asked` counts the questions of each run. `on_answer(when)` is called "before" and "after" each
    answer, on the upstream's thread; an answer before which it says True is not given.
    """

    def __init__(self, history, token, faults=None):
        self.history, self.token = history, token
        self.url = None
        self._lock = threading.Lock()
        self._frame = 0
        self._frames_of_runs = {}
        self.requests, self.asked = 0, Counter()
        self.on_answer = lambda when: False
        self.set_faults(faults or Faults())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="upstream", daemon=True)
        self._ready = threading.Event()

    def set_faults(self, faults):
        self.faults, self.random = faults, random.Random(faults.seed)

    def __enter__(self):
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("could not start the upstream in 10 s")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def frame(self):
        return self._frame

    def frame_of(self, run):
        """The frame a run has seen, or None if it has asked nothing yet."""
        with self._lock:
            return self._frames_of_runs.get(str(run))

    def complete(self, run):
        """A run settled its frame: new runs see the next one, if this was the current one.

        Returns the frame it settled, or None if it had asked nothing or the frame was old.
        """
        with self._lock:
            frame = self._frames_of_runs.get(str(run))
            if frame is None or frame != self._frame:
                return None
            self._frame += 1
            return frame

    def restart(self):
        """Back to the first frame, for another replay."""
        with self._lock:
            self._frame, self._frames_of_runs = 0, {}

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=4096))
        self.url = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            self._loop.run_until_complete(server.wait_closed())
            self._loop.close()

    def answer(self, method, path, headers, body):
        """Status (or "cut", "reset", "stall"), extra header lines and body of one request."""
        self.requests += 1
        if path != "/scrape" or method != "POST":
            return 404, "", b'{"success":false,"error":"no such path"}'
        if headers.get("authorization") != "Bearer " + self.token:
            return 401, "", b'{"success":false,"error":"unauthorized"}'
        try:
            number = json.loads(body)["sectionNumber"]
        except (ValueError, KeyError, TypeError):
            return 400, "", b'{"success":false,"error":"bad request"}'
        run = headers.get("x-edged-run")
        self.asked[run] += 1
        misbehaviour = self._draw()
        if misbehaviour == "unavailable":
            return 503, "", b"upstream is having a moment"
        if misbehaviour == "too_many":
            return 429, "Retry-After: 1\r\n", b""
        if misbehaviour == "rubbish":
            return 200, "", self.random.choice([b"<html>oops", b'{"success":', b"[]", b"\x00\xff"])
        answer = self._section(number, run)
        if misbehaviour == "partial" and answer["success"]:
            answer["data"].update(instructor=None, seats_available=None)
        status = misbehaviour if misbehaviour in ("cut", "reset", "stall") else 200
        return status, "", json.dumps(answer).encode()

    def _draw(self):
        """The name of the misbehaviour that a request meets, or None."""
        faults, draw = self.faults, self.random.random()
        for name in ("unavailable", "too_many", "rubbish", "cut", "reset", "stall", "partial"):
            draw -= getattr(faults, name)
            if draw < 0:
                return name
        return None

    def _section(self, number, run):
        with self._lock:
            frame = self._frame if run is None else self._frames_of_runs.setdefault(run, self._frame)
        section = self.history.by_number.get(number)
        state = section and self.history.state(number, frame)
        if not state:
            return {"success": False, "error": "Section not found"}
        # PCC's listing has no instructors: unknown, not unassigned.
        instructor = None if section.source == PCC else state.instructor
        return {"success": True, "data": {
            "subject": section.subject, "catalog_nbr": section.catalog_nbr, "title": section.title,
            "instructor": instructor, "seats_available": state.seats_available,
            "seats_capacity": state.seats_capacity, "non_reserved_seats": None,
            "location": section.location, "meeting_times": section.meeting_times}}


class _Connection(asyncio.Protocol):
    """One keep-alive connection; answers in the order of the requests."""

    def __init__(self, upstream):
        self.upstream, self.buffer, self.transport = upstream, b"", None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            lines = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.strip().lower(): value.strip()
                       for name, _, value in (line.partition(":") for line in lines[1:])}
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > BODY_BYTES_MAX:
                self.transport.close()
                return
            total = end + 4 + int(length)
            if len(self.buffer) < total:
                return
            body, self.buffer = self.buffer[end + 4:total], self.buffer[total:]
            method, path = (lines[0].split(" ") + ["", ""])[:2]
            self._answer(*self.upstream.answer(method, path, headers, body))
        if len(self.buffer) > HEADER_BYTES_MAX:
            self.transport.close()

    def _answer(self, status, extra, body):
        if status == "stall":
            return
        code = 200 if status in ("cut", "reset") else status
        head = "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n" % (
            code, ANSWERS[code], len(body), extra)
        data = head.encode() + body
        send = self._send
        if status == "reset":
            data, send = b"", self._send_and_close
        elif status == "cut":
            data, send = data[:-max(1, len(body) // 2)], self._send_and_close
        delay = self.upstream.faults.delay_seconds
        if delay:
            asyncio.get_running_loop().call_later(delay, send, data)
        else:
            send(data)

    def _send(self, data):
        if self.transport.is_closing() or self.upstream.on_answer("before"):
            return
        self.transport.write(data)
        self.upstream.on_answer("after")

    def _send_and_close(self, data):
        self._send(data)
        self.transport.close()
