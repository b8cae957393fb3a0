"""The child that looks at an uploaded file: what it is, whether it can be watched, and its index.

    arguments  {"source": fd, "index": fd or null}
    events     {"event": "indexed"}                                  the index is written: it can be served at once
               {"event": "probed", "container", "duration_s", "bit_rate", "streams": [...]}
               {"event": "problem", "code", "detail"}                unsupported or invalid; nothing follows

An MP4 that can be served by its index never meets libavformat: only its first picture (or frame of sound) is given to
a decoder. av is imported after "indexed" has been said, which saves 0.1 s of the way to the first segment.
"""

import contextlib
import os
from typing import Any

from server.formats.fmp4.foreign import Mp4Error
from server.formats.fmp4.index import MovieIndex, Track
from server.formats.fmp4.movie import PLAYABLE, Unservable, read_index
from server.formats.sample import VideoConfig
from server.media import guard
from server.media.containers import HEAD_BYTES, MP4, Container, container_of, words_for


class Unreadable(Exception):
    """The file is damaged, or no media at all; `detail` is a sentence for its owner."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    try:
        _examine(arguments["source"], arguments["index"], say)
    except Unservable as error:
        say({"event": "problem", "code": error.code, "detail": error.detail})
    except Unreadable as error:
        say({"event": "problem", "code": "invalid", "detail": error.detail})
    except Mp4Error as error:
        say({"event": "problem", "code": "invalid", "detail": error.reason})


def _examine(source: int, index_fd: int, say: guard.Say) -> None:
    size = os.fstat(source).st_size
    container = _container(source, size)
    if container is not MP4:
        streams = _ask_libav(source, container, say)
        raise Unservable(f"found: {', '.join(streams)} in {container.name}; {PLAYABLE}")
    try:
        index = read_index(lambda offset, length: os.pread(source, length, offset), size)
    except Unservable:
        with contextlib.suppress(Unreadable):  # what the index says of the file is the better answer
            _ask_libav(source, container, say)
        raise
    _write(index_fd, index.to_bytes())
    say({"event": "indexed"})
    say(_described(index))
    _prove(source, index)


def _container(source: int, size: int) -> Container:
    if size == 0:
        raise Unreadable("the file is empty")
    head = os.pread(source, HEAD_BYTES, 0)
    container = container_of(head)
    if container is None:
        raise Unreadable(f"found: {words_for(head)}")
    return container


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _ask_libav(source: int, container: Container, say: guard.Say) -> list[str]:
    """Say what libav finds, and return its streams in words."""
    from server.media.streams import UnreadableStreamsError, read_streams

    try:
        found = read_streams(source, container)
    except UnreadableStreamsError as error:
        raise Unreadable(f"found: {container.name} that can't be read ({error})") from error
    say({"event": "probed", **found.event})
    return found.words


def _described(index: MovieIndex) -> dict[str, Any]:
    return {
        "event": "probed",
        "container": MP4.name,
        "duration_s": round(index.duration_s, 6),
        "bit_rate": round(index.file_size * 8 / max(index.duration_s, 0.001)),
        "streams": [_stream(track) for track in index.tracks],
    }


def _stream(track: Track) -> dict[str, Any]:
    config = track.config
    if isinstance(config, VideoConfig):
        samples = track.samples
        rate = len(samples) * config.timescale / max(1, samples.dts[-1])
        return {
            "kind": "video",
            "codec": "h264",
            "width": config.width,
            "height": config.height,
            "frame_rate": round(rate, 3),
            "rotation": config.rotation,
            "language": track.language,
        }
    return {
        "kind": "audio",
        "codec": "aac",
        "sample_rate": config.timescale,
        "channels": config.channels,
        "language": track.language,
    }


def _prove(source: int, index: MovieIndex) -> None:
    """Decode the first key frame and the first frame of sound."""
    from server.media.pictures import DecodeError, prove

    for track in index.tracks:
        sample = track.keys[0]
        data = b"".join(os.pread(source, size, at) for at, size in track.samples.ranges(sample, sample + 1))
        try:
            prove(track.config, data)
        except DecodeError as error:
            raise Unreadable(f"the file is damaged: its {track.config.kind} can't be decoded ({error})") from error


if __name__ == "__main__":
    guard.run(work)
