"""The proxy that makes the way longer: whatever it does to times, bytes arrive whole and in order."""

import asyncio

from tests.bench.proxy import DelayProxy


async def test_bytes_pass_in_order_both_ways() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = DelayProxy("127.0.0.1", server.sockets[0].getsockname()[1], 0.002, 0.002)
    pieces = [bytes([number]) * 1000 for number in range(100)]
    async with server, proxy.running():
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        assert await reader.read() == b"".join(pieces)
        writer.close()
        await writer.wait_closed()
