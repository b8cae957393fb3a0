"""Lengths on pictures as people write them: `20px` of the source, `5%` of a side. Pure."""

import re

LENGTH = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?)(px|%)", re.ASCII)


class LengthError(ValueError):
    """A sentence what is wrong with it."""


def pixels(text: str, side: int, scale: float = 1.0) -> float:
    """On a picture of which the side has so many pixels, and a source's pixel is `scale`. Raises LengthError."""
    value, is_share = parsed(text)
    return value * side / 100 if is_share else value * scale


def parsed(text: str) -> tuple[float, bool]:
    """The number, and whether it is per cent. Raises LengthError."""
    found = LENGTH.fullmatch(text)
    if found is None:
        raise LengthError(f"“{text[:20]}” is neither pixels, such as 20px, nor a share, such as 5%")
    return float(found[1]), found[2] == "%"
