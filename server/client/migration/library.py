"""What a library elsewhere is, whichever API it is behind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from server.client.api import Answer
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
    """A look. `attributes`: as `POST /players` takes them; `settings` not None: it is one of Kinescope's, which are
    kept with their advertisements. `logo_url` None: it has no logo."""

    id: str
    name: str
    attributes: Mapping[str, str | bool]
    logo_url: str | None = None
    logo_link: str = ""
    settings: Mapping[str, Any] | None = None
    ads: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class SourceAnnotation:
    """A link that belongs to a stretch of a video."""

    id: str
    title: str
    link: str
    kind: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SourceMaterial:
    """A file that goes with a video; `size` in bytes."""

    id: str
    title: str
    filename: str
    filetype: str
    size: int


@dataclass(frozen=True, slots=True)
class SourcePlaylist:
    """`folder`: names from the top down; `settings`: how its videos are sorted."""

    id: str
    name: str
    description: str
    folder: tuple[str, ...] = ()
    player: SourcePlayer | None = None
    privacy_type: str = "anywhere"
    privacy_domains: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """`file_url` None: there is no file to be had, and `reason` says why; `kept_back`: though there is one there, whose
    stream `hls_url` may be. `folder`: names from the top down."""

    id: str
    title: str
    created_at: str
    file_url: str | None
    reason: str = ""
    kept_back: bool = False
    hls_url: str | None = None
    gives_file: bool = True  # to viewers
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
    materials: tuple[SourceMaterial, ...] = ()
    materials_shown: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A library as it is walked through; `total` is how many videos it says it has."""

    total: int
    videos: Iterator[Listed] = field(compare=False)


class Library(Protocol):
    """Raises Refused (OddAnswer among them) and Unreachable. What only some libraries have is empty by itself."""

    @property
    def name(self) -> str:
        """In the metadata of what is taken from it."""

    def listing(self) -> Listing: ...

    def video(self, listed: Listed) -> SourceVideo:
        """All that is said of it, which may take further calls."""

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        """What a URL gives; one of the library's own host is asked for with its key."""

    def download(self, url: str) -> bytes:
        """A text file or a picture, in the same way."""

    def players(self) -> Iterable[SourcePlayer]:
        """Those that are taken though nothing has them; asked for before the videos."""
        return ()

    def annotations(self, video: SourceVideo) -> Sequence[SourceAnnotation]:
        return ()

    def material(self, material: SourceMaterial) -> bytes:
        """Its file."""
        raise Refused(404, {"title": "There is no such file."})

    def playlists(self) -> Iterable[SourcePlaylist]:
        """Asked for after the videos."""
        return ()

    def entries(self, playlist: SourcePlaylist) -> Sequence[str]:
        """Ids of its videos, in their order."""
        return ()


def text(found: Mapping[str, Any], name: str) -> str:
    """An attribute that may be missing or null."""
    value = found.get(name)
    return value if isinstance(value, str) else ""


def items(found: Any) -> list[Mapping[str, Any]]:
    """The objects of a list that may be missing."""
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def words(found: Any) -> tuple[str, ...]:
    return tuple(one for one in found if isinstance(one, str) and one) if isinstance(found, list) else ()
