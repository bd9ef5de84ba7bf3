# SPDX-License-Identifier: Apache-2.0
"""The processes of a deployment under chaos: one `edged serve`, or a node and several workers.

What is killed comes back: by serve's supervisor, or by `revive` here. Every method may be called
while processes are dead, starting or stopped; those that need one wait for it.
"""

import os
import signal
import time

from .deployment import DeploymentError

BACK_SECONDS = 180


class Fleet:
    """`workers` None: edged serve; else the number of workers beside one node."""

    def __init__(self, deployment, workers=None):
        self.deployment, self.workers = deployment, workers
        self._processes, self._asleep = {}, {}
        self._configs = {"worker": deployment.config}
        self.states = ["worker"] if workers is None else ["worker%d" % i for i in range(workers)]

    def start(self, **changes):
        """Starts everything and creates the namespace. `changes` are of the configuration."""
        if self.workers is None:
            self._start("serve")
        else:
            self._start("node")
            for state in self.states:
                self._configs[state] = self.deployment.write_config(
                    self.deployment.directory / (state + ".jsonc"), state, **changes)
        self.deployment.wait_for_node(self._processes.get("node") or self._processes["serve"])
        self.deployment.create_namespace()
        if self.workers is not None:
            for state in self.states:
                self._start(state)
        self.wait_for_workers()

    def _start(self, name):
        command = "worker" if name.startswith("worker") else name
        self._processes[name] = self.deployment.start(command, self._configs.get(name))

    def pid(self, name):
        """The process id of "node" or of a worker's state name; waits until there is one."""
        if self.workers is not None:
            return self._processes[name].popen.pid
        serve = self._processes["serve"]
        return self.deployment.wait_for("a running %s" % name, lambda: serve.children().get(name),
                                        serve, BACK_SECONDS)

    def kill(self, *names):
        for name in names:
            self._signal(self.pid(name), signal.SIGKILL)
        for name in names if self.workers is not None else ():
            self._processes[name].popen.wait()  # `revive` must find it dead

    def stop(self, name):
        """SIGSTOP. Its process id, for `go_on`."""
        pid = self.pid(name)
        self._signal(pid, signal.SIGSTOP)
        return pid

    def go_on(self, pid):
        self._signal(pid, signal.SIGCONT)

    def put_to_sleep(self, state, seconds):
        """SIGSTOP of a worker for that long; what is done meanwhile is done by the others."""
        self._asleep[state] = self.stop(state), time.monotonic() + seconds

    def awake(self):
        """The state names of the workers that can be asked."""
        return [state for state in self.states if state not in self._asleep]

    def wake(self, everyone=False):
        """Lets those go on that have slept long enough. True: somebody was woken."""
        due = [state for state, (_, until) in self._asleep.items() if everyone or time.monotonic() >= until]
        for state in due:
            self.go_on(self._asleep.pop(state)[0])
        return bool(due)

    @staticmethod
    def _signal(pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # it died meanwhile

    def revive(self):
        """Starts again what was killed, where no supervisor does."""
        if self.workers is None:
            return
        for name, process in self._processes.items():
            if not process.running():
                code = process.popen.wait()
                if code != -signal.SIGKILL:
                    raise DeploymentError("%s ended with exit code %d: see %s" % (
                        name, code, process.log))
                self.deployment.processes.remove(process)
                self._start(name)

    def wait_until_back(self):
        self.revive()
        self.deployment.wait_for("the node", lambda: self.deployment.get(
            self.deployment.node_address(), "/readyz") == 200, None, BACK_SECONDS)
        self.wait_for_workers()

    def wait_for_workers(self):
        for state in self.awake():
            self.deployment.wait_for("the worker", lambda: self.deployment.get(
                self.deployment.worker_address(state), "/healthz") == 200, None, BACK_SECONDS)

    def trigger(self, state, seconds=150):
        """A run by one worker: its summary, or None, with deployment.last_error set."""
        try:
            return self.deployment.trigger(seconds, state)
        except (ValueError, KeyError, OSError) as error:  # dead, or just being started
            self.deployment.last_error = str(error)
            return None
