import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4.box import box, full_box
from server.formats.fmp4.part import audio_part, video_part
from server.formats.fmp4.read import PartInfo, read_parts, read_samples
from server.formats.sample import Sample

FIRST = video_part(1, 9000, [3000, 3010], [3000, -3000], [True, False], [b"abc", b"de"])
SECOND = video_part(2, 15010, [3000], [0], [False], [b"fghi"])
COUNT_AND_OFFSET = b"\0\0\0\2\0\0\0\x80"  # of the trun in FIRST
INFOS = [
    PartInfo(0, len(FIRST), 1, 9000, 6010, 2, True),
    PartInfo(len(FIRST), len(SECOND), 2, 15010, 3000, 1, False),
]
SAMPLES = [Sample(9000, 3000, True, b"abc"), Sample(12000, -3000, False, b"de"), Sample(15010, 0, False, b"fghi")]


def test_reads_what_was_written() -> None:
    for data in (FIRST + SECOND, memoryview(FIRST + SECOND), bytearray(FIRST + SECOND)):
        assert read_parts(data) == INFOS
        assert read_samples(data) == SAMPLES


def test_stops_at_the_first_incomplete_part() -> None:
    data = FIRST + SECOND
    for length in range(len(data)):
        expected = INFOS[: 1 if length >= len(FIRST) else 0]
        assert read_parts(data[:length]) == expected
        assert read_samples(data[:length]) == SAMPLES[: 2 * len(expected)]


@pytest.mark.parametrize(
    "tail",
    [
        bytes(4096),  # a file grown by a crash, before its data arrived
        b"\0\0\0\x08free",
        box(b"moof"),
        box(b"moof") + box(b"mdat"),
        FIRST.replace(b"traf", b"tref"),
        FIRST.replace(b"tfhd", b"tfxd"),
        FIRST.replace(b"trun", b"trux"),
        FIRST.replace(b"mdat", b"free"),
        FIRST.replace(COUNT_AND_OFFSET, b"\0\0\0\3\0\0\0\x80"),  # more samples than rows
        FIRST.replace(COUNT_AND_OFFSET, b"\0\0\0\2\0\0\0\x81"),  # payload past the end
        FIRST.replace(COUNT_AND_OFFSET, b"\0\0\0\2\0\0\0\x10"),  # payload within the moof
        FIRST.replace(COUNT_AND_OFFSET, b"\0\0\0\2\xff\0\0\0"),  # payload before the moof
        FIRST.replace(b"\0\0\0\3\0\0\x0b\xb8", b"\0\0\xff\3\0\0\x0b\xb8"),  # a sample beyond the mdat
    ],
)
def test_stops_at_what_is_no_part(tail: bytes) -> None:
    assert tail not in (FIRST, SECOND)
    assert read_parts(FIRST + SECOND + tail + FIRST) == INFOS
    assert read_samples(FIRST + SECOND + tail) == SAMPLES


def test_no_sample_count_is_believed_without_rows() -> None:
    trun = full_box(b"trun", 0, 0x1, b"\xff\xff\xff\xff\0\0\0\x70")
    traf = box(b"traf", full_box(b"tfhd", 0, 0x020000, b"\0\0\0\1"), full_box(b"tfdt", 0, 0, bytes(4)), trun)
    assert read_parts(box(b"moof", full_box(b"mfhd", 0, 0, bytes(4)), traf) + box(b"mdat", bytes(100))) == []


def test_defaults_of_the_fragment_header() -> None:
    fields = "00000001 0000000000000000 00000001 00000020 00000002 01010000"
    tfhd = full_box(b"tfhd", 0, 0x02003B, bytes.fromhex(fields))
    trun = full_box(b"trun", 0, 0x201, bytes.fromhex("00000002 0000007c 00000001 00000002"))
    traf = box(b"traf", tfhd, full_box(b"tfdt", 0, 0, b"\0\0\0\7"), trun)
    moof = box(b"moof", full_box(b"mfhd", 0, 0, b"\0\0\0\4"), traf)
    assert len(moof) == 0x74
    expected = [Sample(7, 0, False, b"a"), Sample(7 + 32, 0, False, b"bc")]
    assert read_samples(moof + box(b"mdat", b"abc")) == expected


@given(st.data())
def test_any_damage_reads_or_stops(data: st.DataObject) -> None:
    damaged = bytearray(FIRST + audio_part(2, 0, 1024, [b"x", b"yz"]) + SECOND)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    end = 0
    for info in read_parts(damaged):
        assert info.offset == end
        end += info.size
    assert end <= len(damaged)
    assert sum(len(sample.data) for sample in read_samples(damaged)) <= len(damaged)


@given(st.binary(max_size=200))
def test_any_bytes_read_or_stop(data: bytes) -> None:
    read_samples(data)
