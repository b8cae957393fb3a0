"""What libav says is in a file, as SourceFacts. Runs in children only: it imports av."""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal, TypeGuard

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from server.formats.fmp4.movie import MAX_DURATION_S, MAX_PIXELS
from server.formats.languages import bcp47
from server.media import passing
from server.media.containers import FLV, MPEG_TS, Container
from server.media.continuity import Clock, is_broken
from server.media.demux import open_container
from server.media.facts import Chapter, Hdr, PictureFacts, SoundFacts, SourceFacts, SubtitleFacts
from server.media.foreign import NO_FOREIGN, Foreign
from server.media.growing import Source, source_of
from server.media.passing import Coded, Unpassable
from server.media.problems import Unreadable
from server.media.scan import SCAN_S, Media, Scan, Seen, scan

# More tracks than any editor exports; a file may claim thousands.
MAX_STREAMS = 64
MAX_SOUNDS = 16
MAX_SUBTITLES = 32
MAX_CHAPTERS = 1000
MAX_TITLE = 200
# The longer side: encoders and players go no further.
MAX_SIDE = 16_384
NOT_SHOWN = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# A stream of these is one part of a whole that nothing here puts together (layers, audio elements).
DEPENDENT = Disposition.dependent

# libav's codec names as people write them; others are written in capitals.
CODEC_NAMES = {
    "h264": "H.264", "hevc": "HEVC", "av1": "AV1", "vp8": "VP8", "vp9": "VP9", "mpeg4": "MPEG-4 Visual",
    "mpeg2video": "MPEG-2", "mpeg1video": "MPEG-1", "h263": "H.263", "prores": "ProRes", "mjpeg": "Motion JPEG",
    "aac": "AAC", "ac3": "AC-3", "eac3": "E-AC-3", "opus": "Opus", "vorbis": "Vorbis", "truehd": "Dolby TrueHD",
    "flv1": "Sorenson Spark", "dts": "DTS",
}  # fmt: skip
TEXT_SUBTITLES = {"subrip", "ass", "ssa", "mov_text", "webvtt", "text", "srt"}
# Names of ITU-T H.273's numbers, as libav writes them; others are given by their number.
PRIMARIES = {1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020", 11: "smpte431",
             12: "smpte432"}  # fmt: skip
TRANSFERS = {1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 13: "iec61966-2-1",
             14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 18: "arib-std-b67"}  # fmt: skip
SPACES = {0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020c",
          14: "ictcp"}  # fmt: skip
UNTOLD = 2
FULL_RANGE = 2  # AVCOL_RANGE_JPEG
HDR_TRANSFERS: dict[int, Hdr] = {16: "pq", 18: "hlg"}
DOLBY_TAGS = {"dvh1", "dvhe", "dav1", "dvav", "dva1"}
# AVFieldOrder: the first letter is what is coded first, the second what is shown first.
FIELD_SHOWN: dict[int, Literal["top", "bottom"]] = {2: "top", 3: "bottom", 4: "bottom", 5: "top"}
# Old telephones have no other way to say it in Matroska.
TURNED_TITLE = re.compile(r"htc_video_rotA-(000|090|180|270)")
# Containers whose duration field is often made up by what wrote them; it is counted.
UNTRUE_DURATION = (FLV,)


def read_streams(
    fd: int | Source, container: Container, foreign: Foreign = NO_FOREIGN, span_s: float = SCAN_S
) -> SourceFacts:
    """Open the file as `container`, look at the first `span_s` of it and describe it all. Raises Unreadable.

    Of a file that still comes, and whose beginning does not tell its length, that is 0.
    """
    source = source_of(fd)
    try:
        with open_container(source, container) as opened:
            return _facts(opened, container, foreign, span_s, source.growing)
    except FFmpegError as error:
        detail = f"found: {container.name} that can't be read ({error.strerror})"
        raise Unreadable("invalid", detail) from error


def _facts(
    opened: InputContainer, container: Container, foreign: Foreign, span_s: float, growing: bool
) -> SourceFacts:
    if len(opened.streams) > MAX_STREAMS:
        detail = f"found: {len(opened.streams)} tracks in {container.name}; the limit is {MAX_STREAMS}"
        raise Unreadable("too-many-tracks", detail)
    media = [stream for stream in opened.streams if _is_media(stream)]
    if not media:
        raise Unreadable("no-tracks", _without_media(opened, container))
    _refuse(media, container)
    told_s = None if opened.duration is None else opened.duration / av.time_base
    clock = Clock(0.0, is_broken(container))
    to_end = (not told_s or container in UNTRUE_DURATION) and not growing
    found = scan(opened, media, clock, to_end, span_s)
    pictures, sounds, left_out = _usable(found, foreign)
    if not pictures and not sounds:
        raise _nothing(found, container, left_out)
    main = _main_picture(pictures)
    length_s = 0.0 if growing and not told_s and not found.whole else _length(told_s, found)
    return SourceFacts(
        container=container.name,
        duration_s=length_s,
        bit_rate=opened.bit_rate or None,
        start_s=_start(main, sounds, container),
        picture=_picture(main, found.whole) if main else None,
        sounds=tuple(_sound(seen) for seen in sorted(sounds, key=_rank)[:MAX_SOUNDS]),
        subtitles=tuple(_subtitles(opened))[:MAX_SUBTITLES],
        chapters=_chapters(opened, length_s),
        cover=next((stream.index for stream in opened.streams if _is_cover(stream)), None),
        left_out=tuple(left_out),
        mended=clock.jumps > 0,
    )


# --- choosing


def _is_media(stream: Stream) -> TypeGuard[Media]:
    """Video or sound; a cover picture is neither."""
    return isinstance(stream, VideoStream | AudioStream) and not stream.disposition & NOT_SHOWN


def _is_cover(stream: Stream) -> bool:
    return isinstance(stream, VideoStream) and bool(stream.disposition & NOT_SHOWN) and _decodable(stream)


def _decodable(stream: Stream) -> bool:
    """Whether libav has a decoder for it; without one there is no codec context, whatever the stubs say."""
    context: object = stream.codec_context
    return context is not None


def _refuse(media: Iterable[Media], container: Container) -> None:
    """Raise Unreadable for what nobody should try to decode."""
    for stream in media:
        if "enc_key_id" in stream.metadata:
            raise Unreadable("encrypted", f"found: {_words(stream)} in {container.name}, encrypted")
        if not isinstance(stream, VideoStream) or not _decodable(stream):
            continue
        if max(stream.width, stream.height) > MAX_SIDE or stream.width * stream.height > MAX_PIXELS:
            size = f"{stream.width}×{stream.height}"
            raise Unreadable("too-large", f"its pictures are {size}, larger than is decoded here")


def _usable(found: Scan, foreign: Foreign) -> tuple[list[Seen], list[Seen], list[str]]:
    """The streams that something was decoded of, pictures and sounds, and the others in words; empty ones are gone."""
    pictures, sounds, left_out = [], [], []
    for seen in found.seen.values():
        stream = seen.stream
        if not seen.packets and (found.whole or not stream.frames):
            continue
        other = foreign.name_of(stream.id, stream.type, _decodable(stream))
        if other or stream.disposition & DEPENDENT or not _decodable(stream):
            left_out.append(f"{other or _name(stream)} {stream.type}: there is no decoder for it here")
        elif seen.frame is None:
            reason = seen.failure or "nothing comes out of the decoder"
            left_out.append(f"{_words(stream)} that can't be decoded: {reason}")
        elif isinstance(stream, VideoStream):
            pictures.append(seen)
        else:
            sounds.append(seen)
    return pictures, sounds, left_out


def _without_media(opened: InputContainer, container: Container) -> str:
    kinds = sorted({stream.type for stream in opened.streams})
    return f"found: {container.name} with {', '.join(kinds) if kinds else 'nothing'} in it, but no video or sound"


def _nothing(found: Scan, container: Container, left_out: Sequence[str]) -> Unreadable:
    """Why there is nothing to make anything of."""
    if not left_out:
        words = ", ".join(_words(seen.stream) for seen in found.seen.values())
        return Unreadable("no-tracks", f"found: {words} in {container.name}, without a single picture or sound")
    left_out = list(dict.fromkeys(left_out))
    code = "codec" if all("no decoder" in words for words in left_out) else "invalid"
    return Unreadable(code, f"found: {'; '.join(left_out)} ({container.name})")


def _main_picture(pictures: Sequence[Seen]) -> Seen | None:
    """The default one, or the largest of several."""

    def rank(seen: Seen) -> tuple[bool, int]:
        assert isinstance(seen.stream, VideoStream)
        return bool(seen.stream.disposition & Disposition.default), seen.stream.width * seen.stream.height

    return max(pictures, key=rank, default=None)


def _rank(seen: Seen) -> tuple[bool, int]:
    """The default sound first, then as in the file."""
    return not seen.stream.disposition & Disposition.default, seen.stream.index


def _start(main: Seen | None, sounds: Sequence[Seen], container: Container) -> float:
    """libav's time of what is shown first. Before 0 there is only a codec's run-up, but where clocks wrap."""
    begins = [seen.begin_s for seen in ([main] if main else []) + list(sounds) if seen.begin_s is not None]
    start_s = round(min(begins, default=0.0), 6)
    return start_s if container is MPEG_TS else max(0.0, start_s)


def _length(told_s: float | None, found: Scan) -> float:
    """Seconds. Raises Unreadable where there are none, or too many."""
    begin_s = min((seen.begin_s for seen in found.seen.values() if seen.begin_s is not None), default=0.0)
    seen_s = max(seen.end_s for seen in found.seen.values()) - begin_s
    length_s = seen_s if found.whole or not told_s else told_s
    if length_s > MAX_DURATION_S:
        raise Unreadable("too-long", f"it lasts more than {MAX_DURATION_S // 3600} hours")
    if length_s <= 0:
        length_s = 1 / 25  # a single picture
    return round(length_s, 6)


# --- describing


def _picture(seen: Seen, whole: bool) -> PictureFacts:
    stream, frame = seen.stream, seen.frame
    assert isinstance(stream, VideoStream)
    assert isinstance(frame, VideoFrame)
    context = stream.codec_context
    interval_s = seen.key_interval_s(whole)
    interlaced = frame.interlaced_frame or context.field_order in FIELD_SHOWN
    rfc6381, unpassable = _passage(seen, bool(interlaced), interval_s)
    return PictureFacts(
        stream=stream.index,
        codec=_codec(stream),
        width=frame.width,
        height=frame.height,
        profile=stream.profile,
        rfc6381=rfc6381,
        sar=_sar(stream.sample_aspect_ratio),
        rotation=_rotation(stream, frame),
        frame_rate=_frame_rate(seen, whole),
        base_rate=_rate(stream.base_rate),
        variable=seen.variable,
        pixel_format=frame.format.name,
        bit_depth=max((part.bits for part in frame.format.components), default=8),
        primaries=_named(PRIMARIES, int(frame.color_primaries)),
        transfer=_named(TRANSFERS, int(frame.color_trc)),
        space=_named(SPACES, int(frame.colorspace)),
        full_range=int(frame.color_range) == FULL_RANGE,
        hdr=_hdr(stream, frame),
        interlaced=bool(interlaced),
        field_order=FIELD_SHOWN.get(context.field_order, "top") if interlaced else None,
        alpha=stream.metadata.get("alpha_mode") == "1" or any(part.is_alpha for part in frame.format.components),
        key_interval_s=None if interval_s is None else round(interval_s, 3),
        bit_rate=stream.codec_context.bit_rate or seen.bit_rate,
        language=_language(stream),
        title=_title(stream),
        unpassable=unpassable,
    )


def _passage(seen: Seen, interlaced: bool, interval_s: float | None) -> tuple[str | None, str | None]:
    """The RFC 6381 string with which the pictures can be passed through, or why they can't."""
    try:
        config = passing.video_config(_coded(seen))
        passing.check_keys(interval_s)
    except Unpassable as error:
        return None, error.reason
    if interlaced:
        return None, "its pictures are interlaced"
    if seen.untimed:
        return None, "its container does not say when pictures are shown"
    return config.codec, None


def _sound(seen: Seen) -> SoundFacts:
    stream = seen.stream
    assert isinstance(stream, AudioStream)
    context = stream.codec_context
    rfc6381, unpassable = None, None
    try:
        rfc6381 = passing.sound_config(_coded(seen)).codec
    except Unpassable as error:
        unpassable = error.reason
    return SoundFacts(
        stream=stream.index,
        codec=_codec(stream),
        channels=context.layout.nb_channels,
        sample_rate=context.sample_rate,
        layout=context.layout.name,
        profile=stream.profile,
        rfc6381=rfc6381,
        language=_language(stream),
        title=_title(stream),
        default=bool(stream.disposition & Disposition.default),
        bit_rate=context.bit_rate or seen.bit_rate,
        unpassable=unpassable,
    )


def _coded(seen: Seen) -> Coded:
    return Coded(_codec(seen.stream), bytes(seen.stream.codec_context.extradata or b""), seen.first)


def _subtitles(opened: InputContainer) -> Iterable[SubtitleFacts]:
    for stream in opened.streams:
        if isinstance(stream, SubtitleStream) and _decodable(stream):
            codec = _codec(stream)
            yield SubtitleFacts(
                stream=stream.index,
                codec=codec,
                kind="text" if codec in TEXT_SUBTITLES else "bitmap",
                language=_language(stream),
                title=_title(stream),
                default=bool(stream.disposition & Disposition.default),
                forced=bool(stream.disposition & Disposition.forced),
            )


def _chapters(opened: InputContainer, length_s: float) -> tuple[Chapter, ...]:
    found = []
    for chapter in opened.chapters()[:MAX_CHAPTERS]:
        start_s, end_s = (float(chapter[name] * (chapter["time_base"] or 0)) for name in ("start", "end"))
        if 0 <= start_s < length_s:
            title = chapter["metadata"].get("title", "")
            found.append(Chapter(round(start_s, 3), round(min(max(end_s, start_s), length_s), 3), title[:MAX_TITLE]))
    return tuple(sorted(found, key=lambda chapter: chapter.start_s))


def _codec(stream: Stream) -> str:
    """libav's name of the format, not of the decoder chosen for it."""
    return stream.codec_context.codec.canonical_name if _decodable(stream) else "unknown"


def _language(stream: Stream) -> str:
    return bcp47(stream.language or "") or ""


def _title(stream: Stream) -> str:
    """What people read; names that programs write for themselves are none."""
    title = stream.metadata.get("title", "")
    return "" if TURNED_TITLE.fullmatch(title) else title[:MAX_TITLE]


def _sar(told: Fraction | None) -> tuple[int, int]:
    return (told.numerator, told.denominator) if told else (1, 1)


def _rate(rate: Fraction | None) -> float | None:
    return round(float(rate), 3) if rate else None


def _frame_rate(seen: Seen, whole: bool) -> float | None:
    """As it is told; counted where that is an evident guess of libav's (1,000 a second of a Matroska)."""
    assert isinstance(seen.stream, VideoStream)
    told = _rate(seen.stream.average_rate)
    if len(seen.times) > 1 and (times := sorted(seen.times))[-1] > times[0]:
        counted = (len(times) - 1) / (times[-1] - times[0])
        if not told or not 0.5 < told / counted < 2:
            return round(counted, 3)
    return told


def _rotation(stream: VideoStream, frame: VideoFrame) -> int:
    """Clockwise, to the nearest quarter; libav counts the other way round."""
    if match := TURNED_TITLE.fullmatch(stream.metadata.get("title", "")):
        return int(match[1])
    return round(-frame.rotation / 90) % 4 * 90


def _hdr(stream: VideoStream, frame: VideoFrame) -> Hdr | None:
    if str(stream.codec_context.codec_tag) in DOLBY_TAGS:
        return "dolby-vision"
    return HDR_TRANSFERS.get(int(frame.color_trc))


def _named(names: dict[int, str], number: int) -> str | None:
    return None if number == UNTOLD else names.get(number, str(number))


def _name(stream: Stream) -> str:
    codec = _codec(stream)
    return "PCM" if codec.startswith("pcm_") else CODEC_NAMES.get(codec, codec.upper())


def _words(stream: Stream) -> str:
    """Such as "HEVC video 1920×1080"."""
    size = ""
    if isinstance(stream, VideoStream) and _decodable(stream):
        size = f" {stream.width}×{stream.height}"
    return f"{_name(stream)} {stream.type}{size}"
