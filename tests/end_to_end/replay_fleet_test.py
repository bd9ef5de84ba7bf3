# SPDX-License-Identifier: Apache-2.0
"""Eight workers on one database and one node, on the same schedule and triggered at the same moment: a tick
is run once, a section is asked once a run, and the mails are those of the oracle."""

import threading
import time
import unittest
from collections import Counter

from replay_case import ReplayCase, history
from tools.replay.fleet import Fleet

WORKERS = 8
TICKS = 12
FRAME_SECONDS = 180
SCHEDULED_MIN = 5
RUNS = "select id, cause, status, attempts, worker, summary->>'failed', due_at from edged.cron_runs order by id"


class FleetTest(ReplayCase):
    SETTINGS = ["max_connections=100"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        moments = {source: of_source[:TICKS] for source, of_source in history.tick_moments().items()}
        cls.history = history.History(moments=moments)  # the last frame stays

    def trigger_all(self):
        """Every worker is triggered at the same moment. What each answered: a summary or an error."""
        barrier, answers = threading.Barrier(WORKERS), []

        def trigger(state):
            barrier.wait()
            summary, error = self.deployment.trigger_with_error(60, state)
            answers.append(summary or error)
        threads = [threading.Thread(target=trigger, args=(state,)) for state in self.fleet.states]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), WORKERS)
        return answers

    def wait_until_settled(self, tick):
        """Until some run, whoever started it, has seen the whole frame."""
        end = time.monotonic() + FRAME_SECONDS
        while True:
            for run in self.sql(RUNS)[-3:]:
                if run[2] == "succeeded" and run[5] == "0" and self.upstream.complete(run[0]) is not None:
                    return
            self.assertLess(time.monotonic(), end, "no run settled frame %d" % tick)
            time.sleep(0.1)

    def test_a_tick_is_run_once(self):
        self.deploy(crons=["@every 1s"])
        self.fleet = Fleet(self.deployment, WORKERS)
        self.fleet.start()
        manual = {}
        for tick in range(TICKS):
            for answer in self.trigger_all():
                if isinstance(answer, dict):
                    self.assertNotIn(answer["run_id"], manual, "one run is one worker's")
                    manual[answer["run_id"]] = answer
                else:
                    self.assertIn("HTTP 409", answer)
            self.wait_until_settled(tick)
        end = time.monotonic() + FRAME_SECONDS
        while sum(run[1] == "schedule" for run in self.sql(RUNS)) < SCHEDULED_MIN:
            self.assertLess(time.monotonic(), end, "the schedule does not run")
            time.sleep(0.1)
        self.assert_told_as_expected(TICKS)
        self.deployment.stop()
        self.judge_runs(manual)

    def judge_runs(self, manual):
        """edged.cron_runs and what the upstream was asked are the same runs, each one worker's."""
        runs = self.sql(RUNS)
        scheduled = [run for run in runs if run[1] == "schedule"]
        print("%d manual and %d scheduled runs by %d workers" % (
            len(manual), len(scheduled), len({run[4] for run in runs})))
        self.assertEqual({int(run[0]) for run in runs if run[1] == "manual"}, set(manual))
        self.assertGreater(len(manual), 0)
        self.assertEqual([run for run in runs if run[2:4] != ["succeeded", "1"] or run[5] != "0"], [])
        per_tick = Counter(run[6] for run in scheduled)
        self.assertEqual([due for due, count in per_tick.items() if count != 1 or "." in due], [])
        self.assertEqual(self.upstream.asked, {run[0]: len(self.history.sections) for run in runs},
                         "each run asked for each section once")


if __name__ == "__main__":
    unittest.main()
