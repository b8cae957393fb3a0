"""A URL that a user gave, taken apart strictly: what is left has one meaning to every reader of URLs."""

import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Self
from urllib.parse import quote, unquote, urljoin, urlsplit

MAX_CHARS = 4096  # presigned URLs are some 2000 characters
PORTS = {"http": 80, "https": 443}

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNSENDABLE = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT = "!#$%&'()*+,/:;=?@[]~"  # an escape stays as it is: signatures are made over them


class BadUrl(ValueError):
    """A sentence for whoever gave the URL."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is called: `url` is safe to send and to log, for it holds no credentials."""

    scheme: str
    host: str  # a name in lower case, or an address without brackets
    port: int
    path: str  # with the query, escaped
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadUrl."""
        text = text.strip()
        if len(text) > MAX_CHARS:
            raise BadUrl(f"A URL has at most {MAX_CHARS} characters.")
        if _UNSENDABLE.search(text):
            raise BadUrl("A URL has no spaces, backslashes or control characters in it.")
        try:
            parts = urlsplit(text)
            scheme, port = parts.scheme.lower(), parts.port
        except ValueError:
            raise BadUrl("This is not a valid URL.") from None
        if scheme not in PORTS or not parts.netloc:
            raise BadUrl("A URL begins with http:// or https://.")
        path = quote(parts.path or "/", _KEPT)
        if parts.query:
            path += "?" + quote(parts.query, _KEPT)
        return cls(
            scheme=scheme,
            host=_host(parts.hostname or ""),
            port=PORTS[scheme] if port is None else port,
            path=path,
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )

    def follow(self, location: str) -> Self:
        """Where a redirect leads; credentials do not go to another host. Raises BadUrl."""
        try:
            target = self.parse(urljoin(self.url, location))
        except ValueError as error:
            raise BadUrl(str(error)) from None
        if target.origin == self.origin and target.username is None:
            return replace(target, username=self.username, password=self.password)
        return target

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def is_address(self) -> bool:
        return ":" in self.host or _NUMBER.fullmatch(self.host.rpartition(".")[2]) is not None

    @property
    def url(self) -> str:
        """Without credentials."""
        return self._authority("") + self.path

    @property
    def full_url(self) -> str:
        """With credentials, to be kept and never shown."""
        if self.username is None:
            return self.url
        password = "" if self.password is None else ":" + quote(self.password, "")
        return self._authority(f"{quote(self.username, '')}{password}@") + self.path

    @property
    def shown(self) -> str:
        """For logs and answers: a query may be a signature that opens the file."""
        path, _, query = self.path.partition("?")
        return self._authority("") + path + ("?…" if query else "")

    @property
    def filename(self) -> str | None:
        """The last part of the path."""
        return unquote(self.path.partition("?")[0].rpartition("/")[2]) or None

    def _authority(self, credentials: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{credentials}{host}{port}"


def _host(text: str) -> str:
    """An address in its one spelling, or a name that no resolver takes for an address, as some do for 127.1, 0x7f.1
    or 017700000001. Raises BadUrl.
    """
    try:
        if not text.isascii():
            text = text.encode("idna").decode()
        text = text.lower()
        if ":" in text:
            return str(IPv6Address(text))
        text = text.removesuffix(".")
        labels = text.split(".")
        if _NUMBER.fullmatch(labels[-1]):
            return str(IPv4Address(text))
    except ValueError:  # UnicodeError is one
        raise BadUrl("The host of the URL is not valid.") from None
    if len(text) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise BadUrl("The host of the URL is not valid.")
    return text


