"""What is watched on demand, whatever it is made of: an uploaded file's index, or a recording's segments.

    {manifest}                             Presentation.master(prefix, texts)
    {dash manifest}                        Presentation.mpd(base, texts)
    {prefix}{rendition}/media.m3u8         Presentation.media(rendition)
    {prefix}{rendition}/init.mp4           Presentation.init(rendition)
    {prefix}{rendition}/{number}.m4s       Presentation.segment(rendition, number), a SegmentPlan

One of renditions that are still being made is `growing`: a later one of the same revision lists more, and what was
listed stays as it was. A presentation is immutable and does no IO: whoever answers requests keeps it, does the reads
that a plan asks for off the event loop, and hands the bytes back to the plan.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from server.packager.texts import TextFacts

# Rendition names, which are also folders in URLs.
VIDEO, AUDIO = "video", "audio"

MEDIA_PLAYLIST = "media.m3u8"


# Places that one preadv(2) fills (IOV_MAX).
MAX_VIEWS = 1024

Preadv = Callable[[Sequence[memoryview], int], int]  # (places, offset) -> bytes read


class NoSuchMediaError(LookupError):
    """The presentation has no such rendition, generation or segment."""


class NoQualityError(LookupError):
    """All pictures are better than the most that is asked for."""


class ShortReadError(ValueError):
    """The stored file no longer holds what its index or journal says."""


class Span(NamedTuple):
    """A part of a broadcast: media sequence numbers of its first and last segment."""

    first: int
    last: int


class Stored(NamedTuple):
    """What a video is shown from: its own file, or segments of a broadcast."""

    video_id: str
    broadcast_id: str | None = None
    span: Span | None = None  # None: all of the broadcast
    exact: bool = False  # the video has a first and last segment of its own
    source_revision: int = 1  # of its own file: what is made of it lies there
    settled: bool = True  # nothing is being made of it any more
    altered: bool = False  # its own pictures are not to be seen, only what is made of them
    poster_of: str | None = None  # whose poster is the video's; None: its own

    @property
    def edges(self) -> tuple[int, ...]:
        """Numbers of the segments that may be the video's own."""
        return tuple(self.span) if self.span and self.exact else ()


class Whole(NamedTuple):
    """A rendition of which nothing is to come, and that one file can hold."""

    init: bytes
    segments: Sequence[tuple[int, int]]  # number, and ticks that it is shown later than its own times say


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes start..stop-1 of what the plan's read number `read` gave; those of one read follow one another."""

    read: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """One segment as it is to be put together: `header`, then each of `pieces`.

    `source` names the stored file that `reads` refer to as (offset, size); None is the asset's one source file.
    `size` is the segment's length, known before anything is read; of one that is made `on_request` nothing is known but
    its `source`.
    """

    header: bytes
    reads: tuple[tuple[int, int], ...]
    pieces: tuple[Piece | bytes, ...]
    size: int
    source: str | None = None
    on_request: bool = False

    def build(self, chunks: Sequence[bytes]) -> bytes:
        """The segment, of what `reads` gave in their order. Raises ShortReadError."""
        for (offset, size), chunk in zip(self.reads, chunks, strict=True):
            _check(len(chunk), offset, size)
        views = [memoryview(chunk) for chunk in chunks]
        parts = (part if isinstance(part, bytes) else views[part.read][part.start : part.stop] for part in self.pieces)
        return b"".join([self.header, *parts])

    def fill(self, preadv: Preadv) -> bytearray:
        """The segment, every byte read straight to its place: a fifth of the CPU of `build`.

        `preadv` is os.preadv of the source, its descriptor bound. Raises ShortReadError.
        """
        segment = bytearray(self.size)
        for (offset, size), views in zip(self.reads, self._places(segment), strict=True):
            done = 0
            for first in range(0, len(views), MAX_VIEWS):
                batch = views[first : first + MAX_VIEWS]
                wanted = sum(map(len, batch))
                _check(preadv(batch, offset + done), offset + done, wanted)
                done += wanted
            _check(done, offset, size)
        return segment

    def _places(self, segment: bytearray) -> list[list[memoryview]]:
        """Write what is not read into `segment`; where to put the bytes of each read, what is left out included."""
        view = memoryview(segment)
        places: list[list[memoryview]] = [[] for _ in self.reads]
        done = [0] * len(self.reads)
        at = 0
        for piece in (self.header, *self.pieces):
            if isinstance(piece, bytes):
                view[at : at + len(piece)] = piece
                at += len(piece)
                continue
            if piece.start > done[piece.read]:
                places[piece.read].append(memoryview(bytearray(piece.start - done[piece.read])))
            places[piece.read].append(view[at : at + piece.stop - piece.start])
            at += piece.stop - piece.start
            done[piece.read] = piece.stop
        return places


def _check(got: int, offset: int, size: int) -> None:
    if got != size:
        raise ShortReadError(f"{got} of {size} bytes at {offset} could be read")


class Presentation(Protocol):
    """One asset to watch, at one revision of its renditions."""

    @property
    def duration_s(self) -> float: ...

    @property
    def clock_start_s(self) -> float:
        """What the clock of its media says where it begins."""
        ...

    @property
    def growing(self) -> bool:
        """Whether renditions or segments are still to come."""
        ...

    @property
    def unfinished(self) -> Mapping[str, float]:
        """Its renditions that get further segments, with the seconds that are made of each."""
        ...

    @property
    def version(self) -> int:
        """Of what grows: a higher one lists more."""
        ...

    @property
    def renditions(self) -> tuple[str, ...]:
        """Names, `video` before `audio`."""
        ...

    def master(self, prefix: str = "", texts: Sequence[TextFacts] = (), most: int | None = None) -> str:
        """The multivariant playlist; `prefix` goes before every rendition's folder, such as `r3/`.

        Pictures of more than `most` lines are left out. Raises NoQualityError where that leaves none.
        """
        ...

    def mpd(self, base: str, texts: Sequence[TextFacts] = (), most: int | None = None) -> str:
        """The DASH manifest; URLs of renditions' folders are relative to `base`. The rest as `master`."""
        ...

    def lines(self, rendition: str) -> int:
        """The shorter side of a rendition's pictures, in square pixels; 0 of sound. Raises NoSuchMediaError."""
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

    def whole(self, rendition: str) -> Whole | None:
        """All of it, for a progressive file; None while segments are to come, or are made on request,
        and where its coding changes midway."""
        ...


def init_name(generation: int = 0) -> str:
    return f"init-{generation}.mp4" if generation else "init.mp4"


def segment_name(number: int) -> str:
    return f"{number}.m4s"
