"""Where what follows a master is cut: other pictures, and sound."""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from server.formats.sample import Sample
from server.packager.followers import AudioFollower, Follower, TimedAudioFollower, VideoFollower
from server.packager.part_target import PartTarget
from server.packager.segmenter import Cut, Lengths

LENGTHS = Lengths.of(90_000, 1 / 3, 2.0, 4)
SOUND = Lengths.of(48_000, 1 / 3, 2.0, 4)
TARGET = PartTarget(15 * 1024, 16 * 1024)
FRAME = 1024
SECOND = 90_000


def frames_of(cuts: Iterable[Cut]) -> list[tuple[int, bool]]:
    return [(len(one.samples), one.last) for one in cuts]


# --- sound of equal frames


def sound(count: int, start: int = 0) -> list[Sample]:
    return [Sample(start + index * FRAME, 0, True, index.to_bytes(4, "big")) for index in range(count)]


def test_sound_is_cut_at_the_frame_nearest_to_the_pictures_cut() -> None:
    follower = AudioFollower(FRAME, SOUND, TARGET)
    cuts = [one for sample in sound(32) for one in follower.push(sample)]
    cuts += follower.cut(16_000, False)  # 15.6 frames
    cuts += follower.cut(32_000, True)  # 31.25
    assert frames_of(cuts) == [(16, False), (15, True)]
    assert cuts[0].end == 16 * FRAME


def test_a_cut_waits_for_its_sound() -> None:
    follower = AudioFollower(FRAME, SOUND, TARGET)
    assert not follower.cut(16_000, True)
    cuts = [follower.push(sample) for sample in sound(16)]
    assert [len(some) for some in cuts] == [0] * 15 + [1]


def test_a_part_of_sound_is_never_longer_than_its_target() -> None:
    follower = AudioFollower(FRAME, SOUND, TARGET)
    for sample in sound(100):
        follower.push(sample)
    assert frames_of(follower.cut(17 * FRAME, False)) == [(16, False)]  # one frame waits for the next part
    assert frames_of(follower.cut(30 * FRAME, False)) == [(14, False)]
    assert frames_of(follower.cut(80 * FRAME, True)) == [(16, False), (16, False), (16, False), (2, True)]


def test_a_hole_ends_a_part() -> None:
    follower = AudioFollower(FRAME, SOUND, TARGET)
    samples = [*sound(5), *sound(5, 20 * FRAME)]
    cuts = [one for sample in samples for one in follower.push(sample)]
    assert frames_of(cuts) == [(5, False)]


def test_a_segment_without_sound_is_closed_without_a_part() -> None:
    follower = AudioFollower(FRAME, SOUND, TARGET)
    follower.cut(16_000, False)
    follower.cut(96_000, True)
    assert frames_of(follower.flush(100_000)) == [(0, True), (0, True)]


def test_the_flush_closes_all_that_pictures_closed() -> None:
    follower = AudioFollower(FRAME, SOUND, TARGET)
    for sample in sound(20):
        follower.push(sample)
    cuts = [*follower.cut(16_000, False), *follower.cut(96_000, True), *follower.flush(100_000)]
    assert frames_of(cuts) == [(16, False), (4, True), (0, True)]


def test_sound_beyond_the_last_picture_is_kept_a_quarter_of_a_second() -> None:
    follower = AudioFollower(FRAME, SOUND, TARGET)
    for sample in sound(400):
        follower.push(sample)
    cuts = follower.flush(96_000)
    assert sum(len(one.samples) for one in cuts) == (96_000 + 12_000) // FRAME
    assert [one.last for one in cuts] == [False] * (len(cuts) - 1) + [True]


def test_sound_that_stays_away_is_owed_until_it_is_given_up() -> None:
    follower = AudioFollower(FRAME, SOUND, TARGET)
    for sample in sound(20):
        follower.push(sample)
    assert frames_of(follower.cut(16_000, False)) == [(16, False)]
    follower.cut(96_000, True)
    assert follower.owed_since == 96_000
    assert frames_of(follower.give_up()) == [(4, True)]
    assert follower.owed_since is None
    assert not follower.give_up()


# --- sound whose frames say when they begin


def timed(*lengths_ms: float, start: int = 0) -> list[Sample]:
    samples, at = [], start
    for ms in lengths_ms:
        samples.append(Sample(at, 0, True, b"x"))
        at += round(ms * 48)
    return samples


def timed_follower() -> TimedAudioFollower:
    return TimedAudioFollower(960, SOUND, PartTarget(16 * 960, 17 * 960))


@pytest.mark.parametrize("frame_ms", [2.5, 5, 10, 20, 40, 60])
def test_frames_of_any_length_are_cut_nearest_to_the_pictures_cut(frame_ms: float) -> None:
    longest = 16_000 + round(frame_ms * 48)
    follower = TimedAudioFollower(round(frame_ms * 48), SOUND, PartTarget(16_000, longest))
    cuts: list[Cut] = []
    for at in range(16_000, 96_001, 16_000):
        cuts += follower.cut(at, False)
    for sample in timed(*[frame_ms] * round(2100 / frame_ms)):
        cuts += follower.push(sample)
    for number, one in enumerate(cuts, 1):
        assert abs(one.end - number * 16_000) <= frame_ms * 24
        assert one.end - one.samples[0].dts <= longest
    assert all(after.samples[0].dts == before.end for before, after in pairwise(cuts))


def test_frames_that_change_their_length_leave_parts_whole() -> None:
    follower = timed_follower()
    samples = timed(*[20] * 10, *[60] * 3, *[2.5] * 40, *[20] * 20)
    cuts = [one for sample in samples for one in follower.push(sample)]
    cuts += follower.cut(16_000, False)
    cuts += follower.cut(24_000, True)
    assert [one.end for one in cuts] == [15_360, 24_000]
    assert sum(len(one.samples) for one in cuts) == 10 + 3 + 40 + 1


def test_a_small_rest_of_timed_sound_waits_for_the_next_part() -> None:
    follower = timed_follower()
    for sample in timed(*[60] * 20):
        follower.push(sample)
    assert frames_of(follower.cut(16_000, False)) == [(5, False)]  # the sixth would make it too long
    assert frames_of(follower.cut(24_000, True)) == [(3, True)]


def test_a_hole_in_timed_sound_ends_a_part() -> None:
    follower = timed_follower()
    cuts = [one for sample in (*timed(20, 20, 20), *timed(20, 20, start=48_000)) for one in follower.push(sample)]
    assert [(len(one.samples), one.end) for one in cuts] == [(3, 3 * 960)]


def test_timed_sound_is_flushed_to_the_end() -> None:
    follower = timed_follower()
    for sample in timed(*[20] * 100):
        follower.push(sample)
    cuts = [*follower.cut(16_000, False), *follower.cut(48_000, True), *follower.flush(72_000)]
    assert cuts[-1].last
    assert [one.last for one in cuts].count(True) == 2
    assert cuts[-1].end == pytest.approx(72_000 + 12_000, abs=960)


# --- other pictures


def pictures(first: int, last: int, every: int = 3000, keys: Iterable[int] = (0,), lead: int = 0) -> list[Sample]:
    return [
        Sample(at - (lead if at in keys else 0), lead if at in keys else 0, at in keys, b"x")
        for at in range(first, last, every)
    ]


def parts_of(cuts: Iterable[Cut]) -> list[list[int]]:
    """Where the parts of each segment begin."""
    found: list[list[int]] = [[]]
    for one in cuts:
        if one.samples:
            found[-1].append(one.samples[0].dts)
        if one.last:
            found.append([])
    return found


def test_pictures_are_cut_where_the_master_is_and_wait_for_it() -> None:
    follower = VideoFollower(SECOND, LENGTHS)
    keys = (0, 2 * SECOND)
    early = [one for sample in pictures(0, 3 * SECOND, keys=keys) for one in follower.push(sample)]
    assert not early
    assert frames_of(follower.cut(30_000, False)) == [(10, False)]
    assert frames_of(follower.cut(60_000, False)) == [(10, False)]
    assert frames_of(follower.cut(2 * SECOND, True)) == [(10, False)] * 3 + [(10, True)]
    assert parts_of(follower.cut(2 * SECOND + 30_000, False)) == [[2 * SECOND]]


def test_pictures_that_come_late_have_the_same_segments() -> None:
    follower = VideoFollower(SECOND, LENGTHS)
    for at in (2, 4, 6):
        assert not follower.cut(at * SECOND, True)
    keys = (0, 2 * SECOND, 4 * SECOND, 6 * SECOND)
    cuts = [one for sample in pictures(0, 7 * SECOND, keys=keys) for one in follower.push(sample)]
    assert [len(parts) for parts in parts_of(cuts)] == [6, 6, 6, 0]
    assert [one.end for one in cuts if one.last] == [2 * SECOND, 4 * SECOND, 6 * SECOND]
    assert follower.irregular_parts == 0


@pytest.mark.parametrize("every", [3600, 3750, 6000, 1500])
def test_other_frame_rates_begin_segments_at_the_first_picture_after_the_cut(every: int) -> None:
    follower = VideoFollower(SECOND, LENGTHS)
    ends = [2 * SECOND + 900, 4 * SECOND + 1800]
    keys = [-(-end // every) * every for end in (0, *ends)]
    for end in ends:
        follower.cut(end, True)
    follower.cut(5 * SECOND, False)
    cuts = [one for sample in pictures(0, 5 * SECOND, every, keys) for one in follower.push(sample)]
    assert [parts[0] for parts in parts_of(cuts)] == keys
    assert follower.irregular_parts == 0


def test_a_key_frame_is_placed_by_when_it_is_shown() -> None:
    follower = VideoFollower(SECOND, LENGTHS)
    follower.cut(2 * SECOND, True)
    follower.cut(3 * SECOND, False)
    samples = pictures(0, 3 * SECOND, keys=(0, 2 * SECOND), lead=1800)
    cuts = [one for sample in samples for one in follower.push(sample)]
    assert parts_of(cuts)[1][0] == 2 * SECOND - 1800


def test_without_a_key_frame_at_the_cut_the_segment_begins_without_one() -> None:
    follower = VideoFollower(SECOND, LENGTHS)
    follower.cut(2 * SECOND, True)
    follower.cut(4 * SECOND, True)
    cuts = [one for sample in pictures(0, 5 * SECOND, keys=(0, 2 * SECOND + 45_000)) for one in follower.push(sample)]
    firsts = [one.samples[0] for before, one in pairwise(cuts) if before.last]
    assert [sample.key for sample in firsts] == [False]


def test_segments_that_a_hole_spans_are_empty_and_keep_their_length() -> None:
    follower = VideoFollower(SECOND, LENGTHS)
    for end in (2, 4, 6, 8):
        follower.cut(end * SECOND, True)
    samples = [*pictures(0, SECOND), *pictures(7 * SECOND, 9 * SECOND, keys=(7 * SECOND,))]
    cuts = [one for sample in samples for one in follower.push(sample)]
    assert [one.end for one in cuts if one.last] == [2 * SECOND, 4 * SECOND, 6 * SECOND, 8 * SECOND]
    assert [len(parts) for parts in parts_of(cuts)][1:3] == [0, 0]


def test_what_was_given_up_is_left_out_when_it_comes() -> None:
    follower = VideoFollower(SECOND, LENGTHS)
    for sample in pictures(0, SECOND):
        follower.push(sample)
    follower.cut(2 * SECOND, True)
    follower.cut(4 * SECOND, True)
    assert follower.owed_since == 2 * SECOND
    assert [one.last for one in follower.give_up()] == [True]
    assert follower.owed_since == 4 * SECOND
    samples = pictures(SECOND, 5 * SECOND, keys=(2 * SECOND, 4 * SECOND))
    late = [one for sample in samples for one in follower.push(sample)]
    assert parts_of(late)[0][0] == 2 * SECOND


@pytest.mark.parametrize(
    "follower", [VideoFollower(SECOND, LENGTHS), AudioFollower(FRAME, SOUND, TARGET), timed_follower()]
)
def test_without_samples_every_segment_is_closed_without_a_part(follower: Follower) -> None:
    follower.cut(30_000, False)
    follower.cut(96_000, True)
    cuts = [*follower.give_up(), *follower.flush(180_000)]
    assert [frames for frames, last in frames_of(cuts) if last] == [0, 0]
