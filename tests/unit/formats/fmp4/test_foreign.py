"""Boxes that lie about their sizes, and the walk to the moov."""

from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4.box import box
from server.formats.fmp4.foreign import MAX_MOOV, MAX_SIBLINGS, ForeignBox, Mp4Error, Place, find_moov, read_moov


def reader(data: bytes):
    return lambda offset, size: data[offset : offset + size]


def root(payload: bytes) -> ForeignBox:
    return ForeignBox(b"root", memoryview(payload))


def test_children_and_paths() -> None:
    outer = root(box(b"aaaa", box(b"bbbb", b"\0\0\0\7")) + box(b"cccc"))
    assert [child.kind for child in outer.children()] == [b"aaaa", b"cccc"]
    assert outer.need(b"aaaa", b"bbbb").u32(0) == 7
    assert outer.find(b"aaaa", b"nope") is None
    assert outer.find(b"nope", b"nope") is None


def test_a_large_size_and_one_to_the_end() -> None:
    large = pack(">I4sQ", 1, b"aaaa", 20) + b"1234"
    rest = pack(">I4s", 0, b"bbbb") + b"to the end"
    assert [bytes(child.data) for child in root(large + rest).children()] == [b"1234", b"to the end"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (pack(">I4s", 100, b"aaaa"), "claims more bytes than there are"),
        (pack(">I4s", 7, b"aaaa"), "claims more bytes than there are"),
        (pack(">I4sQ", 1, b"aaaa", 1 << 63), "claims more bytes than there are"),
        (pack(">I4sQ", 1, b"aaaa", 8), "claims more bytes than there are"),
        (pack(">I4s", 1, b"aaaa"), "too short"),
        (box(b"aaaa") * (MAX_SIBLINGS + 1), f"more than {MAX_SIBLINGS} boxes"),
    ],
)
def test_boxes_that_lie(payload: bytes, reason: str) -> None:
    with pytest.raises(Mp4Error, match=reason):
        list(root(payload).children())


def test_numbers_are_read_only_where_they_are() -> None:
    values = root(pack(">IIq", 1, 0xFFFFFFFF, -5))
    assert values.numbers(0, 2).tolist() == [1, 0xFFFFFFFF]
    assert values.i32(4) == -1
    assert values.i64(8) == -5
    for count in (5, 1 << 32, 1 << 62):
        with pytest.raises(Mp4Error, match="the root box is too short"):
            values.numbers(0, count)


@given(st.binary(max_size=200))
def test_any_bytes_are_boxes_or_an_error(data: bytes) -> None:
    def walk(outer: ForeignBox, depth: int) -> None:
        for child in outer.children():
            if depth < 3:
                walk(child, depth + 1)

    with suppress(Mp4Error):
        walk(root(data), 0)


def test_the_moov_is_found_wherever_it_lies() -> None:
    moov = box(b"moov", b"index")
    for data in (box(b"ftyp") + moov, box(b"ftyp") + box(b"mdat", bytes(1000)) + moov + box(b"free")):
        place = find_moov(reader(data), len(data))
        assert data[place.offset : place.offset + place.size] == b"index"
        assert read_moov(reader(data), len(data)) == b"index"


def test_a_sparse_file_of_30_gib_costs_a_few_reads() -> None:
    size, reads = 30 << 30, []
    boxes = {0: box(b"ftyp"), 8: pack(">I4sQ", 1, b"mdat", size - 8 - 13), size - 13: pack(">I4s", 13, b"moov")}

    def read(offset: int, length: int) -> bytes:
        reads.append(offset)
        return boxes[offset]

    assert find_moov(read, size) == Place(size - 5, 5)
    assert reads == [0, 8, size - 13]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut short or still being written"),
        (b"12345", "cut short or still being written"),
        (box(b"ftyp") + box(b"mdat", b"x" * 100), "cut short or still being written"),
        (box(b"ftyp") + pack(">I4s", 1000, b"mdat") + b"x" * 50, "cut short or still being written"),
        (pack(">I4s", 4, b"mdat") + bytes(50), "shorter than its own header"),
        (pack(">I4s", 1000, b"moov") + bytes(50), "cut short inside its index"),
        (pack(">I4sQ", 1, b"moov", MAX_MOOV + 17), f"larger than {MAX_MOOV} bytes"),
        (box(b"free") * (MAX_SIBLINGS + 1), f"more than {MAX_SIBLINGS} boxes before"),
    ],
)
def test_files_without_a_whole_moov(data: bytes, reason: str) -> None:
    with pytest.raises(Mp4Error, match=reason):
        find_moov(reader(data), len(data))


def test_a_file_that_shrinks_while_it_is_read() -> None:
    data = box(b"moov", b"index")
    with pytest.raises(Mp4Error, match="ended while it was being read"):
        read_moov(reader(data[:10]), len(data))
    with pytest.raises(Mp4Error, match="ended while it was being read"):
        read_moov(reader(b""), 100)
