"""Upload-Metadata: `key base64,key base64,…`, and what its keys say about the video to be.

Keys with a meaning: filename, filetype, title, description, public, tags, metadata, videoId, replace. Others are kept
as they came. Source: tus 1.0.0, Creation, Upload-Metadata.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from server.errors import Problem

HEADER = "Upload-Metadata"
MAX_HEADER_CHARS = 16_384  # room for long titles and metadata in base64
MAX_KEYS = 64  # clients send under ten
MAX_KEY_CHARS = 255
MAX_TITLE_CHARS = 1_000
MAX_DESCRIPTION_CHARS = 10_000
MAX_FILENAME_CHARS = 1_000  # file systems stop at 255 bytes; some clients send the path
MAX_TAGS = 100
MAX_TAG_CHARS = 255
MAX_PAIRS = 100
MAX_PAIR_CHARS = 1_000

Pairs = Mapping[str, str]

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Description:
    """What the sender says about the file; None or empty where nothing was said."""

    filename: str | None = None
    filetype: str | None = None
    title: str | None = None
    description: str | None = None
    public: bool | None = None
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    video_id: str | None = None  # any spelling, unchecked
    replace: bool = False  # the file goes into the place of one that the video has


def parse(header: str | None) -> dict[str, str]:
    """The pairs in order. Raises Problem (400), which names the key at fault."""
    if header is None or not header.strip():
        return {}
    if len(header) > MAX_HEADER_CHARS:
        raise _refused(f"The header is longer than {MAX_HEADER_CHARS} characters.")
    items = header.split(",")
    if len(items) > MAX_KEYS:
        raise _refused(f"The header has more than {MAX_KEYS} keys.")
    pairs: dict[str, str] = {}
    for item in items:
        key, value = _pair(item)
        if key in pairs:
            raise _refused("The key appears twice.", key)
        pairs[key] = value
    return pairs


def encode(pairs: Pairs) -> str:
    """The header that `parse` reads as these pairs; an empty value is left out, as it may be. A key with a space is
    none of the client's, and is not told."""
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" if value else key
        for key, value in pairs.items()
        if " " not in key
    )


def describe(pairs: Pairs) -> Description:
    """What the pairs with a meaning say. Raises Problem (400), which names the key at fault."""
    values: dict[str, Any] = {}
    for key, (field, read) in _MEANINGS.items():
        if text := pairs.get(key, "").strip():
            values[field] = read(key, text)
    return Description(**values)


def _pair(item: str) -> tuple[str, str]:
    # "The key and value MUST be separated by a space. The key MUST NOT contain spaces and commas and MUST NOT
    # be empty. The key SHOULD be ASCII encoded and the value MUST be Base64 encoded. All keys MUST be unique."
    key, _, encoded = item.strip(" \t").partition(" ")
    if not key or len(key) > MAX_KEY_CHARS or not key.isascii() or not key.isprintable():
        raise _refused("A key must be 1 to 255 printable ASCII characters.")
    try:
        value = base64.b64decode(encoded.strip(" "), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _refused("The value must be UTF-8 text in Base64.", key) from None
    if "\0" in value:
        raise _refused("The value must not contain a NUL character.", key)
    return key, value


def _text(limit: int) -> Callable[[str, str], str]:
    def read(key: str, text: str) -> str:
        if len(text) > limit:
            raise _refused(f"The value is longer than {limit} characters.", key)
        return text

    return read


def _boolean(key: str, text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise _refused("The value must be true or false.", key)
    return _BOOLEANS[text.lower()]


def _tags(key: str, text: str) -> tuple[str, ...]:
    """A JSON list of texts, or texts between commas."""
    found = _json(key, text) if text.startswith("[") else text.split(",")
    if not isinstance(found, list) or not all(isinstance(tag, str) for tag in found):
        raise _refused("The value must be a list of texts.", key)
    tags = tuple(dict.fromkeys(tag.strip() for tag in found if tag.strip()))
    if len(tags) > MAX_TAGS or any(len(tag) > MAX_TAG_CHARS for tag in tags):
        raise _refused(f"At most {MAX_TAGS} tags of {MAX_TAG_CHARS} characters are taken.", key)
    return tags


def _metadata(key: str, text: str) -> tuple[tuple[str, str], ...]:
    """A JSON object of texts, or a JSON list of {"key", "value"}."""
    found = _json(key, text)
    if isinstance(found, list) and all(map(_is_pair, found)):
        pairs = [(pair["key"], pair["value"]) for pair in found]
    elif isinstance(found, dict):
        pairs = list(found.items())
    else:
        raise _refused("The value must be a JSON object, or a list of objects with key and value.", key)
    if not all(isinstance(part, str) and "\0" not in part for pair in pairs for part in pair):
        raise _refused("Keys and values in it must be texts.", key)
    if len(pairs) > MAX_PAIRS or any(len(part) > MAX_PAIR_CHARS for pair in pairs for part in pair):
        raise _refused(f"At most {MAX_PAIRS} pairs with texts of {MAX_PAIR_CHARS} characters are taken.", key)
    return tuple(pairs)


def _is_pair(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"key", "value"}


def _json(key: str, text: str) -> Any:
    try:  # orjson bounds the depth and refuses lone surrogates, which no database would take
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _refused("The value is not valid JSON.", key) from None


def _refused(detail: str, key: str | None = None) -> Problem:
    return Problem("invalid-attribute", detail=detail, name=f"{HEADER}.{key}" if key else HEADER)


# key -> (field of Description, how its text is read)
_MEANINGS: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "filename": ("filename", _text(MAX_FILENAME_CHARS)),
    "filetype": ("filetype", _text(MAX_KEY_CHARS)),
    "title": ("title", _text(MAX_TITLE_CHARS)),
    "description": ("description", _text(MAX_DESCRIPTION_CHARS)),
    "public": ("public", _boolean),
    "tags": ("tags", _tags),
    "metadata": ("metadata", _metadata),
    "videoId": ("video_id", _text(MAX_KEY_CHARS)),
    "replace": ("replace", _boolean),
}
