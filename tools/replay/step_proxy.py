# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that reports each message of a protocol to Steps, before and after it passes it on."""

import asyncio

from .tcp_proxy import TcpProxy


class StepProxy(TcpProxy):
    """Start with `with StepProxy(steps, wire, target) as proxy:`; `port` is where it listens.

    `wire` makes a new PostgresWire or NodeWire. `target()` is the address, (host, port), asked for each
    connection: it may move with a restart.
    """

    def __init__(self, steps, wire, target):
        super().__init__()
        self.steps, self.wire, self.target = steps, wire, target

    async def _client(self, reader, writer):
        try:
            there = await asyncio.open_connection(*self.target())
        except (OSError, ValueError, KeyError):
            writer.close()
            return
        wire = self.wire()
        tasks = [asyncio.create_task(self._pass_on(reader, there[1], wire.requests, "")),
                 asyncio.create_task(self._pass_on(there[0], writer, wire.answers, "the answer to "))]
        await self._pass(tasks, tasks, writer, there[1])

    async def _pass_on(self, reader, writer, cut, what):
        while data := await reader.read(64 * 1024):
            for message, label in cut(data):
                if writer.is_closing():
                    return
                if label is None:
                    writer.write(message)
                    continue
                if self.steps.reach("before %s%s" % (what, label)):
                    return
                writer.write(message)
                self.steps.reach("after %s%s" % (what, label))
            await writer.drain()
