"""Frames of sound become whole segments, cut where pictures are, without gaps."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from server.formats.aac import audio_config, silent_frame
from server.media.sound_segments import SoundSegment, SoundSegments

RATE, FRAME = 48_000, 1024
CONFIG = audio_config(bytes.fromhex("1190"))


def check(found: Sequence[SoundSegment]) -> None:
    assert [each.number for each in found] == list(range(len(found)))
    assert all(before.end == after.base for before, after in pairwise(found))
    for each in found:
        count = len(each.payload)
        length = each.durations * count if isinstance(each.durations, int) else sum(each.durations)
        assert each.end - each.base == length


def test_sound_alone_is_cut_at_a_steady_pace() -> None:
    made = SoundSegments(CONFIG, 4.0, False)
    found = [each for at in range(470) for each in made.add(at * FRAME, FRAME, b"x")]
    found += made.finish(None, 1)
    check(found)
    assert [len(each.payload) for each in found] == [187, 187, 96]


@pytest.mark.parametrize("sound_first", [True, False])
def test_sound_is_cut_with_the_pictures_whichever_comes_first(sound_first: bool) -> None:
    made = SoundSegments(CONFIG, 4.0, True)
    found: list[SoundSegment] = []
    cuts = [90_000 * second for second in (3, 7)]
    if not sound_first:
        found += [each for cut in cuts for each in made.cut(cut, 90_000)]
    found += [each for at in range(420) for each in made.add(at * FRAME, FRAME, b"x")]
    if sound_first:
        found += [each for cut in cuts for each in made.cut(cut, 90_000)]
    found += made.finish(90_000 * 9, 90_000)
    check(found)
    assert [each.end / RATE for each in found] == pytest.approx([3, 7, 8.96], abs=FRAME / RATE)


def test_a_clock_of_milliseconds_leaves_no_gaps() -> None:
    made = SoundSegments(CONFIG, 4.0, False)
    found = [each for at in range(200) for each in made.add(round(at * FRAME / RATE, 3) * RATE // 1, FRAME, b"x")]
    found += made.finish(None, 1)
    check(found)
    assert all(each.durations == FRAME for each in found)


def test_the_run_up_is_dropped_and_a_frame_across_zero_shortened() -> None:
    made = SoundSegments(CONFIG, 4.0, False)
    for pts in (-2048, -1024 - 400, -400, 624):
        assert not list(made.add(pts, FRAME, b"x"))
    (segment,) = made.finish(None, 1)
    assert (segment.base, segment.durations) == (0, [624, FRAME])


def test_holes_are_filled_with_silence() -> None:
    made = SoundSegments(CONFIG, 4.0, False)
    silence = silent_frame(CONFIG)
    for at in (20, 21, 40):
        assert not list(made.add(at * FRAME, FRAME, b"x"))
    (segment,) = made.finish(None, 1)
    assert segment.end == 41 * FRAME
    assert [frame == silence for frame in segment.payload] == [True] * 20 + [False] * 2 + [True] * 18 + [False]


def test_a_clock_that_goes_back_is_passed_over() -> None:
    made = SoundSegments(CONFIG, 4.0, False)
    for at in (0, 1, 0, 1):
        assert not list(made.add(at * 10 * FRAME, FRAME, b"x"))
    (segment,) = made.finish(None, 1)
    check([segment])


def test_sound_that_goes_on_behind_the_pictures() -> None:
    made = SoundSegments(CONFIG, 4.0, True)
    found = [each for at in range(470) for each in made.add(at * FRAME, FRAME, b"x")]
    found += made.finish(90_000, 90_000)
    check(found)
    assert [round((each.end - each.base) / RATE) for each in found] == [1, 4, 5]


def test_a_little_sound_behind_the_pictures_is_no_segment_of_its_own() -> None:
    made = SoundSegments(CONFIG, 4.0, True)
    found = [each for at in range(100) for each in made.add(at * FRAME, FRAME, b"x")]
    found += made.finish(90_000, 90_000)
    assert len(found) == 1
