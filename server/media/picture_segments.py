"""Coded pictures in, whole segments out: cut at key frames, one gapless timeline. Pure.

    decode order   I0 P3 B1 B2 | I4 P7 B5 B6       what is shown when is the source's word, and kept
    decode times    0  1  2  3 |  4  5  6  7       the same times in rising order: no gap, never backwards
    cts             0 +2 -1 -1 |  0 +2 -1 -1       signed; tfdt is when the first picture of the segment is shown

The source's own decode times are not needed: they are missing in some containers, and wrong in others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from server.formats.fmp4.movie import MAX_BURST_BYTES, MAX_GOP_S
from server.media.ticks import TIMESCALE

# Shorter segments cost requests without starting sooner.
MIN_SEGMENT_S = 2.0
# Segments without a key frame at their begin would be needed beyond.
MAX_SEGMENT_TICKS = 2 * MAX_GOP_S * TIMESCALE
MAX_PICTURES = 20_000  # of a segment: ten seconds at any rate that cameras reach

Piece = bytes | memoryview


class UncuttableError(ValueError):
    """The pictures can't be cut into segments; the text is a sentence."""


@dataclass(slots=True)
class Picture:
    pts: int  # ticks of TIMESCALE
    key: bool
    pieces: Sequence[Piece]
    size: int


@dataclass(frozen=True, slots=True)
class PictureSegment:
    """What fmp4.part.video_header asks for; times in ticks."""

    number: int
    base: int
    end: int
    durations: Sequence[int]
    cts: Sequence[int]
    keys: Sequence[bool]
    sizes: Sequence[int]
    payload: Sequence[Piece]


@dataclass(slots=True)
class PictureSegments:
    """Feed it pictures in decoding order, then `finish`; the first has to be a key frame."""

    target_s: float
    _held: list[Picture] = field(default_factory=list)  # from the begin of the open segment on
    _size: int = 0
    _begin: int | None = None  # when the open segment is shown
    _early: int = 0  # the key frame in _held that would be cut at, before the ideal; 0: none
    _cut: int = 0  # the key frame that begins the next segment, until its leading pictures are known; 0: none
    _number: int = 0

    def add(self, picture: Picture) -> Sequence[PictureSegment]:
        """The segments that this one completes. Raises UncuttableError."""
        if picture.key or self._cut or self._number == 0:
            return tuple(self._add(picture))
        self._held.append(picture)
        self._size += picture.size
        self._check()
        return ()

    def _add(self, picture: Picture) -> Iterator[PictureSegment]:
        if self._begin is None:
            self._begin = 0  # the first picture stands still from there on
            if picture.pts > MAX_SEGMENT_TICKS:
                raise UncuttableError(f"its pictures begin {picture.pts // TIMESCALE} s after its sound")
        elif self._number == 0 and picture.pts < self._held[0].pts:
            return  # led by pictures of a GOP that is not there: not to be decoded
        if self._cut and picture.pts > self._held[self._cut].pts:
            yield self._take(self._cut)
        self._held.append(picture)
        self._size += picture.size
        if picture.key and len(self._held) > 1:
            yield from self._consider(len(self._held) - 1)
        self._check()

    def finish(self, end: int) -> Iterator[PictureSegment]:
        """The rest; `end` is when the last picture ends."""
        if self._cut:
            yield self._take(self._cut)
        if self._held:
            yield self._segment(self._held, max(end, max(picture.pts for picture in self._held) + 1))
            self._held = []

    def _consider(self, at: int) -> Iterator[PictureSegment]:
        """Cut before the key frame `at`, or at the one before it, whichever is nearer to the target."""
        assert self._begin is not None
        span = self._held[at].pts - self._begin
        target = round(self.target_s * TIMESCALE)
        if self._cut:  # two key frames without a picture between them
            return
        if span < MIN_SEGMENT_S * TIMESCALE:
            return
        if span <= target:
            self._early = at
            if span < target:
                return
        early = self._early and self._held[self._early].pts - self._begin
        if early and self._early < at and target - early <= span - target:
            yield self._take(self._early)
            yield from self._consider_again()
        else:
            self._cut = at

    def _consider_again(self) -> Iterator[PictureSegment]:
        """The key frames that are left in the open segment after a cut before them."""
        for at in range(1, len(self._held)):
            if self._held[at].key:
                yield from self._consider(at)

    def _take(self, count: int) -> PictureSegment:
        """The first `count` of what is held, as a segment that ends where the rest begins."""
        taken, self._held = self._held[:count], self._held[count:]
        self._cut = self._early = 0
        segment = self._segment(taken, min(picture.pts for picture in self._held))
        self._begin = segment.end
        return segment

    def _segment(self, pictures: Sequence[Picture], end: int) -> PictureSegment:
        assert self._begin is not None
        times = sorted(picture.pts for picture in pictures)
        times[0] = self._begin
        for i in range(1, len(times)):
            if times[i] <= times[i - 1]:
                times[i] = times[i - 1] + 1
        end = max(end, times[-1] + 1)
        shown = [picture.pts for picture in pictures]
        if self._number == 0:
            shown[0] = self._begin
        segment = PictureSegment(
            number=self._number,
            base=times[0],
            end=end,
            durations=[after - before for before, after in zip(times, [*times[1:], end], strict=True)],
            cts=[pts - dts for pts, dts in zip(shown, times, strict=True)],
            keys=[picture.key for picture in pictures],
            sizes=[picture.size for picture in pictures],
            payload=[piece for picture in pictures for piece in picture.pieces],
        )
        self._number += 1
        self._size -= sum(segment.sizes)
        return segment

    def _check(self) -> None:
        if self._size > MAX_BURST_BYTES or len(self._held) > MAX_PICTURES:
            raise UncuttableError(f"more than {MAX_BURST_BYTES >> 20} MiB come between two of its key frames")
        if self._held[-1].pts - self._held[0].pts > MAX_SEGMENT_TICKS:
            raise UncuttableError(f"its key frames are more than {MAX_SEGMENT_TICKS // TIMESCALE} s apart in places")
