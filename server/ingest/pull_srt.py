"""A source over SRT: called, its MPEG-TS taken apart and published here.

On the event loop, unlike the listener's port: a pulled source is one connection, and its socket's buffer bridges what
the loop is late.
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from server import clock, ids
from server.ingest.health.reading import Link
from server.ingest.on_air import Facts, Publisher
from server.ingest.pull import Admit, Held
from server.ingest.pull_source import resolve
from server.ingest.pull_state import SourceFailed
from server.media.mpegts import Configured, Item, Picture, Sound, TsInput
from server.protocols.srt.caller import Caller
from server.protocols.srt.connection import Connection
from server.protocols.srt.events import Closed, Connected, Data, Event
from server.protocols.srt.reject import Code
from server.protocols.srt.url import SrtUrl

SHORTEST_S = 0.01  # between two looks at the core's timers
RECEIVE_BUFFER = 4 << 20  # bytes asked of the kernel
PASSING = frozenset((Code.TIMEOUT, Code.UNAVAILABLE, Code.CONFLICT, Code.NOT_FOUND))  # refusals that may pass


class SrtPull(asyncio.DatagramProtocol):
    """One connection, used once; to its broadcast it is a publisher's."""

    protocol = "srt"

    def __init__(self, url: SrtUrl, private: bool) -> None:
        self.id = ids.new("")[:8]
        self._url = url
        self._private = private
        self._since = clock.monotonic()
        self._address: tuple[str, int] = ("", 0)
        self._transport: asyncio.DatagramTransport | None = None
        self._core: Caller | None = None
        self._connection: Connection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._input = TsInput()
        self._publisher: Publisher | None = None
        self._held = Held()
        loop = asyncio.get_running_loop()
        self._running: asyncio.Future[None] = loop.create_future()  # media comes
        self._done: asyncio.Future[None] = loop.create_future()

    # --- for the broadcast

    def last_heard(self) -> float:
        return self._connection.last_received_us / 1e6 if self._connection is not None else self._since

    def facts(self) -> Facts:
        if self._connection is None:
            return Facts(encoder="pulled", peer=self._url.host)
        known = self._connection.statistics(_now_us())
        link = Link(
            known.rtt_ms, known.latency_ms, known.received, known.lost, known.dropped, known.undecryptable
        )
        return Facts(encoder="pulled", peer=self._url.host, link=link)

    def close(self, reason: str) -> None:
        """Ended from our side."""
        self._fail(SourceFailed(reason, lasting=True))

    # --- its life

    async def run(self, admit: Admit) -> None:
        """Raises SourceFailed, sooner or later."""
        self._address = await resolve(self._url.host, self._url.port, socket.SOCK_DGRAM, self._private)
        publisher: Publisher | None = None
        reason = "the source was let go"
        try:
            await self._call()
            await asyncio.wait([self._running, self._done], return_when=asyncio.FIRST_COMPLETED)
            if self._done.done():
                self._done.result()
            publisher = self._publisher = await admit(self)
            self._take(cast(Sequence[Item], self._held.release()))
            await asyncio.shield(self._done)
        except SourceFailed as failure:
            reason = str(failure)
            raise
        finally:
            self._publisher = None
            if publisher is not None:
                publisher.closed(reason, ended=False)
            self._leave()

    async def _call(self) -> None:
        loop, url = asyncio.get_running_loop(), self._url
        try:
            await loop.create_datagram_endpoint(lambda: self, remote_addr=self._address)
        except OSError as error:
            raise SourceFailed(error.strerror or "the connection failed") from None
        self._core = Caller(
            self._address, _now_us(), stream_id=url.stream_id, passphrase=url.passphrase, key_bits=url.key_bits,
            latency_ms=url.latency_ms,
        )  # fmt: skip
        self._pump([])

    # --- the core

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

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
            match event:
                case Data(messages=messages):
                    self._take(self._input.feed(b"".join(messages)))
                case Connected(connection=connection):
                    self._connection = connection
                case Closed(reason=reason, code=code):
                    self._fail(SourceFailed(reason, lasting=bool(code) and code not in PASSING))
                case _:
                    pass
        for datagram, _ in core.datagrams_to_send():
            transport.sendto(datagram)
        if self._timer is None and (due_us := core.next_timeout()) is not None:
            wait_s = max(SHORTEST_S, (due_us - _now_us()) / 1e6)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._core is not None:
            self._pump(self._core.handle_timeout(_now_us()))

    def _take(self, items: Sequence[Item]) -> None:
        for item in items:
            publisher = self._publisher
            if publisher is None:
                self._held.add(item, len(item.data) if isinstance(item, Picture | Sound) else 0)
                if not self._running.done():
                    self._running.set_result(None)
            elif isinstance(item, Picture):
                publisher.video(item.timestamp, item.cts, item.key, item.data, item.track)
            elif isinstance(item, Sound):
                publisher.audio(item.timestamp, item.data, item.track)
            elif isinstance(item, Configured):
                publisher.configure(item.config, item.track)
            elif item.kind == "video":
                self._fail(SourceFailed(f"video codec {item.codec} is not supported", lasting=True))

    def _leave(self) -> None:
        if self._core is not None:
            self._core.close(_now_us())
            self._pump([])
        if self._timer is not None:
            self._timer.cancel()
        self._core = None
        if self._transport is not None:
            self._transport.close()

    def _fail(self, failure: SourceFailed) -> None:
        if not self._done.done():
            self._done.set_exception(failure)
            self._done.exception()  # heard of, even where nobody waits any more


def _now_us() -> int:
    return int(clock.monotonic() * 1e6)
