"""Fragmented MP4s of one track each as one of several."""

from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4.box import BoxError, box, find, full_box, walk
from server.formats.fmp4.init import UNDETERMINED, packed_language
from server.formats.fmp4.joining import joined_init, joined_segment


def init(
    track: int = 1, timescale: int = 1000, *, version: int = 0, duration: int = 0, edit: int | None = None,
    language: int = UNDETERMINED,
) -> bytes:
    wide, times = ("Q", 16) if version else ("I", 8)
    mvhd = full_box(b"mvhd", version, 0, bytes(times), pack(f">I{wide}", timescale, duration), bytes(76), pack(">I", 2))
    tkhd = full_box(b"tkhd", version, 7, bytes(times), pack(f">II{wide}", track, 0, duration), bytes(60))
    edts = b""
    if edit is not None:
        edts = box(b"edts", full_box(b"elst", version, 0, pack(f">I{wide}{wide}I", 1, edit, 512, 1 << 16)))
    mdhd = full_box(b"mdhd", version, 0, bytes(times), pack(f">I{wide}HH", timescale, duration, language, 0))
    trak = box(b"trak", tkhd, edts, box(b"tref", box(b"sync", pack(">I", track))), box(b"mdia", mdhd))
    trex = full_box(b"trex", 0, 0, pack(">IIIII", track, 1, 0, 0, 0))
    return box(b"ftyp", b"iso6") + box(b"moov", mvhd, trak, box(b"mvex", trex), box(b"udta"))


def segment(track: int = 1, *, flags: int = 0x020000, media: bytes = b"media") -> bytes:
    traf = box(b"traf", full_box(b"tfhd", 0, flags, pack(">I", track)), full_box(b"tfdt", 0, 0, bytes(4)))
    moof = box(b"moof", full_box(b"mfhd", 0, 0, pack(">I", 77)), traf)
    return box(b"styp", b"msdh") + full_box(b"sidx", 0, 0, bytes(20)) + moof + box(b"mdat", media)


def numbers(data: bytes | bytearray, *path: bytes, at: int) -> list[int]:
    """The 32 bits at `at` of the payloads of all boxes along `path`."""
    places = [(0, len(data))]
    for kind in path:
        places = [
            (each.start, each.end) for start, end in places for each in walk(data, start, end) if each.type == kind
        ]
    return [int.from_bytes(data[start + at : start + at + 4], "big") for start, _ in places]


@pytest.mark.parametrize("version", [0, 1])
def test_tracks_of_two_streams_have_numbers_of_their_own(version: int) -> None:
    made = joined_init([init(1, version=version), init(1, version=version), init(7, version=version)])

    assert made.ids == ({1: 1}, {1: 2}, {7: 3})
    assert numbers(made.data, b"moov", b"trak", b"tkhd", at=20 if version else 12) == [1, 2, 3]
    assert numbers(made.data, b"moov", b"mvex", b"trex", at=4) == [1, 2, 3]
    mvhd = find(made.data, b"moov", b"mvhd")
    assert mvhd is not None
    assert made.data[mvhd.end - 4 : mvhd.end] == pack(">I", 4)
    assert find(made.data, b"moov", b"trak", b"tref") is None
    assert [each.type for each in walk(made.data)] == [b"ftyp", b"moov"]


@pytest.mark.parametrize(("version", "at"), [(0, 20), (1, 32)])
def test_movie_times_are_told_by_the_first_clock(version: int, at: int) -> None:
    made = joined_init([init(1, 1000), init(1, 48_000, version=version, duration=96_000, edit=48_000)])
    second = b"moov", b"trak"
    assert numbers(made.data, *second, b"tkhd", at=at)[-1] == 2000
    (edit,) = numbers(made.data, *second, b"edts", b"elst", at=12 if version else 8)
    assert edit == 1000


def test_long_durations_of_fine_clocks_stay_whole() -> None:
    """Ten minutes in units of 100 ns, as Microsoft's packagers count."""
    made = joined_init([init(1, 10_000_000, version=1), init(1, 1000, version=1, duration=600_000, edit=600_000)])
    for path, at in (((b"tkhd",), 28), ((b"edts", b"elst"), 8)):
        high, low = (numbers(made.data, b"moov", b"trak", *path, at=at + more)[-1] for more in (0, 4))
        assert high << 32 | low == 6_000_000_000


@pytest.mark.parametrize("version", [0, 1])
def test_languages_are_told_where_tracks_tell_none(version: int) -> None:
    said = packed_language("deu")
    parts = [init(version=version), init(version=version), init(version=version, language=said), init(version=version)]
    made = joined_init(parts, ["", "fra", "eng"])
    found = numbers(made.data, b"moov", b"trak", b"mdia", b"mdhd", at=32 if version else 20)
    assert [one >> 16 for one in found] == [UNDETERMINED, packed_language("fra"), said, UNDETERMINED]


def test_a_segment_is_the_same_but_for_its_numbers() -> None:
    data = segment(7) + segment(7)
    made, following = joined_segment(data, {7: 3}, 10)

    assert following == 12
    assert len(made) == len(data)
    assert numbers(made, b"moof", b"mfhd", at=4) == [10, 11]
    assert numbers(made, b"moof", b"traf", b"tfhd", at=4) == [3, 3]
    assert [each.type for each in walk(made)] == [b"free", b"free", b"moof", b"mdat"] * 2
    assert [made[each.start : each.end] for each in walk(made) if each.type == b"mdat"] == [b"media"] * 2


@pytest.mark.parametrize(
    "broken",
    [
        segment(8), segment(7, flags=1), segment(7)[:-1], box(b"moof", box(b"traf")),
        box(b"moof", full_box(b"mfhd", 0, 0)), box(b"moof", box(b"traf", box(b"tfhd"))), b"\0\0\0\1moof", b"<html>",
    ],
    ids=["another track", "places of a file", "cut off", "no header", "no sequence", "no track", "size", "no boxes"],
)  # fmt: skip
def test_what_is_no_segment_of_the_stream_is_refused(broken: bytes) -> None:
    with pytest.raises(BoxError):
        joined_segment(broken, {7: 3}, 1)


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"<html>", init()[:-5], box(b"ftyp"), box(b"ftyp") + box(b"moov"),
        box(b"ftyp") + box(b"moov", box(b"mvhd"), box(b"mvex")),
        init().replace(b"trex", b"xert") .replace(b"mvex", b"xevm"), init().replace(b"tkhd", b"dhkt"),
    ],
)  # fmt: skip
def test_what_is_no_init_segment_is_refused(broken: bytes) -> None:
    with pytest.raises(BoxError):
        joined_init([init(), broken])


@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
def test_nothing_else_is_raised(noise: bytes, at: int, whole: bool) -> None:
    head, body = bytearray(init(edit=5, timescale=90_000)), bytearray(segment())
    for data in (head, body):
        data[at : at + len(noise)] = noise
    for work in (lambda: joined_init([init(), bytes(head)]), lambda: joined_segment(bytes(body), {1: 1}, 1)):
        with suppress(BoxError):
            work()
