"""Where a watermark lies on a picture. Pure.

Distances and sizes are `lengths`: shares are of the picture's width (left, right, width) or height (top, bottom,
height); `initial` is what follows from the rest.
"""

from dataclasses import dataclass
from typing import NamedTuple

from server.media import lengths

INITIAL = "initial"


class Place(NamedTuple):
    """Pixels from the left upper corner of the picture; part of it may be outside."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Watermark:
    """One image over all pictures. With neither `left` nor `right` it is at the left, and so on."""

    left: str | None = None
    right: str | None = None
    top: str | None = None
    bottom: str | None = None
    width: str = INITIAL
    height: str = INITIAL
    opacity: float = 1.0  # 0 (nothing is seen) to 1


def place(mark: Watermark, picture: tuple[int, int], image: tuple[int, int], scale: float = 1.0) -> Place:
    """On a picture of this size, of an image of that; a source's pixel is `scale` of the picture's.

    Raises LengthError.
    """
    width, height = _size(mark, picture, image, scale)
    x = _offset(mark.left, mark.right, picture[0], width, scale)
    y = _offset(mark.top, mark.bottom, picture[1], height, scale)
    return Place(x, y, width, height)


def _size(
    mark: Watermark, picture: tuple[int, int], image: tuple[int, int], scale: float
) -> tuple[int, int]:
    """Unless both sides are told the image keeps its shape; at most the picture's own size, so that no memory is asked
    for more."""
    width = None if mark.width == INITIAL else lengths.pixels(mark.width, picture[0], scale)
    height = None if mark.height == INITIAL else lengths.pixels(mark.height, picture[1], scale)
    if width is not None and height is not None:
        return _within(width, picture[0]), _within(height, picture[1])
    if width is not None:
        factor = width / image[0]
    elif height is not None:
        factor = height / image[1]
    else:
        factor = scale
    factor = min(factor, picture[0] / image[0], picture[1] / image[1])
    return _within(image[0] * factor, picture[0]), _within(image[1] * factor, picture[1])


def _within(side: float, most: int) -> int:
    return max(1, min(most, round(side)))


def _offset(near: str | None, far: str | None, side: int, size: int, scale: float) -> int:
    if near is not None and near != INITIAL:
        return round(lengths.pixels(near, side, scale))
    if far is not None and far != INITIAL:
        return side - size - round(lengths.pixels(far, side, scale))
    return 0
