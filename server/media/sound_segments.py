"""Coded frames of sound in, whole segments out: cut with the pictures, one timeline of whole frames. Pure.

Samples are counted: a container's clock of milliseconds would put a gap between all frames. Where its word is further
from the count than RESYNC_S the sound has a hole, filled with silence where a frame of it is known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from server.formats.aac import silent_frame
from server.formats.fmp4.movie import MAX_BURST_BYTES
from server.formats.sample import AudioConfig
from server.media.picture_segments import Piece, UncuttableError

RESYNC_S = 0.06  # as of live streams: a frame or two, which nobody sees on lips
# An hour of silence is a broken clock; what follows is moved up to what was before.
MAX_HOLE_S = 3600.0
MIN_LAST_S = 2.0


@dataclass(frozen=True, slots=True)
class SoundSegment:
    """What fmp4.part.audio_part asks for; ticks of the track."""

    number: int
    base: int
    end: int
    durations: int | Sequence[int]
    payload: Sequence[Piece]


@dataclass(slots=True)
class SoundSegments:
    """Feed it frames and the times at which pictures are cut, then `finish`.

    Without pictures the segments are `target_s` long.
    """

    config: AudioConfig
    target_s: float
    with_pictures: bool
    _cuts: list[int] = field(default_factory=list)  # ticks, to come
    _times: list[int] = field(default_factory=list)  # of the frames held, each begins there
    _lengths: list[int] = field(default_factory=list)
    _frames: list[Piece] = field(default_factory=list)
    _next: int | None = None  # where the next frame begins
    _number: int = 0
    _size: int = 0

    def add(self, pts: int, length: int, frame: Piece) -> Sequence[SoundSegment]:
        """A frame that is heard at `pts` for `length`; what it completes. Raises UncuttableError."""
        if pts + length <= 0 or length <= 0:
            return ()  # the codec's run-up
        self._follow(pts)
        assert self._next is not None
        if self._next < 0:  # partly before 0
            length, self._next = length + self._next, 0
        self._append(length, frame)
        if self._size > MAX_BURST_BYTES:
            raise UncuttableError("the sound and the pictures of the same time are too far apart in the file")
        return tuple(self._ready()) if self._cuts or not self.with_pictures else ()

    def cut(self, time: int, timescale: int) -> Iterator[SoundSegment]:
        """The pictures are cut at `time`."""
        self._cuts.append(time * self.config.timescale // timescale)
        yield from self._ready()

    def finish(self, pictures_end: int | None, timescale: int) -> Iterator[SoundSegment]:
        """The rest; where the pictures end is a cut as well, if there is a segment's worth of sound behind it."""
        if pictures_end is not None and self._next is not None:
            end = pictures_end * self.config.timescale // timescale
            if self._next - end >= MIN_LAST_S * self.config.timescale:
                self._cuts.append(end)
        yield from self._ready(to_end=True)
        if self._frames:
            yield self._take(len(self._frames))

    def _follow(self, pts: int) -> None:
        """Set where the next frame begins."""
        rate = self.config.timescale
        if self._next is None:
            self._next = min(pts, 0)
        if abs(pts - self._next) <= RESYNC_S * rate:
            return
        if pts < self._next or pts - self._next > MAX_HOLE_S * rate:
            return  # goes on where it was
        frame = silent_frame(self.config)
        if frame is None or not self.config.frame_length:
            if self._frames:
                self._lengths[-1] += pts - self._next
            self._next = pts
            return
        while pts - self._next > self.config.frame_length // 2:
            self._append(self.config.frame_length, frame)

    def _append(self, length: int, frame: Piece) -> None:
        assert self._next is not None
        self._times.append(self._next)
        self._lengths.append(length)
        self._frames.append(frame)
        self._size += len(frame)
        self._next += length

    def _ready(self, to_end: bool = False) -> Iterator[SoundSegment]:
        """The segments whose end has been passed."""
        if not self._frames:
            return
        while (cut := self._cut_time(to_end)) is not None:
            count = self._nearest(cut)
            if count is None or (count >= len(self._frames) and not to_end):
                return
            if self.with_pictures and self._cuts:
                self._cuts.pop(0)
            if 0 < count < len(self._frames):
                yield self._take(count)
            elif count >= len(self._frames):
                return

    def _cut_time(self, to_end: bool) -> int | None:
        """When the open segment is to end."""
        if self._cuts:
            return self._cuts[0]
        steady = self._times[0] + round(self.target_s * self.config.timescale)
        if not self.with_pictures:
            return steady
        assert self._next is not None
        least = MIN_LAST_S * self.config.timescale
        return steady if to_end and self._next - steady >= least else None

    def _nearest(self, cut: int) -> int | None:
        """How many of the frames held begin nearer to the time before `cut` than after; None: it is not reached."""
        assert self._next is not None
        if self._next < cut:
            return None
        for at in range(len(self._times) - 1, -1, -1):
            if self._times[at] <= cut:
                return at if cut - self._times[at] <= self._lengths[at] / 2 else at + 1
        return 0

    def _take(self, count: int) -> SoundSegment:
        lengths = self._lengths[:count]
        base = self._times[0]
        equal = all(length == lengths[0] for length in lengths)
        segment = SoundSegment(
            number=self._number,
            base=base,
            end=self._times[count] if count < len(self._times) else base + sum(lengths),
            durations=lengths[0] if equal else lengths,
            payload=self._frames[:count],
        )
        for rows in (self._times, self._lengths, self._frames):
            del rows[:count]
        self._size -= sum(len(piece) for piece in segment.payload)
        self._number += 1
        return segment
