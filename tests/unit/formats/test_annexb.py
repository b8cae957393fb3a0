import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.annexb import AnnexBError, byte_stream, length_prefixed, nal_units
from server.formats.avc import nal_units as prefixed_units
from tests.unit.formats.bit_writer import escaped

UNITS = st.lists(
    st.binary(min_size=1, max_size=20).map(lambda payload: b"\x65" + escaped(payload) + b"\x80"), max_size=5
)


@given(UNITS, st.sampled_from([b"\0\0\x01", b"\0\0\0\x01", b"\0\0\0\0\0\x01"]), st.binary(max_size=3))
def test_units_come_back_whatever_the_start_codes_and_the_padding(units: list[bytes], code: bytes, dirt: bytes) -> None:
    stream = dirt.replace(b"\x01", b"") + b"".join(code + unit for unit in units) + b"\0\0\0"
    assert nal_units(stream) == units


@given(UNITS)
def test_both_packings_hold_the_same_units(units: list[bytes]) -> None:
    assert nal_units(byte_stream(units)) == units
    assert [bytes(unit) for unit in prefixed_units(length_prefixed(units))] == units


def test_bytes_without_a_start_code_hold_none() -> None:
    assert nal_units(b"") == nal_units(b"\x65\x01\x02") == nal_units(b"\0\0\x01\0\0") == []


def test_the_number_of_units_can_be_limited() -> None:
    stream = byte_stream([b"\x65\x80"] * 5)

    assert len(nal_units(stream, 5)) == 5
    with pytest.raises(AnnexBError, match="more than 4"):
        nal_units(stream, 4)
