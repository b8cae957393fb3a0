"""Who asks, and under which URL it reached us: the socket's word, or a trusted proxy's.

`X-Forwarded-For`, `-Proto` and `-Host` are believed only from an address in `http.trusted_proxies`.
"""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from aiohttp import web

from server.config import HttpConfig
from server.playback.countries import CountryOf

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)
_COUNTRY = re.compile(r"[A-Za-z]{2}", re.ASCII)
NO_COUNTRY = ("XX", "ZZ")  # as proxies call what they don't know
PEERS_CACHED = 4096


class Addresses:
    """The rules of one configuration. A bad `trusted_proxies` entry is a ValueError."""

    def __init__(self, http: HttpConfig, country_of: CountryOf | None = None) -> None:
        self.country_header = http.country_header
        self._country_of = country_of
        self._public_url = http.public_url.rstrip("/") if http.public_url else None
        self._networks = [ipaddress.ip_network(text, strict=False) for text in http.trusted_proxies]
        self._trusts = lru_cache(maxsize=PEERS_CACHED)(self._is_trusted)

    def client_ip(self, request: web.BaseRequest) -> str:
        """The address of the client; "" on a socket that has none."""
        peer = request.remote or ""
        if not self._networks:
            return peer
        return self.behind(peer, request.headers.getall("X-Forwarded-For", []))

    def behind(self, peer: str, forwarded: Sequence[str]) -> str:
        """Whom the connection from `peer` stands for, with the lines of X-Forwarded-For that came over it."""
        if not self._networks or not self._trusts(peer):
            return peer
        # each proxy appends who asked it: from the right, the first that is no proxy of ours
        hops = [hop.strip() for hop in ",".join(forwarded).split(",")]
        for hop in reversed(hops):
            if not _is_address(hop):
                break
            peer = hop
            if not self._trusts(hop):
                break
        return peer

    def country(self, peer: str, told: str | None, ip: str) -> str | None:
        """Of the client at `ip`, ISO 3166-1 alpha-2: as the proxy at `peer` has told in its header, else by the
        database; None where nobody knows."""
        if told and _COUNTRY.fullmatch(told) and told not in NO_COUNTRY and self._trusts(peer):
            return told.upper()
        return self._country_of(ip) if self._country_of is not None else None

    def base_url(self, request: web.BaseRequest) -> str:
        """Scheme and authority, perhaps a path, without a slash at the end."""
        if self._public_url:
            return self._public_url
        scheme, host = request.scheme, request.headers.get("Host", "")
        if self._networks and self._trusts(request.remote or ""):
            scheme = _first(request, "X-Forwarded-Proto") or scheme
            host = _first(request, "X-Forwarded-Host") or host
        if scheme not in ("http", "https"):
            scheme = "http"
        return f"{scheme}://{host if _HOST.fullmatch(host) else _own_address(request)}"

    def _is_trusted(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


ADDRESSES = web.AppKey("addresses", Addresses)


def client_ip(request: web.Request) -> str:
    return request.app[ADDRESSES].client_ip(request)


def country(request: web.Request, ip: str) -> str | None:
    """Where the client at `ip` is, as far as anybody knows."""
    addresses = request.app[ADDRESSES]
    told = request.headers.getall(addresses.country_header, []) if addresses.country_header else []
    return addresses.country(request.remote or "", told[0] if len(told) == 1 else None, ip)


def base_url(request: web.Request) -> str:
    """The URL under which the client reaches this server."""
    return request.app[ADDRESSES].base_url(request)


def _first(request: web.BaseRequest, header: str) -> str:
    return request.headers.get(header, "").split(",")[0].strip()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _own_address(request: web.BaseRequest) -> str:
    """The socket's, for a client that named no host (HTTP/1.0) or not a possible one."""
    name = request.transport.get_extra_info("sockname") if request.transport else None
    if not isinstance(name, tuple):
        return "localhost"
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
