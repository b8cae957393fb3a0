"""A connection to a target, whatever it speaks; and where it may lead."""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from server.protocols.destinations import PUBLIC
from server.stream.stream import Stream

RESOLVE_S = 5.0
CONNECT_S = 8.0  # for each address
MAX_ADDRESSES = 3  # of a host that are tried


class LinkFailed(Exception):
    """The connection can't be made, or is over; the text, without secrets, is for the owner of the target."""

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting
        """It will hardly pass by itself: a wrong key, a codec that the target can't take."""


class Link(Protocol):
    """One connection, used once."""

    @property
    def sent(self) -> int:
        """Bytes."""
        ...

    @property
    def dropped(self) -> int:
        """Samples that the target did not take in time."""
        ...

    async def run(self, stream: Stream, begun: Callable[[], None]) -> None:
        """Connects, says so with `begun`, and sends until the broadcast is over. Raises LinkFailed; cancelled, it says
        goodbye."""


async def resolve(host: str, port: int, kind: socket.SocketKind, private: bool) -> list[tuple[str, int]]:
    """Addresses to connect to. Raises LinkFailed; without `private`, for a host that is not on the Internet too."""
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    except TimeoutError:
        raise LinkFailed(f"{host} was not resolved within {RESOLVE_S:g} s") from None
    except (OSError, UnicodeError):  # the second of a name that can't be one
        raise LinkFailed(f"{host} can't be resolved") from None
    addresses = [(str(address[0]), port) for *_, address in found]
    if not private and not all(PUBLIC.allows_address(address) for address, _ in addresses):
        raise LinkFailed(f"{host} is at a private address, which this server does not allow", lasting=True)
    return list(dict.fromkeys(addresses))[:MAX_ADDRESSES]
