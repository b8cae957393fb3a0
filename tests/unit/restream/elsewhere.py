"""A platform to restream to, in this process, and a broadcast to send there."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from server import clock
from server.formats.avc import video_config
from server.protocols.rtmp.connection import Connection
from server.protocols.rtmp.events import Media, PublishEnded, PublishRequested
from server.stream.stream import Stream
from tests.unit.formats.encoded import h264
from tests.unit.packager.publishing import AUDIO

KEY, WRONG = "the-right-key", "the-wrong-key"
VIDEO = video_config(h264().header)
FRAME_MS = 40


@dataclass
class Broadcast:
    """A stream whose media is written by hand, a key frame a second."""

    stream: Stream = field(default_factory=lambda: Stream("br"))
    at: int = 0

    def begin(self) -> "Broadcast":
        self.stream.begin(clock.wall_ms())
        self.stream.configure(VIDEO, clock.wall_ms())
        self.stream.configure(AUDIO, clock.wall_ms())
        return self

    def send(self, seconds: float = 1.0, size: int = 40) -> "Broadcast":
        for _ in range(round(seconds * 1000 / FRAME_MS)):
            key, now_ms = self.at % 25 == 0, clock.wall_ms()
            picture = (size).to_bytes(4, "big") + bytes(size)
            self.stream.write_video(self.at * FRAME_MS, 0, key, picture, now_ms)
            self.stream.write_audio(self.at * FRAME_MS, b"\x21" + bytes(4), now_ms)
            self.at += 1
        return self


class _Peer(asyncio.Protocol):
    """One connection to the platform."""

    def __init__(self, platform: "Platform") -> None:
        self._platform = platform
        self._core = Connection(clock.monotonic())
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._platform.peers.append(self)

    def data_received(self, data: bytes) -> None:
        for event in self._core.receive_data(data, clock.monotonic()):
            match event:
                case PublishRequested(key=key):
                    if key == KEY:
                        self._core.accept_publish()
                        if self._platform.deaf:
                            self.transport.pause_reading()
                    else:
                        self._core.reject_publish("NetStream.Publish.BadName", f"who is {key}?")
                case Media():
                    self._platform.media.append(event)
                case PublishEnded(reason=reason):
                    self._platform.ended.append(reason)
        self.transport.write(self._core.data_to_send())


@dataclass
class Platform:
    """Takes KEY."""

    deaf: bool = False
    port: int = 0
    peers: list[_Peer] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"rtmp://127.0.0.1:{self.port}/live"

    def cut(self) -> None:
        for peer in self.peers:
            peer.transport.abort()
        self.peers.clear()

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Platform"]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Peer(self), "127.0.0.1", self.port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()


async def until(what: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Lets the loop go on until `what` is true."""
    async with asyncio.timeout(timeout_s):
        while not (found := what()):
            await asyncio.sleep(0.005)
    return found
