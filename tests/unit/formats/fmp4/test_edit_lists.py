"""Edit lists cut off at a moment, in any version of the box."""

from struct import pack

import pytest

from server.formats.fmp4.box import BoxError, box, full_box
from server.formats.fmp4.edit_lists import end_at, shortened


def trak(version: int, *edits: tuple[int, int]) -> bytes:
    entry = ">QqI" if version else ">IiI"
    rows = b"".join(pack(entry, duration, media_time, 1 << 16) for duration, media_time in edits)
    return box(b"trak", box(b"tkhd", b"x"), box(b"edts", full_box(b"elst", version, 0, pack(">I", len(edits)), rows)))


@pytest.mark.parametrize("version", [0, 1])
def test_every_track_ends_by_then(version: int) -> None:
    moov = box(b"moov", box(b"mvhd", b"x"), trak(version, (10, -1), (90, 0)), trak(version, (30, 5)), box(b"trak"))
    cut = box(b"moov", box(b"mvhd", b"x"), trak(version, (10, -1), (40, 0)), trak(version, (30, 5)), box(b"trak"))
    assert shortened(moov, 50) == cut


def test_it_is_found_behind_the_media() -> None:
    before = box(b"ftyp", b"isom") + pack(">I4sQ", 1, b"mdat", 20) + b"data"
    file = before + box(b"moov", trak(0, (90, 0)))
    place, moov = end_at(lambda at, size: file[at : at + size], len(file), 40)
    assert (place, moov) == (len(before), box(b"moov", trak(0, (40, 0))))


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (box(b"mdat", b"x"), "there is no moov"),
        (b"", "there is no moov"),
        (pack(">I4s", 4, b"moov"), "there is no moov"),
        (box(b"moov", box(b"trak", box(b"edts", full_box(b"elst", 0, 0, pack(">I", 9))))), "longer than its box"),
    ],
)
def test_what_is_no_movie(file: bytes, sentence: str) -> None:
    with pytest.raises(BoxError, match=sentence):
        end_at(lambda at, size: file[at : at + size], len(file), 40)
