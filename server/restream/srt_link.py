"""A target over SRT: the stream as MPEG-TS into a connection that we made.

What the target has not acknowledged waits in the core, whose window bounds it; where that is full, samples are dropped
up to the next key frame.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from server import clock
from server.protocols.srt.caller import Caller
from server.protocols.srt.connection import Connection
from server.protocols.srt.events import Closed, Connected, Event
from server.protocols.srt.packet import Address
from server.protocols.srt.reject import Code
from server.protocols.srt.url import SrtUrl
from server.restream.link import LinkFailed, resolve
from server.restream.ts_feed import TsFeed
from server.stream.stream import Stream

SHORTEST_S = 0.01  # between two looks at the core's timers
DRAIN_S, DRAIN_STEP_S = 2.0, 0.05  # at the end, what is on its way may take so long; looked at so often
SEND_BUFFER = 1 << 20
PASSING = frozenset((Code.TIMEOUT, Code.UNAVAILABLE, Code.CONFLICT, Code.NOT_FOUND))  # refusals that may pass


class SrtLink(asyncio.DatagramProtocol):
    """`run` acquires and releases."""

    def __init__(self, url: SrtUrl, private: bool) -> None:
        self.sent = 0
        self._url = url
        self._private = private
        self._transport: asyncio.DatagramTransport | None = None
        self._core: Caller | None = None
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = TsFeed(self._send, self._over)

    @property
    def dropped(self) -> int:
        return self._reader.dropped

    async def run(self, stream: Stream, begun: Callable[[], None]) -> None:
        """Raises LinkFailed."""
        address = (await resolve(self._url.host, self._url.port, socket.SOCK_DGRAM, self._private))[0]
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: self, remote_addr=address)
            self._call(address)
            await asyncio.wait([self._begun, self._done], return_when=asyncio.FIRST_COMPLETED)
            if self._done.done():
                self._done.result()
            begun()
            stream.attach(self._reader)
            if reason := self._reader.left_out.get("video"):
                raise LinkFailed(reason, lasting=True)
            await asyncio.shield(self._done)
            await self._drain()
        except OSError as error:
            raise LinkFailed(error.strerror or "the connection failed") from None
        finally:
            stream.detach(self._reader)
            self._leave()

    def _call(self, address: Address) -> None:
        url = self._url
        self._core = Caller(
            address, _now_us(), stream_id=url.stream_id, passphrase=url.passphrase, key_bits=url.key_bits,
            latency_ms=url.latency_ms,
        )  # fmt: skip
        self._address = address
        self._pump([])

    async def _drain(self) -> None:
        for _ in range(round(DRAIN_S / DRAIN_STEP_S)):
            if self._connection is None or not self._connection.send_buffered:
                return
            await asyncio.sleep(DRAIN_STEP_S)

    # --- the core

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self._core is not None:
            self._pump(self._core.receive(data, self._address, _now_us()))

    def error_received(self, exc: Exception) -> None:
        """An ICMP message: nobody listens there yet, and the core's own time limit tells if nobody comes."""

    def _pump(self, events: list[Event]) -> None:
        core, transport = self._core, self._transport
        if core is None or transport is None:
            return
        for event in events:
            if isinstance(event, Connected):
                self._connection = event.connection
                if not self._begun.done():
                    self._begun.set_result(None)
            elif isinstance(event, Closed):
                self._fail(LinkFailed(event.reason, lasting=bool(event.code) and event.code not in PASSING))
        for datagram, _ in core.datagrams_to_send():
            self.sent += len(datagram)
            transport.sendto(datagram)
        self._arm(core)

    def _arm(self, core: Caller) -> None:
        if self._timer is not None or (due_us := core.next_timeout()) is None:
            return
        wait_s = max(SHORTEST_S, (due_us - _now_us()) / 1e6)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._core is not None:
            self._pump(self._core.handle_timeout(_now_us()))

    def _fail(self, failure: LinkFailed) -> None:
        if not self._done.done():
            self._done.set_exception(failure)
            self._done.exception()  # heard of, even where nobody waits any more

    def _leave(self) -> None:
        core, transport = self._core, self._transport
        if core is not None:
            core.close(_now_us())
            self._pump([])
        if self._timer is not None:
            self._timer.cancel()
        self._core = None
        if transport is not None:
            transport.close()

    # --- for the reader

    def _send(self, datagram: bytes) -> bool:
        """It leaves with the core's next tick."""
        return self._connection is not None and self._connection.send(datagram, _now_us())

    def _over(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


def _now_us() -> int:
    return int(clock.monotonic() * 1e6)
