import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.bits import MAX_GOLOMB_ZEROS, BitReader, BitsError
from tests.unit.formats.bit_writer import BitWriter

FIELD = st.one_of(
    st.tuples(st.just("u"), st.integers(1, 40)).flatmap(
        lambda kind: st.tuples(st.just("u"), st.just(kind[1]), st.integers(0, (1 << kind[1]) - 1))
    ),
    st.tuples(st.just("ue"), st.just(0), st.integers(0, (1 << 32) - 2)),
    st.tuples(st.just("se"), st.just(0), st.integers(-(1 << 31) + 1, (1 << 31) - 1)),
)


@given(st.lists(FIELD, max_size=30))
def test_reads_what_was_written(fields: list[tuple[str, int, int]]) -> None:
    writer = BitWriter()
    for kind, width, value in fields:
        writer.u(width, value) if kind == "u" else getattr(writer, kind)(value)
    reader = BitReader(writer.bytes())

    for kind, width, value in fields:
        assert (reader.u(width) if kind == "u" else getattr(reader, kind)()) == value
    assert reader.left < 8


def test_reading_past_the_end() -> None:
    reader = BitReader(b"\xa5")
    assert reader.u(4) == 0xA
    with pytest.raises(BitsError, match="needs 5 bits, 4 are left"):
        reader.u(5)
    assert reader.u(4) == 5


def test_a_golomb_code_is_bounded() -> None:
    zeros = MAX_GOLOMB_ZEROS // 8 + 1
    with pytest.raises(BitsError, match="longer than 32 bits"):
        BitReader(bytes(zeros) + b"\xff" * 8).ue()


def test_align() -> None:
    reader = BitReader(b"\xff\x80")
    reader.align()
    assert reader.left == 16
    reader.skip(3)
    reader.align()
    assert reader.u(8) == 0x80
