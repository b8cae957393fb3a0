"""Where a source may be: its URL read, its host resolved."""

import asyncio
import socket
from ipaddress import ip_address

from server.ingest.pull_state import SourceFailed
from server.protocols.rtmp.url import RtmpUrl, of_source
from server.protocols.srt.url import SrtUrl
from server.protocols.srt.url import parse as srt_url

RESOLVE_S = 5.0


def read(url: str) -> RtmpUrl | SrtUrl:
    """Raises UrlError or SrtUrlError, which are ValueErrors with a sentence. No other scheme is ever opened."""
    return srt_url(url) if url.startswith("srt:") else of_source(url)


async def resolve(host: str, port: int, kind: socket.SocketKind, private: bool) -> tuple[str, int]:
    """The address to call. Raises SourceFailed; without `private`, for a host that is not on the Internet too."""
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    except TimeoutError:
        raise SourceFailed(f"{host} was not resolved within {RESOLVE_S:g} s") from None
    except OSError:
        raise SourceFailed(f"{host} can't be resolved") from None
    address = str(found[0][4][0])
    if not private and not ip_address(address.partition("%")[0]).is_global:
        raise SourceFailed(f"{host} is at a private address, which this server does not allow", lasting=True)
    return address, port
