from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.formats.ac3 import DEPENDENT, Ac3Error, SyncFrame, audio_config, dec3, sync_frames
from tests.unit.formats.bit_writer import BitWriter
from tests.unit.formats.encoded import Coded, child, file, packets, sample_entry

STEREO = bytes.fromhex("0b775052144043e106f46370")  # the head of a frame of 768 bytes


def ac3(codec: str = "ac3", layout: str = "stereo", rate: int = 48_000) -> Coded:
    return Coded(codec, format="fltp", layout=layout, rate=rate)


@pytest.mark.parametrize(
    ("track", "channels"),
    [
        (ac3(), 2),
        (ac3(layout="mono", rate=32_000), 1),
        (ac3(layout="5.1", rate=44_100), 6),
        (ac3(layout="quad"), 4),
        (ac3("eac3"), 2),
        (ac3("eac3", "5.1"), 6),
        (ac3("eac3", "3.1"), 4),
    ],
    ids=lambda value: f"{value.codec} {value.layout}" if isinstance(value, Coded) else "",
)
def test_the_sample_entry_is_that_of_libav(track: Coded, channels: int) -> None:
    mp4 = file("mp4", track)
    sent = [data for data, _ in packets(mp4)]
    config = audio_config(sent[0])
    kind = b"dac3" if track.codec == "ac3" else b"dec3"
    assert child(config.sample_entry, kind) == child(sample_entry(mp4), kind)
    assert config.sample_entry[4:36] == sample_entry(mp4)[4:36]
    assert config.codec == {"ac3": "ac-3", "eac3": "ec-3"}[track.codec]
    assert (config.timescale, config.channels, config.frame_length) == (track.rate, channels, 1536)
    assert all(sum(frame.size for frame in sync_frames(data)) == len(data) for data in sent)


def eac3(
    stream_type: int = 0, blocks: int = 3, acmod: int = 2, channel_map: int | None = None, words: int = 16
) -> bytes:
    bits = BitWriter().u(16, 0x0B77).u(2, stream_type).u(3, 0).u(11, words - 1).u(2, 0).u(2, blocks)
    bits.u(3, acmod).u(1, 0).u(5, 16)
    for _ in range(1 if acmod else 2):
        bits.u(5, 27).u(1, 1).u(8, 0x55)
    if stream_type == DEPENDENT:
        bits.u(1, channel_map is not None).u(16 if channel_map is not None else 0, channel_map or 0)
    return bits.bytes().ljust(2 * words, b"\0")


def test_a_dependent_substream_adds_its_loudspeakers() -> None:
    rear = 1 << 15 - 6  # Lrs and Rrs, of a 7.1 programme
    packet = eac3(acmod=7) + eac3(DEPENDENT, channel_map=rear)
    config = audio_config(packet)
    assert (config.channels, config.frame_length) == (7, 1536)
    assert child(config.sample_entry, b"dec3")[2:] == dec3(list(sync_frames(packet)), 16)[2:]
    assert child(config.sample_entry, b"dec3").hex() == "0080200e0202"  # num_dep_sub 1, chan_loc Lrs/Rrs


def test_short_frames_add_up() -> None:
    packet = eac3(blocks=0) * 6
    assert [frame.samples for frame in sync_frames(packet)] == [256] * 6
    assert audio_config(packet).frame_length == 1536


def test_dual_mono_and_reduced_rates_read() -> None:
    assert SyncFrame.parse(eac3(acmod=0)).channels == 2
    reduced = BitWriter().u(16, 0x0B77).u(5, 0).u(11, 15).u(2, 3).u(2, 1).u(3, 2).u(1, 1).u(5, 16).u(6, 0)
    frame = SyncFrame.parse(reduced.bytes())
    assert (frame.rate, frame.samples, frame.channels, frame.size) == (22_050, 1536, 3, 32)


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (b"", "an empty packet"),
        (b"\x77\x0b" + bytes(20), "no sync word"),
        (b"\x0b\x77\0\0", "a frame ends within its header"),
        (STEREO[:6], "a frame ends within its header"),
        (STEREO, "a packet ends within a frame"),
        (STEREO[:4] + b"\xd4" + STEREO[5:], "sample rate code 3, frame size code 20"),
        (STEREO[:4] + b"\x26" + STEREO[5:], "sample rate code 0, frame size code 38"),
        (STEREO[:5] + b"\x88" + STEREO[6:], "bit stream identification 17"),
        (STEREO[:5] + b"\x48" + STEREO[6:] + bytes(756), "AC-3 of half the sample rate (bit stream identification 9)"),
        (eac3(DEPENDENT), "a packet begins with a dependent substream"),
        (eac3() * 97, "more than 96 frames in a packet"),
    ],
)
def test_a_broken_packet_is_refused(packet: bytes, message: str) -> None:
    with pytest.raises(Ac3Error) as caught:
        audio_config(packet)
    assert str(caught.value) == message


@given(st.binary(max_size=40) | st.binary(max_size=40).map(lambda rest: b"\x0b\x77" + rest))
@example(STEREO + bytes(756))
def test_any_bytes_parse_or_raise_ac3_error(data: bytes) -> None:
    with suppress(Ac3Error):
        config = audio_config(data)
        assert config.channels >= 1
