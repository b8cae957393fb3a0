from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.mpeg_audio import FrameHeader, MpegAudioError
from tests.unit.formats.encoded import Coded, file, packets


@pytest.mark.parametrize(
    ("codec", "rate", "layout", "layer", "samples"),
    [
        ("mp2", 48_000, "stereo", 2, 1152),
        ("mp2", 24_000, "mono", 2, 1152),
        ("libmp3lame", 44_100, "mono", 3, 1152),
        ("libmp3lame", 16_000, "stereo", 3, 576),
        ("libmp3lame", 8_000, "stereo", 3, 576),
    ],
)
def test_headers_are_what_libav_meant(codec: str, rate: int, layout: str, layer: int, samples: int) -> None:
    container, sample_format = ("mp2", "s16") if codec == "mp2" else ("mp3", "fltp")
    for data, _ in packets(file(container, Coded(codec, rate=rate, format=sample_format, layout=layout)))[1:]:
        header = FrameHeader.parse(data)
        assert (header.layer, header.rate, header.samples, header.size) == (layer, rate, samples, len(data))
        assert header.channels == (1 if layout == "mono" else 2)


def test_layer_one_counts_slots_of_four_bytes() -> None:
    header = FrameHeader.parse(b"\xff\xff\xc6\x04")
    assert (header.layer, header.rate, header.bit_rate, header.size) == (1, 48_000, 384_000, 388)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfd\xc4", "no sync word"),
        (b"\x00\xfd\xc4\x04", "no sync word"),
        (b"\xff\xed\xc4\x04", "header ffedc404"),  # the reserved version
        (b"\xff\xf9\xc4\x04", "header fff9c404"),  # no layer
        (b"\xff\xfd\x04\x04", "header fffd0404"),  # free bit rate
        (b"\xff\xfd\xcc\x04", "header fffdcc04"),  # no rate
    ],
)
def test_what_is_no_header_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(MpegAudioError) as caught:
        FrameHeader.parse(data)
    assert str(caught.value) == message


@given(st.binary(max_size=6) | st.binary(min_size=3, max_size=4).map(lambda rest: b"\xff" + rest))
def test_any_bytes_parse_or_raise_mpeg_audio_error(data: bytes) -> None:
    with suppress(MpegAudioError):
        assert 24 <= FrameHeader.parse(data).size <= 4096
