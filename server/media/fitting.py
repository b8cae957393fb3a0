"""How a picture is brought to a wanted size, in Mux's words (its `fit_mode`).

    preserve   inside the wanted box, in its own shape; never enlarged
    stretch    exactly the box, its shape bent
    crop       exactly the box, what is over cut away on both sides
    pad        exactly the box, with black beside the picture
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

Fit = Literal["preserve", "stretch", "crop", "pad"]

# The same by the words of CSS (object-fit), which others have taken over.
FITS: Mapping[str, Fit] = {
    "preserve": "preserve",
    "stretch": "stretch",
    "crop": "crop",
    "pad": "pad",
    "contain": "preserve",
    "fill": "stretch",
    "cover": "crop",
}
MAX_SIDE = 1920  # pixels of a made picture: what fills a common screen
MIN_SIDE = 16

Size = tuple[int, int]
Filter = tuple[str, str]  # name, arguments


class Box(NamedTuple):
    """A wanted size; what is None follows from the other, or is the picture's own."""

    width: int | None = None
    height: int | None = None
    fit: Fit = "preserve"

    @property
    def both(self) -> Size | None:
        return (self.width, self.height) if self.width and self.height else None


def scaled(shown: Size, box: Box) -> Size:
    """The size that the whole picture is scaled to; even, since chroma has half the samples each way."""
    width, height = shown
    both = box.both
    if both is None or box.fit in ("preserve", "pad"):
        limits = ((box.width or MAX_SIDE) / width, (box.height or MAX_SIDE) / height)
        factor = min(limits) if both and box.fit == "pad" else min(1.0, *limits)
        return _even(width * factor), _even(height * factor)
    if box.fit == "stretch":
        return _even(both[0]), _even(both[1])
    factor = max(both[0] / width, both[1] / height)
    return max(_even(both[0]), _even(width * factor)), max(_even(both[1]), _even(height * factor))


def trimmed(shown: Size, box: Box) -> Iterator[Filter]:
    """libav's filters from the scaled picture to the wanted one."""
    both = box.both
    if both is None or box.fit not in ("crop", "pad"):
        return
    size = _even(both[0]), _even(both[1])
    if scaled(shown, box) != size:
        yield box.fit, "{}:{}:(ow-iw)/2:(oh-ih)/2".format(*size) if box.fit == "pad" else "{}:{}".format(*size)


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)
