# SPDX-License-Identifier: Apache-2.0
"""The kills of replay_steps_test with states that come through the mirror, whose messages are steps too.

Heartbeats and loads come when they come, so some steps do not come again; of each kind the
first four count, and every fifth step is tried.
"""

import unittest

import replay_steps_test
from replay_case import MIRROR, MIRROR_SETTINGS


class MirroredStepsTest(replay_steps_test.StepsTest):
    SETTINGS = MIRROR_SETTINGS
    CONFIG = {"mirror": {**MIRROR, "heartbeat": "100ms"}}
    STRIDE = 5
    MOST = 4
    MISSED_MAX = 0.75


if __name__ == "__main__":
    unittest.main()
