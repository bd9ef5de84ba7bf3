# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that reports each message of a protocol to Steps, before and after it passes it on."""

import asyncio
import threading


class StepProxy:
    """Start with `with StepProxy(steps, wire, target) as proxy:`; `port` is where it listens.

    `wire` makes a new PostgresWire or NodeWire. `target()` is the address, (host, port), asked for each
    connection: it may move with a restart.
    """

    def __init__(self, steps, wire, target):
        self.steps, self.wire, self.target, self.port = steps, wire, target, None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="step-proxy", daemon=True)
        self._ready = threading.Event()

    def __enter__(self):
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("could not start the proxy in 10 s")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._client, "127.0.0.1", 0))
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
            there = await asyncio.open_connection(*self.target())
        except (OSError, ValueError, KeyError):
            writer.close()
            return
        wire = self.wire()
        tasks = [asyncio.create_task(self._pass_on(reader, there[1], wire.requests, "")),
                 asyncio.create_task(self._pass_on(there[0], writer, wire.answers, "the answer to "))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the proxy stops; asyncio would log a cancelled client
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.close()
            there[1].close()

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
