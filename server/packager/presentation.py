"""What is watched on demand, whatever it is made of: an uploaded file's index, or a recording's segments.

    {manifest}                             Presentation.master(prefix)
    {prefix}{rendition}/media.m3u8         Presentation.media(rendition)
    {prefix}{rendition}/init.mp4           Presentation.init(rendition)
    {prefix}{rendition}/{number}.m4s       Presentation.segment(rendition, number), a SegmentPlan

A presentation is immutable and does no IO: whoever answers requests keeps it, does the reads that a plan asks for
off the event loop, and hands the bytes back to the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

# Rendition names, which are also folders in URLs.
VIDEO, AUDIO = "video", "audio"

MEDIA_PLAYLIST = "media.m3u8"


class NoSuchMediaError(LookupError):
    """The presentation has no such rendition, generation or segment."""


class ShortReadError(ValueError):
    """The stored file no longer holds what its index or journal says."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes start..stop-1 of what the plan's read number `read` gave."""

    read: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """One segment as it is to be put together: `header`, then each of `pieces`.

    `source` names the stored file that `reads` refer to as (offset, size); None is the asset's one source file.
    `size` is the segment's length, known before anything is read.
    """

    header: bytes
    reads: tuple[tuple[int, int], ...]
    pieces: tuple[Piece | bytes, ...]
    size: int
    source: str | None = None

    def build(self, chunks: Sequence[bytes]) -> bytes:
        """The segment, of what `reads` gave in their order. Raises ShortReadError."""
        for (offset, size), chunk in zip(self.reads, chunks, strict=True):
            if len(chunk) != size:
                raise ShortReadError(f"{len(chunk)} of {size} bytes at {offset} could be read")
        views = [memoryview(chunk) for chunk in chunks]
        return b"".join(
            [
                self.header,
                *(
                    piece if isinstance(piece, bytes) else views[piece.read][piece.start : piece.stop]
                    for piece in self.pieces
                ),
            ]
        )


class Presentation(Protocol):
    """One asset to watch, at one revision of its renditions."""

    @property
    def duration_s(self) -> float: ...

    @property
    def renditions(self) -> tuple[str, ...]:
        """Names, `video` before `audio`."""
        ...

    def master(self, prefix: str = "") -> str:
        """The multivariant playlist; `prefix` goes before every rendition's folder, such as `r3/`."""
        ...

    def media(self, rendition: str) -> str:
        """A rendition's playlist. This and the next two raise NoSuchMediaError."""
        ...

    def init(self, rendition: str, generation: int = 0) -> bytes:
        """The init segment of a rendition, `init.mp4`; later generations are `init-1.mp4` and so on."""
        ...

    def segment(self, rendition: str, number: int) -> SegmentPlan:
        """How to make segment `number`, counted from 0."""
        ...


def init_name(generation: int = 0) -> str:
    return f"init-{generation}.mp4" if generation else "init.mp4"


def segment_name(number: int) -> str:
    return f"{number}.m4s"
