"""What of an HLS stream makes one file: the best variant, the sound that belongs to it, and the pieces of both.

Playlists are read by the library `m3u8`; here is which of them can be one file, and a sentence for those that can't.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import m3u8

from server.client.api import SCHEMES

PLAYLIST_BYTES = 8 * 1024 * 1024  # a day of segments of two seconds has half of it
MAX_SEGMENTS = 50_000
MAX_KEYS = 1000  # lines that name one: the library compares them with each other
MAX_SOUNDS = 16  # languages
MAX_VARIANTS = 1000  # and lines of what goes with them: the library gives each variant a list of its own of those
IV_BYTES = 16
LIMITS: Mapping[tuple[str, ...], int] = {
    ("#EXTINF",): MAX_SEGMENTS,
    ("#EXT-X-KEY", "#EXT-X-SESSION-KEY"): MAX_KEYS,
    ("-STREAM-INF",): MAX_VARIANTS,  # also those of key frames and of images
    ("#EXT-X-MEDIA",): MAX_VARIANTS,
}  # lines -> how many; looked at first, for the library takes time and memory by their products

NO_HLS = "What its HLS address gives is no playlist."
GROWING = "Its HLS stream is still being made, or is live. Import again once it has ended."
BROKEN_UP = "Its HLS stream has discontinuities, so it can't be joined to one file."
GAPS = "Parts of its HLS stream are missing."
INITS = "Its HLS stream changes its init segment, so it can't be joined to one file."
LOCKED = "Its HLS stream is encrypted with {}, and no key for that can be had."
TOO_MUCH = "Its HLS stream has too many parts."


class Unusable(Exception):
    """There is no file to be made of the stream. str() of it is a sentence."""


@dataclass(frozen=True, slots=True)
class Key:
    """AES-128 (RFC 8216, section 4.3.2.4)."""

    url: str
    iv: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment or an init segment. `byte_range`: (first byte, length)."""

    url: str
    byte_range: tuple[int, int] | None = None
    key: Key | None = None
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Stream:
    """A media playlist that has ended."""

    init: Piece | None
    segments: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Sound:
    url: str
    language: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """`url` None: the playlist that was read is a media playlist itself. `sounds`: those apart from the pictures;
    `heard`: the pictures' own stream has sound, too."""

    url: str | None
    sounds: tuple[Sound, ...] = ()
    heard: bool = True


def chosen(playlist: str, url: str) -> Chosen:
    """The variant of the highest bandwidth, with the sound of its group. Raises Unusable."""
    found = _parsed(playlist)
    if not found.playlists:
        return Chosen(None)
    best = max(found.playlists, key=_rank)
    group = best.stream_info.audio
    own = [one for one in found.media if one.type == "AUDIO" and group and one.group_id == group]
    own.sort(key=lambda one: one.default != "YES")
    sounds = tuple(Sound(_address(url, one.uri), one.language or "") for one in own if one.uri)
    variant = _address(url, best.uri)
    heard = not own or any(not one.uri or _address(url, one.uri) == variant for one in own)
    return Chosen(variant, tuple(one for one in sounds if one.url != variant)[:MAX_SOUNDS], heard)


def stream(playlist: str, url: str) -> Stream:
    """Of a media playlist. Raises Unusable."""
    found = _parsed(playlist)
    if not found.segments:
        raise Unusable(NO_HLS if not found.is_endlist else "Its HLS stream is empty.")
    if not found.is_endlist:
        raise Unusable(GROWING)
    _check(found.segments)
    return Stream(_init(found.segments, url), tuple(_pieces(found.segments, url, found.media_sequence or 0)))


def _parsed(playlist: str) -> Any:
    """Raises Unusable."""
    if not playlist.lstrip("\ufeff \r\n").startswith("#EXTM3U"):
        raise Unusable(NO_HLS)
    if any(sum(map(playlist.count, lines)) > most for lines, most in LIMITS.items()):
        raise Unusable(TOO_MUCH)
    try:
        return m3u8.loads(playlist)
    except Exception:  # of whatever kind: the library tells no errors of its own for most of what may be wrong
        raise Unusable(NO_HLS) from None


def _rank(variant: Any) -> tuple[int, int]:
    info = variant.stream_info
    return info.bandwidth or 0, (info.resolution or (0, 0))[1]


def _check(segments: Sequence[Any]) -> None:
    """Raises Unusable."""
    if any(one.discontinuity for one in segments[1:]):
        raise Unusable(BROKEN_UP)
    if any(one.gap_tag or not one.uri for one in segments):
        raise Unusable(GAPS)
    for one in segments:
        key = one.key
        if key is None or key.method == "NONE":
            continue
        if key.method != "AES-128" or (key.keyformat or "identity") != "identity" or not key.uri:
            raise Unusable(LOCKED.format(key.method or "an unknown method"))


def _init(segments: Sequence[Any], url: str) -> Piece | None:
    """Raises Unusable."""
    maps = [one.init_section for one in segments]
    if all(one is None for one in maps):
        return None
    first = maps[0]
    if first is None or not first.uri or any(one is None or one != first for one in maps):
        raise Unusable(INITS)
    key = segments[0].key
    return Piece(
        _address(url, first.uri), _range(first.byterange, 0) if first.byterange else None,
        _key(key, url, 0) if _locks(key) and key.iv else None,
    )  # fmt: skip


def _pieces(segments: Sequence[Any], url: str, first: int) -> list[Piece]:
    """`first`: media sequence number. Raises Unusable."""
    found: list[Piece] = []
    ends: Mapping[str, int] = {}  # of the range before: one that tells no place follows it
    start_s = 0.0
    for number, one in enumerate(segments, first):
        where = _address(url, one.uri)
        byte_range = _range(one.byterange, ends.get(where)) if one.byterange else None
        found.append(Piece(where, byte_range, _key(one.key, url, number) if _locks(one.key) else None, start_s))
        ends = {where: sum(byte_range)} if byte_range else {}
        start_s += max(0.0, one.duration or 0.0)
    return found


def _locks(key: Any) -> bool:
    return key is not None and key.method != "NONE"


def _key(key: Any, url: str, number: int) -> Key:
    """`number`: of the segment, which is the initialization vector where none is told. Raises Unusable."""
    iv = number.to_bytes(IV_BYTES, "big")
    if key.iv:
        try:
            iv = int(key.iv, 16).to_bytes(IV_BYTES, "big")
        except (ValueError, OverflowError):
            raise Unusable(NO_HLS) from None
    return Key(_address(url, key.uri), iv)


def _range(said: str, after: int | None) -> tuple[int, int]:
    """`length@first`, or the length alone, of what begins at `after`. Raises Unusable."""
    length, at, first = said.partition("@")
    numbers = [length, *([first] if at else [])]
    if not all(one.isascii() and one.isdigit() and len(one) <= 15 for one in numbers) or int(length) == 0:
        raise Unusable(NO_HLS)
    if not at and after is None:
        raise Unusable(NO_HLS)
    return (int(first) if at else after or 0), int(length)


def _address(url: str, uri: str) -> str:
    """Raises Unusable."""
    try:
        found = urljoin(url, uri)
    except ValueError:
        raise Unusable(NO_HLS) from None
    if not found.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)):
        raise Unusable("Its HLS stream leads to something that is neither http nor https.")
    return found
