import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.aac import AacError, AudioSpecificConfig
from server.formats.adts import HEADER, AdtsHeader, write_header

STEREO_48K = bytes.fromhex("1190")


@pytest.mark.parametrize("asc", ["1190", "1210", "1408", "11b0", "0a10", "1b90"])
@pytest.mark.parametrize("size", [1, 300, 8184])
def test_a_header_that_is_written_reads_back(asc: str, size: int) -> None:
    config = AudioSpecificConfig.parse(bytes.fromhex(asc))

    header = AdtsHeader.parse(write_header(config, size))

    assert (header.asc.hex(), header.rate, header.size, header.header) == (asc, config.rate, size + HEADER, HEADER)


def test_a_header_with_a_crc_is_longer() -> None:
    data = bytearray(write_header(AudioSpecificConfig.parse(STEREO_48K), 100))
    data[1] &= 0xFE

    assert AdtsHeader.parse(bytes(data)).header == 9


@pytest.mark.parametrize(
    ("asc", "size"),
    [
        ("1190", 8185),  # longer than 13 bits
        ("11d8", 10),  # seven channels as configuration 11
    ],
)
def test_what_adts_can_not_say(asc: str, size: int) -> None:
    with pytest.raises(AacError):
        write_header(AudioSpecificConfig.parse(bytes.fromhex(asc)), size)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xf1\x4c\x80\x0d",
        b"\xff\xe1\x4c\x80\x0d\x1f\xfc",  # no sync word
        b"\xff\xf1\x7c\x80\x0d\x1f\xfc",  # sample rate index 15
        b"\xff\xf1\x4c\x80\x00\x1f\xfc",  # no size
        b"\xff\xf1\x4c\x80\x0d\x1f\xfd",  # two frames
        b"\xff\xf1\x4c\x00\x0d\x1f\xfc",  # channels told elsewhere
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(AacError):
        AdtsHeader.parse(data)


@given(st.binary(max_size=12))
def test_rubbish_is_refused_or_makes_sense(data: bytes) -> None:
    try:
        header = AdtsHeader.parse(data)
    except AacError:
        return
    assert header.size >= header.header
