"""What images can be made of a video, as orders to the child that makes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from server.media.fitting import Box

# As Mux has it: fifty tiles, of films a hundred.
TILES, TILES_OF_LONG, LONG_S = 50, 100, 900.0
LEAST_STEP_S = 1.0
CANDIDATES_LOOKED_AT = 16


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted: `make` as server.media.images takes it, `outputs` the files of one making.

    `of_poster`: made of the poster, not of the video.
    """

    make: Mapping[str, Any]
    outputs: tuple[str, ...]
    of_poster: bool = False

    def key(self, of: str) -> str:
        """The name of what is made of `of`, a subject at a moment."""
        told = json.dumps([of, self.outputs, *sorted(self.make.items())])
        return sha256(told.encode()).hexdigest()[:32]


def thumbnail(output: str, at_s: float, box: Box, exact: bool = False) -> Order:
    make = {"kind": "thumbnail", "at_s": round(at_s, 3), "exact": exact, **box._asdict()}
    return Order(make, (output,))


def poster(output: str, box: Box) -> Order:
    make = {"kind": "thumbnail", "at_s": 0.0, "exact": False, **box._asdict()}
    return Order(make, (output,), of_poster=True)


def animated(output: str, start_s: float, end_s: float, box: Box, fps: int) -> Order:
    times = {"start_s": round(start_s, 3), "end_s": round(end_s, 3)}
    return Order({"kind": "animated", "fps": fps, **times, **box._asdict()}, (output,))


def storyboard(duration_s: float) -> Order:
    """A sheet, as JPEG and as WebP, and what is on it."""
    return Order({"kind": "storyboard", "times": tile_times(duration_s)}, ("jpg", "webp", "json"))


def candidates(duration_s: float) -> Order:
    """Moments that would do for a poster."""
    return Order({"kind": "candidates", "times": candidate_times(duration_s)}, ("json",))


def candidate_times(duration_s: float) -> list[float]:
    """Where to look, seconds: all over the video."""
    count = min(CANDIDATES_LOOKED_AT, max(1, int(duration_s)))
    return [round((number + 0.5) * duration_s / count, 3) for number in range(count)]


def tile_times(duration_s: float) -> list[float]:
    """When each tile of a storyboard begins, seconds."""
    most = TILES_OF_LONG if duration_s >= LONG_S else TILES
    step_s = max(LEAST_STEP_S, duration_s / most)
    count = min(most, max(1, int(duration_s / step_s + 0.999)))
    return [round(number * step_s, 3) for number in range(count)]
