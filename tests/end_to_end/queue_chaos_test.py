# SPDX-License-Identifier: Apache-2.0
"""A cycle of tools/soak queue: queue_chaos.py says what happens in it."""

import time
import unittest

from queue_chaos import Chaos


class QueueChaosTest(unittest.TestCase):
    def test_everything_is_delivered(self):
        seed = int(time.time())
        print("seed %d" % seed)
        with Chaos(seed) as chaos:
            chaos.cycle()


if __name__ == "__main__":
    unittest.main()
