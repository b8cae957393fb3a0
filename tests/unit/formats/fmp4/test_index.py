"""The saved index: whole and equal, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4.index import IndexDamagedError, MovieIndex
from server.formats.fmp4.movie import read_index
from tests.harness.mp4 import FakeTrack, mp4

VIDEO = FakeTrack(count=60, sync=[1, 31], cts=[(30, 2), (30, 1)], edits=[(1000, -1), (2000, 2)], rotation=90)
INTRA = FakeTrack(count=60, delta=1)
AUDIO = FakeTrack(kind="audio", count=90, timescale=48000, deltas=[(80, 1024), (10, 1000)], language="eng", size=7)


def index(*tracks: FakeTrack) -> MovieIndex:
    data = mp4(*tracks)
    return read_index(lambda offset, size: data[offset : offset + size], len(data))


@pytest.mark.parametrize("tracks", [[VIDEO, AUDIO], [INTRA], [AUDIO]], ids=["both", "all key frames", "audio"])
def test_what_is_saved_comes_back(tracks: list[FakeTrack]) -> None:
    movie = index(*tracks)
    assert MovieIndex.from_bytes(movie.to_bytes()) == movie


def test_it_is_small() -> None:
    """Twelve to sixteen bytes a sample, and twelve a chunk."""
    movie = index(FakeTrack(count=5000, sync=range(1, 5000, 50), per_chunk=10, size=1))
    assert len(movie.to_bytes()) < 5000 * 12


def test_an_altered_byte_is_refused() -> None:
    saved = index(VIDEO, AUDIO).to_bytes()
    for at in [*range(40), *range(40, len(saved), 7)]:
        altered = bytearray(saved)
        altered[at] ^= 1
        if at in (6, 7):
            continue  # padding
        with pytest.raises(IndexDamagedError):
            MovieIndex.from_bytes(bytes(altered))


@pytest.mark.parametrize("size", [0, 10, 16, 100, -1])
def test_a_cut_index_is_refused(size: int) -> None:
    saved = index(VIDEO, AUDIO).to_bytes()
    with pytest.raises(IndexDamagedError):
        MovieIndex.from_bytes(saved[:size])


@given(st.binary(max_size=64))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(IndexDamagedError):
        MovieIndex.from_bytes(data)
