"""What libav says is in a file. Runs in children only: it imports av."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeGuard

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from server.formats.fmp4.movie import MAX_PIXELS
from server.media.containers import Container
from server.media.demux import open_container

# Streams that are described; a file may claim thousands.
MAX_STREAMS = 64
# Packets tried until a picture or a frame of sound comes out; MPEG-TS may begin in the middle of a GOP.
MAX_PACKETS = 1000
DEFAULT_LANGUAGE = "und"

# libav's codec names as people write them; others are written in capitals.
CODEC_NAMES = {
    "h264": "H.264", "hevc": "HEVC", "av1": "AV1", "vp8": "VP8", "vp9": "VP9", "mpeg4": "MPEG-4 Visual",
    "mpeg2video": "MPEG-2", "mpeg1video": "MPEG-1", "h263": "H.263", "prores": "ProRes", "mjpeg": "Motion JPEG",
    "aac": "AAC", "ac3": "AC-3", "eac3": "E-AC-3", "opus": "Opus", "vorbis": "Vorbis", "truehd": "Dolby TrueHD",
    "flv1": "Sorenson Spark",
}  # fmt: skip


class UnreadableStreamsError(ValueError):
    """libav can't make sense of the file."""


@dataclass(frozen=True, slots=True)
class Found:
    event: dict[str, Any]  # the fields of "probed"
    words: list[str]  # of each video and audio stream, such as "HEVC video 1920×1080"


def read_streams(fd: int, container: Container) -> Found:
    """Open the file as `container`, describe its streams and decode one picture, or one frame of sound."""
    try:
        with open_container(fd, container) as opened:
            streams = [stream for stream in list(opened.streams)[:MAX_STREAMS] if _is_media(stream)]
            if not streams:
                raise UnreadableStreamsError("no video or audio in it")
            _prove(opened, streams)
            return Found(_event(opened, container, streams), [_words(stream) for stream in streams])
    except FFmpegError as error:
        raise UnreadableStreamsError(error.strerror) from error


def _is_media(stream: Stream) -> TypeGuard[VideoStream | AudioStream]:
    """Video or sound; a cover picture is neither."""
    cover = Disposition.attached_pic | Disposition.timed_thumbnails
    return isinstance(stream, VideoStream | AudioStream) and not stream.disposition & cover


def _prove(opened: InputContainer, streams: Iterable[VideoStream | AudioStream]) -> None:
    """Decode one frame of the first stream that a decoder is known for, video first."""
    known = [stream for stream in streams if _decodable(stream)]
    known.sort(key=lambda stream: not isinstance(stream, VideoStream))
    if not known:
        return  # described by its name alone
    stream = known[0]
    if isinstance(stream, VideoStream) and stream.width * stream.height > MAX_PIXELS:
        raise UnreadableStreamsError(f"its pictures are {stream.width}×{stream.height}, larger than is decoded here")
    failure: FFmpegError | None = None
    for number, packet in enumerate(opened.demux(stream)):
        try:
            if packet.decode():
                return
        except FFmpegError as error:
            failure = error
        if number > MAX_PACKETS:
            break
    reason = failure.strerror if failure is not None else "nothing comes out of the decoder"
    raise UnreadableStreamsError(f"its {_words(stream)} can't be decoded: {reason}")


def _event(opened: InputContainer, container: Container, streams: Iterable[Stream]) -> dict[str, Any]:
    return {
        "container": container.name,
        "duration_s": None if opened.duration is None else opened.duration / av.time_base,
        "bit_rate": opened.bit_rate or None,
        "streams": [_described(stream) for stream in streams],
    }


def _described(stream: Stream) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "kind": stream.type,
        "codec": _codec(stream),
        "language": stream.language or DEFAULT_LANGUAGE,
    }
    if isinstance(stream, VideoStream) and _decodable(stream):
        rate = stream.average_rate
        fields |= {
            "width": stream.width,
            "height": stream.height,
            "frame_rate": None if rate is None else round(float(rate), 3),
            "rotation": 0,
        }
    elif isinstance(stream, AudioStream) and _decodable(stream):
        fields |= {"sample_rate": stream.rate, "channels": stream.channels}
    return fields


def _codec(stream: Stream) -> str:
    return stream.codec_context.codec.canonical_name if _decodable(stream) else "unknown"


def _decodable(stream: Stream) -> bool:
    """Whether libav has a decoder for it; without one there is no codec context, whatever the stubs say."""
    context: object = stream.codec_context
    return context is not None


def _words(stream: Stream) -> str:
    codec = _codec(stream)
    size = ""
    if isinstance(stream, VideoStream) and _decodable(stream):
        size = f" {stream.width}×{stream.height}"
    name = "PCM" if codec.startswith("pcm_") else CODEC_NAMES.get(codec, codec.upper())
    return f"{name} {stream.type}{size}"
