# SPDX-License-Identifier: Apache-2.0
"""The kills of replay_steps_test with states that come through the mirror, whose messages are steps too.

Heartbeats come when they come, so the n-th step is not the same in each run; every seventh is tried.
"""

import unittest

import replay_steps_test
from replay_case import MIRROR, MIRROR_SETTINGS


class MirroredStepsTest(replay_steps_test.StepsTest):
    SETTINGS = MIRROR_SETTINGS
    CONFIG = {"mirror": {**MIRROR, "heartbeat": "100ms"}}
    STRIDE = 7


if __name__ == "__main__":
    unittest.main()
