from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import audio_part
from server.formats.opus import (
    RATE,
    SILENCE,
    OpusError,
    OpusHead,
    audio_config,
    packet_samples,
    track,
)
from tests.unit.formats.encoded import Coded, child, decode, file, packets, sample_entry

STEREO = b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"
SURROUND = b"OpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01\x04\x02\x00\x04\x01\x02\x03\x05"


def libopus(layout: str, *options: tuple[str, str]) -> Coded:
    return Coded("libopus", options, "flt", rate=RATE, layout=layout)


@pytest.mark.parametrize(
    ("layout", "channels", "head"), [("stereo", 2, STEREO), ("5.1", 6, SURROUND), ("mono", 1, None)]
)
def test_the_sample_entry_is_that_of_libav(layout: str, channels: int, head: bytes | None) -> None:
    mp4, flv = file("mp4", libopus(layout)), file("flv", libopus(layout))
    sent = flv[flv.index(b"OpusOpusHead") + 4 :]
    config = audio_config(sent)
    assert child(config.sample_entry, b"dOps") == child(sample_entry(mp4), b"dOps")
    assert config.sample_entry[8:36] == sample_entry(mp4)[8:36]
    assert (config.codec, config.timescale, config.channels, config.frame_length) == ("Opus", RATE, channels, 960)
    if head:
        assert sent.startswith(head)
        assert OpusHead.parse(sent).write() == head
        assert audio_config(head) == config


@pytest.mark.parametrize(
    ("duration_ms", "samples"), [("2.5", 120), ("5", 240), ("10", 480), ("20", 960), ("40", 1920), ("60", 2880)]
)
def test_packets_last_as_long_as_they_were_asked_to(duration_ms: str, samples: int) -> None:
    mp4 = file("mp4", libopus("stereo", ("frame_duration", duration_ms)))
    assert {packet_samples(data) for data, _ in packets(mp4)} == {samples}


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"\x80", 120),  # CELT 2.5 ms
        (b"\x00", 480),  # SILK 10 ms
        (b"\x19", 5_760),  # two of 60 ms
        (b"\x1a", 5_760),
        (b"\xff\x06", 5_760),  # six of 20 ms
        (b"\x83\x30", 5_760),  # 48 of 2.5 ms
        (b"\x7b\x41", 960),  # hybrid, padding flag
    ],
)
def test_the_toc_tells_how_long_a_packet_lasts(packet: bytes, samples: int) -> None:
    assert packet_samples(packet) == samples


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (b"", "an empty packet"),
        (b"\xff", "a packet ends before its frame count"),
        (b"\xff\x00", "a packet of 0 samples"),
        (b"\xff\x07", "a packet of 6720 samples"),
        (b"\x1b\x03", "a packet of 8640 samples"),
    ],
)
def test_a_broken_packet_is_refused(packet: bytes, message: str) -> None:
    with pytest.raises(OpusError) as caught:
        packet_samples(packet)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an OpusHead"),
        (b"OpusTags" + bytes(20), "not an OpusHead"),
        (STEREO[:-1], "OpusHead of 18 bytes"),
        (STEREO[:8] + b"\x10" + STEREO[9:], "OpusHead version 16"),
        (STEREO[:9] + b"\x03" + STEREO[10:], "3 channels in mapping family 0"),
        (SURROUND[:9] + b"\x00" + SURROUND[10:], "OpusHead without channels"),
        (SURROUND[:-1], "OpusHead ends within its channel mapping"),
        (SURROUND[:19] + b"\x01" + SURROUND[20:], "1 streams of which 2 are coupled"),
        (SURROUND[:-1] + b"\x06", "a channel of no stream"),
    ],
)
def test_a_broken_header_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(OpusError) as caught:
        audio_config(data)
    assert str(caught.value) == message


@given(st.binary(max_size=40) | st.binary(max_size=20).map(lambda rest: b"OpusHead\x01" + rest))
@example(SURROUND)
def test_any_bytes_parse_or_raise_opus_error(data: bytes) -> None:
    with suppress(OpusError):
        config = audio_config(data)
        assert 1 <= config.channels <= 255
    with suppress(OpusError):
        assert 120 <= packet_samples(data) <= 5_760


@pytest.mark.parametrize("channels", [1, 2])
def test_silence_decodes_to_zeros(channels: int) -> None:
    config = track(OpusHead.of(channels))
    packet = SILENCE[channels]
    assert packet_samples(packet) == config.frame_length
    frames = decode(init_segment(config) + audio_part(1, 0, config.frame_length, [packet] * 3))
    assert sum(frame.samples for frame in frames) == 3 * 960
    assert all(not any(bytes(plane)) for frame in frames for plane in frame.planes)


def test_more_channels_than_two_need_a_header() -> None:
    with pytest.raises(OpusError, match="3 channels need a mapping"):
        OpusHead.of(3)
