"""`GET /videos/{videoId}/status`: the dialect's ingest and encoding words, derived from the rows."""

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Annotated, Any, Literal

from pydantic import Field

from server.catalog.models import Rendition, Upload, Video
from server.formats.codecs import codec_of
from server.web.shapes import LEFT_OUT, Answer

IngestStatus = Literal["uploading", "uploaded", "ingesting", "ingested"]
EncodingStatus = Literal["waiting", "encoding", "encoded", "failed"]
QualityName = Literal["240p", "360p", "480p", "720p", "1080p", "2160p"]

# Life-cycle word -> (ingest, encoding) words. They are closed sets for the SDK for Python, which also breaks on null;
# so a video that no byte has come of is "uploading" too.
WORDS: Mapping[str, tuple[IngestStatus, EncodingStatus]] = {
    "pending": ("uploading", "waiting"),
    "uploading": ("uploading", "waiting"),
    "pre-processing": ("ingesting", "waiting"),
    "processing": ("ingested", "encoding"),
    "done": ("ingested", "encoded"),
    "error": ("uploaded", "failed"),
    "aborted": ("uploading", "failed"),
}
RENDITION_WORDS: Mapping[str, EncodingStatus] = {
    "waiting": "waiting",
    "encoding": "encoding",
    "ready": "encoded",
    "failed": "failed",
}
FURTHEST: Sequence[EncodingStatus] = ("failed", "waiting", "encoding", "encoded")
# the tallest that a picture reaches names its quality; the set is closed, so 144p counts as 240p
HEIGHTS: Sequence[tuple[int, QualityName]] = (
    (2160, "2160p"),
    (1080, "1080p"),
    (720, "720p"),
    (480, "480p"),
    (360, "360p"),
    (0, "240p"),
)


class BytesRange(Answer):
    first: int = Field(serialization_alias="from")
    to: int
    total: Annotated[int | None, LEFT_OUT]


class ReceivedParts(Answer):
    parts: list[int]
    total: int | None


class Ingest(Answer):
    status: IngestStatus
    filesize: int | None
    received_bytes: list[BytesRange]
    received_parts: ReceivedParts


class QualityStatus(Answer):
    type: Literal["hls", "mp4"]
    quality: QualityName
    status: EncodingStatus


class EncodingMetadata(Answer):
    """Of the file that was uploaded; a recording's, of its broadcast."""

    width: int | None
    height: int | None
    bitrate: float | None = Field(description="kbit/s")
    duration: int | None
    framerate: int | None  # rounded: SDKs take no other
    samplerate: int | None
    video_codec: str | None
    audio_codec: str | None
    aspect_ratio: str | None


class Encoding(Answer):
    playable: bool
    qualities: list[QualityStatus]
    metadata: EncodingMetadata


class VideoStatus(Answer):
    ingest: Ingest
    encoding: Encoding


def status(row: Video, upload: Upload | None, renditions: Sequence[Rendition] = ()) -> VideoStatus:
    """`upload` is the video's newest; `renditions` those of its source."""
    ingest_word, encoding_word = WORDS[row.state]
    streams = (row.media or {}).get("streams", [])
    picture, sound = _first(streams, "video"), _first(streams, "audio")
    return VideoStatus(
        ingest=_ingest(row, upload, ingest_word),
        encoding=Encoding(
            playable=row.playable,
            qualities=_qualities(row, picture.get("height"), renditions, encoding_word),
            metadata=_metadata(row, picture, sound),
        ),
    )


def _ingest(row: Video, upload: Upload | None, word: IngestStatus) -> Ingest:
    ranges: list[BytesRange] = []
    parts = ReceivedParts(parts=[], total=None)
    if upload is not None and upload.parts is not None:
        received = sorted((int(key), size) for key, size in upload.parts["received"].items())
        if upload.parts["unit"] == "part":
            parts = ReceivedParts(parts=[number for number, _ in received], total=upload.parts["total"])
        else:
            total = upload.parts["total"]
            ranges = [BytesRange(first=first, to=first + size - 1, total=total) for first, size in received]
    elif upload is not None and upload.received:
        ranges = [BytesRange(first=0, to=upload.received - 1, total=upload.length)]
    filesize = row.source_bytes
    if filesize is None and upload is not None:
        filesize = upload.length
    return Ingest(status=word, filesize=filesize, received_bytes=ranges, received_parts=parts)


def _qualities(
    row: Video, height: int | None, renditions: Sequence[Rendition], word: EncodingStatus
) -> list[QualityStatus]:
    """One of each name in the dialect's closed set, the furthest that there is; a recording has its source's own.

    All that is streamed can be had as a file, but what is made when it is asked for.
    """
    streamed = _furthest(renditions)
    files = _furthest([each for each in renditions if each.origin != "request"])
    if not renditions and height:
        streamed = files = {_quality(height): word}
    shown: list[tuple[Literal["hls", "mp4"], Mapping[QualityName, EncodingStatus]]] = [("hls", streamed)]
    if row.mp4_support and row.source:
        shown.append(("mp4", files))
    return [
        QualityStatus(type=kind, quality=name, status=found[name])
        for kind, found in shown for _, name in HEIGHTS if name in found
    ]  # fmt: skip


def _furthest(renditions: Sequence[Rendition]) -> Mapping[QualityName, EncodingStatus]:
    found: dict[QualityName, EncodingStatus] = {}
    for each in renditions:
        if each.kind == "video":
            name, state = _quality(min(each.facts["width"], each.facts["height"])), RENDITION_WORDS[each.state]
            found[name] = max(found.get(name, state), state, key=FURTHEST.index)
    return found


def _quality(height: int) -> QualityName:
    return next(name for least, name in HEIGHTS if height >= least)


def _metadata(row: Video, picture: Mapping[str, Any], sound: Mapping[str, Any]) -> EncodingMetadata:
    bit_rate = (row.media or {}).get("bit_rate")
    return EncodingMetadata(
        width=picture.get("width"),
        height=picture.get("height"),
        bitrate=round(bit_rate / 1000, 3) if bit_rate else None,
        duration=round(row.duration_s) if row.duration_s is not None else None,
        framerate=round(rate) if (rate := picture.get("frame_rate")) else None,
        samplerate=sound.get("sample_rate"),
        video_codec=_codec(picture),
        audio_codec=_codec(sound),
        aspect_ratio=_aspect(picture),
    )


def _first(streams: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    return next((stream for stream in streams if stream.get("kind") == kind), {})


def _codec(stream: Mapping[str, Any]) -> str | None:
    """libav's name, which is the dialect's too, whether the catalogue has it or an RFC 6381 string."""
    codec = stream.get("codec")
    known = codec_of(codec) if codec else None
    return known.name if known else codec


def _aspect(picture: Mapping[str, Any]) -> str | None:
    """16/9"""
    width, height = picture.get("width"), picture.get("height")
    if not width or not height:
        return None
    divisor = gcd(width, height)
    return f"{width // divisor}/{height // divisor}"
