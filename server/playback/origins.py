"""Which page asks: what Origin and Referer say, against the pages that are named in a token or a restriction."""

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


def matches_any(origin: str, named: Iterable[str]) -> bool:
    return any(matches(origin, each) for each in named)


def matches(origin: str, named: str) -> bool:
    """https://www.example.com against https://www.example.com, www.example.com or *.example.com."""
    scheme, host, port = _parts(origin)
    wanted_scheme, wanted_host, wanted_port = _named_parts(named)
    if not host or not wanted_host or (wanted_scheme and wanted_scheme != scheme):
        return False
    if wanted_port is not None or wanted_scheme:
        default = DEFAULT_PORTS.get(scheme)
        if (port or default) != (wanted_port or default):
            return False
    if wanted_host.startswith("*."):
        return host.endswith(wanted_host[1:])
    return host == wanted_host


@lru_cache(maxsize=1024)
def _named_parts(named: str) -> tuple[str, str, int | None]:
    return _parts(named if "://" in named else f"//{named}")


@lru_cache(maxsize=1024)
def _parts(url: str) -> tuple[str, str, int | None]:
    try:
        split = urlsplit(url)
        return split.scheme, split.hostname or "", split.port
    except ValueError:
        return "", "", None
