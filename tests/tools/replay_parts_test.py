# SPDX-License-Identifier: Apache-2.0
"""What the replays under chaos judge and count with: the verdict must refuse what is wrong, and the wires must cut
messages however their bytes were split."""

import struct
import sys
import threading
import unittest
from collections import Counter
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tools.replay import verdict  # noqa: E402
from tools.replay.steps import DirectoryWatch, NodeWire, PostgresWire, Steps  # noqa: E402

SEAT, TEACHER = "seat_available", "instructor_assigned"
ONE = ("a@example.edu", "12345", SEAT)


class ToldTest(unittest.TestCase):
    def setUp(self):
        self.maildir = Path(self.enterContext(TemporaryDirectory()))
        (self.maildir / "new").mkdir()
        self.told = verdict.Told(self.maildir)

    def deliver(self, name, who=ONE, identity="<1@edged>"):
        mail = EmailMessage()
        mail["To"], mail["X-Edged-Section"], mail["X-Edged-Type"] = who
        mail["Message-ID"] = identity
        (self.maildir / "new" / name).write_bytes(mail.as_bytes())

    def test_what_is_expected_is_right(self):
        self.deliver("1")
        self.assertEqual((self.told.surplus(Counter([ONE])), self.told.missing(Counter([ONE]))), ([], []))

    def test_what_is_missing_is_named(self):
        self.assertEqual(self.told.missing(Counter([ONE])), ["not told: %s x1" % (ONE,)])

    def test_what_nobody_should_get_is_named(self):
        self.deliver("1")
        self.assertEqual(self.told.surplus(Counter()), ["told, but must not be: %s x1" % (ONE,)])

    def test_two_files_with_one_message_id_are_named(self):
        self.deliver("1")
        self.told.read()
        self.deliver("2")
        self.assertIn("2 mails have the Message-ID <1@edged>", self.told.surplus(Counter({ONE: 2})))


class RecordTest(unittest.TestCase):
    def judge(self, rows, expected, running="0"):
        return verdict.record_differs(lambda statement: rows if "recipient" in statement else [[running]], expected)

    def test_rows(self):
        teacher = (*ONE[:2], TEACHER)
        sent, again = [*ONE, "sent", ""], [*teacher, "dropped", "already notified"]
        cases = [
            ("all sent", [sent], [ONE], 0),
            ("not recorded", [], [ONE], 1),
            ("recorded twice", [sent, sent], [ONE], 1),
            ("sent, but not expected", [sent], [], 1),
            ("still waiting", [[*ONE, "pending", ""]], [ONE], 2),
            ("a seat that was not told", [[*ONE, "dropped", "already notified"]], [ONE], 2),
            ("a second assignment, with its reason", [[*teacher, "sent", ""], again], [teacher], 0),
            ("a second assignment without a reason", [[*teacher, "sent", ""], [*again[:4], ""]], [teacher], 1),
            ("a second assignment of a first that nobody expects", [again], [], 1),
            ("an assignment that failed", [[*teacher, "sent", ""], [*teacher, "dead", "refused"]], [teacher], 1),
        ]
        for name, rows, expected, problems in cases:
            with self.subTest(name):
                self.assertEqual(len(self.judge(rows, Counter(expected))), problems)

    def test_a_run_that_does_not_end_is_named(self):
        self.assertEqual(len(self.judge([], Counter(), "1")), 1)


def message(kind, payload=b""):
    return kind + struct.pack(">i", 4 + len(payload)) + payload


def cut(function, data, size):
    """The messages of `data`, given in pieces of `size` bytes."""
    return [one for at in range(0, len(data), size) for one in function(data[at:at + size])]


class WireTest(unittest.TestCase):
    def test_postgres_statements_and_answers(self):
        ssl = struct.pack(">ii", 8, 80877103)
        start = struct.pack(">ii", 13, 196608) + b"user\0"
        password, ready = message(b"p", b"secret\0"), message(b"Z", b"I")
        statement = (message(b"P", b"\0/* edged: class_monitor.apply_results */\n-- a note\nwith input as (select 1)\0\0\0") + message(b"B", b"\0" * 8) +
                     message(b"E", b"\0" * 5) + message(b"S"))
        query = message(b"Q", b"begin\0")
        rows = message(b"1") + message(b"2") + message(b"D", b"x") + ready
        for size in (1, 2, 3, 7, 1000):
            with self.subTest(size=size):
                wire = PostgresWire()
                self.assertEqual(cut(wire.requests, ssl, size), [(ssl, None)])
                self.assertEqual(cut(wire.answers, b"N", size), [(b"N", None)])
                self.assertEqual(cut(wire.requests, start + password, size), [(start, None), (password, None)])
                self.assertEqual(cut(wire.answers, message(b"R", b"\0" * 4) + ready, size),
                                 [(message(b"R", b"\0" * 4), None), (ready, None)])
                self.assertEqual(cut(wire.requests, statement, size), [(statement, "class_monitor.apply_results")])
                self.assertEqual(cut(wire.answers, rows, size), [(rows, "class_monitor.apply_results")])
                self.assertEqual(cut(wire.requests, query + message(b"X"), size),
                                 [(query, "begin"), (message(b"X"), None)])
                self.assertEqual(cut(wire.answers, ready, size), [(ready, "begin")])

    def test_postgres_statements_that_are_prepared(self):
        """They are named by what was parsed under their name, however long ago."""
        start = struct.pack(">ii", 13, 196608) + b"user\0"
        end = message(b"E", b"\0" * 5) + message(b"S")
        parse = [message(b"P", b"s%d\0select %d as\0\0\0" % (at, at)) for at in (1, 2)]
        bind = [message(b"B", b"\0s%d\0" % at + b"\0" * 6) for at in (1, 2)]
        unnamed = message(b"P", b"\0select 3 as\0\0\0") + message(b"B", b"\0" * 8) + end
        statements = [(parse[0] + message(b"S"), "select 1 as"), (parse[1] + bind[1] + end, "select 2 as"),
                      (bind[0] + end, "select 1 as"), (unnamed, "select 3 as"), (bind[1] + end, "select 2 as")]
        for size in (1, 7, 1000):
            with self.subTest(size=size):
                wire = PostgresWire()
                cut(wire.requests, start, size)
                self.assertEqual(cut(wire.requests, b"".join(one for one, _ in statements), size), statements)

    def test_node_frames(self):
        hello = b"KVB1" + b"\0" * 12
        frame = b"\xb7\x0b" + b"\0" * 6 + struct.pack("<I", 5) + b"\0" * 12 + b"hello"
        for size in (1, 5, 24, 1000):
            with self.subTest(size=size):
                wire = NodeWire()
                for function in (wire.requests, wire.answers):
                    self.assertEqual(cut(function, hello + frame + frame, size),
                                     [(hello, None)] + 2 * [(frame, "node opcode 0b")])


class StepsTest(unittest.TestCase):
    def test_kills_once_at_the_step_and_counts_only_while_armed(self):
        steps, kills = Steps(), []
        self.assertFalse(steps.reach("a"))
        steps.arm("a, 2", lambda: kills.append(1))
        self.assertEqual([steps.reach(kind) for kind in ("a", "b", "a", "a")], [False, False, True, False])
        self.assertEqual((kills, steps.killed_at, steps.seen), ([1], "a, 2", ["a, 1", "b, 1", "a, 2"]))
        steps.arm(None, kills.clear)
        self.assertEqual([steps.reach("a"), steps.disarm(), steps.reach("a")], [False, None, False])

    def test_of_a_kind_only_the_first_are_steps(self):
        steps = Steps(most=1)
        steps.arm(None, None)
        self.assertEqual([steps.reach("a"), steps.reach("a"), steps.seen], [False, False, ["a, 1"]])

    def test_files_that_appear_are_steps(self):
        directory = Path(self.enterContext(TemporaryDirectory()))
        for name in ("tmp", "new"):
            (directory / name).mkdir()
        steps, moved = Steps(), threading.Event()
        steps.arm("a file appeared in new/, 1", moved.set)
        with DirectoryWatch(steps, [directory / "tmp", directory / "new"]):
            (directory / "tmp" / "1").write_text("")
            (directory / "tmp" / "1").rename(directory / "new" / "1")
            self.assertTrue(moved.wait(10))
        self.assertEqual(steps.seen, ["a file appeared in tmp/, 1", "a file appeared in new/, 1"])


if __name__ == "__main__":
    unittest.main()
