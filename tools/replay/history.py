# SPDX-License-Identifier: Apache-2.0
"""The recording in tests/data as frames: what each section looked like at tick 0, 1, 2, ...

history.csv holds change points: a section's state at a moment is its last row up to then. A tick
of a PCC section is a real poll; UCSD was recorded section after section, so its ticks are evenly
spaced moments. Both sources share one tick index; a source whose recording ends keeps its last
frame.
"""

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Optional

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
PCC, UCSD = "pcc-202330", "ucsd-S122"
UCSD_FIRST, UCSD_STEP, UCSD_TICKS = datetime(2022, 4, 26), timedelta(hours=6), 268


class Section(NamedTuple):
    """One section as the worker knows it: `number` and `term` have five and four digits."""

    source: str
    recorded_number: str
    number: str
    term: str
    subject: Optional[str]
    catalog_nbr: Optional[str]
    title: Optional[str]
    location: Optional[str]
    meeting_times: Optional[str]


class State(NamedTuple):
    """What the recording says of a section; None is what the source does not tell."""

    seats_available: Optional[int]
    seats_capacity: Optional[int]
    instructor: Optional[str]


def read_sections(data=DATA):
    sections = []
    with open(data / "sections.jsonl", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            sections.append(Section(row["source"], row["class_nbr"], row["class_nbr5"], row["term4"],
                                    *(row.get(name) for name in Section._fields[4:])))
    return sections


def tick_moments(data=DATA):
    """The moment of each tick, by source, in the recording's own time format."""
    with open(data / "history_polls.csv", encoding="utf-8", newline="") as file:
        pcc = [row["timestamp"] for row in csv.DictReader(file) if row["source"] == PCC]
    ucsd = [(UCSD_FIRST + i * UCSD_STEP).strftime("%Y-%m-%dT%H:%M:%SZ")
            for i in range(UCSD_TICKS)]
    return {PCC: pcc, UCSD: ucsd}


def _number(text):
    return int(text) if text else None


class History:
    """All frames. `state` is None where the section was not listed: the upstream has no such one.
    `sections` and `moments` (by source) choose some of the recording."""

    def __init__(self, data=DATA, sections=None, moments=None):
        self.data = data
        self.sections = sections if sections is not None else read_sections(data)
        self.moments = moments = moments or tick_moments(data)
        self.ticks = max(len(of_source) for of_source in moments.values())
        rows = {}
        with open(data / "history.csv", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rows.setdefault((row["source"], row["class_nbr"]), []).append(row)
        self._frames = {
            section.number: self._unroll(rows[section.source, section.recorded_number],
                                         moments[section.source])
            for section in self.sections}
        self.by_number = {section.number: section for section in self.sections}

    @staticmethod
    def _unroll(rows, moments):
        frames, at, state = [], 0, None
        for moment in moments:
            while at < len(rows) and rows[at]["timestamp"] <= moment:
                row, at = rows[at], at + 1
                state = None if row["status"] == "ABSENT" else State(
                    _number(row["seats_available"]), _number(row["seats_capacity"]),
                    row["instructor"] or None)
            frames.append(state)
        return frames

    def state(self, number, tick):
        frames = self._frames[number]
        return frames[min(tick, len(frames) - 1)]
