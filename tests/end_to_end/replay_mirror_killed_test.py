# SPDX-License-Identifier: Apache-2.0
"""The replays of replay_killed_test with states that come through the mirror."""

import json
import unittest

import replay_killed_test
from replay_case import DATABASE, MIRROR, MIRROR_SETTINGS, DeploymentError


class MirroredKilledTest(replay_killed_test.KilledTest):
    """At rest the states are PostgreSQL's rows."""

    SETTINGS = MIRROR_SETTINGS
    CONFIG = {"mirror": {**MIRROR, "heartbeat": "100ms"}}

    def check_states(self):
        rows = {number: json.loads(row) for number, row in self.cluster.sql(
            DATABASE, "select class_nbr, row_to_json(s) from class_states s")}
        self.assertGreater(len(rows), 0)

        def states():
            try:
                listed = json.loads(self.deployment.kvctl("list", "--all", "--prefix", "class_state:", "--values",
                                                          "--json"))
            except DeploymentError:  # no node yet, or it says "stale"
                return None
            return {item["key"].partition(":")[2]: json.loads(item["value"]) for item in listed["keys"]}
        self.deployment.wait_for("PostgreSQL's rows in the node", lambda: states() == rows)


if __name__ == "__main__":
    unittest.main()
