"""Where an upload's tracks don't fit a player's buffer as they are: hidden pictures, and holes in the sound.

Both are put right by rewriting the sample table, once, and only for the files that need it; no payload byte changes.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from operator import sub
from typing import NamedTuple

from server.formats.aac import silent_frame
from server.formats.fmp4.index import Track
from server.formats.fmp4.samples import NOWHERE, SampleTable
from server.formats.sample import AudioConfig

# Players jump over shorter holes; at 0.1 s hls.js stalls.
MIN_HOLE_S = 0.1
# More silence than this (an hour at 48 kHz) is no hole but a broken file: it is served as it is.
MAX_SILENT_FRAMES = 170_000
# Hidden pictures together last no longer than this...
HIDDEN_MS = 1
# ...and are no more than this: ten seconds at 100 a second.
MAX_HIDDEN = 1000


class Hole(NamedTuple):
    """Missing sound: `frames` silent frames from `start` on, before sample `before`."""

    before: int
    start: int  # on the scale of the track's decoding times
    frames: int


def first_key(track: Track) -> int:
    """The key frame to begin at: the last that is shown at 0 or before, else the first.

    One that follows 0 within a picture's time is better than a GOP of hidden pictures: clocks round.
    """
    found = track.keys[0]
    for key in track.keys:
        if track.shown(key) > 0:
            return key if track.shown(found) < 0 and track.shown(key) < track.samples.duration(key) else found
        found = key
    return found


def without_hidden(track: Track) -> Track:
    """The track with the pictures that its edit list hides, but that others need, shown for no time at all.

    An edit list that begins in the middle of a GOP (a trim without re-encoding) hides the pictures before. They have
    to be decoded, and fragments have no way to say "not shown"; each gets one tick of a finer clock instead, so that
    they pass before the first wanted picture within HIDDEN_MS.
    """
    first, samples = first_key(track), track.samples
    hidden = _hidden(track, first)
    if not 0 < len(hidden) <= MAX_HIDDEN:
        return track
    finer = -(-len(hidden) * 1000 // (HIDDEN_MS * track.config.timescale))
    ranks = {sample: rank - len(hidden) for rank, sample in enumerate(sorted(hidden, key=samples.pts))}
    lead = track.shift + (samples.cts[first] if samples.cts else 0)
    dts, cts = array("q"), array("i")
    now = -len(hidden) - first - 1
    for i in range(len(samples)):
        gone = i < first or i in ranks
        now = now + 1 if gone else max(now + 1, (samples.dts[i] + lead) * finer)
        dts.append(now)
        cts.append(ranks.get(i, now) - now if gone else track.shown(i) * finer - now)
    dts.append(max(now + 1, (samples.dts[-1] + lead) * finer))
    config = replace(track.config, timescale=track.config.timescale * finer)
    end = None if track.end is None else track.end * finer
    return replace(track, config=config, samples=replace(samples, dts=dts, cts=cts), shift=0, end=end)


def _hidden(track: Track, first: int) -> list[int]:
    """The samples from the key frame `first` on that are shown before 0, of its GOP."""
    if track.shown(first) >= 0:
        return []
    following = bisect_right(track.keys, first)
    stop = track.keys[following] if following < len(track.keys) else len(track.samples)
    return [i for i in range(first, stop) if track.shown(i) < 0]


def with_silence(track: Track, first: int, last: int, begin: int) -> tuple[Track, int, int]:
    """The samples first..last-1 with silent frames before them, from `begin` on, and in their holes.

    `begin` is on the scale of `samples.dts`. Returns the track and which of its samples to use.
    """
    config, samples = track.config, track.samples
    frame = silent_frame(config) if isinstance(config, AudioConfig) else None
    if frame is None or not isinstance(config, AudioConfig):
        return track, first, last
    holes = list(_holes(samples, first, last, begin, config))
    count = sum(frames for _, _, frames in holes)
    if not 0 < count <= MAX_SILENT_FRAMES:
        return track, first, last
    filled = _filled(samples, first, last, holes, config.frame_length, len(frame))
    return replace(track, samples=filled), 0, len(filled)


def _holes(samples: SampleTable, first: int, last: int, begin: int, config: AudioConfig) -> Iterator[Hole]:
    """In order, the first possibly before the first sample."""
    least, frame = round(MIN_HOLE_S * config.timescale), config.frame_length
    if samples.dts[first] - begin >= max(least, frame):
        yield Hole(first, begin, (samples.dts[first] - begin) // frame)
    longest = frame + max(least, frame)
    steps = list(map(sub, samples.dts[first + 1 : last], samples.dts[first:last]))
    if max(steps, default=0) < longest:
        return
    for i, step in enumerate(steps, first):
        if step >= longest:
            start = samples.dts[i] + frame
            yield Hole(i + 1, start, (samples.dts[i + 1] - start) // frame)


def _filled(samples: SampleTable, first: int, last: int, holes: list[Hole], frame: int, size: int) -> SampleTable:
    """The table of samples first..last-1 with `frame` ticks of silence, `size` bytes each, in the holes."""
    sizes, dts, chunk_first, chunk_offset = array("I"), array("q"), array("I"), array("Q")
    done = first
    for hole in [*holes, Hole(last, 0, 0)]:
        for start, stop, offset in _runs(samples, done, hole.before):
            chunk_first.append(len(sizes))
            chunk_offset.append(offset)
            sizes += samples.sizes[start:stop]
            dts += samples.dts[start:stop]
        if hole.frames:
            chunk_first.append(len(sizes))
            chunk_offset.append(NOWHERE)
            sizes += array("I", [size]) * hole.frames
            dts += array("q", range(hole.start, hole.start + hole.frames * frame, frame))
        done = hole.before
    dts.append(samples.dts[last])
    return SampleTable(sizes, dts, array("i"), None, chunk_first, chunk_offset)


def _runs(samples: SampleTable, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """The chunks that samples first..last-1 lie in, as (first sample, one past the last, file offset)."""
    chunk = bisect_right(samples.chunk_first, first) - 1
    while first < last:
        begin = samples.chunk_first[chunk]
        following = samples.chunk_first[chunk + 1] if chunk + 1 < len(samples.chunk_first) else last
        yield first, min(following, last), samples.chunk_offset[chunk] + sum(samples.sizes[begin:first])
        first, chunk = following, chunk + 1
