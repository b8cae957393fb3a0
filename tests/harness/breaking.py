"""A TCP network on loopback that breaks connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from tests.harness.server import Server


class Breaking:
    """A network in front of the server that breaks a connection after some bytes, a few times."""

    def __init__(self, server: Server, times: int, after: int) -> None:
        """`times` and `after` how many bytes of what is sent."""
        self._target = urlsplit(server.http)
        self.left = times
        self._after = after

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        ways = [
            asyncio.create_task(self._pass(reader, up_writer, True)),
            asyncio.create_task(self._pass(up_reader, writer, False)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for each in (writer, up_writer):
            each.transport.abort()
        await asyncio.wait(ways)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: bool) -> None:
        passed = 0
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                passed += len(data)
                if counted and self.left > 0 and passed > self._after:
                    self.left -= 1
                    return
                writer.write(data)
                await writer.drain()
