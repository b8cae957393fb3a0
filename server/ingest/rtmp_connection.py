"""One RTMP socket: bytes and timers around `protocols.rtmp`; media to `rtmp_media`, or from a stream to a player.

Until `publish` is accepted the transport reads; then it is paused, and the ticker reads every publisher's socket (TLS
excepted, whose bytes only the transport can read).
"""

import asyncio
import socket
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol, TypeVar, cast

from server import clock, ids, log
from server.ingest.announced import announced
from server.ingest.broadcasts import Broadcasts
from server.ingest.on_air import Facts, OnAir, Publisher, Refused
from server.ingest.reading import Reading
from server.ingest.rtmp_media import Rejected, RtmpMedia
from server.ingest.rtmp_player import PlayerOutput
from server.ingest.ticker import Ticker
from server.protocols.rtmp.command import PUBLISH_BAD_NAME
from server.protocols.rtmp.connection import CLOSE_DELAY_S
from server.protocols.rtmp.connection import Connection as Core
from server.protocols.rtmp.events import (
    VIDEO,
    Closed,
    Event,
    Media,
    Metadata,
    PlayRequested,
    PublishEnded,
    PublishRequested,
)
from server.protocols.rtmp.limits import Limits
from server.stream.flv_reader import MOST_BEHIND, FlvReader

MAX_UNREAD = 256 << 10  # bytes of answers that a peer asks for and does not read; a session's are under 5 KiB
WATCH_S = 1.0  # how often a connection that the ticker doesn't read is looked after

T = TypeVar("T")

_log = log.get("rtmp")


class Owner(Protocol):
    """What a connection needs of its listener."""

    broadcasts: Broadcasts
    reading: Reading | None  # None: nothing is played
    ticker: Ticker
    limits: Limits
    received: int

    def enter(self, connection: "RtmpConnection") -> bool:
        """False when there are too many already."""
        ...

    def leave(self, connection: "RtmpConnection") -> None: ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...


class RtmpConnection(asyncio.Protocol):
    """A publisher's or a player's socket. Logs two lines: opened when it publishes or plays, closed with the reason."""

    protocol = "rtmp"

    def __init__(self, listener: Owner) -> None:
        self.id = ids.new("")[:8]
        self._listener = listener
        self._core = Core(clock.monotonic(), listener.limits)
        self._publisher: Publisher | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._peer = ""
        self._media: RtmpMedia | None = None
        self._reader: FlvReader | None = None
        self._read: OnAir | None = None
        self._sent = 0  # bytes
        self._reason = "the connection was lost"
        self._ended = False
        self.over = False
        self._log = _log.bind(connection=self.id)

    def last_heard(self) -> float:
        return self._core.last_received

    @property
    def host(self) -> str:
        """The peer's address."""
        return self._peer

    @property
    def waits(self) -> bool:
        """It neither publishes nor plays."""
        return self._publisher is None and self._reader is None

    @property
    def plays(self) -> bool:
        return self._reader is not None

    @property
    def dropped(self) -> int:
        """Messages of a publisher that were not passed on."""
        return self._core.dropped + (self._media.dropped if self._media else 0)

    @property
    def unplayed(self) -> int:
        """Samples that a player was too slow for."""
        return self._reader.dropped if self._reader else 0

    def facts(self) -> Facts:
        return announced(self._media.metadata_sent if self._media else {}, self._core.agent, self._peer)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if peer else ""
        if not self._listener.enter(self):
            self.over = True
            self._transport.abort()
            return
        self._arm()

    def data_received(self, data: bytes) -> None:
        try:
            self.received(data, clock.monotonic())
        except Exception as error:
            self.failed(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._finish()

    # --- bytes and time

    def received(self, data: bytes, now: float) -> None:
        """Bytes, from the transport or the ticker."""
        if not self.over:
            self._listener.received += len(data)
            self._handle(self._core.receive_data(data, now))
            self._look_at_unread()

    def _look_at_unread(self) -> None:
        """One that asks and asks and reads nothing would fill our memory with answers."""
        most = MAX_UNREAD + (MOST_BEHIND if self._reader else 0)  # how far media may be behind is the reader's matter
        if self._transport is not None and self._transport.get_write_buffer_size() > most:
            self._reason = "it does not read what it asks for"
            self._transport.abort()
            self._finish()

    def tick(self, now: float) -> None:
        """Nothing came; the core may have waited long enough."""
        deadline = self._core.next_timeout()
        if deadline is not None and now >= deadline:
            self._handle(self._core.handle_timeout(now))

    def lost(self, error: OSError | None) -> None:
        """The ticker saw the end of the socket."""
        if error:
            self._reason = f"the connection was lost: {error.strerror or error}"
        if self._transport:
            self._transport.abort()
        self._finish()

    def failed(self, error: Exception) -> None:
        """A fault of ours: the publisher is cut off, and may come back."""
        self._log.error("a connection failed", exc_info=error)
        self._reason = "the server failed to take what it sent"
        self.over = True
        if self._transport:
            self._transport.abort()
        self._finish()

    def close(self, reason: str) -> None:
        """Ended from our side."""
        self._reason = reason
        self._publisher = None
        self._core.close(reason)
        self._flush()

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if event.__class__ is Media:
                if not self.over:
                    self._take(event)
            else:
                self._event(event)
        self._flush()

    def _event(self, event: Event) -> None:
        match event:
            case PublishRequested(key=key):
                self._listener.spawn(self._admit(key))
            case PlayRequested(name=name, query=query):
                self._listener.spawn(self._admit_player(name, query))
            case PublishEnded(reason=reason):
                self._ended = True
                self._reason = f"ended by the {'player' if self._reader else 'publisher'} ({reason})"
            case Closed(reason=reason):
                self._reason = reason if not self._ended else self._reason
            case Metadata(properties=properties):
                self._log.debug("metadata", encoder=str(properties.get("encoder", ""))[:80])
                if self._media:
                    self._media.metadata(properties)
            case Media():
                pass  # taken by _handle

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or self.over:
            return
        if (out := self._core.data_to_send()) and not transport.is_closing():
            self._sent += len(out)
            transport.write(out)
        if self._ended:
            self._release()
        if self._core.closed:
            self.over = True
            delay_s = CLOSE_DELAY_S if self._core.close_after_flush else 0
            asyncio.get_running_loop().call_later(delay_s, self._close_transport)

    def _close_transport(self) -> None:
        # a paused transport would never see the peer's end: what matters has been written, so it is cut
        if self._transport and not self._transport.is_closing():
            self._transport.close()
        self._finish()

    def _arm(self) -> None:
        """Before the ticker takes over, a timer watches for silence."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(WATCH_S, self._on_timer)

    def _on_timer(self) -> None:
        if not self.over:
            self.tick(clock.monotonic())
            self._arm()

    # --- publishing

    async def _admit(self, key: str) -> None:
        publisher = await self._answer(self._listener.broadcasts.publish(key, self))
        if publisher is None:
            return
        self._publisher = publisher
        self._media = RtmpMedia(publisher)
        if self.over or not self._core.accept_publish():
            self._release()  # gone while the catalogue was asked
            return
        self._log = self._log.bind(live_stream=publisher.live_stream_id, broadcast=publisher.broadcast_id)
        self._log.info("opened", peer=self._peer, encoder=self._core.agent)
        self._handle(self._core.receive_data(b"", clock.monotonic()))  # media that came meanwhile
        self._hand_to_ticker()

    async def _answer(self, asked: Awaitable[T]) -> T | None:
        """What was asked for, or None once the peer is told why not."""
        try:
            return await asked
        except Refused as refused:
            self._refuse(str(refused))
        except Exception as error:
            self._log.error("an admission failed", exc_info=error)
            self._refuse("the server can't take the stream now, try again")
        return None

    def _refuse(self, reason: str) -> None:
        if not self.over:
            self._reason = f"refused: {reason}"
            if not self._core.reject_publish(PUBLISH_BAD_NAME, reason):
                self._core.reject_play(reason)
            self._flush()

    def _hand_to_ticker(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or self.over or transport.get_extra_info("ssl_object"):
            return
        transport.pause_reading()
        sock = transport.get_extra_info("socket")
        own = socket.fromfd(sock.fileno(), sock.family, sock.type)
        own.setblocking(False)
        self._listener.ticker.add(self, own)

    def _take(self, event: Media) -> None:
        media = self._media
        if media is None:
            return
        try:
            if event.kind == VIDEO:
                media.video(event.timestamp, event.payload)
            else:
                media.audio(event.timestamp, event.payload)
        except Rejected as rejected:
            self._reject(str(rejected))

    def _reject(self, reason: str) -> None:
        self._log.warning("publisher rejected", reason=reason)
        if self._publisher:
            self._publisher.rejected(reason)
            self._publisher.closed(reason, ended=True)
        self.close(reason)

    # --- playing

    async def _admit_player(self, name: str, query: str) -> None:
        if self._listener.reading is None:
            self._refuse("streams are watched over HTTP, not RTMP")
            return
        on_air = await self._answer(self._listener.reading.find(name, query, self._peer))
        if on_air is None or self._transport is None or not self._core.accept_play():
            return
        self._log = self._log.bind(live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id)
        self._log.info("player opened", peer=self._peer)
        output = PlayerOutput(self._core, self._transport, self._flush, self._player_over)
        self._reader, self._read = FlvReader(output), on_air
        on_air.stream.attach(self._reader)
        self._flush()

    def _player_over(self, reason: str) -> None:
        """It gets no more."""
        self._reason = reason
        self._core.end_play(reason)
        self._flush()

    # --- the end

    def _release(self) -> None:
        if self._read and self._reader:
            self._read.stream.detach(self._reader)
            self._read = None
        publisher, self._publisher = self._publisher, None
        if publisher:
            publisher.closed(self._reason, ended=self._ended)

    def _finish(self) -> None:
        """Once, however the connection ends."""
        if self._transport is None:
            return
        self.over = True
        self._transport = None
        if self._timer:
            self._timer.cancel()
        self._listener.leave(self)
        self._release()
        if self._reader:
            self._log.info("player closed", reason=self._reason, bytes=self._sent, dropped=self.unplayed)
        else:
            # "opened" named the peer of one that published
            who = {} if self._media else {"peer": self._peer}
            self._log.info("closed", reason=self._reason, bytes=self._core.received, dropped=self.dropped, **who)
