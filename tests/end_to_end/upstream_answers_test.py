# SPDX-License-Identifier: Apache-2.0
"""Answers as upstreams really give them, through the whole program: bad characters, words for no seats, cancelled
sections; and mails to addresses as people write them, read by Python's own parser."""

import email
import email.policy
import http.server
import json
import subprocess
import threading
import unittest

from replay_case import ReplayCase
from tools.replay.history import History, read_sections

ODD = ["31001", "31002", "31003"]
TERM = "2261"
UPSTREAM = {
    "type": "json", "retries": 0,
    "fields": {"seats_available": "/seats", "title": "/title", "instructor": "/who", "status": "/status"},
    "zero_words": {"seats_available": ["Full", "Closed"]}, "cancelled_values": ["Cancelled"],
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = self.server.answers.get(self.path.strip("/"), (404, b"not found"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class UpstreamAnswersTest(ReplayCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.history = History(sections=read_sections()[:1])

    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.answers = {}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.deploy(kv_namespaces=[], upstream={
            "url": "http://127.0.0.1:%d/{class_nbr}" % self.server.server_address[1], **UPSTREAM})
        self.sql("delete from class_watches")

    def watch(self, number, address="student@example.edu"):
        self.sql("with u as (insert into auth.users (id, email) values (gen_random_uuid(), $$%s$$) returning id) "
                 "insert into class_watches (user_id, term, subject, catalog_nbr, class_nbr) "
                 "select id, '%s', 'CSE', '310', '%s' from u" % (address, TERM, number))

    def answer(self, number, body, status=200):
        self.server.answers[number] = (status, body)

    def run_once(self, *arguments):
        return subprocess.run([self.deployment.programs / "edged", "cron", "run", "class-monitor", "-c",
                               self.deployment.config, *arguments], capture_output=True, text=True, timeout=120)

    def tick(self, code=0):
        done = self.run_once("--json")
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout), done.stderr

    def mails(self):
        new = self.deployment.maildir / "new"
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in new.glob("*")]

    def test_a_bad_character_hides_no_seats(self):
        titles = [rb'"half a pair \ud83d"', b'"caf\xe9"', b'"a tab\tand \x01"']
        for number in ODD:
            self.watch(number)
        for seats in (b'"Full"', b"3"):
            for number, title in zip(ODD, titles):
                self.answer(number, b'\xef\xbb\xbf{"title":%s,"seats":%s,"nan":NaN}' % (title, seats))
            summary, _ = self.tick()
            self.assertEqual(summary["fetched"], 3)
        self.assertEqual(summary["openings"], 3)
        stored = self.sql("select seats_available, title from class_states order by class_nbr")
        self.assertEqual([row[0] for row in stored], ["3", "3", "3"])
        self.assertEqual(stored[0][1], "half a pair \ufffd")
        self.assertEqual(stored[1][1], "caf\ufffd")
        self.assertEqual(len(self.mails()), 3)

    def test_a_cancelled_section_announces_nothing_until_it_is_back(self):
        self.watch(ODD[0])
        for body in (b'{"status":"Open","seats":0,"who":"Staff"}',
                     b'{"status":" CANCELLED ","seats":7,"who":"Jane Doe"}'):
            self.answer(ODD[0], body)
            summary, _ = self.tick()
        self.assertEqual(summary["cancelled"], 1)
        self.assertEqual(self.sql("select seats_available, instructor_name from class_states"), [["0", "Staff"]])
        self.assertEqual(self.mails(), [])
        self.answer(ODD[0], b'{"status":"Open","seats":7,"who":"Jane Doe"}')
        self.tick()
        self.assertEqual(sorted(mail["X-Edged-Type"] for mail in self.mails()),
                         ["instructor_assigned", "seat_available"])

    def test_addresses_are_mailed_as_smtp_takes_them_or_refused_with_the_row(self):
        self.watch(ODD[0], "  zoe@B\u00fccher.example ")
        self.watch(ODD[0], "a@b..c")
        self.watch(ODD[0], "   ")
        for seats, code in ((b"0", 0), (b"3", 1)):  # a mail that is given up is a failure
            self.answer(ODD[0], b'{"seats":%s,"title":".dot From here"}' % seats)
            _, log = self.tick(code)
        self.assertEqual([mail["To"] for mail in self.mails()], ["zoe@xn--bcher-kva.example"])
        row, reason = self.sql("select notification_id, reason from edged.mails where status = 'dead'")[0]
        self.assertIn('invalid mail address "a@b..c": the domain has two dots in a row', reason)
        logged = "".join(line for line in log.splitlines() if "[MAIL]" in line)
        self.assertIn("mail %s will never be sent" % row, logged)
        self.assertNotIn("a@b..c", logged)
        self.assertEqual(self.sql("select reason from edged.mails where status = 'dropped'"),
                         [["the user has no address"]])

    def test_numbers_are_written_plainly_and_absent_sections_are_named(self):
        self.watch(ODD[0])
        self.answer(ODD[0], b'{"seats":2}')
        self.watch("99999")
        self.deployment.write_config(kv_namespaces=[], upstream={
            "url": "http://127.0.0.1:%d/{class_nbr}" % self.server.server_address[1], **UPSTREAM,
            "fields": {**UPSTREAM["fields"], "class_nbr": "/nr"}})
        self.answer(ODD[0], b'{"nr":%s.0,"seats":2}' % ODD[0].encode())
        self.answer("99999", b'{"nr":1,"seats":2}')
        summary, log = self.tick()
        self.assertEqual((summary["fetched"], summary["absent"]), (1, 1))
        self.assertEqual(summary["absent_sections"], ["99999"])
        self.assertIn("the upstream does not know 1 watched section; the last known state stands: 99999", log)
        self.sql("update edged.cron_runs set started_at = finished_at - interval '1.027 seconds'")
        for output in (self.run_once().stdout, self.run_once("--json").stdout,
                       self.history_of("--json"), self.history_of()):
            self.assertNotRegex(output, r"\d[eE][-+]?\d")
        self.assertIn('"duration_seconds":1.027', self.history_of("--json"))

    def history_of(self, *arguments):
        return subprocess.run([self.deployment.programs / "edged", "cron", "history", "class-monitor", "-c",
                               self.deployment.config, *arguments], capture_output=True, text=True, timeout=60,
                              check=True).stdout


if __name__ == "__main__":
    unittest.main()
