"""The child that makes a poster: the first good key frame as JPEG.

    arguments  {"source": fd, "index": fd, "picture": fd}   an upload by its saved index: only key frames are read
               {"media": fd, "picture": fd}                 an init segment and a segment, one after the other
    events     {"event": "picture", "at_s"}                 the JPEG is written; at_s is null for a segment
               {"event": "problem", "code", "detail"}       there is no picture to be had
"""

import os
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from av.error import FFmpegError
from av.video.frame import VideoFrame

from server.formats.fmp4.index import MovieIndex, Track
from server.formats.sample import VideoConfig
from server.media import guard
from server.media.containers import MP4
from server.media.demux import open_container
from server.media.pictures import DecodeError, contrast, decode_one, decoder, jpeg

# Where to look, seconds from the start: films fade in from black, and titles come on black or white.
LOOK_AT_S = (0, 1, 2, 4, 7, 11, 16, 24, 36, 60, 120)
# Standard deviation of the luma: black, white and fades have less than 10, faces and landscapes more than 25.
GOOD_CONTRAST = 18.0
MAX_INDEX_BYTES = 512 << 20


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    try:
        if "media" in arguments:
            at_s, picture = _of_segment(arguments["media"])
        else:
            at_s, picture = _of_source(arguments["source"], arguments["index"])
    except (DecodeError, FFmpegError) as error:
        say({"event": "problem", "code": "invalid", "detail": f"no picture can be made of the video: {error}"})
        return
    with open(arguments["picture"], "wb", closefd=False) as out:
        out.write(picture)
    say({"event": "picture", "at_s": at_s})


def _of_source(source: int, index_fd: int) -> tuple[float, bytes]:
    """(time, JPEG) of the first good key frame, else of the one with most in it. Raises DecodeError."""
    track = MovieIndex.from_bytes(os.pread(index_fd, MAX_INDEX_BYTES, 0)).video
    if track is None or not isinstance(track.config, VideoConfig):
        raise DecodeError("it has none")
    best: tuple[float, float, VideoFrame] | None = None
    for at_s, frame in _key_frames(source, track, track.config):
        seen = contrast(frame)
        if best is None or seen > best[0]:
            best = seen, at_s, frame
        if seen >= GOOD_CONTRAST:
            break
    if best is None:
        raise DecodeError("none of its key frames can be decoded")
    return best[1], jpeg(best[2], track.config.rotation, track.config.sar)


def _key_frames(source: int, track: Track, config: VideoConfig) -> Iterator[tuple[float, VideoFrame]]:
    """The pictures worth a look, with their times in seconds; only their bytes are read.

    Key frames that the edit list hides are passed over, unless there are no others.
    """
    context, samples, last = decoder(config), track.samples, -1
    hidden = track.shown(track.keys[-1]) < 0
    for at_s in LOOK_AT_S:
        following = bisect_left(track.keys, at_s * config.timescale, key=track.shown) if not hidden else 0
        if following == len(track.keys) or track.keys[following] == last:
            continue
        last = track.keys[following]
        unit = b"".join(os.pread(source, size, at) for at, size in samples.ranges(last, last + 1))
        try:
            frame = decode_one(context, unit)
        except DecodeError:
            continue  # a later one may be whole
        if frame is not None:
            yield track.shown(last) / config.timescale, frame


def _of_segment(media: int) -> tuple[None, bytes]:
    """The first picture of an init segment and a segment of our own making. Raises DecodeError, FFmpegError."""
    with open_container(media, MP4) as opened:
        if not opened.streams.video:
            raise DecodeError("it has none")
        stream = opened.streams.video[0]
        sar = stream.sample_aspect_ratio or 1
        for frame in opened.decode(stream):
            return None, jpeg(frame, sar=sar.as_integer_ratio())
    raise DecodeError("nothing comes out of the decoder")


if __name__ == "__main__":
    guard.run(work)
