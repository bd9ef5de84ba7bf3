# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that makes a network slow: what a client sends arrives a fixed time later, in order.

Put between a client and PostgreSQL it adds that time to each round trip, as a distant database
would; the bytes that are under way are not held back by one another.
"""

import asyncio
import threading

CHUNK_BYTES = 64 * 1024
CHUNKS_WAITING_MAX = 1024


class DelayProxy:
    """Start with `with DelayProxy(port, seconds) as proxy:`; `port` is where it listens."""

    def __init__(self, target_port, delay_seconds):
        self.target_port, self.delay_seconds, self.port = target_port, delay_seconds, None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="delay-proxy", daemon=True)
        self._ready = threading.Event()

    def __enter__(self):
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("could not start the delaying proxy in 10 s")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._client, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

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
        try:
            # The sender ends when all the client said has been sent, the copier with the server.
            await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the proxy stops; asyncio would log a cancelled client
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.close()
            there[1].close()

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
