# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that makes a network slow: what a client sends arrives a fixed time later, in order.

Put between a client and PostgreSQL it adds that time to each round trip, as a distant database
would; the bytes that are under way are not held back by one another.
"""

import asyncio

from .tcp_proxy import TcpProxy

CHUNK_BYTES = 64 * 1024
CHUNKS_WAITING_MAX = 1024


class DelayProxy(TcpProxy):
    """Start with `with DelayProxy(port, seconds) as proxy:`; `port` is where it listens."""

    def __init__(self, target_port, delay_seconds):
        super().__init__()
        self.target_port, self.delay_seconds = target_port, delay_seconds

    async def _client(self, reader, writer):
        try:
            there = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        waiting = asyncio.Queue(CHUNKS_WAITING_MAX)
        tasks = [asyncio.create_task(one) for one in (
            self._collect(reader, waiting), self._send_late(waiting, there[1]),
            self._copy(there[0], writer))]
        # The sender ends when all the client said has been sent, the copier with the server.
        await self._pass(tasks, tasks[1:], writer, there[1])

    async def _collect(self, reader, waiting):
        now = asyncio.get_running_loop().time
        data = b"-"
        while data:
            try:
                data = await reader.read(CHUNK_BYTES)
            except OSError:
                data = b""
            await waiting.put((now() + self.delay_seconds, data))

    async def _send_late(self, waiting, writer):
        now = asyncio.get_running_loop().time
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - now()))
            if not data:
                return
            writer.write(data)
            await writer.drain()

    async def _copy(self, reader, writer):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
