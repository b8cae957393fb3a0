"""A broadcast as this process knows it, and the one connection that may write into it."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from server import clock
from server.formats.sample import TrackConfig
from server.packager.live import LivePackager
from server.stream.stream import Stream


class Refused(Exception):
    """The publisher is not let in; the text is for the broadcaster to read."""


class Connection(Protocol):
    """What a publisher's socket must offer."""

    id: str
    protocol: str

    def close(self, reason: str) -> None: ...

    def last_heard(self) -> float:
        """When data last came, on clock.monotonic()."""
        ...


@dataclass(slots=True, eq=False)
class OnAir:
    """A broadcast as this process knows it."""

    live_stream_id: str
    broadcast_id: str
    state: str  # connecting | live | interrupted | ended
    reconnect_window_s: int
    stream: Stream
    packager: LivePackager
    publisher: "Publisher | None" = None
    due: str | None = None  # why it is to end: decided, so that no publisher can go on with it
    stated: bool = False  # the end is in the catalogue
    kept: bool = False  # a video has its segments
    timer: asyncio.TimerHandle | None = None

    def rearm(self, timer: asyncio.TimerHandle | None) -> None:
        """There is one thing to wait for at a time: the publisher's return, the catalogue, the playlist's going."""
        if self.timer:
            self.timer.cancel()
        self.timer = timer


class LifeCycle(Protocol):
    """Who is told what becomes of a broadcast."""

    def went_live(self, on_air: OnAir) -> None: ...

    def lost(self, on_air: OnAir, reason: str, ended: bool) -> None: ...

    def rejected(self, on_air: OnAir, reason: str) -> None: ...


class Publisher:
    """One connection's way into its broadcast; useless once it is closed or was taken over."""

    def __init__(self, life_cycle: LifeCycle, on_air: OnAir, connection: Connection) -> None:
        self._life_cycle = life_cycle
        self._on_air = on_air
        self._stream = on_air.stream
        self.connection = connection
        self.broadcast_id = on_air.broadcast_id

    @property
    def live_stream_id(self) -> str:
        return self._on_air.live_stream_id

    @property
    def current(self) -> bool:
        return self._on_air.publisher is self

    def configure(self, config: TrackConfig) -> None:
        if self.current:
            self._stream.configure(config, clock.wall_ms())

    def video(self, timestamp_ms: int, cts_ms: int, key: bool, data: bytes | memoryview) -> None:
        """A picture; the timestamp is the connection's own, 32 bits that wrap."""
        if self._on_air.publisher is self:
            self._stream.write_video(timestamp_ms, cts_ms, key, data, clock.wall_ms())
            if self._on_air.state != "live" and key:
                self._life_cycle.went_live(self._on_air)

    def audio(self, timestamp_ms: int, data: bytes | memoryview) -> None:
        """A sound frame, as `video`."""
        if self._on_air.publisher is self:
            self._stream.write_audio(timestamp_ms, data, clock.wall_ms())
            if self._on_air.state != "live" and not self._stream.has_video:
                self._life_cycle.went_live(self._on_air)

    def closed(self, reason: str, *, ended: bool) -> None:
        """The connection is gone: `ended` when the broadcaster said so, else it may come back."""
        if self.current:
            self._life_cycle.lost(self._on_air, reason, ended)

    def rejected(self, reason: str) -> None:
        """What it sends can't be taken; said in an event."""
        if self.current:
            self._life_cycle.rejected(self._on_air, reason)
