"""Timestamps to the output clock: wraps, disorder, jumps, drift."""

import pytest

from server.formats.sample import VideoConfig
from server.stream.timeline import MPEG_TS_CLOCK, RTMP_CLOCK, Unwrapper, VideoClock

VIDEO = VideoConfig("avc1.64001f", 90_000, 1280, 720, b"")
TOP = (1 << 32) - 1


@pytest.mark.parametrize(
    ("raw", "unwrapped"),
    [
        ([0, 33, 67], [0, 33, 67]),
        ([TOP - 32, TOP, 32], [TOP - 32, TOP, TOP + 33]),
        ([TOP, 3, TOP, 7], [TOP, TOP + 4, TOP, TOP + 8]),  # sound and pictures cross the end one after the other
        ([5000, 4980, 5033], [5000, 4980, 5033]),
        ([10, TOP - 9], [10, -10]),
        ([1 << 31, 0], [1 << 31, 0]),
    ],
    ids=["plain", "wrap", "interleaved wrap", "back", "back over zero", "half way round goes back"],
)
def test_timestamps_are_unwrapped_by_the_shorter_way(raw: list[int], unwrapped: list[int]) -> None:
    unwrap = Unwrapper()
    assert [unwrap(timestamp) for timestamp in raw] == unwrapped


def test_a_second_wrap_keeps_counting() -> None:
    unwrap = Unwrapper()
    day_ms = 86_400_000
    for count in range(120):  # 120 days, two wraps
        assert unwrap(count * day_ms % (1 << 32)) == count * day_ms


def place(clock: VideoClock, *frames: tuple[int, int]) -> list[tuple[int, int] | None]:
    placed = [clock.place(timestamp, cts, False, b"") for timestamp, cts in frames]
    return [sample and (sample.dts, sample.pts) for sample in placed]


def test_the_first_picture_is_shown_at_the_start_and_offsets_are_signed() -> None:
    clock = VideoClock.master(VIDEO, RTMP_CLOCK, 0, 1000, 67)  # two B-frames: I P B B in decode order
    assert place(clock, (1000, 67), (1033, 133), (1067, 33), (1100, 33)) == [
        (0, 0),
        (33 * 90, 99 * 90),
        (67 * 90, 33 * 90),
        (100 * 90, 66 * 90),
    ]


def test_a_generation_begins_where_it_is_told() -> None:
    clock = VideoClock.master(VIDEO, RTMP_CLOCK, 7000, 123, 0)
    assert place(clock, (123, 0)) == [(630_000, 630_000)]


@pytest.mark.parametrize("timestamp", [33, 32, 0, -150], ids=["equal", "a little back", "back", "far back"])
def test_disorder_is_repaired_by_one_tick_and_the_picture_is_shown_when_it_should(timestamp: int) -> None:
    clock = VideoClock.master(VIDEO, RTMP_CLOCK, 0, 0, 0)
    assert place(clock, (0, 0), (33, 0), (timestamp, 0), (67, 0)) == [
        (0, 0),
        (2970, 2970),
        (2971, timestamp * 90),
        (6030, 6030),
    ]
    assert clock.repaired == 1


def test_decode_times_after_presentation_are_kept_as_negative_offsets() -> None:
    clock = VideoClock.master(VIDEO, RTMP_CLOCK, 0, 0, 0)
    assert place(clock, (0, 0), (33, -40)) == [(0, 0), (2970, -7 * 90)]


@pytest.mark.parametrize(("step", "jumps"), [(2999, False), (3001, True), (-150, False), (-201, True), (10**9, True)])
def test_a_jump_is_told_from_a_pause(step: int, jumps: bool) -> None:
    clock = VideoClock.master(VIDEO, RTMP_CLOCK, 0, 5000, 0)
    clock.place(5000, 0, True, b"")
    assert (clock.place(5000 + step, 0, False, b"") is None) == jumps


def test_the_end_counts_the_last_picture() -> None:
    clock = VideoClock.master(VIDEO, RTMP_CLOCK, 100, 0, 0)
    place(clock, (0, 0), (40, 0))
    assert clock.end_ms == 180


def test_ticks_of_mpeg_ts_are_kept_exactly() -> None:
    clock = VideoClock.master(VIDEO, MPEG_TS_CLOCK, 40, 1, 3003)
    times = [count * 90_000 * 1001 // 30_000 for count in range(5)]
    placed = [clock.place(1 + time, 3003, False, b"") for time in times]
    assert [sample and (sample.dts, sample.cts) for sample in placed] == [(3600 + time, 0) for time in times]


def test_the_33_bits_of_mpeg_ts_wrap_again_and_again() -> None:
    unwrap = Unwrapper(MPEG_TS_CLOCK.wrap)
    hour = 3600 * 90_000
    for count in range(100):  # three wraps
        assert unwrap(count * hour % MPEG_TS_CLOCK.wrap) == count * hour


def test_a_key_frame_is_repeated_after_the_last_picture() -> None:
    clock = VideoClock.master(VIDEO, RTMP_CLOCK, 0, 0, 67)
    place(clock, (0, 67), (33, 133))
    repeated = clock.repeat(b"key", 200)
    assert repeated == (33 * 90 + 200 * 90, 0, True, b"key")
    assert clock.last_ms == 233
