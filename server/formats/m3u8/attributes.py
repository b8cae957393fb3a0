"""Attribute lists, the `NAME=value,NAME="value"` after a tag (RFC 8216bis 4.2)."""

import re
from collections.abc import Iterable

DECIMALS = 5  # of a second: a hundredth of a millisecond, below one tick of any timescale in use

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=(?:"([^"\r\n]*)"|([^",\s]+))(,(?=.)|\Z)')
UNQUOTABLE = re.compile(r'["\r\n]')
CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


class M3u8Error(ValueError):
    """The text is no attribute list, or the value cannot be written in one."""


def quoted(text: str) -> str:
    """A quoted-string. Raises M3u8Error for text with a quote or a line end, for which HLS has no escape."""
    if UNQUOTABLE.search(text):
        raise M3u8Error(f"no quoted string can hold {text!r}")
    return f'"{text}"'


def label(text: str) -> str:
    """A quoted-string of text that people wrote: quotes become apostrophes, control characters spaces."""
    return '"' + CONTROLS.sub(" ", text).replace('"', "'") + '"'


def decimal(value: float) -> str:
    """A decimal-floating-point without needless zeros."""
    return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")


def attribute_list(attributes: Iterable[tuple[str, str | None]]) -> str:
    """The attributes in order; those whose value is None are left out."""
    return ",".join(f"{name}={value}" for name, value in attributes if value is not None)


def parse_attributes(text: str) -> dict[str, str]:
    """Values by name, quoted strings without their quotes. Raises M3u8Error."""
    attributes: dict[str, str] = {}
    position = 0
    while position < len(text):
        found = ATTRIBUTE.match(text, position)
        if found is None:
            raise M3u8Error(f"no attribute at {position}")
        name, string, word = found.group(1, 2, 3)
        if name in attributes:
            raise M3u8Error(f"attribute {name} twice")
        attributes[name] = word if string is None else string
        position = found.end()
    return attributes
