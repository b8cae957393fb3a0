from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import video_part
from server.formats.vp9 import (
    KeyFrame,
    Vp9Error,
    VpCodecConfiguration,
    is_key_frame,
    level_of,
    video_config,
)
from tests.unit.formats.bit_writer import BitWriter
from tests.unit.formats.encoded import TICKS, Coded, child, decode, file, packets, sample_entry


def vpx(pixels: str = "yuv420p", width: int = 320, height: int = 180) -> Coded:
    return Coded("libvpx-vp9", (("cpu-used", "8"), ("deadline", "realtime"), ("g", "6")), pixels, width, height)


@pytest.mark.parametrize(
    ("track", "codec"),
    [
        (vpx(), "vp09.00.11.08"),
        (vpx(width=1280, height=720), "vp09.00.31.08"),
        (vpx("yuv422p", 640, 360), "vp09.01.21.08.02.02.02.02.00"),
        (vpx("yuv444p", 321, 181), "vp09.01.11.08.03.02.02.02.00"),
    ],
    ids=lambda value: value.format if isinstance(value, Coded) else "",
)
def test_the_track_is_that_of_libav(track: Coded, codec: str) -> None:
    mp4 = file("mp4", track)
    record = child(sample_entry(mp4), b"vpcC")
    sent = packets(mp4)
    config = video_config(sent[0][0], record)
    assert config.sample_entry[4:86] == sample_entry(mp4)[4:86]
    assert child(config.sample_entry, b"vpcC") == record
    assert (config.width, config.height, config.codec) == (track.width, track.height, codec)
    assert [is_key_frame(data) for data, _ in sent] == [key for _, key in sent]
    part = video_part(1, 0, [TICKS] * len(sent), [0] * len(sent), [key for _, key in sent], [d for d, _ in sent])
    assert len(decode(init_segment(config) + part)) == len(sent)


def test_without_a_record_the_frame_says_nearly_as_much() -> None:
    mp4 = file("mp4", vpx())
    (key, _), *_ = packets(mp4)
    assert video_config(key) == video_config(key, child(sample_entry(mp4), b"vpcC"))


def key_frame(profile: int = 0, twelve: int = 0, space: int = 2, chroma: int = 0b11, size: int = 99) -> bytes:
    bits = BitWriter().u(2, 2).u(1, profile & 1).u(1, profile >> 1).u(1 if profile == 3 else 0, 0)
    bits.u(4, 0b0010).u(24, 0x498342).u(1 if profile >= 2 else 0, twelve).u(3, space)
    if space != 7:
        bits.u(1, 0).u(3 if profile & 1 else 0, chroma << 1)
    else:
        bits.u(1 if profile & 1 else 0, 0)
    return bits.u(16, size).u(16, size).u(16, 0).bytes()


@pytest.mark.parametrize(
    ("frame", "codec"),
    [
        (key_frame(), "vp09.00.10.08"),
        (key_frame(2, 0, 5), "vp09.02.10.10.01.09.14.09.00"),
        (key_frame(2, 1, 0), "vp09.02.10.12"),
        (key_frame(3, 1, 2, 0b10), "vp09.03.10.12.02.01.01.01.00"),
        (key_frame(1, 0, 7), "vp09.01.10.08.03.01.13.00.01"),
        (key_frame(1, 0, 2, 0b01), "vp09.01.10.08.04.01.01.01.00"),
    ],
)
def test_profiles_and_colours(frame: bytes, codec: str) -> None:
    config = video_config(frame)
    assert (config.codec, config.width, config.height) == (codec, 100, 100)


def test_the_record_adds_level_and_colour() -> None:
    told = VpCodecConfiguration(2, 51, 10, 0, False, (9, 16, 9)).write()
    assert video_config(key_frame(2, 0, 5), told).codec == "vp09.02.51.10.00.09.16.09.00"
    assert video_config(key_frame(2, 0, 5), b"\x01\0\0\0" + told).codec == "vp09.02.51.10.00.09.16.09.00"
    unknown = VpCodecConfiguration(0, 0, 8, 1, False, (2, 2, 2)).write()
    assert video_config(key_frame(), unknown).codec == "vp09.00.10.08"


@pytest.mark.parametrize(
    ("width", "height", "level"),
    [(256, 144, 10), (1920, 1080, 40), (3840, 2160, 50), (7680, 4320, 60), (16_384, 8_704, 62)],
)
def test_levels(width: int, height: int, level: int) -> None:
    assert level_of(width, height) == level


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"", "frame header: needs 2 bits, 0 are left"),
        (b"\x00", "frame marker missing"),
        (b"\x86\0\0\0", "not a key frame"),
        (b"\x8a\0\0\0", "not a key frame"),
        (b"\xb8\0\0\0", "a profile of the future"),
        (b"\x82\x49\x83\x43", "a key frame without its sync code"),
        (key_frame(0, 0, 7), "RGB in profile 0"),
        (key_frame(size=65_535), "a picture of 65536x65536 pixels, a side longer than 65535"),
        (key_frame()[:7], "frame header: needs 16 bits, 4 are left"),
    ],
)
def test_a_broken_frame_is_refused(frame: bytes, message: str) -> None:
    with pytest.raises(Vp9Error) as caught:
        video_config(frame)
    assert str(caught.value) == message
    assert not is_key_frame(frame)


def test_a_broken_record_is_refused() -> None:
    with pytest.raises(Vp9Error, match="vpcC of 4 bytes"):
        video_config(key_frame(), b"\x01\0\0\0")


@given(st.binary(max_size=24), st.none() | st.binary(max_size=14))
@example(key_frame(), None)
def test_any_bytes_parse_or_raise_vp9_error(frame: bytes, record: bytes | None) -> None:
    with suppress(Vp9Error):
        config = video_config(frame, record)
        assert 1 <= config.width <= 65_535


@given(st.integers(0, 3), st.booleans(), st.integers(0, 7), st.integers(0, 3), st.integers(0, 65_534))
def test_any_key_frame_reads_as_it_was_written(profile: int, twelve: bool, space: int, chroma: int, size: int) -> None:
    if space == 7 and not profile & 1:
        return
    frame = KeyFrame.parse(key_frame(profile, twelve, space, chroma, size))
    assert (frame.profile, frame.colour_space, frame.width, frame.height) == (profile, space, size + 1, size + 1)
    assert frame.bit_depth == (12 if twelve else 10) if profile >= 2 else 8
