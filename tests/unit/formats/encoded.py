"""Real coded pictures and sound, made by PyAV's encoders: what the formats are tried on."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from io import BytesIO

import av

from server.formats.fmp4.box import find
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


@dataclass(frozen=True)
class Coded:
    """What one of libav's encoders is asked for: pictures, or sound where `rate` is set."""

    codec: str
    options: tuple[tuple[str, str], ...] = ()
    format: str = "yuv420p"
    width: int = 128
    height: int = 96
    sar: tuple[int, int] = (1, 1)
    rate: int = 0
    layout: str = "stereo"


@cache
def file(container: str, *tracks: Coded, seconds: float = 0.5, options: tuple[tuple[str, str], ...] = ()) -> bytes:
    """A file of libav's muxer `container` with these tracks in it, one after the other."""
    out = BytesIO()
    with av.open(out, "w", format=container, options=dict(options)) as output:
        encoders = [_add(output, track) for track in tracks]
        output.start_encoding()
        for track, encoder in zip(tracks, encoders, strict=True):
            for frame in _sound(track, encoder, seconds) if track.rate else _pictures(track, seconds):
                output.mux(encoder.encode(frame))
            output.mux(encoder.encode(None))
    return out.getvalue()


def _add(output: av.container.OutputContainer, track: Coded) -> av.VideoStream | av.AudioStream:
    if track.rate:
        sound = output.add_stream(track.codec, rate=track.rate, options=dict(track.options))
        assert isinstance(sound, av.AudioStream)
        sound.layout, sound.format = track.layout, track.format
        return sound
    pictures = output.add_stream(track.codec, rate=30, options=dict(track.options))
    assert isinstance(pictures, av.VideoStream)
    pictures.width, pictures.height, pictures.pix_fmt = track.width, track.height, track.format
    pictures.codec_context.sample_aspect_ratio = Fraction(*track.sar)
    return pictures


def _pictures(track: Coded, seconds: float) -> Iterator[av.VideoFrame]:
    for number in range(round(seconds * 30)):
        frame = av.VideoFrame(track.width, track.height, track.format)
        for plane in frame.planes:
            plane.update(bytes([(number * 7 + 16) % 220]) * plane.buffer_size)
        frame.pts, frame.time_base = number, Fraction(1, 30)
        yield frame


def _sound(track: Coded, encoder: av.AudioStream, seconds: float) -> Iterator[av.AudioFrame]:
    size = encoder.codec_context.frame_size or 1024
    for number in range(round(seconds * track.rate / size)):
        frame = av.AudioFrame(format=track.format, layout=track.layout, samples=size)
        frame.sample_rate, frame.pts, frame.time_base = track.rate, number * size, Fraction(1, track.rate)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        yield frame


def sample_entry(mp4: bytes) -> bytes:
    """The sample entry box of an MP4 file's first track."""
    found = find(mp4, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    assert found
    return mp4[found.start + 8 : found.end]


def child(entry: bytes, kind: bytes) -> bytes:
    """The payload of a box within a sample entry."""
    at = entry.index(kind)
    return entry[at + 4 : at - 4 + int.from_bytes(entry[at - 4 : at], "big")]


def packets(data: bytes, stream: int = 0) -> list[tuple[bytes, bool]]:
    """What libav's demuxer finds in a file: the bytes of each packet, and whether it may be begun with."""
    with av.open(BytesIO(data)) as container:
        found = container.demux(container.streams[stream])
        return [(bytes(packet), packet.is_keyframe) for packet in found if packet.size]


def flv_tags(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Kind (8 sound, 9 pictures, 18 data), timestamp in milliseconds and body of every tag in an FLV file."""
    at = 13
    while at + 11 <= len(data):
        end = at + 11 + int.from_bytes(data[at + 1 : at + 4], "big")
        yield data[at], int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24, data[at + 11 : end]
        at = end + 4


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
