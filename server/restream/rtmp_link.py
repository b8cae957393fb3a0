"""A target over RTMP or RTMPS: the stream's FLV tags into a connection that we made.

The stream writes into the transport's buffer, whose size is bounded by `stream.flv_reader`: a target that does not read
is dropped to a later key frame, and let go after a while.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from server import clock
from server.formats.amf0 import Value
from server.formats.flv_tags import FlvTagError, fourcc
from server.protocols.rtmp.client import Client
from server.protocols.rtmp.client_events import ClientEvent, Fault, Over, Purpose, Running
from server.protocols.rtmp.url import RtmpUrl
from server.restream.link import CONNECT_S, LinkFailed, resolve
from server.restream.waiting import Waiting
from server.stream.flv_reader import ENDED, TRACKS, FlvReader
from server.stream.stream import Stream

FLUSH_S = 0.04  # between two writes to the socket: a system call for each sample would cost more than the rest
WATCH_S = 0.5  # how often the time limits are looked at
GOODBYE_S = 2.0  # what is written at the end may take so long to leave
LEGACY = frozenset(("avc1", "mp4a"))  # what needs no Enhanced RTMP


class RtmpLink(asyncio.Protocol):
    """`run` acquires and releases."""

    def __init__(self, url: RtmpUrl, private: bool, tls: ssl.SSLContext | None = None) -> None:
        """`tls` replaces the system's authorities."""
        self.sent = 0
        self._url = url
        self._private = private
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self._fourccs: list[str] = []
        self._core: Client | None = None
        self._reader: FlvReader | None = None
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushing: asyncio.TimerHandle | None = None

    @property
    def dropped(self) -> int:
        return 0 if self._reader is None else self._reader.dropped

    async def run(self, stream: Stream, begun: Callable[[], None]) -> None:
        """Raises LinkFailed."""
        self._fourccs = enhanced(stream)
        watch = asyncio.ensure_future(self._watch())
        try:
            await self._connect()
            await self._started()
            begun()
            self._reader = FlvReader(self)
            stream.attach(self._reader)
            await asyncio.shield(self._done)
        finally:
            watch.cancel()
            if self._reader is not None:
                stream.detach(self._reader)
            self._leave()

    async def _connect(self) -> None:
        loop, url = asyncio.get_running_loop(), self._url
        failure = "no address"
        for host, port in await resolve(url.host, url.port, socket.SOCK_STREAM, self._private):
            try:
                async with asyncio.timeout(CONNECT_S):
                    if url.tls:
                        context = self._tls or await asyncio.to_thread(ssl.create_default_context)
                        await loop.create_connection(lambda: self, host, port, ssl=context, server_hostname=url.host)
                    else:
                        await loop.create_connection(lambda: self, host, port)
                return
            except TimeoutError:
                failure = f"no connection within {CONNECT_S:g} s"
            except ssl.SSLError as error:
                raise LinkFailed(f"TLS: {error.reason or 'failed'}") from None
            except OSError as error:
                failure = error.strerror or "the connection failed"
        raise LinkFailed(failure)

    async def _started(self) -> None:
        """Until the target takes media, or fails."""
        await asyncio.wait([self._begun, self._done], return_when=asyncio.FIRST_COMPLETED)
        if self._done.done():
            self._done.result()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if self._core is not None:
                self._handle(self._core.handle_timeout(clock.monotonic()))

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._core = Client(self._url, Purpose.PUBLISH, clock.monotonic(), self._fourccs)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._core is not None:
            self._handle(self._core.receive_data(data, clock.monotonic()))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        said = (error.strerror if isinstance(error, OSError) else "") or "the target closed the connection"
        self._fail(LinkFailed(said))

    def _handle(self, events: Sequence[ClientEvent]) -> None:
        for event in events:
            if isinstance(event, Running):
                self._begun.set_result(None)
            elif isinstance(event, Over):
                self._fail(LinkFailed(event.reason, lasting=event.fault is Fault.REFUSED))
        self._flush()

    def _fail(self, failure: LinkFailed) -> None:
        if not self._done.done():
            self._done.set_exception(failure)
            self._done.exception()  # heard of, even where nobody waits any more

    # --- the output of a FlvReader

    def behind(self) -> int:
        unsent = self._core.unsent if self._core else 0  # until the next flush
        return unsent + (self._transport.get_write_buffer_size() if self._transport else 0)

    def over(self, reason: str) -> None:
        if self._done.done():
            return
        if reason == ENDED:
            self._done.set_result(None)
        else:
            self._fail(LinkFailed(f"the target was too slow: {reason}"))

    def metadata(self, properties: Mapping[str, Value]) -> None:
        if self._core is not None:
            self._core.send_metadata(properties)

    def media(self, kind: int, timestamp_ms: int, payload: bytes) -> None:
        if self._core is None:
            return
        self._core.send_media(kind, timestamp_ms, payload)
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        transport, core = self._transport, self._core
        if transport is None or core is None or transport.is_closing():
            return
        if out := core.data_to_send():
            self.sent += len(out)
            transport.write(out)

    def _leave(self) -> None:
        """Says goodbye to a target that listens."""
        transport, core = self._transport, self._core
        if core is not None:
            core.close()
            self._flush()
        if self._flushing is not None:
            self._flushing.cancel()
        if transport is not None:
            transport.close()
            asyncio.get_running_loop().call_later(GOODBYE_S, transport.abort)


def enhanced(stream: Stream) -> list[str]:
    """The codecs of the main tracks that need Enhanced RTMP. Raises LinkFailed for one that has no place in it."""
    known = Waiting.look(stream)
    try:
        codecs = [fourcc(config) for track, config in known.items() if track in TRACKS]
    except FlvTagError as error:
        raise LinkFailed(str(error), lasting=True) from None
    return [codec for codec in codecs if codec not in LEGACY]
