"""Where parts and segments are cut."""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from server.formats.sample import Sample
from server.packager.part_target import PartTarget
from server.packager.segmenter import (
    MAX_PART_SAMPLES,
    AudioSegmenter,
    Cut,
    Lengths,
    VideoSegmenter,
)

LENGTHS = Lengths.of(90_000, 1 / 3, 2.0, 4)
SOUND = Lengths.of(48_000, 1 / 3, 2.0, 4)
TARGET = PartTarget(15 * 1024, 16 * 1024)
FRAME = 1024


def pictures(times_ms: Iterable[float], keys_ms: Iterable[float] = (0,), size: int = 1) -> list[Sample]:
    keys = {round(ms) for ms in keys_ms}
    return [Sample(round(ms * 90), 0, round(ms) in keys, bytes(size)) for ms in times_ms]


def cut(samples: Iterable[Sample], segmenter: VideoSegmenter | None = None) -> list[Cut]:
    """All cuts, with those of the final flush."""
    segmenter = segmenter or VideoSegmenter(90_000, LENGTHS)
    cuts = [cut for sample in samples for cut in segmenter.push(sample)]
    return cuts + list(segmenter.flush())


def segments(cuts: Iterable[Cut]) -> list[list[float]]:
    """Durations of the parts of each segment, in milliseconds."""
    found: list[list[float]] = [[]]
    for one in cuts:
        if one.samples:
            found[-1].append((one.end - one.samples[0].dts) / 90)
        if one.last:
            found.append([])
    assert found.pop() == []
    return found


def every(ms: float, until_ms: float, start_ms: float = 0) -> list[float]:
    return [start_ms + ms * count for count in range(round((until_ms - start_ms) / ms))]


def test_parts_of_ten_frames_and_segments_at_key_frames() -> None:
    found = segments(cut(pictures(every(100 / 3, 4000), keys_ms=[0, 2000])))
    assert found == [[pytest.approx(333.33, abs=0.1)] * 6] * 2


def test_the_last_part_carries_the_end_of_its_segment() -> None:
    cuts = cut(pictures(every(40, 4000), keys_ms=[0, 2000]))
    assert [one.last for one in cuts] == [False] * 5 + [True] + [False] * 5 + [True]


def test_frames_that_do_not_divide_the_segment_are_spread_evenly() -> None:
    first, second = segments(cut(pictures(every(40, 4000), keys_ms=[0, 2000])))  # 50 frames in 6 parts
    assert sorted(second) == [320, 320, 320, 320, 360, 360]
    assert first == second


@pytest.mark.parametrize(
    ("key_every_ms", "lengths_ms"),
    [
        (1000, [2000] * 6),  # a key frame that comes too early is not taken
        (1920, [1920] * 6),  # nor is one a little early missed
        (3000, [3000] * 4),
        (4000, [4000] * 3),
        (2520, [2520] * 4),
    ],
)
def test_segments_end_at_the_first_key_frame_after_the_wanted_length(
    key_every_ms: int, lengths_ms: list[int]
) -> None:
    found = [sum(parts) for parts in segments(cut(pictures(every(40, 12_000), every(key_every_ms, 12_000))))]
    assert found[: len(lengths_ms) - 1] == lengths_ms[:-1]


def test_an_extra_key_frame_before_a_long_gop_is_taken_rather_than_cutting_without_one() -> None:
    keys = [0, 4000, 8000, 8400, 12_400]
    cuts = cut(pictures(every(40, 16_000), keys))
    begins = [parts.samples[0].key for before, parts in pairwise(cuts) if before.last]
    assert begins == [True] * len(begins)


def test_a_gop_longer_than_the_target_duration_is_divided_without_key_frames() -> None:
    cuts = cut(pictures(every(40, 40_000), keys_ms=[0, 8320, 16_640, 24_960, 33_280]))
    lengths = [sum(parts) for parts in segments(cuts)]
    assert max(lengths) <= 4250
    assert lengths[3:9] == [pytest.approx(2773, abs=40)] * 6  # once the GOP is known it is divided evenly
    assert sum(lengths) == 40_000


def test_a_gop_of_a_target_duration_and_a_little_is_kept_whole() -> None:
    lengths = [sum(parts) for parts in segments(cut(pictures(every(1001 / 30, 12_012), keys_ms=[0, 4004, 8008])))]
    assert lengths == [pytest.approx(4004, abs=1)] * 3


@pytest.mark.parametrize("gap_at", [1000, 1980, 3500])
def test_a_pause_never_makes_a_segment_too_long(gap_at: int) -> None:
    """The picture before a pause lasts as long as that; if its segment can't hold it, it begins the next."""
    times = [*every(40, gap_at), *every(40, gap_at + 8000, gap_at + 2800)]
    found = segments(cut(pictures(times, keys_ms=[0])))
    assert all(sum(parts) <= 4250 for parts in found)
    assert sum(map(sum, found)) == pytest.approx(gap_at + 8000, abs=40)


def test_dropped_frames_leave_parts_legal() -> None:
    """OBS leaves out a picture now and then."""
    times = [ms for index, ms in enumerate(every(100 / 3, 20_000)) if index % 47 != 40]
    segmenter = VideoSegmenter(90_000, LENGTHS)
    cut(pictures(times, keys_ms=every(2000, 20_000)), segmenter)
    assert segmenter.irregular_parts == 0


def test_the_part_target_stays_when_the_frame_rate_changes() -> None:
    chosen = VideoSegmenter(90_000, LENGTHS)
    cut(pictures(every(100 / 3, 4000), keys_ms=[0, 2000]), chosen)
    assert chosen.part_target
    for frame_ms in (1000 / 60, 20, 40, 1000 / 24, 1000 / 15):
        later = VideoSegmenter(90_000, LENGTHS, chosen.part_target)
        cut(pictures(every(frame_ms, 10_000), keys_ms=[0]), later)
        assert later.part_target == chosen.part_target
        assert later.irregular_parts == 0, frame_ms


def test_a_frame_rate_that_fits_no_part_is_counted() -> None:
    segmenter = VideoSegmenter(90_000, LENGTHS, PartTarget(30_000, 33_000))
    cut(pictures(every(500, 10_000)), segmenter)
    assert segmenter.irregular_parts > 5


def test_timestamps_that_stand_still_do_not_grow_a_part_for_ever() -> None:
    samples = [Sample(index, 0, index == 0, b"") for index in range(3 * MAX_PART_SAMPLES)]
    assert max(len(one.samples) for one in cut(samples)) <= MAX_PART_SAMPLES


def test_huge_pictures_do_not_grow_a_segment_for_ever() -> None:
    samples = [Sample(index, 0, index == 0, memoryview(bytes(8 << 20))) for index in range(20)]
    cuts = cut(samples)
    assert max(sum(len(sample.data) for sample in one.samples) for one in cuts) <= 24 << 20
    assert sum(one.last for one in cuts) > 1


def test_nothing_in_nothing_out() -> None:
    assert cut([]) == []


def test_one_picture_is_a_segment() -> None:
    (only,) = cut(pictures([0]))
    assert (len(only.samples), only.last) == (1, True)
    assert only.end > 0


def test_the_longest_recent_gop_is_known() -> None:
    segmenter = VideoSegmenter(90_000, LENGTHS)
    cut(pictures(every(40, 12_000), keys_ms=[0, 2000, 5000]), segmenter)
    assert segmenter.longest_gop == 3000 * 90


# --- sound alone


def sound(count: int, start: int = 0) -> list[Sample]:
    return [Sample(start + index * FRAME, 0, True, index.to_bytes(4, "big")) for index in range(count)]


def frames_of(cuts: Iterable[Cut]) -> list[tuple[int, bool]]:
    return [(len(one.samples), one.last) for one in cuts]


def test_sound_alone_makes_equal_parts_and_segments() -> None:
    segmenter = AudioSegmenter(FRAME, SOUND, PartTarget(16 * FRAME, 16 * FRAME))
    cuts = [one for sample in sound(200) for one in segmenter.push(sample)]
    assert frames_of(cuts) == ([(16, False)] * 5 + [(16, True)]) * 2
    assert frames_of(segmenter.flush()) == [(8, True)]
    assert not segmenter.flush()


def test_a_hole_in_sound_alone_ends_a_part() -> None:
    segmenter = AudioSegmenter(FRAME, SOUND, PartTarget(16 * FRAME, 16 * FRAME))
    samples = [*sound(5), *sound(16, 20 * FRAME)]
    assert frames_of(one for sample in samples for one in segmenter.push(sample)) == [(5, False), (16, False)]
