import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.mpegts import psi
from server.formats.mpegts.psi import ElementaryStream, ProgramMap, PsiError, Sections

STREAMS = (
    ElementaryStream(0x100, "h264"),
    ElementaryStream(0x101, "aac", "deu"),
    ElementaryStream(0x102, "opus", "eng", 6),
    ElementaryStream(0x103, "ac3"),
    ElementaryStream(0x104, "eac3"),
    ElementaryStream(0x105, "hevc"),
)


def test_a_map_that_is_written_reads_back() -> None:
    table = ProgramMap(7, 0x100, STREAMS)

    assert psi.program_map(psi.write_pmt(table, 3)) == table


def test_programs_that_are_written_read_back_without_the_network() -> None:
    assert psi.program_pids(psi.write_pat([(0, 0x10), (1, 0x1000), (2, 0x1001)])) == {1: 0x1000, 2: 0x1001}


@pytest.mark.parametrize(
    ("stream_type", "descriptors", "codec", "kind"),
    [
        (0x03, b"", "mp2", "audio"),
        (0x11, b"", "aac_latm", "audio"),
        (0x06, b"\x6a\x01\x00", "ac3", "audio"),
        (0x06, b"\x7a\x01\x00", "eac3", "audio"),
        (0x06, b"\x05\x04Opus\x7f\x02\x80\x02", "opus", "audio"),
        (0x06, b"\x05\x04HEVC", "hevc", "video"),
        (0x06, b"\x59\x08deu\x10\0\1\0\1", "", ""),  # DVB subtitles
        (0x15, b"", "", ""),  # metadata
        (0x02, b"", "mpeg2video", "video"),
        (0x0F, b"\x0a\x04", "aac", "audio"),  # a descriptor that is cut off
        (0x0F, b"\x0a\x04\xff\xff\xff\0", "aac", "audio"),  # no letters
    ],
)
def test_what_a_stream_carries(stream_type: int, descriptors: bytes, codec: str, kind: str) -> None:
    line = bytes((stream_type, 0xE1, 0x00)) + (0xF000 | len(descriptors)).to_bytes(2, "big") + descriptors
    section = psi._section(psi.PMT_TABLE, 1, 0, b"\xe1\0\xf0\0" + line)

    (found,) = psi.program_map(section).streams

    assert (found.codec, found.kind, found.language) == (codec, kind, "")


@pytest.mark.parametrize("at", range(0, 30, 3))
def test_a_damaged_section_is_refused(at: int) -> None:
    section = bytearray(psi.write_pmt(ProgramMap(1, 0x100, STREAMS)))
    section[at] ^= 0x10

    with pytest.raises(PsiError):
        psi.program_map(bytes(section))


def test_sections_come_together_from_pieces() -> None:
    section = psi.write_pmt(ProgramMap(1, 0x100, STREAMS * 5))
    data = b"\0" + section + section + b"\xff" * 40
    pieces = [data[at : at + 50] for at in range(0, len(data), 50)]
    reader = Sections()

    found = [each for number, piece in enumerate(pieces) for each in reader.feed(piece, number == 0)]

    assert found == [section, section]


def test_a_pointer_ends_the_section_before() -> None:
    section = psi.write_pat([(1, 0x1000)])
    reader = Sections()

    assert reader.feed(b"\0" + section[:9], True) == []
    assert reader.feed(bytes((len(section) - 9,)) + section[9:] + section + b"\xff", True) == [section, section]


@given(st.lists(st.tuples(st.binary(max_size=184), st.booleans()), max_size=30))
def test_sections_of_rubbish_do_no_harm(payloads: list[tuple[bytes, bool]]) -> None:
    reader = Sections()

    for payload, start in payloads:
        for section in reader.feed(payload, start):
            for read in (psi.program_map, psi.program_pids):
                with contextlib.suppress(PsiError):
                    read(section)
    assert len(reader._data) <= psi.MAX_SECTION + 184
