"""What edits take of a file: the pictures that are shown, and all sounds. Runs in children only: it imports av."""

import os
from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from server.media.containers import HEAD_BYTES, Container, container_of
from server.media.demux import open_container
from server.media.problems import Unreadable

IN_MP4 = {"h264", "hevc", "av1", "vp9", "mpeg4", "aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"}
NOT_SHOWN = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


def opened_file(source: int) -> InputContainer:
    """Raises Unreadable, FFmpegError."""
    container: Container | None = container_of(os.pread(source, HEAD_BYTES, 0))
    if container is None:
        raise Unreadable("not-media", "it is no file that is known here")
    return open_container(source, container)


def media_of(opened: InputContainer) -> list[VideoStream | AudioStream]:
    """The pictures and all sounds, the pictures first."""
    shown = [each for each in opened.streams.video if not each.disposition & NOT_SHOWN][:1]
    return [*shown, *opened.streams.audio]


def fits_mp4(opened: InputContainer) -> bool:
    return all(codec_of(stream) in IN_MP4 for stream in media_of(opened))


def codec_of(stream: VideoStream | AudioStream) -> str:
    """libav's name; "" where there is no decoder, and thus no context, whatever the stubs say."""
    context: Any = stream.codec_context
    return context.name if context is not None else ""


def words_of(stream: VideoStream | AudioStream) -> str:
    if isinstance(stream, VideoStream):
        return f"{codec_of(stream)} {stream.width}×{stream.height} ({stream.sample_aspect_ratio or 1})"
    return f"{codec_of(stream)} {stream.sample_rate} Hz {stream.channels} channels"


def configuration(stream: VideoStream | AudioStream) -> bytes:
    """What a decoder is set up with."""
    context: Any = stream.codec_context
    return bytes(context.extradata or b"") if context is not None else b""


def origin_of(opened: InputContainer) -> Fraction:
    """Where libav's clock stands at the presentation's 0: the first picture or sound; a sound's run-up is neither."""
    starts: list[Fraction] = []
    for stream in media_of(opened):
        if stream.start_time is None or stream.time_base is None:
            continue
        start = stream.start_time * stream.time_base
        starts.append(start if stream.type == "video" else max(start, min([Fraction(0), *starts])))
    return min(starts, default=Fraction(0))
