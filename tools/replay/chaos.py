# SPDX-License-Identifier: Apache-2.0
"""What happens to a replay between and during its runs: kills, stops, cuts, and an upstream out of order.

Every event leaves the deployment able to heal by itself; the caller settles the frame afterwards.
"""

import threading
import time

from .deployment import NAMESPACE_ID, DeploymentError
from .upstream import Faults

HIT_SECONDS = 5
RUN_SECONDS = 400
BACKENDS = ("select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() "
            "and datname = current_database()")
# The misbehaviours of an upstream, and the most that each may be likely for one question. Few answers may stay
# away in one run: those that do are its last, and ten failures in a row open the circuit for two minutes.
STALLS_MAX = 6
MISBEHAVIOURS = {"unavailable": 0.25, "too_many": 0.03, "rubbish": 0.25, "cut": 0.25, "reset": 0.25,
                 "stall": 1.0, "partial": 0.5}


class Chaos:
    """`strike` lets one event happen; `counts` says how often each did."""

    # Weights. The long events are for a patient user: "outage" opens the upstream's circuit for two minutes,
    # "sleep_past_lease" waits for the end of a run's lease.
    EVENTS = {"kill_worker": 10, "kill_node": 8, "kill_both": 4, "kill_starting_worker": 4,
              "stop_node": 5, "stop_worker": 4, "crash_postgres": 6, "restart_postgres": 3,
              "terminate_backends": 8, "clear_namespace": 5, "all_at_once": 6, "unavailable": 4,
              "too_many": 3, "rubbish": 4, "cut": 4, "reset": 4, "stall": 4, "partial": 4, "mixed": 4}
    LONG_EVENTS = {"outage": 1, "sleep_past_lease": 2}

    def __init__(self, fleet, cluster, database, upstream, random, only=None, long_events=False):
        self.fleet, self.cluster, self.database = fleet, cluster, database
        self.upstream, self.random = upstream, random
        self.only = only
        self._weights = {**self.EVENTS, **(self.LONG_EVENTS if long_events else {})}
        self.counts = {}

    def strike(self, schedule):
        """`schedule` chooses the event, the object's own chance its moment."""
        name = self.only or schedule.choices(list(self._weights), self._weights.values())[0]
        self.counts[name] = self.counts.get(name, 0) + 1
        if name in MISBEHAVIOURS:
            self._misbehave({name: self.random.uniform(0.3, 1) * MISBEHAVIOURS[name]})
        else:
            getattr(self, "_" + name)()
        return name

    def _in_a_run(self, action, waits=True):
        """Triggers a run and does `action` at a random moment of it, or a little after its end. `waits`: for the
        run's end."""
        state = self.random.choice(self.fleet.awake())
        self.upstream.set_faults(Faults(delay_seconds=self.random.choice([0.0, 0.01, 0.03])))
        until = self.upstream.requests + self.random.randint(1, len(self.upstream.history.sections))
        pause = self.random.choice([0.0, 0.0, self.random.uniform(0, 0.3)])
        run = threading.Thread(target=self.fleet.trigger, args=(state, RUN_SECONDS), daemon=True)
        run.start()
        end = time.monotonic() + HIT_SECONDS
        while self.upstream.requests < until and run.is_alive() and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(pause)
        action(state)
        self.fleet.revive()
        self.upstream.set_faults(Faults())
        if not waits:
            return
        run.join(RUN_SECONDS)
        if run.is_alive():
            raise DeploymentError("a run did not end within %d s" % RUN_SECONDS)

    def _pause(self, seconds_max):
        time.sleep(self.random.uniform(0, seconds_max))

    def _kill_worker(self):
        self._in_a_run(lambda state: self.fleet.kill(state))

    def _kill_node(self):
        self._in_a_run(lambda state: self.fleet.kill("node"))

    def _kill_both(self):
        self._in_a_run(lambda state: self.fleet.kill(*self.random.sample(["node", state], 2)))

    def _kill_starting_worker(self):
        """Also the worker that takes the run over dies, while it starts or a little later."""
        def kill_again(state):
            for _ in range(self.random.randint(2, 4)):
                self.fleet.kill(state)
                self.fleet.revive()
                self._pause(0.6)
        self._in_a_run(kill_again)

    def _stop(self, name, seconds_max):
        pid = self.fleet.stop(name)
        try:
            self._pause(seconds_max)
        finally:
            self.fleet.go_on(pid)

    def _stop_node(self):
        self._in_a_run(lambda state: self._stop("node", 5))

    def _stop_worker(self):
        self._in_a_run(lambda state: self._stop(state, 1.5))  # the upstream's time-out is 2 s

    def _bounce_postgres(self, mode):
        port = self.cluster.port
        self.cluster.stop(mode)
        self._pause(1.5)
        self.cluster.start(port)

    def _crash_postgres(self):
        self._in_a_run(lambda state: self._bounce_postgres("immediate"))

    def _restart_postgres(self):
        self._in_a_run(lambda state: self._bounce_postgres("fast"))

    def _terminate_backends(self):
        def terminate(state):
            for _ in range(self.random.randint(1, 4)):
                self.cluster.sql(self.database, BACKENDS)
                self._pause(0.1)
        self._in_a_run(terminate)

    def _clear_namespace(self):
        self._in_a_run(lambda state: self.fleet.deployment.kvctl("namespace", "clear", NAMESPACE_ID, "--yes"))

    def _all_at_once(self):
        """Every worker is triggered at the same moment; with one worker, by as many requests."""
        states = self.fleet.awake() * (8 if len(self.fleet.states) == 1 else 1)
        barrier = threading.Barrier(len(states))

        def trigger(state):
            barrier.wait()
            self.fleet.trigger(state, RUN_SECONDS)
        threads = [threading.Thread(target=trigger, args=(state,), daemon=True) for state in states]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(RUN_SECONDS)

    def _misbehave(self, probabilities):
        if "stall" in probabilities:
            probabilities["stall"] *= STALLS_MAX / len(self.upstream.history.sections)
        state = self.random.choice(self.fleet.awake())
        self.upstream.set_faults(Faults(seed=self.random.randint(1, 1 << 30), **probabilities))
        self.fleet.trigger(state, RUN_SECONDS)
        self.upstream.set_faults(Faults())

    def _mixed(self):
        self._misbehave({name: most / len(MISBEHAVIOURS) for name, most in MISBEHAVIOURS.items()})

    def _sleep_past_lease(self):
        """A worker stands still in the middle of a run until another has taken the run over and gone on to
        other frames. What it knows then is old. It needs another worker."""
        if len(self.fleet.awake()) < 2:
            return
        self._in_a_run(lambda state: self.fleet.put_to_sleep(state, self.random.uniform(75, 100)), waits=False)

    def _outage(self):
        self._misbehave({"unavailable": 1.0})
