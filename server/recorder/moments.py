"""Which segments a clip is made of. Pure: a journal's segments in, media sequence numbers out.

A moment is given by the wall clock, as EXT-X-PROGRAM-DATE-TIME shows it, or in seconds of media: from the beginning,
dropouts not counted, as a player's clock counts them; negative ones back from the end.
"""

from collections.abc import Sequence
from typing import NamedTuple

from server.packager.presentation import Span
from server.storage.journal import SegmentEntry

SLACK_MS = 10  # rounding of the wall clock; not even a picture


class Wall(NamedTuple):
    ms: int  # since 1970


class Seconds(NamedTuple):
    s: float


Moment = Wall | Seconds


class MomentError(ValueError):
    """`name` is the moment at fault, start or end; the text a sentence for who asked."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


class NotYetError(MomentError):
    """The end lies in what is still to come; `wait_ms` is how long it takes until its segment may be there."""

    def __init__(self, wait_ms: int) -> None:
        super().__init__("end", f"The broadcast is not that far yet: by about {wait_ms / 1000:.1f} s.")
        self.wait_ms = wait_ms


class Choice(NamedTuple):
    """Whole segments that hold the clip, and what of them is too much."""

    span: Span
    head_ms: int  # the clip starts this far into the first segment
    tail_ms: int  # and ends this long before the end of the last

    def length_ms(self, segments: Sequence[SegmentEntry]) -> int:
        """Of the clip itself."""
        held = [entry for entry in segments if self.span.first <= entry.msn <= self.span.last]
        return sum(_ms(entry) for entry in held) - self.head_ms - self.tail_ms


def choose(segments: Sequence[SegmentEntry], start: Moment, end: Moment | None) -> Choice:
    """The segments from `start` to `end` (None: to what is there); the first begins with a key frame.

    `segments` are those of the rendition that a player's clock follows, oldest first, without those whose files are
    gone. Raises MomentError.
    """
    if not any(not entry.gap for entry in segments):
        raise MomentError("start", "There is nothing recorded to make a clip of.")
    first, head_ms = _at(segments, start, "start")
    last, into_ms = _at(segments, end, "end") if end is not None else (len(segments) - 1, _ms(segments[-1]))
    if into_ms == 0 and last > first:  # it ends where a segment begins: with the one before
        last -= 1
        into_ms = _ms(segments[last])
    if (last, into_ms) <= (first, head_ms):
        raise MomentError("end", "The end must lie after the start.")
    while first > 0 and not segments[first].independent:
        first -= 1
        head_ms += _ms(segments[first])
    return Choice(Span(segments[first].msn, segments[last].msn), head_ms, _ms(segments[last]) - into_ms)


def _at(segments: Sequence[SegmentEntry], moment: Moment, name: str) -> tuple[int, int]:
    """The index of the segment that a moment lies in, and how far, in milliseconds."""
    return _by_wall(segments, moment.ms, name) if isinstance(moment, Wall) else _by_media(segments, moment.s, name)


def _by_wall(segments: Sequence[SegmentEntry], ms: int, name: str) -> tuple[int, int]:
    if ms < segments[0].wall_ms - SLACK_MS:
        raise MomentError(name, "This is before what is recorded.")
    newest = segments[-1]
    behind_ms = ms - newest.wall_ms - _ms(newest)
    if behind_ms > SLACK_MS:
        raise _beyond(name, behind_ms)
    index = max((i for i, entry in enumerate(segments) if entry.wall_ms <= ms), default=0)
    into_ms = max(0, ms - segments[index].wall_ms)
    return index, min(into_ms, _ms(segments[index]))  # a moment within a dropout is the end of what was before


def _by_media(segments: Sequence[SegmentEntry], seconds: float, name: str) -> tuple[int, int]:
    total_ms = sum(map(_ms, segments))
    left_ms = round(seconds * 1000)
    if left_ms < 0:
        left_ms = max(0, total_ms + left_ms)
    if left_ms > total_ms + SLACK_MS:
        raise _beyond(name, left_ms - total_ms)
    for index, entry in enumerate(segments):
        if left_ms < _ms(entry):
            return index, left_ms
        left_ms -= _ms(entry)
    return len(segments) - 1, _ms(segments[-1])


def _beyond(name: str, behind_ms: int) -> MomentError:
    return NotYetError(behind_ms) if name == "end" else MomentError(name, "This is after what is recorded.")


def _ms(entry: SegmentEntry) -> int:
    return round(entry.duration_s * 1000)
