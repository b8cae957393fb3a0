from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.formats.flac import FlacError, StreamInfo, audio_config, frame_samples
from tests.unit.formats.encoded import Coded, child, file, packets, sample_entry

INFO = bytes.fromhex("12001200000000004a580bb802f00000000000000000000000000000000000000000")


@pytest.mark.parametrize(
    ("track", "channels", "length"),
    [
        (Coded("flac", format="s16", rate=48_000), 2, 4608),
        (Coded("flac", format="s32", rate=44_100, layout="mono"), 1, 4608),
        (Coded("flac", format="s16", rate=44_100, layout="5.1"), 6, 4608),
    ],
)
def test_the_sample_entry_is_that_of_libav(track: Coded, channels: int, length: int) -> None:
    mp4 = file("mp4", track)
    record = child(sample_entry(mp4), b"dfLa")
    config = audio_config(record[8:])
    written = child(config.sample_entry, b"dfLa")
    assert written[:12] == record[:12]
    assert written[18:21] == record[18:21]
    assert len(written) == len(record)
    assert config.sample_entry[4:36] == sample_entry(mp4)[4:36]
    assert (config.codec, config.timescale, config.channels, config.frame_length) == (
        "fLaC", track.rate, channels, length,
    )  # fmt: skip
    assert {frame_samples(data) for data, _ in packets(mp4)} == {length}


def test_marker_and_block_header_may_stand_before_it() -> None:
    config = audio_config(INFO)
    assert config == audio_config(b"\x80\0\0\x22" + INFO) == audio_config(b"fLaC\0\0\0\x22" + INFO + b"more")
    assert StreamInfo.parse(INFO).bits == 16


def test_what_is_known_only_at_the_end_makes_no_other_track() -> None:
    at_the_end = INFO[:4] + b"\0\0\x0e\0\0\x0e" + INFO[10:13] + b"\xf0\0\0\x5a\0" + b"\xb2" * 16
    assert audio_config(at_the_end) == audio_config(INFO)


def test_a_rate_beyond_16_bits_is_left_to_the_record() -> None:
    config = audio_config(INFO[:10] + (96_000 << 4 | 0b0010).to_bytes(3, "big") + INFO[13:])
    assert config.timescale == 96_000
    assert config.sample_entry[32:36] == bytes(4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"fLaC", "STREAMINFO of 0 bytes"),
        (INFO[:-1], "STREAMINFO of 33 bytes"),
        (b"\0\x0f" + INFO[2:], "blocks of 15 to 4608 samples"),
        (INFO[:2] + b"\x11\xff" + INFO[4:], "blocks of 4608 to 4607 samples"),
        (INFO[:10] + b"\0\0\0" + INFO[13:], "STREAMINFO without a sample rate"),
    ],
)
def test_a_broken_record_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FlacError) as caught:
        audio_config(data)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("frame", "samples"),
    [
        (b"\xff\xf8\x1a\x18\x00\xd6", 192),
        (b"\xff\xf8\x5a\x18\x00\xd6", 4608),
        (b"\xff\xf9\xfa\x18\x00\xd6", 32_768),
        (b"\xff\xf8\x6a\x18\x00\xd6", 215),
        (b"\xff\xf8\x6a\x18\xc2\x80\xd6", 215),
        (b"\xff\xf8\x7a\x18\xfe\x81\x82\x83\x84\x85\x86\x01\x02", 259),
    ],
)
def test_the_header_tells_how_long_a_frame_lasts(frame: bytes, samples: int) -> None:
    assert frame_samples(frame) == samples


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "no frame header"),
        (b"\xff\xf0\x5a\x18\x00\xd6", "no frame header"),
        (b"\xff\xf8\x0a\x18\x00\xd6", "block size code 0 can't be read"),
        (b"\xff\xf8\x6a\x18\xff\xd6", "block size code 6 can't be read"),
        (b"\xff\xf8\x6a\x18\x80\xd6", "block size code 6 can't be read"),
        (b"\xff\xf8\x7a\x18\x00\xd6", "block size code 7 can't be read"),
    ],
)
def test_a_broken_frame_is_refused(frame: bytes, message: str) -> None:
    with pytest.raises(FlacError) as caught:
        frame_samples(frame)
    assert str(caught.value) == message


@given(st.binary(max_size=50))
@example(INFO)
def test_any_bytes_parse_or_raise_flac_error(data: bytes) -> None:
    with suppress(FlacError):
        assert audio_config(data).frame_length >= 16
    with suppress(FlacError):
        assert frame_samples(data) >= 1
