import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.latm import LatmError, LatmReader, element_size
from tests.unit.formats.bit_writer import BitWriter

ASC = 0x1190  # AAC-LC, 48 kHz, stereo


def loas(bits: BitWriter) -> bytes:
    body = bits.bytes()
    return (0x2B7 << 13 | len(body)).to_bytes(3, "big") + body


def mux(version: int = 0, sub_frames: int = 1, other: int | None = None, crc: bool = False) -> BitWriter:
    bits = BitWriter().u(1, 0).u(1, version)
    if version:
        bits.u(1, 0).u(2, 0).u(8, 0)
    bits.u(1, 1).u(6, sub_frames - 1).u(4, 0).u(3, 0)
    if version:
        bits.u(2, 0).u(8, 19)
    bits.u(16, ASC)
    if version:
        bits.u(3, 0)  # 19 bits of configuration
    bits.u(3, 0).u(8, 255)
    if other is None:
        bits.u(1, 0)
    elif version:
        bits.u(1, 1).u(2, 0).u(8, other)
    else:
        bits.u(1, 1).u(1, 1).u(8, 0).u(1, 0).u(8, other)
    return bits.u(1, 1).u(8, 0x5A) if crc else bits.u(1, 0)


def payload(bits: BitWriter, data: bytes) -> BitWriter:
    for _ in range(len(data) // 255):
        bits.u(8, 255)
    bits.u(8, len(data) % 255)
    return bits.u(8 * len(data), int.from_bytes(data, "big"))


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("other", [None, 8])
@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize("data", [b"x", bytes(range(255)), bytes(600)])
def test_a_frame_and_its_configuration(version: int, other: int | None, crc: bool, data: bytes) -> None:
    reader = LatmReader()

    assert reader.frames(loas(payload(mux(version, other=other, crc=crc), data))) == [data]
    assert reader.asc[:2] == ASC.to_bytes(2, "big")
    assert reader.config is not None
    assert (reader.config.rate, reader.config.channels) == (48_000, 2)


def test_the_configuration_holds_for_the_frames_that_follow() -> None:
    reader = LatmReader()
    later = loas(payload(BitWriter().u(1, 1), b"later"))

    assert reader.frames(later) == []
    reader.frames(loas(payload(mux(), b"first")))
    assert reader.frames(later) == [b"later"]


def test_several_frames_in_one_element() -> None:
    element = loas(payload(payload(mux(sub_frames=2), b"one"), b"two"))

    assert LatmReader().frames(element) == [b"one", b"two"]


def test_the_size_of_an_element() -> None:
    element = loas(payload(mux(), bytes(1000)))

    assert element_size(element) == len(element)
    with pytest.raises(LatmError, match="sync"):
        element_size(b"\x56\xc0\0")


@pytest.mark.parametrize(
    "bits",
    [
        BitWriter().u(1, 0).u(2, 3),  # audioMuxVersionA
        BitWriter().u(1, 0).u(1, 0).u(1, 0),  # framing apart
        BitWriter().u(1, 0).u(1, 0).u(1, 1).u(6, 0).u(4, 1).u(3, 0),  # two programs
        BitWriter().u(1, 0).u(1, 0).u(1, 1).u(6, 0).u(4, 0).u(3, 0).u(16, ASC).u(3, 1),  # frames of fixed length
        mux().u(8, 200),  # a payload that is cut off
        BitWriter().u(1, 0).u(1, 0).u(1, 1).u(6, 0).u(4, 0).u(3, 0).u(16, 0xFFFF),  # no AAC
    ],
)
def test_what_is_not_read(bits: BitWriter) -> None:
    with pytest.raises(LatmError):
        LatmReader().frames(loas(bits))


@given(st.binary(max_size=400))
def test_rubbish_raises_nothing_else(data: bytes) -> None:
    reader = LatmReader()
    for element in (data, loas(mux())[:-1] + data):
        with contextlib.suppress(LatmError):
            reader.frames(element)
