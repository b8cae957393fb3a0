"""Where a watermark lies on a picture. Pure.

Distances and sizes are told as people write them: `20px` of the source, `5%` of the picture's width (left, right,
width) or height (top, bottom, height), `initial` for what follows from the rest.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

MEASURE = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?)(px|%)")
INITIAL = "initial"


class WatermarkError(ValueError):
    """A sentence why it can't be placed so."""


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

    def check(self) -> None:
        """Raises WatermarkError."""
        for value in (self.left, self.right, self.top, self.bottom, self.width, self.height):
            if value is not None and value != INITIAL:
                _measure(value, 100, 1.0)
        if not 0 <= self.opacity <= 1:
            raise WatermarkError("the opacity is between 0 and 1")


def place(mark: Watermark, picture: tuple[int, int], image: tuple[int, int], scale: float = 1.0) -> Place:
    """On a picture of this size, of an image of that; a source's pixel is `scale` of the picture's.

    Raises WatermarkError.
    """
    width, height = _size(mark, picture, image, scale)
    x = _offset(mark.left, mark.right, picture[0], width, scale)
    y = _offset(mark.top, mark.bottom, picture[1], height, scale)
    return Place(x, y, width, height)


def _size(
    mark: Watermark, picture: tuple[int, int], image: tuple[int, int], scale: float
) -> tuple[int, int]:
    """One side alone keeps the image's shape; at most the picture's own size, so that no memory is asked for more."""
    width = None if mark.width == INITIAL else _measure(mark.width, picture[0], scale)
    height = None if mark.height == INITIAL else _measure(mark.height, picture[1], scale)
    if width is None and height is None:
        width, height = image[0] * scale, image[1] * scale
    elif height is None:
        assert width is not None
        height = width * image[1] / image[0]
    elif width is None:
        width = height * image[0] / image[1]
    assert width is not None
    return _within(width, picture[0]), _within(height, picture[1])


def _within(side: float, most: int) -> int:
    return max(1, min(most, round(side)))


def _offset(near: str | None, far: str | None, side: int, size: int, scale: float) -> int:
    if near in (None, INITIAL) and far not in (None, INITIAL):
        assert far is not None
        return side - size - round(_measure(far, side, scale))
    return 0 if near in (None, INITIAL) or near is None else round(_measure(near, side, scale))


def _measure(text: str, whole: int, scale: float) -> float:
    """Pixels of the picture."""
    found = MEASURE.fullmatch(text)
    if found is None:
        raise WatermarkError(f"“{text[:20]}” is neither pixels, such as 20px, nor a share, such as 5%")
    value = float(found[1])
    return value * whole / 100 if found[2] == "%" else value * scale
