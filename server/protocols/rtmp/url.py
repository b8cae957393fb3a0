"""rtmp:// and rtmps:// URLs, as people paste them."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

PORTS: Final = {"rtmp": 1935, "rtmps": 443}
MAX_URL = 2000  # characters


class UrlError(ValueError):
    """Not a URL that can be called; the text, without the URL, is for its owner to read."""


@dataclass(frozen=True, slots=True)
class RtmpUrl:
    """Whom to call, and for what."""

    host: str
    port: int
    tls: bool
    app: str
    """With its query, as the server is to see it."""
    name: str
    """The stream key of a target, or what is to be played, with its query. A secret."""

    @property
    def tc_url(self) -> str:
        """As connect says it: where, without the key."""
        scheme = "rtmps" if self.tls else "rtmp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[scheme] else f":{self.port}"
        return f"{scheme}://{host}{port}/{self.app}"

    def __repr__(self) -> str:
        return f"RtmpUrl({self.host}:{self.port})"


def of_target(server_url: str, key: str) -> RtmpUrl:
    """rtmp://host/app and a key beside it. Raises UrlError."""
    scheme, host, port, path = _split(server_url)
    if not path.strip("/"):
        raise UrlError("the URL names no application: rtmp://host/app")
    return RtmpUrl(host, port, scheme == "rtmps", path.strip("/"), key)


def of_source(url: str) -> RtmpUrl:
    """rtmp://host/app/key, whose last part is the key with its query. Raises UrlError."""
    scheme, host, port, path = _split(url)
    whole, mark, query = path.partition("?")
    app, _, key = whole.strip("/").rpartition("/")
    if not app or not key:
        raise UrlError("the URL names no application or no stream: rtmp://host/app/key")
    return RtmpUrl(host, port, scheme == "rtmps", app, key + mark + query)


def _split(text: str) -> tuple[str, str, int, str]:
    """Scheme, host, port, and the path with its query. Raises UrlError."""
    if len(text) > MAX_URL or not text.isprintable():
        raise UrlError("the URL is too long or has control characters")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise UrlError("the URL can't be read") from None
    if url.scheme not in PORTS:
        raise UrlError("the URL has none of the schemes that can be called")
    if not url.hostname:
        raise UrlError("the URL names no host")
    if url.username is not None:
        raise UrlError("a user name in an RTMP URL (authmod) is not supported")
    return url.scheme, url.hostname, port or PORTS[url.scheme], url.path + (f"?{url.query}" if url.query else "")
