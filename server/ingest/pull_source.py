"""Where a source may be: its URL read, its host resolved."""

import asyncio
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from server.ingest.pull_state import SourceFailed
from server.protocols.destinations import PUBLIC
from server.protocols.rtmp.url import MAX_URL, RtmpUrl, of_source
from server.protocols.srt.url import SrtUrl
from server.protocols.srt.url import parse as srt_url

RESOLVE_S = 5.0


@dataclass(frozen=True, slots=True)
class HlsUrl:
    """A playlist."""

    host: str
    text: str = field(repr=False)


def read(url: str) -> RtmpUrl | SrtUrl | HlsUrl:
    """Raises ValueError with a sentence. No other scheme is ever opened."""
    if url.startswith("srt:"):
        return srt_url(url)
    return _hls(url) if url.startswith(("http:", "https:")) else of_source(url)


def _hls(url: str) -> HlsUrl:
    if len(url) > MAX_URL or not url.isprintable():
        raise ValueError("the URL is too long or has control characters")
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise ValueError("the URL can't be read") from None
    if not host or not parts.path.endswith(".m3u8"):
        raise ValueError("the URL is not that of an HLS playlist (.m3u8)")
    return HlsUrl(host, url)


async def resolve(host: str, port: int, kind: socket.SocketKind, private: bool) -> tuple[str, int]:
    """The address to call. Raises SourceFailed; without `private`, for a host that is not on the Internet too."""
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    except TimeoutError:
        raise SourceFailed(f"{host} was not resolved within {RESOLVE_S:g} s") from None
    except (OSError, UnicodeError):  # the second of a name that can't be one
        raise SourceFailed(f"{host} can't be resolved") from None
    address = str(found[0][4][0])
    if not private and not PUBLIC.allows_address(address):
        raise SourceFailed(f"{host} is at a private address, which this server does not allow", lasting=True)
    return address, port
