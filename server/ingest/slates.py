"""Slates: what viewers see while a lost publisher may come back.

A picture or a clip is coded once, when it is uploaded. During an interruption it is written to the stream in a loop,
in real time, as a publisher would; whoever publishes takes its place at once. Recordings keep it.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from server import clock, log
from server.errors import Problem
from server.formats import aac
from server.formats.fmp4.movie import read_index
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig
from server.ingest.on_air import OnAir
from server.media import calls
from server.media.child import ChildFailed, Children
from server.media.problems import MediaProblem
from server.storage.layout import Layout
from server.stream.timeline import MPEG_TS_CLOCK

SIZE = (1280, 720)  # of a slate that is made while nobody is on air
TICK_S = 0.1
MAX_BYTES = 32 << 20  # of a slate: ten seconds at 25 Mbit/s
RATE = MPEG_TS_CLOCK.rate  # ticks a second of slates

_log = log.get("live")


class Due(NamedTuple):
    """A sample to be written; times in ticks of RATE since the slate began."""

    at: int
    key: bool
    data: bytes
    sound: bool = False


@dataclass(frozen=True, slots=True)
class Slate:
    """Pictures in a loop that begins with a key frame."""

    config: VideoConfig
    pictures: tuple[Due, ...]
    duration: int  # ticks of RATE

    @classmethod
    def of(cls, data: bytes) -> "Slate":
        """Of an MP4 as `media.slate` makes it. Raises ValueError."""
        track = read_index(lambda at, size: data[at : at + size], len(data)).video
        if track is None or not isinstance(track.config, VideoConfig):
            raise ValueError("the slate holds no pictures")
        samples, timescale = track.samples, track.config.timescale
        keys = frozenset(track.keys)
        pictures = []
        for number in range(len(samples)):
            (at, size), *_ = samples.ranges(number, number + 1)
            ticks = samples.dts[number] * RATE // timescale
            pictures.append(Due(ticks, number in keys, data[at : at + size]))
        end = samples.dts[len(samples) - 1] + samples.duration(len(samples) - 1)
        return cls(track.config, tuple(pictures), end * RATE // timescale)


class Feed:
    """A slate played from its beginning on, with silence where the publisher had sound. Pure."""

    def __init__(self, slate: Slate, sound: TrackConfig | None) -> None:
        self.slate = slate
        self.sound = sound if isinstance(sound, AudioConfig) and _silence(sound) else None
        self._frame = _silence(sound) if isinstance(sound, AudioConfig) else None
        self._picture = 0  # the next one, counted over all rounds
        self._sound = 0  # the next frame of silence

    def due(self, elapsed: int) -> Iterator[Due]:
        """What is to be written by this time, in order of time; pictures before the sound beside them."""
        pictures, duration = self.slate.pictures, self.slate.duration
        while True:
            rounds, number = divmod(self._picture, len(pictures))
            picture = pictures[number]
            at = rounds * duration + picture.at
            if at > elapsed:
                return
            self._picture += 1
            yield Due(at, picture.key, picture.data)
            yield from self._silence_until(at)

    def _silence_until(self, at: int) -> Iterator[Due]:
        if self.sound is None or self._frame is None:
            return
        step = self.sound.frame_length * RATE / self.sound.timescale
        while (begin := round(self._sound * step)) <= at:
            self._sound += 1
            yield Due(begin, True, self._frame, sound=True)


class Slates:
    """Those of all live streams, on disk."""

    def __init__(self, layout: Layout, children: Children) -> None:
        self._layout = layout
        self._children = children

    async def make(
        self, live_stream_id: str, media: bytes, size: tuple[int, int] = SIZE
    ) -> tuple[dict[str, float], int]:
        """Codes and keeps a slate; what its row says, and its bytes. Raises Problem: nothing can be made of it, or not
        now."""
        width, height = (max(2, side - side % 2) for side in size)
        try:
            made = await calls.slate(self._children, media, width, height)
        except ChildFailed as error:
            made = calls.problem_of(error)
        if isinstance(made, MediaProblem):
            raise Problem("uploaded-file-invalid-file", f"{made.detail[:1].upper()}{made.detail[1:]}."[:300])
        if len(made) > MAX_BYTES:
            raise Problem("uploaded-file-too-large", "The slate is too long for its size.")
        slate = Slate.of(made)
        await asyncio.to_thread(_store, self._layout.slate(live_stream_id), made)
        return {"width": width, "height": height, "duration": slate.duration / RATE}, len(made)

    async def remove(self, live_stream_id: str) -> None:
        folder = self._layout.slate(live_stream_id).parent
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def fill(self, on_air: OnAir, closing: Callable[[], bool]) -> None:
        """Writes the slate, if there is one, as long as nobody publishes and the broadcast waits."""
        token = on_air.filler = object()

        def wanted() -> bool:
            waits = on_air.state == "interrupted" and on_air.publisher is None and on_air.due is None
            return waits and on_air.filler is token and not closing()

        slate = await asyncio.to_thread(self._load, on_air.live_stream_id)
        if slate is None or not wanted():
            return
        _log.info("slate", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id)
        feed = Feed(slate, on_air.sound)
        began = _begin(on_air, feed)
        while wanted():
            _write(on_air, feed.due(round((clock.monotonic() - began) * RATE)))
            await asyncio.sleep(TICK_S)
        if on_air.publisher is None and on_air.filler is token and on_air.state != "ended":
            on_air.stream.interrupt()  # the server stops: what was shown is closed

    def _load(self, live_stream_id: str) -> Slate | None:
        """Blocks on the disk."""
        try:
            return Slate.of(self._layout.slate(live_stream_id).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("a slate can't be shown", live_stream=live_stream_id, reason=str(error))
            return None


def _begin(on_air: OnAir, feed: Feed) -> float:
    now_ms, stream = clock.wall_ms(), on_air.stream
    on_air.health.fillers += 1
    stream.begin(now_ms, MPEG_TS_CLOCK)
    stream.configure(feed.slate.config, now_ms)
    if feed.sound is not None:
        stream.configure(feed.sound, now_ms)
    return clock.monotonic()


def _write(on_air: OnAir, samples: Iterator[Due]) -> None:
    now_ms, stream = clock.wall_ms(), on_air.stream
    for sample in samples:
        if sample.sound:
            stream.write_audio(sample.at, sample.data, now_ms)
        else:
            stream.write_video(sample.at, 0, sample.key, sample.data, now_ms)


def _silence(config: AudioConfig) -> bytes | None:
    return aac.silent_frame(config) if config.codec.startswith("mp4a.40") else None


def _store(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(data)
    temporary.replace(path)
