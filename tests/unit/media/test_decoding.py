"""Decoders for every codec that publishers send pictures in, set up by a track's sample entry."""

import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction

import pytest
from av.codec.context import CodecContext, Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from server.formats import annexb, av1, avc, hevc, vp9
from server.formats.fmp4.box import visual_sample_entry
from server.media.decoding import Decoder, DecoderError

WIDTH, HEIGHT, PICTURES = 160, 96, 10
Packets = list[tuple[int, int, bytes]]


def encoded(name: str, pixels: str = "yuv420p", **options: str) -> tuple[bytes, Packets]:
    """Extradata and packets of a few grey pictures, 3000 ticks apart."""
    context = CodecContext.create(name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, pixels
    context.time_base, context.framerate = Fraction(1, 90_000), Fraction(30)
    context.flags |= Flags.global_header
    context.options = options
    packets = []
    for number in range(PICTURES):
        frame = VideoFrame(WIDTH, HEIGHT, pixels)
        for plane in frame.planes:
            plane.update(bytes([40 + number]) * plane.buffer_size)
        frame.pts, frame.time_base = number * 3000, context.time_base
        packets += context.encode(frame)
    packets += context.encode(None)
    return context.extradata or b"", [(packet.pts or 0, packet.dts or 0, bytes(packet)) for packet in packets]


def h264() -> tuple[bytes, Packets]:
    extradata, packets = encoded("libx264", preset="ultrafast", **{"x264-params": "annexb=0"})
    return avc.video_config(extradata).sample_entry, packets


def h265(pixels: str = "yuv420p") -> tuple[bytes, Packets]:
    quiet = {"x265-params": "log-level=none:pools=1:frame-threads=1"}
    extradata, packets = encoded("libx265", pixels, preset="ultrafast", **quiet)
    entry = hevc.parameter_sets_config(annexb.nal_units(extradata)).sample_entry
    return entry, [(pts, dts, annexb.length_prefixed(annexb.nal_units(data))) for pts, dts, data in packets]


def av1_() -> tuple[bytes, Packets]:
    _, packets = encoded("libsvtav1", preset="12", **{"svtav1-params": "lp=1"})
    units = [(pts, dts, bytes(av1.without_delimiters(data))) for pts, dts, data in packets]
    header = av1.sequence_header(packets[0][2])
    assert header is not None
    return av1.header_config(header).sample_entry, units


def vp9_() -> tuple[bytes, Packets]:
    _, packets = encoded("libvpx-vp9", deadline="realtime", **{"cpu-used": "8", "lag-in-frames": "0"})
    return vp9.video_config(packets[0][2]).sample_entry, packets


def test_encoders_that_tests_open_take_no_place_before_others() -> None:
    av1_()

    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize("make", [h264, h265, lambda: h265("yuv420p10le"), av1_, vp9_],
                         ids=["H.264", "HEVC", "HEVC of ten bits", "AV1", "VP9"])  # fmt: skip
def test_pictures_come_out_with_their_times(make: Callable[[], tuple[bytes, Packets]]) -> None:
    entry, packets = make()
    decoder = Decoder(entry, 90_000)
    frames = [frame for packet in packets for frame in decoder.decode(*packet)] + decoder.finish()
    assert [frame.pts for frame in frames] == [number * 3000 for number in range(PICTURES)]
    assert {(frame.width, frame.height) for frame in frames} == {(WIDTH, HEIGHT)}
    assert decoder.damaged == 0


def test_what_can_not_be_decoded_is_counted() -> None:
    entry, packets = h264()
    decoder = Decoder(entry, 90_000)
    assert decoder.decode(0, 0, b"\xff\xff\xff\xff") == []
    assert decoder.damaged == 1
    frames = [frame for packet in packets for frame in decoder.decode(*packet)] + decoder.finish()
    assert len(frames) == PICTURES


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (b"\0\0\0\x08nope", "no decoder for nope"),
        (b"", "no decoder for "),
        (visual_sample_entry(b"avc1", 16, 16), "avc1 without avcC"),
        (visual_sample_entry(b"hvc1", 16, 16, b"\0\0\0\xffhvcC"), "box at 86 does not fit the 8 bytes left"),
    ],
)
def test_entries_without_a_decoder(entry: bytes, fault: str) -> None:
    with pytest.raises(DecoderError) as caught:
        Decoder(entry, 90_000)
    assert str(caught.value) == fault


LET_GO = """
import av.logging
from tests.unit.media.test_decoding import h264
from server.media.decoding import Decoder

av.logging.set_level(None)
entry, packets = h264()
for count in range(200):
    decoder = Decoder(entry, 90_000, in_frames=True)
    for packet in packets[: count % 5 + 1]:
        decoder.decode(*packet)
    del decoder
"""


def test_it_can_be_let_go_in_the_middle_of_a_stream() -> None:
    """Its threads may be at work: they are waited for by who holds the interpreter's lock."""
    subprocess.run([sys.executable, "-c", LET_GO], check=True, timeout=60)
