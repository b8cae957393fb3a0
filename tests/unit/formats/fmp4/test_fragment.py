"""Columns of a moof against its samples read one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4.box import BoxError
from server.formats.fmp4.fragment import Fragment, read_fragment
from server.formats.fmp4.part import audio_part, video_part
from server.formats.fmp4.read import read_samples

PICTURES = video_part(1, 9000, [3000, 3010], [3000, -3000], [True, False], [b"abc", b"de"])
CASES = {
    "pictures": PICTURES,
    "without a key": video_part(1, 9000, [3000, 3010], [0, 0], [False, False], [b"abc", b"de"]),
    "all keys": video_part(1, 1 << 40, [3000] * 3, [0] * 3, [True] * 3, [b"a", b"b", b"c"]),
    "a later key": video_part(1, 0, [1, 2, 3], [0] * 3, [False, True, False], [b"a", b"b", b"c"]),
    "sound": audio_part(7, 1024, 1024, [b"abc", b"", b"de"]),
    "uneven sound": audio_part(7, 1024, [960, 480], [b"abc", b"de"]),
}


@pytest.mark.parametrize("data", CASES.values(), ids=CASES)
def test_the_same_as_one_by_one(data: bytes) -> None:
    found = read_fragment(data)
    times, positions = [found.base], [found.payload]
    for duration, size in zip(found.durations, found.sizes, strict=True):
        times.append(times[-1] + duration)
        positions.append(positions[-1] + size)
    keys = range(len(found.sizes)) if found.keys is None else found.keys
    cts = found.cts or [0] * len(found.sizes)
    samples = [
        (times[n], cts[n], n in keys, data[positions[n] : positions[n + 1]]) for n in range(len(found.sizes))
    ]
    assert samples == [tuple(sample) for sample in read_samples(data)]


def test_the_head_alone_is_enough() -> None:
    assert read_fragment(PICTURES[: -5 - 8]) == read_fragment(PICTURES)
    assert isinstance(read_fragment(PICTURES), Fragment)


@given(st.integers(0, len(PICTURES) - 1), st.binary(min_size=1, max_size=8))
def test_what_is_damaged_is_a_box_error_or_read(at: int, damage: bytes) -> None:
    data = PICTURES[:at] + damage + PICTURES[at + len(damage) :]
    try:
        found = read_fragment(data)
    except BoxError:
        return
    assert len(found.sizes) == len(found.durations) <= 2
