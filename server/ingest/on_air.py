"""A broadcast as this process knows it, and the connections that may write into it."""

import asyncio
from collections import deque
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from server import clock
from server.formats.sample import TrackConfig
from server.ingest.health.health import Health
from server.ingest.health.reading import Link
from server.ingest.switch import Chosen, Role, Steadiness
from server.packager.live import LivePackager
from server.stream.stream import Stream
from server.stream.timeline import MPEG_TS_CLOCK, RTMP_CLOCK, PublisherClock

CLOCKS: Mapping[str, PublisherClock] = {"srt": MPEG_TS_CLOCK, "hls": MPEG_TS_CLOCK}  # by protocol; else that of RTMP
KEY_INTERVALS = 8  # looked at
MAX_INTERVAL_S = 60.0
ALONE_S = 2.0  # an encoder beside another that announces no video for so long sends sound only


Cause = Literal["unknown", "disabled", "busy", "unavailable"]


class Refused(Exception):
    """The publisher is not let in; the text is for the broadcaster to read."""

    def __init__(self, reason: str, cause: Cause = "unavailable") -> None:
        super().__init__(reason)
        self.cause: Cause = cause


@dataclass(frozen=True, slots=True)
class Facts:
    """What a connection knows of its encoder, for the health of the stream; None where it does not."""

    encoder: str = ""
    peer: str = ""  # its address
    frame_rate: float | None = None  # as announced, as the bit rate: bits a second of pictures and sound
    bitrate: float | None = None
    link: Link | None = None
    counters: Mapping[str, float] = field(default_factory=dict)  # the protocol's own, shown as they are


class Connection(Protocol):
    """What a publisher's socket must offer."""

    id: str
    protocol: str

    def close(self, reason: str) -> None: ...

    def last_heard(self) -> float:
        """When data last came, on clock.monotonic()."""
        ...

    def facts(self) -> Facts:
        """Asked once a second at most."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class Stage:
    """Where publishers write: one is chosen, one may stand by."""

    live_stream_id: str
    state: str  # connecting | live | interrupted | ended
    stream: Stream
    publisher: "Publisher | None" = None  # whose media is written
    standby: "Publisher | None" = None  # connected under the other key
    paired: bool = False  # two encoders have been connected at once
    known: set[Role] = field(default_factory=set)  # encoders that have been there
    health: Health = field(default_factory=Health)

    @property
    def publishers(self) -> tuple["Publisher", ...]:
        return tuple(each for each in (self.publisher, self.standby) if each is not None)


@dataclass(slots=True, eq=False, kw_only=True)
class OnAir(Stage):
    """A broadcast as this process knows it."""

    broadcast_id: str
    reconnect_window_s: float
    packager: LivePackager
    renditions: Any = "passthrough"  # as the live stream had them when it began
    given_up: Set[str] = frozenset()  # of those, by whoever makes them; it grows
    due: str | None = None  # why it is to end: decided, so that no publisher can go on with it
    over_at: datetime | None = None  # since when no media follows
    stated: bool = False  # the end is in the catalogue
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)  # its states, one after the other
    kept: bool = False  # a video has its segments
    timer: asyncio.TimerHandle | None = None
    filler: object | None = None  # who shows a slate
    sound: TrackConfig | None = None  # of the last publisher, for the slate
    intervals: list[dict[str, Any]] = field(default_factory=list)  # what is recorded of it, as `intervals` has it

    def rearm(self, timer: asyncio.TimerHandle | None) -> None:
        """There is one thing to wait for at a time: the publisher's return, the catalogue, the playlist's going."""
        if self.timer:
            self.timer.cancel()
        self.timer = timer


class KeyFrames:
    """When a publisher's key frames came, and how far apart they are."""

    def __init__(self, since: float) -> None:
        self.last = since  # seconds, monotonic: when the last one came, or the publisher
        self.intervals: deque[float] = deque(maxlen=KEY_INTERVALS)  # seconds, by timestamp
        self._timestamp: int | None = None

    def came(self, timestamp: int, clock: PublisherClock, now: float) -> None:
        if self._timestamp is not None:
            interval = (timestamp - self._timestamp) % clock.wrap / clock.rate
            if interval < MAX_INTERVAL_S:  # else the clock has jumped
                self.intervals.append(interval)
        self._timestamp, self.last = timestamp, now


class LifeCycle(Protocol):
    """Who is told what becomes of publishers."""

    def went_live(self, publisher: "Publisher") -> None:
        """Media flows, for the first time or again."""

    def lost(self, publisher: "Publisher", reason: str, ended: bool) -> None:
        """The connection is gone; `ended`: the broadcaster said so."""

    def rejected(self, publisher: "Publisher", reason: str) -> None:
        """What it sends can't be taken."""

    def may_take_over(self, publisher: "Publisher") -> bool:
        """Whether one that stands by, with a key frame in hand, is to be on air now; then it is."""
        ...


class Publisher:
    """One connection's way onto a stage; useless once it is closed or was taken over."""

    def __init__(self, life_cycle: LifeCycle, stage: Stage, connection: Connection, role: Role = "primary") -> None:
        self.connection = connection
        self.role: Role = role
        self.connected_at = self.since = clock.monotonic()
        self.steadiness = Steadiness()
        self.keys = KeyFrames(self.since)
        self._shown = False  # a picture of it, or sound where it sends that only, was written
        self._clock = CLOCKS.get(connection.protocol, RTMP_CLOCK)
        self._configs: dict[str, TrackConfig] = {}
        self.move(life_cycle, stage)

    def move(self, life_cycle: LifeCycle, stage: Stage) -> None:
        """Onto another stage; `go_on_air` follows."""
        self._life_cycle = life_cycle
        self.stage = stage
        stage.health.returns += self.role in stage.known
        stage.known.add(self.role)
        self._stream = stage.stream

    @property
    def live_stream_id(self) -> str:
        return self.stage.live_stream_id

    @property
    def broadcast_id(self) -> str:
        """"" while nothing is on air."""
        return self.stage.broadcast_id if isinstance(self.stage, OnAir) else ""

    @property
    def video_config(self) -> TrackConfig | None:
        """What it announced of its main pictures."""
        return self._configs.get("video")

    @property
    def configs(self) -> Mapping[str, TrackConfig]:
        """What it announced, by track."""
        return self._configs

    @property
    def has_audio(self) -> bool:
        return "audio" in self._configs

    @property
    def current(self) -> bool:
        return self.stage.publisher is self

    @property
    def chosen(self) -> Chosen:
        """How it goes with the one on air."""
        now = clock.monotonic()
        return Chosen(self.role, now - self.connection.last_heard(), 0.0 if self._shown else now - self.since)

    def go_on_air(self) -> None:
        """Its media is what is written from now on; what it had announced before is said again."""
        self.stage.publisher = self
        self.stage.health.turns += 1
        self._shown = False
        self.since = clock.monotonic()
        self.keys = KeyFrames(self.since)
        now_ms = clock.wall_ms()
        self._stream.begin(now_ms, self._clock)
        for track, config in self._configs.items():
            self._stream.configure(config, now_ms, track)

    # --- media

    def configure(self, config: TrackConfig, track: str | None = None) -> None:
        """What a track will send; without a name it is the main one of its kind."""
        track = track or config.kind
        self._configs[track] = config
        if self.stage.publisher is self:
            self._stream.configure(config, clock.wall_ms(), track)

    def video(self, timestamp: int, cts: int, key: bool, data: bytes | memoryview, track: str = "video") -> None:
        """A picture; timestamp and offset are in ticks of the protocol's own clock, which wraps."""
        stage = self.stage
        if stage.publisher is not self:
            if stage.standby is not self:
                return
            self.steadiness.heard(clock.monotonic())
            if not (key and track == "video" and self._life_cycle.may_take_over(self)):
                return
        self._stream.write_video(timestamp, cts, key, data, clock.wall_ms(), track)
        if key and track == "video":
            self.keys.came(timestamp, self._clock, clock.monotonic())
            self._show()

    def audio(self, timestamp: int, data: bytes | memoryview, track: str = "audio") -> None:
        """A sound frame, as `video`."""
        stage = self.stage
        if stage.publisher is not self and not (stage.standby is self and self._sound_takes_over()):
            return
        self._stream.write_audio(timestamp, data, clock.wall_ms(), track)
        if not self._shown and not self._stream.has_video:
            self._show()

    def _sound_takes_over(self) -> bool:
        """Where no pictures come, every frame of sound is one to begin with."""
        now = clock.monotonic()
        if "video" in self._configs or now - self.since < ALONE_S:
            return False
        self.steadiness.heard(now)
        return self._life_cycle.may_take_over(self)

    def _show(self) -> None:
        self._shown = True
        if self.stage.state != "live":
            self._life_cycle.went_live(self)

    # --- the end

    def closed(self, reason: str, *, ended: bool) -> None:
        """The connection is gone: `ended` when the broadcaster said so, else it may come back."""
        if self.stage.publisher is self or self.stage.standby is self:
            self._life_cycle.lost(self, reason, ended)

    def rejected(self, reason: str) -> None:
        """What it sends can't be taken; said in an event."""
        if self.stage.publisher is self or self.stage.standby is self:
            self._life_cycle.rejected(self, reason)
