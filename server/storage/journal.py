"""The journal of a rendition: a file that only grows, one JSON object a line.

    {"generation":0,"kind":"video","codec":"avc1.64001f","timescale":90000,…}     a TrackEntry, before its segments
    {"msn":0,"start":0,"duration":180000,"wall_ms":…,"generation":0,"size":…}     a SegmentEntry, once its file is whole

With the files beside it, it is enough to render the playlists of a live stream after a restart, and of its recording.

A line counts when its line end is there. A torn last line means the process or the machine stopped while writing it:
the segment's file was whole by then, so `recovery` reads the line's facts from the file again. A later line for the
same media sequence number replaces the earlier. Lines after a damaged one are not believed.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from server.formats.languages import bcp47
from server.formats.sample import TrackConfig, VideoConfig


@dataclass(frozen=True, slots=True)
class TrackEntry:
    """A generation of a rendition: the configuration that its segments need, in init-<generation>.mp4."""

    generation: int
    kind: str  # video, audio
    codec: str  # RFC 6381
    timescale: int  # of the segments' ticks
    epoch_ms: int  # wall clock at tick zero, milliseconds since 1970
    part_target: int  # EXT-X-PART-INF of the live playlist, ticks
    width: int = 0  # of the picture to show, in square pixels
    height: int = 0
    frame_rate: float = 0.0  # pictures a second as measured when the generation began
    channels: int = 0
    language: str = ""  # BCP 47
    title: str = ""

    def wall_ms(self, ticks: int) -> int:
        return self.epoch_ms + ticks * 1000 // self.timescale

    @classmethod
    def of(
        cls, config: TrackConfig, generation: int, epoch_ms: int, part_target: int, frame_rate: float = 0.0
    ) -> "TrackEntry":
        if isinstance(config, VideoConfig):
            width, height = round(config.width * config.sar[0] / config.sar[1]), config.height
            if config.rotation % 180:
                width, height = height, width
            return cls(
                generation, "video", config.codec, config.timescale, epoch_ms, part_target, width, height,
                round(frame_rate, 3), language=bcp47(config.language) or "", title=config.title,
            )  # fmt: skip
        return cls(
            generation, "audio", config.codec, config.timescale, epoch_ms, part_target, channels=config.channels,
            language=bcp47(config.language) or "", title=config.title,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """A closed segment; `<msn>.m4s` unless it is a gap."""

    msn: int  # media sequence number
    start: int  # decode time of its first sample, which is when that is shown; ticks
    duration: int  # ticks
    timescale: int
    wall_ms: int  # of its first sample, milliseconds since 1970: EXT-X-PROGRAM-DATE-TIME
    generation: int
    discontinuity: bool  # EXT-X-DISCONTINUITY stands before it
    independent: bool  # begins with a key frame
    size: int  # bytes
    gap: bool = False  # there are no bytes: the track had nothing to say, or the disk could not take it

    @property
    def duration_s(self) -> float:
        return self.duration / self.timescale

    @property
    def end(self) -> int:
        return self.start + self.duration


JournalEntry = TrackEntry | SegmentEntry

_TRACK_FIELDS = frozenset(field.name for field in fields(TrackEntry))
_SEGMENT_FIELDS = frozenset(field.name for field in fields(SegmentEntry))


def line(entry: JournalEntry) -> bytes:
    """The entry as it is appended to the file."""
    return orjson.dumps(asdict(entry), option=orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True)
class Journal:
    tracks: dict[int, TrackEntry]  # by generation
    segments: list[SegmentEntry]  # in order of media sequence numbers, without holes
    size: int  # bytes of the file that were believed

    @classmethod
    def read(cls, path: Path) -> "Journal":
        """An absent journal is an empty one; blocks on the disk."""
        return cls.parse(path.read_bytes() if path.exists() else b"")

    @classmethod
    def parse(cls, data: bytes) -> "Journal":
        tracks: dict[int, TrackEntry] = {}
        segments: dict[int, SegmentEntry] = {}
        size = 0
        for entry, length in _entries(data):
            size += length
            if isinstance(entry, TrackEntry):
                tracks[entry.generation] = entry
            else:
                segments[entry.msn] = entry
        return cls(tracks, [segments[msn] for msn in sorted(segments)], size)


def read_journal(path: Path) -> list[SegmentEntry]:
    """The closed segments of a rendition, oldest first; blocks on the disk."""
    return Journal.read(path).segments


def _entries(data: bytes) -> Iterator[tuple[JournalEntry, int]]:
    """Entries and the bytes of their lines, up to the first that is torn or damaged."""
    for text in data.splitlines(keepends=True):
        entry = _entry(text) if text.endswith(b"\n") else None
        if entry is None:
            return
        yield entry, len(text)


def _entry(text: bytes) -> JournalEntry | None:
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return _built(values) if isinstance(values, dict) else None


def _built(values: dict[str, Any]) -> JournalEntry | None:
    """Keys that a later version added are passed over; a missing one is damage."""
    kind, known = (SegmentEntry, _SEGMENT_FIELDS) if "msn" in values else (TrackEntry, _TRACK_FIELDS)
    try:
        return kind(**{name: value for name, value in values.items() if name in known})
    except TypeError:
        return None
