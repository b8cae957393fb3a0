"""A source over RTMP or RTMPS: played from another server, published here."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import cast

from server import clock, ids
from server.ingest.announced import announced
from server.ingest.on_air import Facts, Publisher
from server.ingest.pull import Admit, Held
from server.ingest.pull_source import resolve
from server.ingest.pull_state import SourceFailed
from server.ingest.rtmp_media import Rejected, RtmpMedia
from server.protocols.rtmp.client import Client
from server.protocols.rtmp.client_events import ClientEvent, Over, Purpose, Running
from server.protocols.rtmp.events import VIDEO, Media, Metadata
from server.protocols.rtmp.url import RtmpUrl

CONNECT_S = 8.0
WATCH_S = 0.5  # how often the time limits are looked at


class RtmpPull(asyncio.Protocol):
    """One connection, used once; to its broadcast it is a publisher's."""

    protocol = "rtmp"

    def __init__(self, url: RtmpUrl, private: bool, tls: ssl.SSLContext | None = None) -> None:
        """`tls` replaces the system's authorities."""
        self.id = ids.new("")[:8]
        self._url = url
        self._private = private
        self._tls = tls
        self._core = Client(url, Purpose.PLAY, clock.monotonic())
        self._transport: asyncio.Transport | None = None
        self._media: RtmpMedia | None = None
        self._held = Held()
        loop = asyncio.get_running_loop()
        self._running: asyncio.Future[None] = loop.create_future()
        self._done: asyncio.Future[None] = loop.create_future()

    # --- for the broadcast

    def last_heard(self) -> float:
        return self._core.last_received

    def facts(self) -> Facts:
        return announced(self._media.metadata_sent if self._media is not None else {}, "pulled", self._url.host)

    def close(self, reason: str) -> None:
        """Ended from our side."""
        self._fail(SourceFailed(reason, lasting=True))

    # --- its life

    async def run(self, admit: Admit) -> None:
        """Raises SourceFailed, sooner or later."""
        publisher: Publisher | None = None
        watch = asyncio.ensure_future(self._watch())
        reason = "the source was let go"
        try:
            await self._connect()
            await asyncio.wait([self._running, self._done], return_when=asyncio.FIRST_COMPLETED)
            if self._done.done():
                self._done.result()
            publisher = await admit(self)
            self._media = RtmpMedia(publisher)
            self._take(cast(Sequence[ClientEvent], self._held.release()))
            await asyncio.shield(self._done)
        except SourceFailed as failure:
            reason = str(failure)
            raise
        finally:
            watch.cancel()
            self._media = None
            if publisher is not None:
                publisher.closed(reason, ended=False)
            self._core.close()
            self._flush()
            if self._transport is not None:
                self._transport.close()

    async def _connect(self) -> None:
        url, loop = self._url, asyncio.get_running_loop()
        host, port = await resolve(url.host, url.port, socket.SOCK_STREAM, self._private)
        try:
            async with asyncio.timeout(CONNECT_S):
                if url.tls:
                    context = self._tls or await asyncio.to_thread(ssl.create_default_context)
                    await loop.create_connection(lambda: self, host, port, ssl=context, server_hostname=url.host)
                else:
                    await loop.create_connection(lambda: self, host, port)
        except TimeoutError:
            raise SourceFailed(f"no connection within {CONNECT_S:g} s") from None
        except ssl.SSLError as error:
            raise SourceFailed(f"TLS: {error.reason or 'failed'}") from None
        except OSError as error:
            raise SourceFailed(error.strerror or "the connection failed") from None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if self._transport is not None:
                self._take(self._core.handle_timeout(clock.monotonic()))

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._core = Client(self._url, Purpose.PLAY, clock.monotonic())  # its time limits begin now
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._take(self._core.receive_data(data, clock.monotonic()))
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._fail(SourceFailed("the source closed the connection"))

    def _take(self, events: Sequence[ClientEvent]) -> None:
        for event in events:
            match event:
                case Media() | Metadata():
                    self._play(event)
                case Running():
                    self._running.set_result(None)
                case Over(reason=reason):  # a refusal too: most often nothing is on air there yet
                    self._fail(SourceFailed(reason))

    def _play(self, event: Media | Metadata) -> None:
        media = self._media
        if media is None:
            self._held.add(event, len(event.payload) if isinstance(event, Media) else 0)
        elif isinstance(event, Metadata):
            media.metadata(event.properties)
        else:
            try:
                (media.video if event.kind == VIDEO else media.audio)(event.timestamp, event.payload)
            except Rejected as rejected:
                self._fail(SourceFailed(str(rejected), lasting=True))

    def _flush(self) -> None:
        if self._transport is not None and (out := self._core.data_to_send()):
            self._transport.write(out)

    def _fail(self, failure: SourceFailed) -> None:
        if not self._done.done():
            self._done.set_exception(failure)
            self._done.exception()  # heard of, even where nobody waits any more
