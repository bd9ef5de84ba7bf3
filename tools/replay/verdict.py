# SPDX-License-Identifier: Apache-2.0
"""What a replay told against what the oracle says it must: the maildir, and PostgreSQL's own record."""

import json
import time
from collections import Counter

from . import mailbox, oracle
from .deployment import student, watchers

WAITING = "select count(*) from edged.mails where status in ('pending', 'sending')"
RECORDED = "select recipient, class_nbr, notification_type, status, coalesce(reason, '') from edged.mails"
TAKEN_OVER = "select coalesce(sum(attempts - 1), 0), count(*) from edged.cron_runs"
REFUSED = "select count(*) from edged.mails where status = 'dropped'"


class Expectation:
    """The oracle's notifications of a history as mails: (address, section, type)."""

    def __init__(self, history, ticks=None):
        self._places = {section.number: i for i, section in enumerate(history.sections)}
        self._by_tick = {}
        for one in oracle.expected(history.data, history.sections, history.moments,
                                   history.ticks if ticks is None else ticks):
            self._by_tick.setdefault(one.tick, []).append(one)

    def told_at(self, tick):
        """The mails that a tick must cause."""
        return Counter((student(who), one.number, one.type) for one in self._by_tick.get(tick, ())
                       for who in watchers(self._places[one.number]))

    def told_until(self, ticks):
        """The mails of the first ticks."""
        return sum((self.told_at(tick) for tick in range(ticks)), Counter())


class Told:
    """The maildir of a running replay: read as it grows, so that what is too much is seen at once."""

    def __init__(self, maildir):
        self._mailbox = mailbox.Mailbox(maildir)
        self.mails, self.identities = Counter(), Counter()

    def read(self):
        new = self._mailbox.new_mails()
        self.mails += mailbox.counts(new)
        self.identities.update(mail["Message-ID"] for mail in new)

    def surplus(self, expected):
        """What is wrong already, whatever comes: mails nobody should get, and twice the same."""
        self.read()
        return (["told, but must not be: %s x%d" % (who, count)
                 for who, count in (self.mails - expected).items()] +
                ["%d mails have the Message-ID %s" % (count, identity)
                 for identity, count in self.identities.items() if count != 1])

    def missing(self, expected):
        self.read()
        return ["not told: %s x%d" % (who, count)
                for who, count in (expected - self.mails).items()]


def wait_for_mails(sql, seconds):
    """Until no mail waits any more. `sql` runs a statement. False: some still do."""
    end = time.monotonic() + seconds
    while sql(WAITING) != [["0"]]:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def record_differs(sql, expected):
    """PostgreSQL's record: for each opening and watcher a mail that was sent, or the reason why not. In a
    replay the one reason is truth table row 13: an instructor who is assigned again within a day."""
    problems, sent = [], Counter()
    for recipient, number, kind, status, reason in sql(RECORDED):
        if status == "sent":
            sent[recipient, number, kind] += 1
        elif not reason or status != "dropped" or kind != oracle.INSTRUCTOR or (recipient, number, kind) not in expected:
            problems.append("a mail of section %s to %s, %s, is %s: %s" % (
                number, recipient, kind, status, reason or "without a reason"))
    problems += ["no row of edged.mails: %s x%d" % (who, count)
                 for who, count in (expected - sent).items()]
    problems += ["surplus row of edged.mails: %s x%d" % (who, count)
                 for who, count in (sent - expected).items()]
    if sql("select count(*) from edged.cron_runs where status = 'running'") != [["0"]]:
        problems.append("a run is recorded as running, and nothing runs")
    return problems


def states_of_node(kvctl):
    """The states the node holds: by section, as JSON objects."""
    listed = json.loads(kvctl("list", "--all", "--prefix", "class_state:", "--values", "--json"))
    return {item["key"].partition(":")[2]: json.loads(item["value"]) for item in listed["keys"]}


def believed_states(kvctl, sql):
    """The classic flow's bound: a state in the node that a run would believe, for it has the epoch that
    PostgreSQL has for the section, is PostgreSQL's own. How many there are, and those that differ."""
    rows = {number: (json.loads(row), int(epoch)) for number, row, epoch in sql(
        "select class_nbr, row_to_json(s), epoch from class_states s "
        "join edged.section_checks using (class_nbr)")}
    believed, different = 0, []
    for number, state in states_of_node(kvctl).items():
        row, epoch = rows[number]
        if state.pop("epoch") == epoch:
            believed += 1
            if state != {name: row[name] for name in state}:
                different.append("the node believes %s, PostgreSQL has %s" % (state, row))
    return believed, different


def mirrored_states_differ(kvctl, sql):
    """At rest the node holds PostgreSQL's rows. The sections for which it does not."""
    rows = {number: json.loads(row)
            for number, row in sql("select class_nbr, row_to_json(s) from class_states s")}
    states = states_of_node(kvctl)
    return sorted(number for number in rows.keys() | states.keys()
                  if rows.get(number) != states.get(number))
