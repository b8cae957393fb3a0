"""A decoder for coded pictures as samples carry them. Runs in children only: it imports av."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from av.codec.codec import UnknownCodecError
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from server.formats.fmp4.box import BoxError, find
from server.formats.fmp4.movie import MAX_PIXELS
from server.media import units

# A sample entry's fixed fields for pictures, and its box header.
VISUAL_ENTRY_BYTES = 86

# sample entry -> libav's decoder, and the box with what it has to know first
DECODERS: Mapping[bytes, tuple[str, bytes | None]] = {
    b"avc1": ("h264", b"avcC"),
    b"avc3": ("h264", b"avcC"),
    b"hvc1": ("hevc", b"hvcC"),
    b"hev1": ("hevc", b"hvcC"),
    b"av01": ("libdav1d", b"av1C"),
    b"vp09": ("vp9", None),
    b"vp08": ("vp8", None),
}


# Pictures may become larger in the middle of a stream, and each that a decoder keeps takes so many bytes and a half.
BOUNDED = {"max_pixels": str(MAX_PIXELS)}


class DecoderError(ValueError):
    """There is no decoder for it."""


class Decoder:
    """Pictures of one configuration, in the order they are shown. Raises DecoderError."""

    def __init__(self, sample_entry: bytes, timescale: int, in_frames: bool = False) -> None:
        """`in_frames`: several pictures are decoded at once, and come out later."""
        self.damaged = 0  # coded pictures that could not be decoded
        self._time_base = Fraction(1, timescale)
        self._context = _context(sample_entry, in_frames)

    def decode(self, pts: int, dts: int, data: bytes | memoryview) -> list[VideoFrame]:
        """What comes out when this goes in; a damaged picture is left out."""
        packet = units.packet(data)
        packet.pts, packet.dts, packet.time_base = pts, dts, self._time_base
        return self._decode(packet)

    def finish(self) -> list[VideoFrame]:
        """What was held back for its order."""
        return self._decode(None)

    def alone(self, data: bytes | memoryview) -> VideoFrame | None:
        """The picture of one key frame, without those around it; None when it is damaged."""
        frames = [*self._decode(units.packet(data)), *self._decode(None)]
        self._context.flush_buffers()
        return frames[0] if frames else None

    def skip_unreferenced(self, skip: bool) -> None:
        """Whether pictures that no other is made of are left out from now on."""
        self._context.skip_frame = "NONREF" if skip else "DEFAULT"

    def _decode(self, packet: "Packet[Any] | None") -> list[VideoFrame]:
        try:
            return self._context.decode(packet)
        except FFmpegError:
            self.damaged += 1
            return []


def _context(sample_entry: bytes, in_frames: bool) -> VideoCodecContext:
    kind = sample_entry[4:8]
    if kind not in DECODERS:
        raise DecoderError(f"no decoder for {kind.decode(errors='replace')}")
    name, box = DECODERS[kind]
    try:
        context = CodecContext.create(name, "r")
        context.options = dict(BOUNDED)
        if box is not None:
            found = find(sample_entry, box, start=VISUAL_ENTRY_BYTES)
            if found is None:
                raise DecoderError(f"{kind.decode()} without {box.decode()}")
            context.extradata = sample_entry[found.start : found.end]
    except (UnknownCodecError, BoxError) as error:
        raise DecoderError(str(error)) from error
    assert isinstance(context, VideoCodecContext)
    context.thread_type = "AUTO" if in_frames else "SLICE"  # threads over frames hold several pictures back
    return context
