"""Real coded pictures and sound, made by PyAV's encoders: what the formats are tried on."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from io import BytesIO

import av

from server.formats.sample import Sample

GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: parameter sets apart, as in FLV and MP4
TICKS = 3000  # of 90 kHz, a frame at 30 frames a second


@dataclass(frozen=True)
class Encoded:
    header: bytes  # avcC or AudioSpecificConfig
    samples: tuple[Sample, ...]


@cache
def h264(
    frames: int = 30, width: int = 128, height: int = 96, x264: str = "keyint=10:bframes=2", pixels: str = "yuv420p"
) -> Encoded:
    """Length-prefixed access units with signed composition offsets: the first picture is shown at its dts."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, pixels
    encoder.time_base, encoder.framerate = Fraction(1, 30), Fraction(30)
    encoder.flags |= GLOBAL_HEADER
    encoder.options = {"preset": "superfast", "x264-params": f"annexb=0:log-level=none:{x264}"}
    packets = []
    for number in range(frames):
        frame = av.VideoFrame(width, height, pixels)
        for plane in frame.planes:
            plane.update(bytes([(number * 7 + 16) % 220]) * plane.buffer_size)
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    delay = packets[0].pts - packets[0].dts
    start = packets[0].dts
    samples = [
        Sample((p.dts - start) * TICKS, (p.pts - p.dts - delay) * TICKS, p.is_keyframe, bytes(p)) for p in packets
    ]
    return Encoded(bytes(encoder.extradata), tuple(samples))


@cache
def aac(frames: int = 20, rate: int = 48000, layout: str = "stereo") -> Encoded:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "fltp"
    encoder.time_base = Fraction(1, rate)
    encoder.flags |= GLOBAL_HEADER
    packets = []
    for number in range(frames):
        frame = av.AudioFrame(format="fltp", layout=layout, samples=1024)
        frame.sample_rate, frame.pts, frame.time_base = rate, number * 1024, Fraction(1, rate)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    samples = [Sample(number * 1024, 0, True, bytes(packet)) for number, packet in enumerate(packets)]
    return Encoded(bytes(encoder.extradata), tuple(samples))


def decode(data: bytes) -> list[av.VideoFrame | av.AudioFrame]:
    """Every frame of the only stream of an MP4 file. Raises av.FFmpegError where it is broken."""
    with av.open(BytesIO(data)) as container:
        stream = container.streams[0]
        stream.codec_context.options = {"err_detect": "explode"}
        return list(container.decode(stream))  # type: ignore[arg-type]
