from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.packager.vod_cuts import MIN_SEGMENT_S, frame_cuts, key_cuts, steady_times


@pytest.mark.parametrize(
    ("times", "end", "cuts"),
    [
        (range(0, 20, 2), 20, [0, 2, 4, 6, 8]),  # every second key frame
        (range(20), 20, [0, 4, 8, 12, 16]),
        ([0], 9, [0]),
        ([0, 8, 16], 24, [0, 1, 2]),  # sparse key frames: each one
        ([0, 3, 5, 10], 14, [0, 1, 2, 3]),  # 3 is as near to 4 as 5: the earlier
        ([0, 4, 6], 8, [0, 1]),  # the end is as good a place to stop as any
        ([0, 1, 9], 12, [0, 2]),  # 1 would make a runt
        ([0, 4, 8], 9, [0, 1]),  # a last segment of 1 is merged
        ([0, 4], 5, [0]),
        ([0, 1], 2, [0]),
    ],
)
def test_cuts_at_key_frames(times: range | list[int], end: int, cuts: list[int]) -> None:
    assert key_cuts(list(times), end, 1, 4.0) == cuts


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=200), st.integers(1, 10_000))
def test_cuts_rise_and_are_never_runts(gaps: list[int], tail: int) -> None:
    times = [sum(gaps[:i]) for i in range(len(gaps))]
    end = times[-1] + tail
    cuts = key_cuts(times, end, 1000, 4.0)
    assert cuts[0] == 0
    bounds = [times[cut] for cut in cuts] + [end]
    lengths = [b - a for a, b in pairwise(bounds)]
    assert len(lengths) == 1 or min(lengths) >= MIN_SEGMENT_S * 1000


def test_steady_times() -> None:
    assert steady_times(0, 13_000, 1000, 4.0) == [4000, 8000]  # what is left, 5 s, is no runt
    assert steady_times(0, 14_000, 1000, 4.0) == [4000, 8000, 12_000]
    assert steady_times(500, 3000, 1000, 4.0) == []


def test_frames_nearest_to_the_times() -> None:
    dts = array("q", range(0, 110, 10))  # ten frames and the end
    assert frame_cuts(dts, 0, 10, [24, 25, 26, 50]) == [2, 3, 3, 5]
    assert frame_cuts(dts, 4, 10, [0, 41]) == [4, 4]
    assert frame_cuts(dts, 0, 10, [96, 500]) == [10, 10]
    assert frame_cuts(dts, 0, 10, []) == []
