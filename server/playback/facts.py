"""What a request to watch says of itself, and why it is refused."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from server.errors import Problem


@dataclass(frozen=True, slots=True)
class Facts:
    """What a request says of itself."""

    ip: str  # of the client, behind trusted proxies
    origin: str | None = None  # the Origin header, else the Referer's
    own_page: bool = False  # made by a page of this server (Sec-Fetch-Site: same-origin)
    other_page: bool = False  # by a page of another origin (Sec-Fetch-Site: same-site, cross-site), named or not
    country: str | None = None  # ISO 3166-1 alpha-2, where somebody who knows said so
    agent: str = ""  # the User-Agent header


class Blocked(Problem):
    """A rule of the owner's forbids it. `reason` is what is counted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__("playback-blocked", detail)
        self.reason = reason


@lru_cache(maxsize=4096)
def within(address: str, network: str) -> bool:
    """Whether the address is in the network; False where one of them is none."""
    try:
        found = ipaddress.ip_address(address)
        allowed = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)  # ::ffff:192.0.2.1, as a dual-stack socket names it
    return (mapped or found) in allowed
