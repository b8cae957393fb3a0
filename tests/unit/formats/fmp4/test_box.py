import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4.box import Box, BoxError, box, box_at, find, full_box, walk

FREE = box(b"free", b"abc")
LARGE = b"\0\0\0\1wide" + (19).to_bytes(8, "big") + b"xyz"


def test_a_box_is_size_type_payload() -> None:
    assert box(b"free", b"ab", memoryview(b"c")) == b"\0\0\0\x0bfreeabc"
    assert full_box(b"tfdt", 1, 0x020304, b"x") == b"\0\0\0\x0dtfdt\1\2\3\4x"


def test_walks_boxes_of_every_size_form() -> None:
    data = FREE + LARGE + b"\0\0\0\0mdatto the end"
    assert list(walk(data)) == [Box(b"free", 0, 8, 11), Box(b"wide", 11, 27, 30), Box(b"mdat", 30, 38, len(data))]
    assert list(walk(memoryview(data), 0, 11)) == [Box(b"free", 0, 8, 11)]


@pytest.mark.parametrize(
    "tail", [b"\0", b"\0\0\0\7free", b"\0\0\0\x09free", b"\0\0\0\1wide\0", b"\0\0\0\1wide" + bytes(8)]
)
def test_a_box_that_does_not_fit_is_refused(tail: bytes) -> None:
    boxes = walk(FREE + tail)
    assert next(boxes).type == b"free"
    with pytest.raises(BoxError, match=r"box at 11 does not fit the \d+ bytes left"):
        next(boxes)


def test_finds_along_a_path() -> None:
    data = FREE + box(b"moov", FREE, box(b"trak", FREE, box(b"tkhd", b"!")))
    found = find(data, b"moov", b"trak", b"tkhd")
    assert found is not None
    assert data[found.start : found.end] == b"!"
    assert find(data, b"moov", b"mvex") is None
    assert find(data, b"trak") is None


@given(st.binary(max_size=100))
def test_any_bytes_walk_or_raise_box_error(data: bytes) -> None:
    end = 0
    try:
        for found in walk(data):
            assert found.offset == end < found.start <= found.end <= len(data)
            end = found.end
    except BoxError:
        assert box_at(data, end, len(data)) is None
    else:
        assert end == len(data)
