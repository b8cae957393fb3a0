"""A TCP proxy that makes the way as long as a real network's: every byte arrives late, by a time that varies."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

READ_SIZE = 1 << 16
HELD = 256  # pieces under way in one direction


class DelayProxy:
    """`round_trip_s` ± `jitter_s` in all, half of it each way; a connection takes one round trip to open."""

    def __init__(self, host: str, port: int, round_trip_s: float, jitter_s: float) -> None:
        self._to = host, port
        self._round_trip_s, self._jitter_s = round_trip_s, jitter_s
        self._random = random.Random(7)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["DelayProxy"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(self._one_way_s() * 2)
            far_reader, far_writer = await asyncio.open_connection(*self._to)
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
            far_writer.close()
        finally:
            writer.close()

    def _one_way_s(self) -> float:
        return (self._round_trip_s + self._random.uniform(-self._jitter_s, self._jitter_s)) / 2

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction. Nothing overtakes: what comes later is never delivered earlier."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD)
        deliverer = asyncio.create_task(_deliver(under_way, writer))
        loop = asyncio.get_running_loop()
        try:
            data = b"-"
            while data:
                data = await reader.read(READ_SIZE)
                await under_way.put((loop.time() + self._one_way_s(), data))
            await deliverer
        finally:
            deliverer.cancel()


async def _deliver(under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    """Until the empty piece that ends a direction."""
    loop = asyncio.get_running_loop()
    while True:
        due, data = await under_way.get()
        await asyncio.sleep(due - loop.time())
        if not data:
            break
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
