"""The encoders that may make renditions, what each is told, and how what comes out is made alike.

Runs in children only: it imports av.

Every encoder is asked for the same: key frames where a picture is marked as one and nowhere else, and bits a second
under a ceiling; live, no B-frames and one picture held back at most. (Looking ten pictures ahead made libx264 no better
at the same bits, by SSIM, and a third of a second later.)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext, Flags
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from server.formats import annexb, av1, avc, hevc
from server.formats.avc import NAL_PPS, NAL_SPS, VIDEO_TIMESCALE
from server.formats.sample import VideoConfig
from server.media.codings import SOFTWARE
from server.media.ladder import FAST_FROM, Rung

QUALITY = "25"  # of libx264: easy pictures take less than the ceiling
HARD_QUALITY = "26"  # what the others call about the same
VBV_S = Fraction(3, 2)  # seconds of the ceiling that may come at once: a key frame is some ten pictures' worth
NEVER = "100000"  # pictures until a key frame of the encoder's own
PIXELS_PER_THREAD = 40_000_000  # a second that libx264 veryfast does with some room on one core
MAX_THREADS = 4

# H.264 table A-1: level, macroblocks of a picture, and in a second; below 3 there is no device any more
LEVELS = (
    ("30", 1620, 40_500), ("31", 3600, 108_000), ("32", 5120, 216_000), ("40", 8192, 245_760), ("42", 8704, 522_240),
    ("51", 36_864, 983_040),
)  # fmt: skip
USUAL_RATE = 30

# Lengths in place of start codes, so that nothing is converted; parameter sets that do not name the quality, so that
# pictures of several go behind one init segment
X264 = "annexb=0:stitchable=1:rc-lookahead={}:sync-lookahead=0:mbtree={}:keyint=infinite:sps-id={}"
HEVC = "libx265"  # for work that nobody waits for: no live rendition is made with it
X265 = "keyint=-1:scenecut=0:open-gop=0:info=0:log-level=none:rc-lookahead={}:bframes={}:pools={}"
AV1 = "libsvtav1"  # the same
SOFTWARE_ENCODERS = (SOFTWARE, HEVC, AV1)
# No scene cuts of its own, and no more than `lp` of its threads at work
SVT = "scd=0:lp={}"
_OPTIONS: Mapping[str, Mapping[str, str]] = {
    SOFTWARE: {
        "forced-idr": "1", "sc_threshold": "0",
    },
    HEVC: {"forced-idr": "1"},
    AV1: {},
    "h264_nvenc": {
        "preset": "p4", "tune": "ll", "rc": "vbr", "cq": HARD_QUALITY, "forced-idr": "1", "no-scenecut": "1",
        "zerolatency": "1", "delay": "0", "bf": "0",
    },
    "h264_qsv": {"preset": "veryfast", "forced_idr": "1", "async_depth": "1", "look_ahead": "0", "bf": "0"},
    "h264_vaapi": {"rc_mode": "VBR", "async_depth": "1", "bf": "0"},
    "h264_videotoolbox": {"realtime": "1", "bf": "0"},
}  # fmt: skip

NAL_UNIT_DELIMITER, HEVC_UNIT_DELIMITER = 9, 35


class EncoderError(ValueError):
    """The encoder can't be had here, or refuses the picture's size."""


class Coded(NamedTuple):
    """A coded picture; times in the source's ticks."""

    pts: int
    dts: int
    key: bool
    data: bytes  # NAL units behind lengths of four bytes


@dataclass(frozen=True, slots=True)
class Look:
    """How the decoder says that colours are meant (ITU-T H.273); 2: not said."""

    range: int = 0
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2

    @classmethod
    def of(cls, frame: VideoFrame) -> "Look":
        return cls(int(frame.color_range), int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace))


@dataclass(frozen=True, slots=True)
class Settings:
    """The same for all renditions of a source."""

    timescale: int = VIDEO_TIMESCALE
    lookahead: int = 0  # pictures that libx264 may hold back, for work that nobody waits for
    preset: str = "veryfast"  # of libx264
    quality: str = QUALITY  # of libx264
    b_frames: int = 0
    threads: int = 0  # as many as the pictures ask for
    look: Look | None = None  # in place of what the pictures say
    sets: int = 0  # id of libx264's parameter sets


class Encoder:
    """One rendition's encoder. Raises EncoderError where it can't be opened."""

    def __init__(self, name: str, rung: Rung, bitrate: int, settings: Settings, look: Look | None = None) -> None:
        self.name = name
        self.rung = rung
        self.bitrate = bitrate
        try:
            self._context = _open(name, rung, bitrate, settings, look or Look())
        except FFmpegError as error:
            raise EncoderError(f"{name}: it can't be opened here ({error.strerror})") from error
        extradata = self._context.extradata or b""
        self._length_prefixed = extradata[:1] == b"\1"
        self._packaged = _PACKAGED.get(name, _avc_sample)
        self.record = extradata if self._length_prefixed else _record_of(name, extradata)  # avcC, hvcC or av1C

    def encode(self, frame: VideoFrame, key: bool) -> Iterator[Coded]:
        """Raises FFmpegError."""
        frame.pict_type = PictureType.I if key else PictureType.NONE
        return self._coded(self._context.encode(frame))

    def finish(self) -> Iterator[Coded]:
        """What was held back."""
        return self._coded(self._context.encode(None))

    def _coded(self, packets: "Iterable[Packet[VideoStream]]") -> Iterator[Coded]:
        for packet in packets:
            data = bytes(packet)
            if not self._length_prefixed:
                data = self._packaged(data)
            if packet.pts is not None:
                yield Coded(packet.pts, packet.pts if packet.dts is None else packet.dts, packet.is_keyframe, data)


def pixel_format(name: str) -> str:
    """That the encoder takes."""
    return "yuv420p" if name in SOFTWARE_ENCODERS else "nv12"


def track_config(name: str, record: bytes, timescale: int) -> VideoConfig:
    """The track of what the encoder makes."""
    configs = {HEVC: hevc.video_config, AV1: av1.video_config}
    return configs.get(name, avc.video_config)(record, timescale)


def works(name: str) -> str | None:
    """None when the encoder makes pictures here, with key frames where asked; else why not."""
    rung = Rung("360p", 640, 360, (1, 1), 700_000, 1, 30.0)
    try:
        encoder = Encoder(name, rung, rung.bitrate, Settings(preset="12") if name == AV1 else Settings())
        coded = [unit for number in range(6) for unit in encoder.encode(_grey(name, rung, number), number in (0, 3))]
        coded += encoder.finish()
    except (EncoderError, FFmpegError, ValueError) as error:
        return str(error)
    keys = [unit.pts // 3000 for unit in coded if unit.key]
    if len(coded) != 6 or keys != [0, 3]:
        return f"{name}: of 6 pictures {len(coded)} came out, key frames {keys} in place of [0, 3]"
    return None


def _grey(name: str, rung: Rung, number: int) -> VideoFrame:
    frame = VideoFrame(rung.width, rung.height, pixel_format(name))
    for plane in frame.planes:
        plane.update(bytes([128]) * plane.buffer_size)
    frame.pts, frame.time_base = number * 3000, Fraction(1, VIDEO_TIMESCALE)
    return frame


def _open(name: str, rung: Rung, bitrate: int, settings: Settings, look: Look) -> VideoCodecContext:
    try:
        context = CodecContext.create(name, "w")
    except UnknownCodecError as error:
        raise EncoderError(f"{name}: libav was built without it") from error
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = rung.width, rung.height, pixel_format(name)
    context.sample_aspect_ratio = Fraction(*rung.sar)
    context.time_base = Fraction(1, settings.timescale)
    context.framerate = Fraction(rung.frame_rate or 30.0).limit_denominator(1001)
    context.color_range, context.color_primaries = look.range, look.primaries
    context.color_trc, context.colorspace = look.transfer, look.matrix
    context.flags |= Flags.global_header
    context.max_b_frames = settings.b_frames
    context.bit_rate = bitrate
    context.options = {
        "maxrate": str(bitrate),
        "bufsize": str(int(bitrate * VBV_S)),
        "g": NEVER,
        **_OPTIONS[name],
    }
    if name == SOFTWARE:
        context.bit_rate = 0  # by quality, under the ceiling
        context.options |= {"level": _level(rung), "preset": settings.preset, "crf": settings.quality}
        context.options |= {"bf": str(settings.b_frames)}
        context.options |= {"x264-params": _x264(settings)}
        context.thread_count = settings.threads or _threads(rung)
    elif name == HEVC:
        context.bit_rate = 0
        context.options |= {"preset": settings.preset, "crf": settings.quality}
        threads = settings.threads or _threads(rung)
        context.options |= {"x265-params": X265.format(max(settings.lookahead, 1), settings.b_frames, threads)}
    elif name == AV1:
        context.bit_rate = 0
        threads = settings.threads or _threads(rung)
        context.options |= {"preset": settings.preset, "crf": settings.quality, "svtav1-params": SVT.format(threads)}
    context.open()
    return context


def _x264(settings: Settings) -> str:
    return X264.format(settings.lookahead, int(settings.lookahead > 0), settings.sets)


def _level(rung: Rung) -> str:
    """By size and a usual rate: what was measured may differ a little next time, and viewers were told a level."""
    blocks = -(-rung.width // 16) * -(-rung.height // 16)
    rate = USUAL_RATE if (rung.frame_rate or USUAL_RATE) <= FAST_FROM else 2 * USUAL_RATE
    return next((level for level, most, a_second in LEVELS if blocks <= most and blocks * rate <= a_second), "52")


def _threads(rung: Rung) -> int:
    return min(MAX_THREADS, max(1, ceil(rung.cost / PIXELS_PER_THREAD)))


def _record_of(name: str, extradata: bytes) -> bytes:
    """Raises EncoderError."""
    if name == AV1:
        return _av1_record(extradata)
    if name != HEVC:
        return _record(extradata)
    try:
        return hevc.HevcDecoderConfiguration.of(annexb.nal_units(extradata)).write()
    except hevc.HevcError as error:
        raise EncoderError(f"{name}: {error}") from error


def _av1_record(extradata: bytes) -> bytes:
    """av1C of the sequence header. Raises EncoderError."""
    try:
        header = av1.sequence_header(extradata)
        if header is None:
            raise EncoderError("the encoder gives no sequence header")
        return av1.SequenceHeader.parse(header).record(header)
    except av1.Av1Error as error:
        raise EncoderError(f"{AV1}: {error}") from error


def _record(extradata: bytes) -> bytes:
    """avcC of parameter sets between start codes (ISO/IEC 14496-15 5.3.3.1). Raises EncoderError."""
    units = annexb.nal_units(extradata)
    sps = [unit for unit in units if unit[0] & 31 == NAL_SPS]
    pps = [unit for unit in units if unit[0] & 31 == NAL_PPS]
    if not sps or not pps:
        raise EncoderError("the encoder gives no parameter sets")
    head = bytes([1, *sps[0][1:4], 0xFC | 3])
    # High profiles say the chroma format and bit depths too: 4:2:0 and eight bits
    tail = bytes([0xFC | 1, 0xF8, 0xF8, 0]) if sps[0][1] not in (66, 77, 88) else b""
    return head + bytes([0xE0 | len(sps)]) + _sized(sps) + bytes([len(pps)]) + _sized(pps) + tail


def _sized(units: list[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


def _avc_sample(data: bytes) -> bytes:
    return _length_prefixed(data, _is_avc_parameter)


def _hevc_sample(data: bytes) -> bytes:
    return _length_prefixed(data, _is_hevc_parameter)


def _av1_sample(data: bytes) -> bytes:
    return bytes(av1.without_delimiters(data))


def _length_prefixed(data: bytes, left_out: Callable[[bytes], bool]) -> bytes:
    return annexb.length_prefixed(unit for unit in annexb.nal_units(data) if not left_out(unit))


def _is_avc_parameter(unit: bytes) -> bool:
    """Or nothing that a sample holds: parameter sets are in the record."""
    return unit[0] & 31 in (NAL_SPS, NAL_PPS, NAL_UNIT_DELIMITER)


def _is_hevc_parameter(unit: bytes) -> bool:
    return hevc.nal_type(unit) in (*hevc.PARAMETER_SETS, HEVC_UNIT_DELIMITER)


_PACKAGED: Mapping[str, Callable[[bytes], bytes]] = {HEVC: _hevc_sample, AV1: _av1_sample}
