"""HLS playlists as a player reads them."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urljoin

from tests.bench.client import Http, HttpError

NOT_YET = (HttpError, OSError, ValueError, TimeoutError, asyncio.IncompleteReadError)


@dataclass(slots=True)
class Playlist:
    """A media playlist, or a multivariant one, which has `variants` and `renditions`."""

    url: str
    text: str
    variants: list[str] = field(default_factory=list)
    renditions: list[str] = field(default_factory=list)  # of EXT-X-MEDIA
    segments: list[str] = field(default_factory=list)
    first_msn: int = 0
    open_parts: int = 0  # listed after the last segment
    target_s: float = 0.0
    part_target_s: float = 0.0
    init: str | None = None

    @property
    def edge(self) -> tuple[int, int]:
        """The segment that comes next, and how many of its parts are there."""
        return self.first_msn + len(self.segments), self.open_parts

    @property
    def has_media(self) -> bool:
        return bool(self.segments or self.open_parts)


def _attribute(line: str, name: str) -> str | None:
    found = re.search(rf'[:,]{name}=("[^"]*"|[^,]*)', line)
    return found[1].strip('"') if found else None


def parse(text: str, url: str) -> Playlist:
    """Raises ValueError for anything else."""
    if not text.startswith("#EXTM3U"):
        raise ValueError(f"not a playlist: {url}")
    playlist = Playlist(url, text)
    variant = False
    for line in text.splitlines():
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-TARGETDURATION":
            playlist.target_s = float(value)
        elif tag == "#EXT-X-MEDIA-SEQUENCE":
            playlist.first_msn = int(value)
        elif tag == "#EXT-X-SKIP":
            playlist.first_msn += int(_attribute(line, "SKIPPED-SEGMENTS") or 0)
        elif tag == "#EXT-X-PART-INF":
            playlist.part_target_s = float(_attribute(line, "PART-TARGET") or 0)
        elif tag == "#EXT-X-PART":
            playlist.open_parts += 1
        elif tag == "#EXT-X-MAP":
            playlist.init = urljoin(url, _attribute(line, "URI") or "")
        elif tag == "#EXT-X-MEDIA" and (uri := _attribute(line, "URI")):
            playlist.renditions.append(urljoin(url, uri))
        elif tag == "#EXT-X-STREAM-INF":
            variant = True
        elif line and not line.startswith("#"):
            (playlist.variants if variant else playlist.segments).append(urljoin(url, line))
            variant, playlist.open_parts = False, 0
    return playlist


async def fetch(http: Http, url: str) -> Playlist:
    response = await http.get(url)
    return parse(response.body.decode(), response.url)


async def first(http: Http, url: str, *, step_s: float = 0.25, patience_s: float = 30.0) -> Playlist:
    """The playlist at `url` once there is one. Raises TimeoutError."""
    deadline = time.monotonic() + patience_s
    problem: Exception | None = None
    while time.monotonic() < deadline:
        try:
            playlist = await fetch(http, url)
            if playlist.variants or playlist.has_media:
                return playlist
        except NOT_YET as error:
            problem = error
        await asyncio.sleep(step_s)
    raise TimeoutError(f"no playlist at {url}: {problem!r}")


async def first_media(http: Http, url: str) -> Playlist:
    """The media playlist at `url`, or the first that it lists, once there is media in it. Raises TimeoutError."""
    playlist = await first(http, url)
    return await first(http, playlist.variants[0]) if playlist.variants else playlist


def looks_like_media(data: bytes) -> bool:
    """Whether the bytes open as an MPEG-TS or an MP4 segment."""
    return data[:1] == b"\x47" or data[4:8] in (b"styp", b"ftyp", b"moof", b"sidx", b"prft", b"emsg")
