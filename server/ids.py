"""Identifiers: a UUIDv4 in base58, left-padded to 22 characters, behind a prefix that says what it names.

One row has three spellings: the prefixed one (canonical, stored), the bare base58, and the UUID.
"""

import re
import uuid

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_LENGTH = 22  # 58**22 > 2**128
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")

PREFIXES = {
    "project": "pr",
    "video": "vi",
    "live stream": "li",
    "broadcast": "br",
    "restream": "rs",
    "upload": "up",
    "partial upload": "pu",
    "upload token": "to",
    "upload session": "us",
    "import": "im",
    "playback id": "pb",
    "session": "ps",
    "player": "pl",
    "folder": "fo",
    "custom field": "cf",
    "collection": "co",
    "poster": "po",
    "annotation": "an",
    "material": "ma",
    "summary": "summary_",
    "webhook": "webhook_",
    "watermark": "watermark_",
    "API key": "key_",
    "signing key": "sk_",
    "OAuth app": "app_",
    "OAuth grant": "grant_",
    "playback restriction": "restriction_",
    "event": "ev",
    "audit entry": "au",
    "delivery": "de",
    "job": "jo",
    "playlist": "py",
    "tag": "ta",
    "privacy domain": "pd",
    "file request": "fr",
    "DRM callback": "dc",
    "delivery zone": "zo",
}


class InvalidId(ValueError):
    """The text is no spelling of an id of the wanted kind."""


def new(prefix: str) -> str:
    """A fresh id of the kind that `prefix` names."""
    return prefix + encode(uuid.uuid4())


def canonical(prefix: str, text: str) -> str:
    """The stored spelling of an id given prefixed, as bare base58, or as a UUID.

    Raises InvalidId.
    """
    return prefix + encode(to_uuid(prefix, text))


def to_uuid(prefix: str, text: str) -> uuid.UUID:
    """The UUID behind any spelling of an id. Raises InvalidId."""
    if len(text) in (32, 36) and _UUID.fullmatch(text):
        return uuid.UUID(text)
    bare = text.removeprefix(prefix) if len(text) == len(prefix) + _LENGTH else text
    if len(bare) != _LENGTH:
        raise InvalidId(f"not a {prefix} id")
    number = 0
    for character in bare:
        value = _VALUES.get(character)
        if value is None:
            raise InvalidId(f"not a {prefix} id")
        number = number * 58 + value
    if number >> 128:
        raise InvalidId(f"not a {prefix} id")
    return uuid.UUID(int=number)


def encode(value: uuid.UUID) -> str:
    """22 characters of base58."""
    number, digits = value.int, []
    for _ in range(_LENGTH):
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
