"""Heads of progressive files, read back by the reader of strangers' files."""

from array import array
from dataclasses import replace
from typing import Any

import pytest

from server.formats.fmp4 import moov
from server.formats.fmp4.box import BoxError, find
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.moov import TrackTable
from server.formats.fmp4.movie import movie_index
from server.formats.sample import AudioConfig, VideoConfig
from tests.harness.mp4 import audio_entry, video_entry

PICTURE = init_segment(VideoConfig("avc1.42c00d", 90_000, 320, 240, video_entry(), rotation=90, language="de"))
SOUND = init_segment(AudioConfig("mp4a.40.2", 48_000, 2, 1024, audio_entry(), language="deu"))


def pictures(**changes: Any) -> TrackTable:
    made = TrackTable(
        PICTURE, 0, array("I", [3000] * 6), array("I", range(10, 16)), array("i", [0, 3000, -3000] * 2),
        array("I", [0, 3]), array("I", [3, 3]), array("I", [33, 42]),
    )  # fmt: skip
    return replace(made, **changes)


def sound(**changes: Any) -> TrackTable:
    made = TrackTable(
        SOUND, 0, array("I", [1024] * 5), array("I", [7] * 5), array("i"), None, array("I", [2, 2, 1]),
        array("I", [14, 14, 7]),
    )  # fmt: skip
    return replace(made, **changes)


def read(head: bytes, payload: int) -> Any:
    found = find(head + bytes(payload), b"moov")
    assert found
    return movie_index(head[found.start : found.end], len(head) + payload)


def test_samples_are_where_and_when_they_were() -> None:
    head = moov.head([pictures(), sound()], [0, 1, 1, 0, 1])
    index = read(head, 110)
    video, audio = index.video, index.audio
    assert [video.shown(n) for n in range(6)] == [n * 3000 + (0, 3000, -3000)[n % 3] for n in range(6)]
    assert (list(video.keys), video.config.rotation, audio.language) == ([0, 3], 90, "deu")
    size = len(head)
    assert [video.samples.ranges(n, n + 1)[0] for n in (0, 3)] == [(size, 10), (size + 33 + 28, 13)]
    assert [audio.samples.ranges(n, n + 1)[0][0] - size for n in range(5)] == [33, 40, 47, 54, 103]
    assert index.duration_s == pytest.approx(0.2)
    assert head[-8:] == (110 + 8).to_bytes(4, "big") + b"mdat"


def test_a_track_that_begins_later_is_late() -> None:
    index = read(moov.head([pictures(), sound(begin=480)], [0, 1, 1, 0, 1]), 110)
    assert index.audio.shown(0) == 480
    index = read(moov.head([pictures(begin=900), sound()], [0, 1, 1, 0, 1]), 110)
    assert index.video.shown(0) == 900


def test_sound_alone() -> None:
    head = moov.head([sound()], [0, 0, 0])
    index = read(head, 35)
    assert (index.video, len(index.audio.samples), head[8:12]) == (None, 5, b"M4A ")
    assert b"elst" not in head
    assert b"stss" not in head


def test_what_is_beyond_32_bits() -> None:
    """Five gigabytes, and fifty hours of a clock of 90,000."""
    large = sound(sizes=array("I", [1_000_000_000] * 5), chunk_sizes=array("I", [2 * 10**9, 2 * 10**9, 10**9]))
    head = moov.head([large], [0, 0, 0])
    assert head[-16:] == b"\0\0\0\1mdat" + (5 * 10**9 + 16).to_bytes(8, "big")
    assert b"co64" in head
    assert b"stco" not in head
    long = pictures(durations=array("I", [3_000_000_000] * 6))
    found = find(moov.head([long], [0, 0]), b"moov", b"mvhd")
    assert found is not None
    data = moov.head([long], [0, 0])
    assert data[found.start] == 1
    mdhd = find(data, b"moov", b"trak", b"mdia", b"mdhd")
    assert mdhd is not None
    assert int.from_bytes(data[mdhd.start + 24 : mdhd.start + 32], "big") == 18_000_000_000


def test_an_init_segment_that_is_none_is_an_error() -> None:
    with pytest.raises(BoxError):
        moov.head([sound(init=b"\0\0\0\x08moov")], [0, 0, 0])
