"""What a library elsewhere is, whichever API it is behind."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from server.client.refusals import Refused


class OddAnswer(Refused):
    """The library does not answer as its API is known to."""

    def __init__(self, sentence: str) -> None:
        super().__init__(502, {"title": sentence})


@dataclass(frozen=True, slots=True)
class Listed:
    """A video as its list has it, which may not be all that can be known of it."""

    id: str
    title: str
    raw: Mapping[str, Any] = field(compare=False)


@dataclass(frozen=True, slots=True)
class SourceText:
    """Captions or chapters: WebVTT or SubRip at `url`, or as `content`."""

    kind: Literal["captions", "chapters"]
    language: str
    url: str | None = None
    content: bytes | None = None
    default: bool = False


@dataclass(frozen=True, slots=True)
class SourcePlayer:
    """A look. `attributes`: as `POST /players` takes them; `logo_url` None: it has no logo."""

    id: str
    name: str
    attributes: Mapping[str, str | bool]
    logo_url: str | None = None
    logo_link: str = ""


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """`file_url` None: there is no file to be had, and `reason` says why; `kept_back`: though there is one there.
    `folder`: names from the top down."""

    id: str
    title: str
    created_at: str
    file_url: str | None
    reason: str = ""
    kept_back: bool = False
    description: str = ""
    language: str | None = None
    public: bool = True
    panoramic: bool = False
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    folder: tuple[str, ...] = ()
    texts: tuple[SourceText, ...] = ()
    poster_url: str | None = None
    player: SourcePlayer | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A library as it is walked through; `total` is how many videos it says it has."""

    total: int
    videos: Iterator[Listed] = field(compare=False)


class Library(Protocol):
    """Raises Refused (OddAnswer among them) and Unreachable."""

    @property
    def name(self) -> str:
        """In the metadata of what is taken from it."""

    def listing(self) -> Listing: ...

    def video(self, listed: Listed) -> SourceVideo:
        """All that is said of it, which may take further calls."""

    def download(self, url: str) -> bytes:
        """A text file or a picture; a URL of the library's own host is asked for with its key."""


def text(found: Mapping[str, Any], name: str) -> str:
    """An attribute that may be missing or null."""
    value = found.get(name)
    return value if isinstance(value, str) else ""


def items(found: Any) -> list[Mapping[str, Any]]:
    """The objects of a list that may be missing."""
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def words(found: Any) -> tuple[str, ...]:
    return tuple(one for one in found if isinstance(one, str) and one) if isinstance(found, list) else ()
