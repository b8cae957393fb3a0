"""Which part of a picture is shown: told of the picture as it is shown, found in the picture as it is coded. Pure.

Sides and places are even, as chroma has half of them.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from server.media import lengths
from server.media.facts import PictureFacts
from server.media.problems import Unreadable

LEAST = 16  # pixels of a side: an encoder's block
SLACK = 0.5  # pixels by which shares may be over: 33.333% and 66.667%


class Area(NamedTuple):
    """Pixels from the left upper corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Crop:
    """As lengths.LENGTH has it, of the upright picture in square pixels."""

    width: str
    height: str
    left: str = "0px"
    top: str = "0px"

    def coded(self, picture: PictureFacts) -> Area:
        """Of the picture as it is coded: lying, in whatever pixels it has. Raises Unreadable."""
        width, height = picture.shown_size
        x, across = _span("left", self.left, "width", self.width, width)
        y, down = _span("top", self.top, "height", self.height, height)
        x, y, across, down = _laid((x, y, across, down), (width, height), picture.rotation)
        sar = picture.sar[0] / picture.sar[1]
        return _even(x / sar, y, across / sar, down, picture)


def size(picture: PictureFacts, area: Area | None) -> tuple[int, int]:
    """What is shown of it, upright and in square pixels."""
    return (replace(picture, width=area.width, height=area.height) if area else picture).shown_size


def _span(near: str, offset: str, length: str, value: str, side: int) -> tuple[float, float]:
    start, extent = lengths.pixels(offset, side), lengths.pixels(value, side)
    if start + extent > side + SLACK:
        raise Unreadable(
            "crop", f"crop.{near} {offset} and crop.{length} {value} are more than the picture's {side} pixels"
        )
    return start, extent


def _laid(
    area: tuple[float, float, float, float], shown: tuple[int, int], rotation: int
) -> tuple[float, float, float, float]:
    """Before the picture was turned `rotation` degrees clockwise."""
    x, y, width, height = area
    if rotation == 90:
        return y, shown[0] - x - width, height, width
    if rotation == 180:
        return shown[0] - x - width, shown[1] - y - height, width, height
    if rotation == 270:
        return shown[1] - y - height, x, height, width
    return area


def _even(x: float, y: float, width: float, height: float, picture: PictureFacts) -> Area:
    left, top = 2 * round(max(0.0, x) / 2), 2 * round(max(0.0, y) / 2)
    across = min(2 * round(width / 2), (picture.width - left) // 2 * 2)
    down = min(2 * round(height / 2), (picture.height - top) // 2 * 2)
    if min(across, down) < LEAST:
        raise Unreadable(
            "crop", f"crop.width and crop.height leave {across} x {down} pixels, which are less than {LEAST} x {LEAST}"
        )
    return Area(left, top, across, down)
