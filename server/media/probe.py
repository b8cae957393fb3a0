"""The child that looks at an uploaded file: what it is, whether it can be watched, and its index.

    arguments  {"source": fd, "index": fd or null, "growth": null, or Growth.told of a file that still comes}
    events     {"event": "indexed"}                        the index is written: it can be served at once
               {"event": "found", ...}                     the fields of SourceFacts
               {"event": "unserved", "detail"}             why it is not served by its index, in words
               {"event": "problem", "code", "detail"}      as in problems.TITLES; nothing can be made of the file
               {"event": "open", "what"}                   of one that still comes: its "length" is not known yet, or
                                                           all that is at its "end"; before "found"

The index of an MP4 is our own parser's; av is imported after "indexed" has been said, which saves 0.1 s of the way to
the first segment. What libav then says of the same file is for people and for what is made of it, and never the reason
to take back what plays.
"""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from server.formats.fmp4.foreign import Mp4Error
from server.formats.fmp4.index import MovieIndex, Track
from server.formats.fmp4.movie import Unservable, read_index
from server.formats.languages import bcp47
from server.formats.sample import AudioConfig, VideoConfig
from server.media import guard
from server.media.containers import HEAD_BYTES, MP4, MPEG_TS, Container, container_of, words_for
from server.media.facts import PictureFacts, SoundFacts, SourceFacts, uneven
from server.media.foreign import NO_FOREIGN, Foreign, in_mp4
from server.media.growing import Source
from server.media.problems import Unreadable

CUT_SHORT = "cut short"


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    try:
        _examine(Source(arguments["source"], arguments.get("growth")), arguments["index"], say)
    except Unreadable as error:
        say({"event": "problem", "code": error.code, "detail": error.detail})


def _examine(source: Source, index_fd: int, say: guard.Say) -> None:
    container = _container(source)
    if container is not MP4:
        facts = _ask_libav(source, container, _foreign(source) if container is MPEG_TS else NO_FOREIGN)
        _say_open(source, facts, say)
        _say_found(facts, say)
        return

    try:
        index = read_index(source.read, source.size)
    except (Unservable, Mp4Error) as error:
        _say_unserved(source, error, say)
        return
    _write(index_fd, index.to_bytes())
    say({"event": "indexed"})
    facts = _indexed(source, index)
    _say_open(source, facts, say)
    _say_found(facts, say)


def _say_open(source: Source, facts: SourceFacts, say: guard.Say) -> None:
    """What of the facts may change with the rest of the file."""
    if source.denied:
        say({"event": "open", "what": "end"})
    elif not facts.duration_s:
        say({"event": "open", "what": "length"})


def _say_unserved(source: Source, error: Unservable | Mp4Error, say: guard.Say) -> None:
    """libav may make something of an MP4 that our own parser does not serve, but not of half a file."""
    detail = error.detail if isinstance(error, Unservable) else error.reason
    if isinstance(error, Mp4Error) and CUT_SHORT in detail:
        raise Unreadable("truncated", detail) from error
    if source.growing:
        say({"event": "unserved", "detail": detail})
        return  # its samples lie anywhere, so that all of it is waited for
    try:
        facts = _ask_libav(source, MP4, in_mp4(source.read, source.size))
    except Unreadable as refusal:
        if isinstance(error, Mp4Error) and refusal.code == "invalid":
            raise Unreadable("invalid", detail) from error
        raise
    say({"event": "unserved", "detail": detail})
    _say_found(facts, say)


def _container(source: Source) -> Container:
    if source.size == 0:
        raise Unreadable("empty", "the file is empty")
    head = source.read(0, HEAD_BYTES)
    container = container_of(head)
    if container is None:
        raise Unreadable("not-media", f"found: {words_for(head)}")
    return container


def _say_found(facts: SourceFacts, say: guard.Say) -> None:
    say({"event": "found", **facts.to_event()})


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _foreign(source: Source) -> Foreign:
    from server.media.foreign_ts import in_mpeg_ts

    return in_mpeg_ts(source.read)


def _ask_libav(
    source: Source, container: Container, foreign: Foreign = NO_FOREIGN, *, brief: bool = False
) -> SourceFacts:
    from server.media.scan import BRIEF_S, SCAN_S
    from server.media.streams import read_streams

    return read_streams(source, container, foreign, BRIEF_S if brief else SCAN_S)


def _indexed(source: Source, index: MovieIndex) -> SourceFacts:
    """The facts of a file that is served by its index: what plays is known from there, the rest libav tells."""
    length_s = round(index.duration_s, 6)
    bit_rate = round(index.file_size * 8 / max(length_s, 0.001))
    picture, sound = _picture(index.video), _sound(index.audio)
    facts = SourceFacts(MP4.name, length_s)
    with contextlib.suppress(Unreadable):
        facts = _ask_libav(source, MP4, brief=True)
    _prove(source, _undecoded(index, facts))
    if picture and facts.picture:
        picture = replace(
            facts.picture,
            rfc6381=picture.rfc6381,
            rotation=picture.rotation,
            frame_rate=picture.frame_rate,
            key_interval_s=picture.key_interval_s,
            variable=picture.variable,
            unpassable=None,
        )
    sounds = list(facts.sounds)
    if sound:
        at = next((at for at, each in enumerate(sounds) if each.codec == sound.codec), None)
        known = sounds.pop(at) if at is not None else sound
        sounds.insert(0, replace(known, unpassable=None, rfc6381=sound.rfc6381))
    return replace(
        facts, duration_s=length_s, bit_rate=bit_rate, picture=picture, sounds=tuple(sounds), indexed=True
    )


def _picture(track: Track | None) -> PictureFacts | None:
    """What the index says of the pictures."""
    if track is None or not isinstance(track.config, VideoConfig):
        return None
    config, samples = track.config, track.samples
    keys = [*(samples.pts(key) for key in track.keys), samples.dts[-1]]
    interval_s = max(after - before for before, after in pairwise(keys)) / config.timescale
    return PictureFacts(
        stream=0,
        codec="h264",
        width=config.width,
        height=config.height,
        rfc6381=config.codec,
        sar=config.sar,
        rotation=config.rotation,
        frame_rate=round(len(samples) * config.timescale / max(1, samples.dts[-1]), 3),
        key_interval_s=round(interval_s, 3),
        variable=uneven([(after - before) / config.timescale for before, after in pairwise(samples.dts)]),
        language=bcp47(track.language) or "",
    )


def _sound(track: Track | None) -> SoundFacts | None:
    if track is None or not isinstance(track.config, AudioConfig):
        return None
    config = track.config
    language = bcp47(track.language) or ""
    return SoundFacts(0, "aac", config.channels, config.timescale, rfc6381=config.codec, language=language)


def _undecoded(index: MovieIndex, facts: SourceFacts) -> Sequence[Track]:
    """The tracks that libav did not find in the file, and decode the beginning of, by itself."""
    picture = facts.picture is not None and facts.picture.codec == "h264"
    sound = any(each.codec == "aac" for each in facts.sounds)
    proven = {"video": picture, "audio": sound}
    return [track for track in index.tracks if not proven[track.config.kind]]


def _prove(source: Source, tracks: Sequence[Track]) -> None:
    """Decode the first key frame and the first frame of sound."""
    if not tracks:
        return
    from server.media.pictures import DecodeError, prove

    for track in tracks:
        sample = track.keys[0]
        data = b"".join(source.read(at, size) for at, size in track.samples.ranges(sample, sample + 1))
        try:
            prove(track.config, data)
        except DecodeError as error:
            detail = f"the file is damaged: its {track.config.kind} can't be decoded ({error})"
            raise Unreadable("invalid", detail) from error


if __name__ == "__main__":
    guard.run(work)
