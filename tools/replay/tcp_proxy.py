# SPDX-License-Identifier: Apache-2.0
"""What the proxies of a replay share: a listener of asyncio on a thread of its own, for the time of a `with`."""

import asyncio
import threading


class TcpProxy:
    """`port` is where it listens. A subclass serves a connection in `_client(reader, writer)`."""

    def __init__(self):
        self.port = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=type(self).__name__, daemon=True)
        self._ready = threading.Event()

    def __enter__(self):
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("could not start %s in 10 s" % type(self).__name__)
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

    async def _pass(self, tasks, until, *writers):
        """Runs `tasks` until one of `until` has ended; then nothing of the connection is left."""
        try:
            await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the proxy stops; asyncio would log a cancelled client
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in writers:
                writer.close()
