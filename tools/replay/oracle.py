# SPDX-License-Identifier: Apache-2.0
"""Which notifications a replay must cause, computed from the CSV by the truth table alone.

Deliberately shares no code with the replay's frames or the product: it walks a section's change
points and asks for each tick what the table says. Rows: 1 first sight says nothing; 2, 3, 4 only a
seen 0 before an open seat counts; 5, 6 unknown and absent keep what was known; 13 a placeholder
that becomes a name counts once a day (a replay is shorter than a day). Rows about claims that
outlive a lost state do not occur in a replay.
"""

import csv
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import NamedTuple

SEAT, INSTRUCTOR = "seat_available", "instructor_assigned"
PLACEHOLDERS = {"", "staff", "tba", "instructor unassigned"}


class Notification(NamedTuple):
    number: str
    type: str
    tick: int


def expected(data, sections, moments, ticks):
    """The notifications of ticks 0..ticks-1, one per section, type and tick.

    sections: objects with source, recorded_number and number. moments: by source, a tick's moment.
    """
    wanted = {(section.source, section.recorded_number): section.number for section in sections}
    points = {key: [] for key in wanted}
    with open(Path(data) / "history.csv", encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if (row[1], row[3]) in wanted:
                points[row[1], row[3]].append((row[0], row[4], row[6], row[8]))
    found = []
    for (source, recorded), number in wanted.items():
        found += _of_section(number, points[source, recorded], moments[source][:ticks])
    return sorted(found, key=lambda one: (one.tick, one.number, one.type))


def _of_section(number, points, moments):
    seats = teacher = None  # the last known ones; seats None: never stored
    named_before = False
    for tick, moment in enumerate(moments):
        seen = bisect_right(points, moment, key=lambda point: point[0])
        if seen == 0 or points[seen - 1][3] == "ABSENT":
            continue
        _, seats_text, teacher_text, _ = points[seen - 1]
        if seats is None and seats_text == "":
            continue
        first_sight = seats is None
        if seats_text != "":
            now_open = max(0, int(seats_text))
            if not first_sight and seats == 0 and now_open > 0:
                yield Notification(number, SEAT, tick)
            seats = now_open
        if teacher_text != "":
            if (not first_sight and teacher is not None and not named_before
                    and teacher.strip().lower() in PLACEHOLDERS
                    and teacher_text.strip().lower() not in PLACEHOLDERS):
                named_before = True
                yield Notification(number, INSTRUCTOR, tick)
            teacher = teacher_text


def counts(notifications):
    """How often each (number, type) occurs."""
    return Counter((one.number, one.type) for one in notifications)
