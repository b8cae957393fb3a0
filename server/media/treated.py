"""Stills of a video whose pictures are altered, as they are shown: cropped, with the watermark. Runs in children only.

They are treated like those of the renditions that are made of the same source, so that nothing else can be seen of it.
"""

from collections.abc import Iterator

from av.video.frame import VideoFrame

from server.media.fitting import MAX_SIDE
from server.media.ladder import Rung
from server.media.orders import Treatment
from server.media.pictures import DecodeError
from server.media.reading import TIME_BASE
from server.media.scaling import shape_of
from server.media.stills import Shot, Stills
from server.media.treating import Treater, cropped

PIXELS = "yuv420p"


class Treated:
    """Upright, in square pixels, no side longer than MAX_SIDE. Its methods raise LengthError too."""

    rotation = 0
    sar = (1, 1)

    def __init__(self, source: Stills, treatment: Treatment, image: VideoFrame | None) -> None:
        """`image` is that of the treatment's watermark."""
        self._source = source
        self._treatment = treatment
        self._image = image
        self._treater: Treater | None = None
        self._count = 0

    def key(self, at_s: float) -> Shot:
        return self._shown(self._source.key(at_s))

    def exact(self, at_s: float) -> Shot:
        return self._shown(self._source.exact(at_s))

    def between(self, start_s: float, end_s: float) -> Iterator[Shot]:
        return map(self._shown, self._source.between(start_s, end_s))

    def _shown(self, shot: Shot) -> Shot:
        frame, shape = shot.frame, shape_of(shot.frame)
        if self._treater is None or self._treater.shape != shape:
            self._treater = Treater(shape, (self._rung(frame),), self._treatment, PIXELS, self._image)
        self._count += 1
        frame.pts, frame.time_base = self._count, TIME_BASE
        found = list(self._treater.treat(frame))
        if not found:  # a filter waits for the next one
            found, self._treater = list(self._treater.treat(None)), None
        if not found:
            raise DecodeError("nothing comes out of the filters")
        return Shot(shot.at_s, found[-1][0])

    def _rung(self, frame: VideoFrame) -> Rung:
        width, height = cropped(self._treatment, (frame.width, frame.height))[2:]
        across, down = width * self._source.sar[0] / self._source.sar[1], float(height)
        if self._treatment.rotation % 180:
            across, down = down, across
        factor = min(1.0, MAX_SIDE / max(across, down))
        return Rung("", _even(across * factor), _even(down * factor), (1, 1), 0, 1, None)


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)
