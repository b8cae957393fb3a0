"""A publisher made of arithmetic: pictures and sound without content, with the faults that real ones have."""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from server.formats.aac import audio_config
from server.formats.fmp4.read import read_parts, read_samples
from server.formats.sample import AudioConfig, VideoConfig
from server.packager.live import LivePackager, LiveSettings
from server.packager.rendition import Rendition
from server.storage.journal import SegmentEntry
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from server.stream.stream import Stream

VIDEO = VideoConfig("avc1.64001f", 90_000, 1280, 720, b"\0\0\0\x08avc1")
OTHER_VIDEO = VideoConfig("avc1.640028", 90_000, 1920, 1080, b"\0\0\0\x08avc1")
AUDIO = audio_config(bytes.fromhex("1190"))  # AAC-LC, 48 kHz, stereo
AUDIO_44 = audio_config(bytes.fromhex("1210"))  # 44.1 kHz

START_MS = 1_700_000_000_000


@dataclass
class Publisher:
    """Sends in the order of time, pictures before sound; timestamps begin at `timestamp_ms`, the wall at `now_ms`."""

    stream: Stream
    fps: float = 30
    gop_s: float = 2.0
    b_frames: int = 0
    audio: bool = True
    video: bool = True
    timestamp_ms: int = 0
    now_ms: int = START_MS
    size: int = 40
    audio_delay_ms: int = 0
    audio_config: AudioConfig = AUDIO
    video_config: VideoConfig = field(default_factory=lambda: VIDEO)  # which tests replace
    sent_ms: int = 0

    def connect(self) -> "Publisher":
        self.stream.begin(self.now_ms)
        if self.video:
            self.stream.configure(self.video_config, self.now_ms)
        if self.audio:
            self.stream.configure(self.audio_config, self.now_ms)
        return self

    def send(self, seconds: float, *, mute: bool = False, blind: bool = False) -> "Publisher":
        """So many seconds more; `mute` leaves sound out, `blind` pictures."""
        start_ms, self.sent_ms = self.sent_ms, self.sent_ms + round(seconds * 1000)
        events = ([] if blind else self._pictures(start_ms)) + ([] if mute else self._sound(start_ms))
        for at_ms, kind, index in sorted(events, key=lambda event: (event[0], event[1] == "audio")):
            timestamp, now_ms = (self.timestamp_ms + at_ms) % (1 << 32), self.now_ms + at_ms
            if kind == "video":
                key = index % round(self.gop_s * self.fps) == 0
                data = index.to_bytes(4, "big") + bytes(self.size)
                self.stream.write_video(timestamp, self._cts(index), key, data, now_ms)
            else:
                timestamp = (timestamp + self.audio_delay_ms) % (1 << 32)
                self.stream.write_audio(timestamp, b"\x21" + index.to_bytes(4, "big"), now_ms)
        return self

    def _pictures(self, start_ms: int) -> list[tuple[int, str, int]]:
        return self._events("video", self.fps / 1000, start_ms) if self.video else []

    def _sound(self, start_ms: int) -> list[tuple[int, str, int]]:
        config = self.audio_config
        return self._events("audio", config.timescale / config.frame_length / 1000, start_ms) if self.audio else []

    def _events(self, kind: str, per_ms: float, start_ms: int) -> list[tuple[int, str, int]]:
        first, last = (math.ceil(at_ms * per_ms - 1e-9) for at_ms in (start_ms, self.sent_ms))
        return [(int(index / per_ms + 1e-6), kind, index) for index in range(first, last)]

    @property
    def end_ms(self) -> int:
        """The wall clock at the end of what was sent."""
        return self.now_ms + self.sent_ms

    def _cts(self, index: int) -> int:
        if not self.b_frames:
            return 0
        frame_ms = 1000 / self.fps
        position = index % round(self.gop_s * self.fps) % (self.b_frames + 1)
        return round(frame_ms * (1 if position == 0 else (self.b_frames + 1 if position == 1 else 0)))


@dataclass
class Broadcast:
    """A stream, its packager and its files."""

    stream: Stream
    packager: LivePackager
    store: SegmentStore
    layout: Layout

    @classmethod
    def on(cls, store: SegmentStore, mode: str = "low", **settings: object) -> "Broadcast":
        stream = Stream("br1")
        packager = LivePackager("li1", "br1", LiveSettings.of(mode, **settings), store)  # type: ignore[arg-type]
        stream.attach(packager)
        return cls(stream, packager, store, store.layout)

    def publisher(self, **what: object) -> Publisher:
        return Publisher(self.stream, **what)  # type: ignore[arg-type]

    @property
    def video(self) -> Rendition:
        return self.packager.renditions["video"]

    @property
    def audio(self) -> Rendition:
        return self.packager.renditions["audio"]

    def file(self, rendition: str, msn: int) -> Path:
        return self.layout.rendition("br1", rendition).segment(msn)

    def written(self) -> None:
        self.store.flush().result(30)


def check(broadcast: Broadcast) -> None:
    """What must hold of every broadcast once it is flushed, whatever its publisher did."""
    broadcast.written()
    packager = broadcast.packager
    renditions = list(packager.renditions.values())
    assert len({rendition.window.next_msn for rendition in renditions}) <= 1, "numbers differ"
    for rendition in renditions:
        check_segments(broadcast, rendition)
    check_alignment(renditions)


def check_segments(broadcast: Broadcast, rendition: Rendition) -> None:
    target = rendition.window.target_duration_s
    segments = list(rendition.window.closed)
    for entry in segments:
        assert entry.duration > 0
        assert round(entry.duration_s) <= target, f"{rendition.name} {entry.msn} lasts {entry.duration_s}"
        if not entry.gap:
            parts = read_parts(broadcast.file(rendition.name, entry.msn).read_bytes())
            assert parts[0].base == entry.start
            assert parts[-1].base + parts[-1].duration == entry.end
            assert parts[-1].offset + parts[-1].size == entry.size
    for before, after in pairwise(segments):
        assert after.msn == before.msn + 1
        assert after.discontinuity == (after.generation != before.generation)
        if not (after.discontinuity or before.gap or after.gap):
            assert after.start == before.end, f"{rendition.name} {after.msn} is not where {before.msn} ended"
        if not (before.gap or after.gap):
            assert after.start / after.timescale > before.end / before.timescale - 0.001, f"{before} then {after}"


def check_alignment(renditions: list[Rendition]) -> None:
    """Same discontinuity sequence and, within a frame of sound, same time in all renditions."""
    numbers: dict[int, int] = {}
    times: dict[int, SegmentEntry] = {}
    for rendition in renditions:
        number = rendition.window.discontinuity_sequence
        for index, entry in enumerate(rendition.window.closed):
            number += entry.discontinuity and index >= 0
            assert numbers.setdefault(entry.msn, number) == number, f"discontinuity sequence of {entry.msn}"
            other = times.setdefault(entry.msn, entry)
            apart_s = abs(entry.start / entry.timescale - other.start / other.timescale)
            assert apart_s < 2.0, f"{rendition.name} {entry.msn} is {apart_s} s off"


def samples_of(broadcast: Broadcast, rendition: str) -> list[bytes]:
    """The first bytes of every sample on disk, in order."""
    window = broadcast.packager.renditions[rendition].window
    return [
        bytes(sample.data)
        for entry in window.closed
        if not entry.gap
        for sample in read_samples(broadcast.file(rendition, entry.msn).read_bytes())
    ]
