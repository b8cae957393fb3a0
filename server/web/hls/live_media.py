"""What a request for a live rendition's media gets: decided without HTTP, so that all ways of answering agree.

    find(broadcasts, watch, ask)  ->  Reply     bytes in memory
                                      Stored    bytes of a file
                                      Growing   bytes in memory, and more to come
                                      Later     not yet: ask again with the window's next version
                                      Problem   raised
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from server import clock
from server.errors import Problem
from server.ingest.on_air import OnAir
from server.packager import playlist
from server.packager.playlist import Refuse, Wait
from server.packager.presentation import MEDIA_PLAYLIST
from server.packager.rendition import InMemory, Media, Rendition
from server.packager.window import OpenSegment, Window
from server.web.hls import files, gate
from server.web.hls.files import Bytes
from server.web.hls.gate import Watch

_INIT = re.compile(r"init-(\d{1,6})\.mp4", re.ASCII)
_SEGMENT = re.compile(r"(\d{1,9})\.m4s", re.ASCII)
_PART = re.compile(r"(\d{1,9})\.(\d{1,4})\.m4s", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)

# "successful responses to blocking Playlist requests … caches for six Target Durations" (RFC 8216bis 6.2.5.2, B.1)
BLOCKED_KEPT = 6  # target durations
POLLED_KEPT_S = 1  # a playlist that did not wait is stale with the next part


class Broadcasts(Protocol):
    """Who knows what is on air."""

    def get(self, live_stream_id: str) -> OnAir | None: ...


class Ask(NamedTuple):
    """What the URL says behind the token, and what the client understands."""

    broadcast: str
    rendition: str
    file: str
    query: Mapping[str, str]
    gzip: bool
    who: int = 0  # tells players apart, see `player`


def player(ip: str, agent: str, token: str | None) -> int:
    """Those with the same address, browser and token are one."""
    return hash((ip, agent, token))


class Reply(NamedTuple):
    """200. An etag means that ranges are offered and 304 is possible; it stands without its quotes."""

    body: Bytes | Sequence[Bytes]
    content_type: str
    cache: str
    etag: str | None = None
    encoding: str | None = None
    varies: bool = False  # with Accept-Encoding


class Stored(NamedTuple):
    """A file, or `size` bytes of it from `offset` on; the rest as in `Reply`."""

    path: Path
    offset: int
    size: int | None
    content_type: str
    cache: str
    etag: str


class Growing(NamedTuple):
    """A segment that is not whole yet, which players of DASH take as it is made."""

    window: Window
    segment: OpenSegment
    content_type: str
    cache: str


class Later(NamedTuple):
    """It comes with a later version of the window, or does not within `timeout_s`: then the answer is 503."""

    window: Window
    timeout_s: float


Found = Reply | Stored | Growing | Later


def find(broadcasts: Broadcasts, watch: Watch, ask: Ask) -> Found:
    """Raises Problem."""
    on_air = broadcasts.get(watch.asset.id)
    if on_air is None or on_air.broadcast_id != ask.broadcast:
        raise Problem("resource-not-found", "The broadcast has ended.")
    rendition = on_air.packager.renditions.get(ask.rendition)
    if rendition is None:
        raise Problem("resource-not-found")
    if watch.most is not None:
        gate.keep_to(watch, rendition.lines)
    if ask.file == MEDIA_PLAYLIST:
        on_air.health.pollers.seen(ask.who, clock.monotonic())
        return _playlist(watch, rendition, ask)
    return _media(watch, rendition, ask)


def _playlist(watch: Watch, rendition: Rendition, ask: Ask) -> Found:
    msn, part = _count(ask.query, "_HLS_msn"), _count(ask.query, "_HLS_part")
    window = rendition.window
    decision = playlist.decide(window, msn, part)
    if isinstance(decision, Refuse):
        raise Problem("request-invalid-query-parameter", decision.reason, name="_HLS_msn")
    if isinstance(decision, Wait):
        return Later(window, decision.timeout_s)
    delta = ask.query.get("_HLS_skip") in ("YES", "v2")
    kept_s = POLLED_KEPT_S if msn is None else BLOCKED_KEPT * window.target_duration_s
    return Reply(
        rendition.playlist.text(delta=delta, gzipped=ask.gzip),
        files.PLAYLIST,
        files.brief(watch, kept_s),
        encoding="gzip" if ask.gzip else None,
        varies=True,
    )


def _count(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not _COUNT.fullmatch(text):
        raise Problem("request-invalid-query-parameter", f"{name} is no number", name=name)
    return int(text)


def _media(watch: Watch, rendition: Rendition, ask: Ask) -> Found:
    name, window = ask.file, rendition.window
    if found := _PART.fullmatch(name):
        msn, part = int(found[1]), int(found[2])
        if _is_next(window, msn, part):  # what the playlist's preload hint names
            return Later(window, playlist.BLOCKED * window.target_duration_s)
        return _described(rendition.part(msn, part), watch, ask)
    if found := _SEGMENT.fullmatch(name):
        msn = int(found[1])
        if window.low_latency and window.open is not None and window.open.msn == msn:
            return Growing(window, window.open, files.segment_type(ask.rendition), files.immutable(watch))
        return _described(rendition.segment(msn), watch, ask)
    if found := _INIT.fullmatch(name):
        init = rendition.init(int(found[1]))
        return _described(InMemory([init]) if init else None, watch, ask)
    raise Problem("resource-not-found")


def _is_next(window: Window, msn: int, part: int) -> bool:
    if msn != window.next_msn or window.ended:
        return False
    return part == (len(window.open.parts) if window.open else 0)


def _described(found: Media | None, watch: Watch, ask: Ask) -> Found:
    """The newest bytes come from memory, older ones from their file."""
    if found is None:
        raise Problem("resource-not-found", headers={"Cache-Control": files.NEVER})
    content_type, cache = files.segment_type(ask.rendition), files.immutable(watch)
    etag = f"{ask.broadcast}-{ask.rendition}-{ask.file}"
    if isinstance(found, InMemory):
        return Reply(found.data, content_type, cache, etag)
    return Stored(found.path, found.offset, found.size, content_type, cache, etag)
