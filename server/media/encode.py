"""The child that encodes pictures: some segments of all renditions of a video, with one decoding.

    arguments  {"source": fd, "index": fd or null, "order": PictureOrder, "outputs": {rendition: fd},
               "watermark": fd or null}
    events     {"event": "described", "rendition", "init": base64, "codec", "timescale", "width", "height", …}
               {"event": "segment", "rendition", "number", "start", "duration", "size"}   whole in the output
               {"event": "result", "pictures", "damaged", "skipped"}       those before the first one shown
               {"event": "problem", "code", "detail"}                                     nothing can be made of it

    decode ──► treat (one graph) ──► a lane for each rendition: encode ──► segments ──► output

Segments begin with a key frame at their cut, or at the first picture after it; a segment in which nothing new is shown
repeats the picture before. Pictures keep their own times, however uneven.
"""

import base64
import os
import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import astuple
from functools import partial
from typing import Any

import av.logging
from av.error import FFmpegError
from av.video.frame import VideoFrame

from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import video_part
from server.media import guard
from server.media.decoding import DecoderError
from server.media.encoders import Coded, EncoderError, Look, Settings, pixel_format, track_config
from server.media.ladder import Rung
from server.media.lanes import Lane
from server.media.lengths import LengthError
from server.media.orders import TIMESCALE, PictureOrder
from server.media.pictures import DecodeError
from server.media.reading import TIME_BASE, Damage, Picture, pictures
from server.media.scaling import shape_of
from server.media.stills import image
from server.media.treating import Treater

# A picture that comes later than this after a cut does not begin the segment: the one before is repeated at the cut.
LATE = TIMESCALE // 4
B_FRAMES = 3


class NothingDecodes(Exception):
    """There is no picture in the segments that are asked for."""


class Output:
    """A rendition's file. Everything but `finish` comes from its lane's thread."""

    def __init__(self, rung: Rung, encoder: str, fd: int, first: int, begins: int, say: guard.Say) -> None:
        """`begins`: segments before it are made and not written."""
        self._rung = rung
        self._encoder = encoder
        self._fd = fd
        self._number = first
        self._begins = begins
        self._say = say
        self._units: list[Coded] = []

    def describe(self, record: bytes) -> None:
        config = track_config(self._encoder, record, TIMESCALE)
        self._say(
            {
                "event": "described",
                "rendition": self._rung.name,
                "init": base64.b64encode(init_segment(config)).decode(),
                "codec": config.codec,
                "timescale": TIMESCALE,
                "width": self._rung.width,
                "height": self._rung.height,
                "frame_rate": round(self._rung.frame_rate or 0.0, 3),
            }
        )

    def take(self, unit: Coded) -> None:
        if unit.key and self._units:
            self._write(unit.pts)
        self._units.append(unit)

    def finish(self, end: int) -> None:
        """The lane has ended; the last segment lasts until then."""
        if self._units:
            self._write(end)

    def _write(self, end: int) -> None:
        """A closed group of pictures: shown in the order of their times, the first one first."""
        units, self._units = self._units, []
        if self._number < self._begins:
            self._number += 1
            return
        times = sorted(unit.pts for unit in units)
        durations = [after - before for before, after in zip(times, [*times[1:], max(end, times[-1] + 1)], strict=True)]
        data = video_part(
            self._number + 1,
            times[0],
            durations,
            [unit.pts - time for unit, time in zip(units, times, strict=True)],
            [unit.key for unit in units],
            [unit.data for unit in units],
        )
        _write_all(self._fd, data)
        self._say(
            {
                "event": "segment",
                "rendition": self._rung.name,
                "number": self._number,
                "start": times[0],
                "duration": sum(durations),
                "size": len(data),
            }
        )
        self._number += 1


class Encoding:
    """One order."""

    def __init__(
        self, order: PictureOrder, outputs: dict[str, int], say: guard.Say, watermark: VideoFrame | None = None
    ) -> None:
        self._order = order
        self._watermark = watermark
        self._lock = threading.Lock()
        self._told = say
        self._failure: str | None = None
        self._unwritten: OSError | None = None  # the disk's fault, and not the file's
        self.pictures = 0
        self.skipped = 0
        # ends of segments; the last is where the order ends
        self._cuts = order.cuts
        self._segment = -1  # that the last picture was in, of this order
        self._last: VideoFrame | None = None
        self._last_pts = -1
        self._keys: set[int] = set()
        self._treater: Treater | None = None
        self._end = order.cuts[-1]
        self._late = LATE if order.slack is None else 0
        self._look: Look | None = Look(*order.look) if order.look else None
        begins = order.begins or (order.first,) * len(order.rungs)
        self._outputs = [
            Output(rung, order.encoder, outputs[rung.name], order.first, begin, self._say)
            for rung, begin in zip(order.rungs, begins, strict=True)
        ]
        self._lanes = [self._lane(rung, output) for rung, output in zip(order.rungs, self._outputs, strict=True)]

    def run(self, found: Iterator[Picture]) -> None:
        """Raises NothingDecodes, FFmpegError, RuntimeError where an encoder fails, OSError where the disk does."""
        held: VideoFrame | None = None  # on show when the order begins
        for picture in found:
            pts = self._placed(picture.pts)
            if pts < self._cuts[0]:
                held = picture.frame
                self.skipped += 1
                continue
            if pts >= self._cuts[-1]:
                self._end = min(self._end, self._beginning_of_next(pts))
                held = held or picture.frame  # the first of all: it is shown from the beginning on
                break
            self._take(Picture(pts, picture.frame), held)
            self._check()
        if self._segment < 0:
            if held is None:
                raise NothingDecodes
            self._show(held, self._cuts[0], 0)
        self._repeat_until(len(self._cuts) - 2)
        self._finish()

    def _beginning_of_next(self, pts: int) -> int:
        """When the segment after the order begins: with this picture, unless it is late."""
        return self._cuts[-1] if pts > self._cuts[-1] + self._late else pts

    def _placed(self, pts: int) -> int:
        """When a picture is shown: at the cut that it is next to."""
        slack, at = self._order.slack or 0, bisect_left(self._cuts, pts)
        return next((cut for cut in self._cuts[max(0, at - 1) : at + 1] if abs(cut - pts) <= slack), pts)

    def _take(self, picture: Picture, held: VideoFrame | None) -> None:
        segment, pts = self._segment_of(picture.pts), picture.pts
        if self._segment < 0 and (segment > 0 or pts > self._cuts[0] + (LATE if held is None else self._late)):
            self._show(held or picture.frame, self._cuts[0], 0)
        self._repeat_until(segment if pts > self._cuts[segment] + self._late else segment - 1)
        if self._segment < 0 and (self._order.first == 0 or self._order.slack is not None):
            pts = self._cuts[0]  # players stall on a hole at the beginning: the first picture is held
        if pts > self._last_pts:
            self._show(picture.frame, pts, segment)

    def _segment_of(self, pts: int) -> int:
        segment = max(self._segment, 0)
        while pts >= self._cuts[segment + 1]:
            segment += 1
        return segment

    def _repeat_until(self, segment: int) -> None:
        """Segments in which nothing new is shown."""
        while self._segment < segment and self._last is not None:
            self._show(self._last, self._cuts[self._segment + 1], self._segment + 1)

    def _show(self, frame: VideoFrame, pts: int, segment: int) -> None:
        if segment > self._segment:
            self._keys.add(pts)
        self._segment, self._last, self._last_pts = segment, frame, pts
        self.pictures += 1
        frame.pts, frame.time_base = pts, TIME_BASE
        shape = shape_of(frame)
        if self._treater is None or self._treater.shape != shape:
            self._drain()
            order = self._order
            pixels = pixel_format(order.encoder)
            self._treater = Treater(shape, order.rungs, order.treatment, pixels, self._watermark, order.stage)
        for treated in self._treater.treat(frame):
            self._put(treated)

    def _drain(self) -> None:
        if self._treater is not None:
            for treated in self._treater.treat(None):
                self._put(treated)

    def _put(self, treated: list[VideoFrame]) -> None:
        pts = _ticks(treated[0])
        key = pts in self._keys
        self._look = self._look or Look.of(treated[0])
        for lane, frame in zip(self._lanes, treated, strict=True):
            if lane.takes(key):
                frame.pts, frame.time_base = pts, TIME_BASE
                lane.put(frame, key, lane.rung.bitrate)

    def _finish(self) -> None:
        self._drain()
        for lane in self._lanes:
            lane.finish()
        self._check()
        for output in self._outputs:
            output.finish(self._end)

    def _lane(self, rung: Rung, output: Output) -> Lane:
        order = self._order
        settings = Settings(
            TIMESCALE, order.lookahead, order.preset, f"{order.quality - rung.finer:g}", B_FRAMES, order.threads,
            Look(*order.look) if order.look else None, order.sets,
        )  # fmt: skip
        take = partial(self._write, output)
        return Lane(rung, order.encoder, settings, 0, output.describe, take, self._failed)

    def _write(self, output: Output, unit: Coded) -> None:
        try:
            output.take(unit)
        except OSError as error:
            self._unwritten = error
            raise EncoderError(f"the disk does not take it ({error.strerror})") from error

    def _check(self) -> None:
        """Raises what a lane failed with."""
        if self._unwritten is not None:
            raise self._unwritten
        if self._failure:
            raise RuntimeError(self._failure)

    def _failed(self, reason: str) -> None:
        self._failure = reason

    def _say(self, event: dict[str, Any]) -> None:
        if event["event"] == "described" and self._look is not None:
            event["look"] = astuple(self._look)
        with self._lock:
            self._told(event)


def _ticks(frame: VideoFrame) -> int:
    """Filters may count finer than what they are given."""
    return round((frame.pts or 0) * (frame.time_base or TIME_BASE) * TIMESCALE)


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    av.logging.set_level(None)
    order, damage = PictureOrder.of_json(arguments["order"]), Damage()
    found = pictures(arguments["source"], arguments["index"], order.reading, order.cuts[0], damage)
    try:
        encoding = Encoding(order, arguments["outputs"], say, image(arguments["watermark"]))
        encoding.run(found)
    except (LengthError, DecodeError) as error:
        say({"event": "problem", "code": "invalid", "detail": f"the watermark can't be used: {error}"})
    except NothingDecodes:
        say({"event": "problem", "code": "invalid", "detail": "no picture of the file could be decoded"})
    except (FFmpegError, DecoderError) as error:
        say({"event": "problem", "code": "invalid", "detail": f"the pictures could not be read ({error})"})
    except RuntimeError as error:
        say({"event": "problem", "code": "failed", "detail": f"the encoder failed: {error}"})
    else:
        told = {"pictures": encoding.pictures, "damaged": damage.pictures, "skipped": encoding.skipped}
        say({"event": "result", **told})


if __name__ == "__main__":
    guard.run(work)
