# SPDX-License-Identifier: Apache-2.0
"""The replay's own parts: frames, oracle, upstream and delaying proxy. Loopback sockets only."""

import http.client
import json
import socket
import sys
import threading
import time
import unittest
from collections import namedtuple
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tools.replay import history, oracle  # noqa: E402
from tools.replay.delay_proxy import DelayProxy  # noqa: E402
from tools.replay.upstream import Faults, Upstream  # noqa: E402

One = namedtuple("One", "source recorded_number number")
HEADER = "timestamp,source,term,class_nbr,seats_available,seats_capacity,instructor,waitlist,status\n"


def notifications_of(*frames):
    """The oracle's answer for one section whose frames are (seats, instructor) or "ABSENT"."""
    rows = ["%d,s,t,7,,,,,ABSENT" % i if frame == "ABSENT" else
            "%d,s,t,7,%s,30,%s,0," % (i, *frame) for i, frame in enumerate(frames)]
    with TemporaryDirectory() as directory:
        Path(directory, "history.csv").write_text(HEADER + "\n".join(rows) + "\n")
        moments = {"s": [str(i) for i in range(len(frames))]}
        return [(one.type, one.tick) for one in
                oracle.expected(directory, [One("s", "7", "00007")], moments, len(frames))]


class OracleTest(unittest.TestCase):
    SEATS = [
        ("row 1: first sight of an open section", [3], []),
        ("row 1: first sight of a full section", [0], []),
        ("row 2: a seat opens", [0, 3], [1]),
        ("row 3: more seats, fewer seats", [3, 5, 1], []),
        ("row 4: fills up and opens again", [0, 3, 0, 2], [1, 3]),
        ("row 5: unknown in between", [0, 3, "", 3], [1]),
        ("row 5: absent in between", [0, 3, "ABSENT", 3], [1]),
        ("row 6: opens behind an unknown", [0, "", 3], [2]),
        ("row 6: opens behind an absence", [0, "ABSENT", 3], [2]),
        ("negative counts as full", [-4, -1, 2], [2]),
        ("first sight without seats stores nothing", ["", 3], []),
    ]
    TEACHERS = [
        ("row 13: assigned", ["Staff", "Ng; A"], [1]),
        ("row 13: placeholders in any case", ["tba", "INSTRUCTOR UNASSIGNED", "Ng; A"], [2]),
        ("row 13: unknown in between", ["Staff", "", "Ng; A"], [2]),
        ("row 13: another name", ["Ng; A", "Li; B"], []),
        ("row 13: unassigned and assigned again", ["Staff", "Ng; A", "Staff", "Ng; A"], [1]),
        ("row 13: unknown, then a name", ["", "Ng; A"], []),
    ]

    def test_seats_follow_the_truth_table(self):
        for name, seats, ticks in self.SEATS:
            with self.subTest(name):
                frames = [seen if seen == "ABSENT" else (seen, "") for seen in seats]
                self.assertEqual(notifications_of(*frames), [(oracle.SEAT, tick) for tick in ticks])

    def test_instructors_follow_the_truth_table(self):
        for name, teachers, ticks in self.TEACHERS:
            with self.subTest(name):
                self.assertEqual(notifications_of(*[(1, one) for one in teachers]),
                                 [(oracle.INSTRUCTOR, tick) for tick in ticks])


class HistoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.history = history.History()

    def test_sections_are_unique_by_the_number_the_worker_uses(self):
        self.assertEqual(len(self.history.by_number), len(self.history.sections))
        for section in self.history.sections:
            self.assertRegex(section.number, r"^\d{5}$")
            self.assertRegex(section.term, r"^\d{4}$")

    def test_a_frame_is_the_last_row_up_to_its_moment(self):
        moments = history.tick_moments()[history.PCC]
        rows = {}
        for line in (history.DATA / "history.csv").read_text().splitlines()[1:]:
            cells = line.split(",")
            if cells[1] == history.PCC and cells[0] <= moments[50]:
                rows[cells[3]] = cells
        checked = 0
        for section in self.history.sections:
            if section.source == history.PCC and section.recorded_number in rows:
                cells = rows[section.recorded_number]
                state = self.history.state(section.number, 50)
                seen = "" if state is None else str(state.seats_available)
                self.assertEqual(seen, cells[4], section)
                checked += 1
        self.assertGreater(checked, 150)

    def test_the_default_quickstart_has_something_to_show(self):
        found = oracle.expected(history.DATA, self.history.sections, history.tick_moments(), 40)
        kinds = [one.type for one in found]
        self.assertGreater(kinds.count(oracle.SEAT), 36)
        self.assertGreater(kinds.count(oracle.INSTRUCTOR), 5)


class MassEventTest(unittest.TestCase):
    """All of Pasadena City College: across a gap of the recording, more than a thousand sections fill up."""

    @classmethod
    def setUpClass(cls):
        cls.data = history.DATA / "pcc"
        cls.moments = {history.PCC: history.tick_moments(cls.data)[history.PCC]}
        cls.history = history.History(cls.data, moments=cls.moments)

    def seats(self, number, tick):
        state = self.history.state(number, tick)
        return state.seats_available if state else None

    def test_all_sections_and_polls_are_there(self):
        self.assertEqual((len(self.history.by_number), self.history.ticks), (2795, 1220))
        found = oracle.expected(self.data, self.history.sections, self.moments, self.history.ticks)
        self.assertEqual(len(found), 862)

    def test_the_mass_event_is_one_frame(self):
        filled = sum(1 for number in self.history.by_number
                     if (self.seats(number, 359) or 0) > 0 and self.seats(number, 360) == 0)
        self.assertGreater(filled, 1200)

    def test_chosen_moments_are_the_frames(self):
        chosen = {history.PCC: self.moments[history.PCC][359:361]}
        some = history.History(self.data, self.history.sections[:50], chosen)
        self.assertEqual(some.ticks, 2)
        for section in some.sections:
            self.assertEqual(some.state(section.number, 1), self.history.state(section.number, 360))


class UpstreamTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.history = history.History()

    def ask(self, upstream, number, run="1", token="secret", method="POST", timeout=10):
        host = upstream.url.partition("//")[2]
        client = http.client.HTTPConnection(host, timeout=timeout)
        self.addCleanup(client.close)
        client.request(method, "/scrape", json.dumps({"sectionNumber": number, "term": "2231"}),
                       {"Authorization": "Bearer " + token, "X-Edged-Run": run})
        response = client.getresponse()
        return response.status, response.read()

    def test_a_run_keeps_its_frame_until_it_completes(self):
        changing = next(s.number for s in self.history.sections
                        if self.history.state(s.number, 0) != self.history.state(s.number, 1)
                        and self.history.state(s.number, 0) and self.history.state(s.number, 1))
        with Upstream(self.history, "secret") as upstream:
            first = self.ask(upstream, changing, "1")
            self.assertEqual(first, self.ask(upstream, changing, "2"))
            self.assertEqual(upstream.complete("1"), 0)
            self.assertIsNone(upstream.complete("1"))
            self.assertIsNone(upstream.complete("2"), "it saw frame 0, which is settled")
            self.assertIsNone(upstream.complete("unknown"))
            self.assertEqual(first, self.ask(upstream, changing, "2"))
            self.assertNotEqual(first, self.ask(upstream, changing, "3"))
            seats = json.loads(first[1])["data"]["seats_available"]
            self.assertEqual(seats, self.history.state(changing, 0).seats_available)

    def test_wrong_questions_get_no_state(self):
        with Upstream(self.history, "secret") as upstream:
            number = self.history.sections[0].number
            self.assertEqual(self.ask(upstream, number, token="guess")[0], 401)
            self.assertEqual(self.ask(upstream, number, method="GET")[0], 404)
            status, body = self.ask(upstream, "99999")
            self.assertEqual((status, json.loads(body)),
                             (200, {"success": False, "error": "Section not found"}))

    def test_each_fault_shows(self):
        number = self.history.sections[0].number
        with Upstream(self.history, "secret") as upstream:
            upstream.set_faults(Faults(unavailable=1))
            self.assertEqual(self.ask(upstream, number)[0], 503)
            upstream.set_faults(Faults(too_many=1))
            self.assertEqual(self.ask(upstream, number)[0], 429)
            upstream.set_faults(Faults(rubbish=1))
            with self.assertRaises((ValueError, KeyError, TypeError)):
                json.loads(self.ask(upstream, number)[1])["data"]
            upstream.set_faults(Faults(cut=1))
            with self.assertRaises(http.client.IncompleteRead):
                self.ask(upstream, number)
            upstream.set_faults(Faults(reset=1))
            with self.assertRaises(http.client.RemoteDisconnected):
                self.ask(upstream, number)
            upstream.set_faults(Faults(stall=1))
            with self.assertRaises(TimeoutError):
                self.ask(upstream, number, timeout=0.3)
            upstream.set_faults(Faults(partial=1))
            self.assertIsNone(json.loads(self.ask(upstream, number)[1])["data"]["seats_available"])
            upstream.set_faults(Faults())
            self.assertIsNotNone(json.loads(self.ask(upstream, number)[1])["data"]["seats_available"])

    def test_an_answer_is_not_given_if_told_so_and_each_is_reported(self):
        number, seen = self.history.sections[0].number, []
        with Upstream(self.history, "secret") as upstream:
            upstream.on_answer = seen.append
            self.assertEqual(self.ask(upstream, number, "7")[0], 200)
            end = time.monotonic() + 10
            while len(seen) < 2 and time.monotonic() < end:  # told on the upstream's thread
                time.sleep(0.01)
            upstream.on_answer = lambda when: True
            with self.assertRaises(TimeoutError):
                self.ask(upstream, number, "7", timeout=0.3)
            self.assertEqual((seen, upstream.asked["7"]), (["before", "after"], 2))


class DelayProxyTest(unittest.TestCase):
    def test_bytes_arrive_late_in_order_and_not_one_after_the_other(self):
        delay = 0.2
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def echo():
            connection, _ = listener.accept()
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

        threading.Thread(target=echo, daemon=True).start()
        with DelayProxy(listener.getsockname()[1], delay) as proxy:
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
                sent = b"".join(b"%04d" % i for i in range(20))
                begin = time.monotonic()
                for at in range(0, len(sent), 4):
                    client.sendall(sent[at:at + 4])
                    time.sleep(0.01)
                got = b""
                while len(got) < len(sent):
                    got += client.recv(65536)
                took = time.monotonic() - begin
        self.assertEqual(got, sent)
        self.assertGreaterEqual(took, delay)
        self.assertLess(took, 10 * delay, "20 chunks must not wait for one another")


if __name__ == "__main__":
    unittest.main()
