"""The child that writes the pictures and the sound of several parts into one MP4. Nothing is coded here.

    arguments  {"parts": [{"source": fd, "start": ticks, "start_s", "pictures": {"init": fd, "segments": fd} or null}],
               "sound": {"init", "segments"}, or whether the parts' own is copied, "output": fd}
    events     {"event": "progress", "share": 0 to 1}  {"event": "written"}  {"event": "problem", "code", "detail"}

A part begins at its start; pictures that are null are copied. All pictures are of one track: those that were encoded to
fit in are H.264 like the others, and all parameter sets are told at its head.
"""

import os
from collections.abc import Iterator
from fractions import Fraction
from heapq import merge
from io import BytesIO
from itertools import chain
from typing import Any, NamedTuple

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from server.formats import avc
from server.formats.avc_sets import merged
from server.formats.fmp4.box import HEADER, LARGE_SIZE
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.read import read_samples
from server.formats.sample import Sample
from server.media import guard
from server.media.edit_streams import configuration, media_of, opened_file
from server.media.orders import TIMESCALE
from server.media.problems import Unreadable
from server.media.splicer import CLOCK, Output, Track, placed

MAX_SEGMENT_BYTES = 256 << 20  # of two seconds: more than any encoder here makes
MAX_INIT_BYTES = 1 << 20
FRAME = 1024  # samples of AAC
SECOND = 48_000  # samples, where a file does not say
USUAL_RATE = 25  # pictures a second, where there is but one
STEP = 0.01  # between two words of progress


class Timed(NamedTuple):
    """What is to be written, and when of the whole it is decoded."""

    dts_s: Fraction
    packet: "Packet[Any]"
    earlier: Fraction  # seconds by which it comes before its own times


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    try:
        _write(arguments, say)
    except Unreadable as error:
        say({"event": "problem", "code": error.code, "detail": error.detail})
    except avc.AvcError as error:
        say({"event": "problem", "code": "different", "detail": f"its pictures can't follow the others ({error})"})
    except FFmpegError as error:
        say({"event": "problem", "code": "unsupported", "detail": f"it can't be written ({error.strerror})"})
    else:
        say({"event": "written"})


def _write(arguments: dict[str, Any], say: guard.Say) -> None:
    parts, sound = arguments["parts"], arguments["sound"]
    sizes = sum(os.fstat(fd).st_size for fd in _read_fds(arguments)) or 1
    options = {"movie_timescale": str(CLOCK)}
    with av.open(Output(arguments["output"]), "w", format="mp4", container_options=options) as out:
        rows: list[tuple[Track, Iterator[Timed]]] = []
        if (record := _record(parts)) is not None:
            init = init_segment(avc.video_config(record, TIMESCALE))
            rows.append((_track(out, init), chain.from_iterable(map(_pictures, parts))))
        if isinstance(sound, dict):
            heard = _track(out, _whole(sound["init"]))
            rows.append((heard, _sounds(sound["segments"], _rate(sound["init"]))))
        elif sound:
            rows.append((_like_first(out, parts), chain.from_iterable(map(_own_sound, parts))))
        _mux(out, rows, sizes, say)


def _mux(out: OutputContainer, rows: list[tuple[Track, Iterator[Timed]]], sizes: int, say: guard.Say) -> None:
    """In the order of their times, so that little waits in memory."""
    done, told = 0, 0.0
    numbered = [_numbered(number, timed) for number, (_, timed) in enumerate(rows)]
    for number, timed in merge(*numbered, key=lambda each: each[1].dts_s):
        done += timed.packet.size
        placed(out, rows[number][0], timed.packet, timed.earlier)
        if (share := min(1.0, done / sizes)) >= told + STEP:
            told = share
            say({"event": "progress", "share": round(share, 3)})


def _numbered(number: int, found: Iterator[Timed]) -> Iterator[tuple[int, Timed]]:
    for timed in found:
        yield number, timed


def _read_fds(arguments: dict[str, Any]) -> list[int]:
    sound = arguments["sound"]
    fds = [part["pictures"]["segments"] if part["pictures"] else part["source"] for part in arguments["parts"]]
    return [*fds, *([sound["segments"]] if isinstance(sound, dict) else [])]


def _record(parts: list[dict[str, Any]]) -> bytes | None:
    """The avcC of all pictures; None where there are none. Raises AvcError, Unreadable."""
    records: dict[bytes, None] = {}
    for part in parts:
        if part["pictures"]:
            with av.open(BytesIO(_whole(part["pictures"]["init"]))) as opened:
                records[configuration(opened.streams.video[0])] = None
        else:
            with opened_file(part["source"]) as opened:
                pictures = _own_pictures(opened)
                if pictures is not None:
                    records[configuration(pictures)] = None
    return merged(list(records)) if records else None


def _own_pictures(opened: InputContainer) -> VideoStream | None:
    return next((stream for stream in media_of(opened) if isinstance(stream, VideoStream)), None)


def _track(out: OutputContainer, init: bytes) -> Track:
    with av.open(BytesIO(init)) as opened:
        stream = opened.streams[0]
        return Track(stream.type, out.add_stream_from_template(stream))


def _rate(fd: int) -> int:
    with av.open(BytesIO(_whole(fd))) as opened:
        return opened.streams.audio[0].rate or SECOND


def _like_first(out: OutputContainer, parts: list[dict[str, Any]]) -> Track:
    with opened_file(parts[0]["source"]) as opened:
        stream = next(each for each in media_of(opened) if each.type == "audio")
        made = out.add_stream_from_template(stream)
        made.metadata.update(stream.metadata)
        return Track("audio", made)


def _pictures(part: dict[str, Any]) -> Iterator[Timed]:
    start = Fraction(part["start"], TIMESCALE)
    if part["pictures"]:
        yield from _coded(part["pictures"]["segments"], start)
        return
    with opened_file(part["source"]) as opened:
        stream = _own_pictures(opened)
        if stream is not None:
            yield from _copied(opened, stream, part)


def _own_sound(part: dict[str, Any]) -> Iterator[Timed]:
    with opened_file(part["source"]) as opened:
        stream = next(each for each in media_of(opened) if each.type == "audio")
        yield from _copied(opened, stream, part)


def _copied(opened: InputContainer, stream: Stream, part: dict[str, Any]) -> Iterator[Timed]:
    earlier = Fraction(part["start_s"]).limit_denominator(CLOCK) - Fraction(part["start"], TIMESCALE)
    for packet in opened.demux(stream):
        if packet.pts is not None and packet.dts is not None:
            yield Timed(packet.dts * packet.time_base - earlier, packet, earlier)


def _coded(fd: int, start: Fraction) -> Iterator[Timed]:
    """Pictures of closed groups, each decoded as late as those that are shown before it allow."""
    lasts = TIMESCALE // USUAL_RATE
    for samples in _segments(fd):
        late = max(sample.dts - sample.pts for sample in samples)
        for sample, following in zip(samples, [*samples[1:], None], strict=True):
            lasts = following.dts - sample.dts if following else lasts  # the last one as the one before
            packet = _packet(sample, sample.dts - max(0, late), lasts, Fraction(1, TIMESCALE))
            yield Timed((packet.dts or 0) * packet.time_base + start, packet, -start)


def _sounds(fd: int, rate: int) -> Iterator[Timed]:
    """Frames whose ticks are samples."""
    base = Fraction(1, rate)
    for samples in _segments(fd):
        for sample in samples:
            packet = _packet(sample, sample.dts, FRAME, base)
            yield Timed(sample.dts * base, packet, Fraction(0))


def _segments(fd: int) -> Iterator[list[Sample]]:
    """Those that are whole, one after the other. Raises Unreadable."""
    at, size = 0, os.fstat(fd).st_size
    while at < size:
        moof = _size(fd, at)
        whole = moof + _size(fd, at + moof)
        if whole > MAX_SEGMENT_BYTES or at + whole > size:
            raise Unreadable("failed", "what was encoded is cut short")
        yield read_samples(os.pread(fd, whole, at))
        at += whole


def _size(fd: int, at: int) -> int:
    """Of the box there."""
    head = os.pread(fd, 16, at)
    size, _ = HEADER.unpack_from(head.ljust(8, b"\0"))
    return int(LARGE_SIZE.unpack_from(head, 8)[0] if size == 1 else size) or MAX_SEGMENT_BYTES + 1


def _packet(sample: Sample, dts: int, lasts: int, base: Fraction) -> "Packet[Any]":
    packet: Packet[Any] = Packet(bytes(sample.data))
    packet.pts, packet.dts, packet.time_base, packet.duration = sample.pts, dts, base, lasts
    packet.is_keyframe = sample.key
    return packet


def _whole(fd: int) -> bytes:
    return os.pread(fd, MAX_INIT_BYTES, 0)


if __name__ == "__main__":
    guard.run(work)
