"""Pictures become whole segments: contiguous, cut at key frames, shown when the source says."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from server.media.picture_segments import MAX_SEGMENT_TICKS, Picture, PictureSegment, PictureSegments, UncuttableError

FRAME = 3600  # 25 pictures a second


def gop(start: int, count: int, b_frames: int = 0) -> list[tuple[int, bool]]:
    """(frame number, key) in decoding order; B pictures come after the one that they lean on."""
    order = [(start, True)]
    at = start + 1
    while at < start + count:
        reach = min(b_frames, start + count - 1 - at)
        order.append((at + reach, False))
        order += [(at + each, False) for each in range(reach)]
        at += reach + 1
    return order


def segments(pictures: Sequence[tuple[int, bool]], target_s: float = 4.0) -> list[PictureSegment]:
    made = PictureSegments(target_s)
    found = []
    for number, key in pictures:
        found += made.add(Picture(number * FRAME, key, [b"%d" % number], 1))
    last = max(number for number, _ in pictures)
    return [*found, *made.finish((last + 1) * FRAME)]


def check(found: Sequence[PictureSegment], pictures: Sequence[tuple[int, bool]]) -> None:
    """Nothing is lost or moved, and there is no gap."""
    assert [each.number for each in found] == list(range(len(found)))
    assert all(before.end == after.base for before, after in pairwise(found))
    assert all(each.end - each.base == sum(each.durations) for each in found)
    assert all(min(each.durations) > 0 for each in found)
    shown = []
    for each in found:
        at = each.base
        for duration, cts in zip(each.durations, each.cts, strict=True):
            shown.append(at + cts)
            at += duration
    assert shown == [number * FRAME for number, _ in pictures]


@pytest.mark.parametrize("b_frames", [0, 1, 2, 3])
def test_segments_are_near_their_target_and_whole(b_frames: int) -> None:
    pictures = [each for start in range(0, 500, 50) for each in gop(start, 50, b_frames)]
    found = segments(pictures)
    check(found, pictures)
    assert [(each.end - each.base) // FRAME for each in found] == [100] * 5
    assert all(each.keys[0] and each.cts[0] == 0 for each in found)


def test_the_key_frame_nearest_to_the_target_is_cut_at() -> None:
    starts = [0, 70, 90, 175, 190, 280]
    pictures = [each for start, end in pairwise([*starts, 300]) for each in gop(start, end - start)]
    found = segments(pictures)
    check(found, pictures)
    assert [each.base // FRAME for each in found] == [0, 90, 190]


def test_pictures_that_lead_a_key_frame_belong_to_its_segment() -> None:
    """An open GOP: 98 and 99 come after the key frame 100, and are shown before it."""
    tail = [(at, False) for at in range(101, 150)]
    pictures = [*[(at, at == 0) for at in range(98)], (100, True), (98, False), (99, False), *tail]
    found = segments(pictures)
    check(found, pictures)
    assert [each.base // FRAME for each in found] == [0, 98]
    assert found[1].cts[0] == 2 * FRAME


def test_pictures_before_the_first_key_frame_are_not_there() -> None:
    made = PictureSegments(4.0)
    for number in (2, 0, 1, 3):
        assert not list(made.add(Picture(number * FRAME, number == 2, [b""], 0)))
    (segment,) = made.finish(4 * FRAME)
    assert len(segment.durations) == 2


def test_the_first_picture_stands_from_zero_on() -> None:
    made = PictureSegments(4.0)
    assert not list(made.add(Picture(10 * FRAME, True, [b"x"], 1)))
    assert not list(made.add(Picture(11 * FRAME, False, [b"x"], 1)))
    (segment,) = made.finish(12 * FRAME)
    assert (segment.base, segment.cts, segment.durations) == (0, [0, 0], [11 * FRAME, FRAME])


def test_times_that_repeat_or_go_back_are_mended() -> None:
    made = PictureSegments(4.0)
    for number, key in ((0, True), (1, False), (1, False), (1, False), (2, False)):
        assert not list(made.add(Picture(number * FRAME, key, [b"x"], 1)))
    (segment,) = made.finish(0)
    assert min(segment.durations) == 1
    assert segment.end == 2 * FRAME + 1


def test_no_key_frame_for_too_long() -> None:
    made = PictureSegments(4.0)
    assert not list(made.add(Picture(0, True, [b"x"], 1)))
    with pytest.raises(UncuttableError, match="20 s apart"):
        list(made.add(Picture(MAX_SEGMENT_TICKS + 1, False, [b"x"], 1)))
