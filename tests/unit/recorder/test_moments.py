"""Which segments a clip takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.packager.presentation import Span
from server.recorder.moments import Choice, Moment, MomentError, NotYetError, Seconds, Wall, choose
from server.storage.journal import SegmentEntry

START_MS = 1_700_000_000_000


def entry(msn: int, start_ms: int, ms: int = 2000, *, independent: bool = True, gap: bool = False) -> SegmentEntry:
    return SegmentEntry(msn, start_ms, ms, 1000, START_MS + start_ms, 0, False, independent, 0 if gap else 100, gap)


FIVE = [entry(10 + index, index * 2000) for index in range(5)]  # ten seconds, numbers 10 to 14
BROKEN = [*FIVE[:2], *(entry(12 + index, 34_000 + index * 2000) for index in range(3))]  # 30 s away after four


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (Seconds(0), None, Choice(Span(10, 14), 0, 0)),
        (Seconds(2), Seconds(6), Choice(Span(11, 12), 0, 0)),
        (Seconds(2.5), Seconds(6.5), Choice(Span(11, 13), 500, 1500)),
        (Seconds(3.999), Seconds(4), Choice(Span(11, 11), 1999, 0)),
        (Seconds(-3), None, Choice(Span(13, 14), 1000, 0)),
        (Seconds(-300), None, Choice(Span(10, 14), 0, 0)),
        (Seconds(0), Seconds(-4), Choice(Span(10, 12), 0, 0)),
        (Seconds(1), Seconds(10), Choice(Span(10, 14), 1000, 0)),
        (Wall(START_MS + 3000), Wall(START_MS + 5000), Choice(Span(11, 12), 1000, 1000)),
        (Wall(START_MS), Wall(START_MS + 10_000), Choice(Span(10, 14), 0, 0)),
        (Wall(START_MS - 5), Wall(START_MS + 10_005), Choice(Span(10, 14), 0, 0)),
    ],
)
def test_the_segments_that_hold_the_clip(start: Moment, end: Moment | None, expected: Choice) -> None:
    assert choose(FIVE, start, end) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (Seconds(3), Seconds(5), Choice(Span(11, 12), 1000, 1000)),  # seconds of media pass over the dropout
        (Wall(START_MS + 10_000), Wall(START_MS + 35_000), Choice(Span(11, 12), 2000, 1000)),
        (Wall(START_MS + 1000), Wall(START_MS + 20_000), Choice(Span(10, 11), 1000, 0)),
    ],
)
def test_a_dropout_in_between(start: Moment, end: Moment, expected: Choice) -> None:
    assert choose(BROKEN, start, end) == expected


@pytest.mark.parametrize(
    ("start", "end", "name", "said"),
    [
        (Wall(START_MS - 60_000), None, "start", "before what is recorded"),
        (Wall(START_MS + 60_000), None, "start", "after what is recorded"),
        (Seconds(11), None, "start", "after what is recorded"),
        (Seconds(0), Seconds(60), "end", "not that far yet"),
        (Seconds(0), Wall(START_MS - 60_000), "end", "before what is recorded"),
        (Seconds(6), Seconds(6), "end", "after the start"),
        (Seconds(6), Seconds(3), "end", "after the start"),
        (Seconds(10), None, "end", "after the start"),
    ],
)
def test_what_is_not_there_is_said_with_its_field(start: Moment, end: Moment | None, name: str, said: str) -> None:
    with pytest.raises(MomentError, match=said) as caught:
        choose(FIVE, start, end)
    assert caught.value.name == name


def test_an_end_to_come_says_how_long_it_takes() -> None:
    with pytest.raises(NotYetError) as caught:
        choose(FIVE, Seconds(0), Wall(START_MS + 11_500))
    assert caught.value.wait_ms == 1500


def test_it_begins_with_a_key_frame() -> None:
    segments = [entry(0, 0), entry(1, 2000, independent=False), entry(2, 4000, independent=False), entry(3, 6000)]

    assert choose(segments, Seconds(5), Seconds(7)) == Choice(Span(0, 3), 5000, 1000)


@pytest.mark.parametrize("segments", [[], [entry(0, 0, gap=True)]])
def test_without_media_there_is_no_clip(segments: list[SegmentEntry]) -> None:
    with pytest.raises(MomentError, match="nothing recorded"):
        choose(segments, Seconds(0), None)


@given(st.floats(0, 10), st.floats(0, 10))
def test_the_clip_is_as_long_as_was_asked(start: float, end: float) -> None:
    try:
        choice = choose(FIVE, Seconds(start), Seconds(end))
    except MomentError:
        assert round(end * 1000) <= round(start * 1000)
        return
    assert choice.length_ms(FIVE) == round(end * 1000) - round(start * 1000)
    assert 0 <= choice.head_ms < 2000
    assert 0 <= choice.tail_ms < 2000
