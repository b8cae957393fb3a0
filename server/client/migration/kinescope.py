"""A library at Kinescope, or behind another Sluice's dialect of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from server.client import paging
from server.client.api import PAGE_SIZE, Answer, Exchange, at, exchange, query_string, same_server
from server.client.migration import kinescope_things
from server.client.migration.calling import followed
from server.client.migration.library import (
    Library,
    Listed,
    Listing,
    OddAnswer,
    SourceAnnotation,
    SourceMaterial,
    SourcePlayer,
    SourcePlaylist,
    SourceText,
    SourceVideo,
    items,
    text,
    words,
)
from server.client.paging import Endless
from server.formats.webvtt import Cue, TextTrack, escaped, write

URL = "https://api.kinescope.io"
ODD = "This does not answer as Kinescope does."
LANGUAGE = "en"  # of chapters, which have none there, unless there are subtitles, whose they take
DEEPEST = 32  # folders within each other
FOLDERS_LIMIT = 100_000  # with projects


class Kinescope(Library):
    name = "kinescope"

    def __init__(self, key: str, url: str | None = None, ask: Exchange = exchange) -> None:
        self._url = (url or URL).rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"}
        self._ask = ask
        self._folders: Mapping[str, tuple[str, ...]] = {}
        self._players: dict[str, SourcePlayer] = {}

    def listing(self) -> Listing:
        first = self._page("/v1/videos", 1)
        return Listing(_total(first), self._listed(first))

    def video(self, listed: Listed) -> SourceVideo:
        found = listed.raw
        lacks = not items(found.get("assets")) or (self._players and "player_id" not in found)
        if text(found, "status") == "done" and lacks:  # a list may leave them out
            whole = self._asked(at("v1", "videos", listed.id))
            found = whole["data"] if isinstance(whole.get("data"), Mapping) else found
        return _video(listed.id, found, self._folders, self._players)

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        own = same_server(url, self._url)
        return self._ask("GET", url, None, {**headers, **(self._headers if own else {})})

    def download(self, url: str) -> bytes:
        return self.fetch(url, {}).raw

    def players(self) -> Iterator[SourcePlayer]:
        for found in self._every("/v1/players"):
            if id := text(found, "id"):
                self._players[id] = kinescope_things.player(id, found)
                yield self._players[id]

    def annotations(self, video: SourceVideo) -> Sequence[SourceAnnotation]:
        found = self._whole(at("v1", "videos", video.id, "annotations"))
        return [kinescope_things.annotation(one) for one in found]

    def material(self, material: SourceMaterial) -> bytes:
        found = self._asked(at("v1", "additional-materials", material.id, "link")).get("data")
        url = text(found, "link") if isinstance(found, Mapping) else ""
        return followed(self.fetch, url, {})[0].raw

    def playlists(self) -> Iterator[SourcePlaylist]:
        for found in self._every("/v1/playlists"):
            if id := text(found, "id"):
                yield kinescope_things.playlist(id, found, self._folders, self._players)

    def entries(self, playlist: SourcePlaylist) -> Sequence[str]:
        return kinescope_things.entries(self._whole(at("v1", "playlists", playlist.id, "entities")))

    def _whole(self, path: str) -> list[Mapping[str, Any]]:
        """A list that comes whole, or in pages."""
        found = self._asked(path)
        if not isinstance(found.get("data"), list):
            raise OddAnswer(ODD)
        return list(self._pages(path, found)) if isinstance(found.get("meta"), Mapping) else items(found["data"])

    def _page(self, path: str, number: int, **query: str) -> Mapping[str, Any]:
        asked = {"page": number, "per_page": PAGE_SIZE, **query}
        found = self._asked(path + query_string(asked))
        if not isinstance(found.get("data"), list):
            raise OddAnswer(ODD)
        return found

    def _asked(self, path: str) -> Mapping[str, Any]:
        found = self._ask("GET", self._url + path, None, self._headers).json
        if not isinstance(found, Mapping):
            raise OddAnswer(ODD)
        return found

    def _every(self, path: str, **query: str) -> Iterator[Mapping[str, Any]]:
        return self._pages(path, self._page(path, 1, **query), **query)

    def _pages(self, path: str, page: Mapping[str, Any], **query: str) -> Iterator[Mapping[str, Any]]:
        """From the first page on."""
        found = paging.every(page, lambda number: self._page(path, number, **query), _is_last)
        return (one for one in found if isinstance(one, Mapping))

    def _listed(self, first: Mapping[str, Any]) -> Iterator[Listed]:
        self._folders = self._paths()
        for found in self._pages("/v1/videos", first):
            id = text(found, "id")
            if not id:
                raise OddAnswer(ODD)
            yield Listed(id, text(found, "title") or id, found)

    def _paths(self) -> Mapping[str, tuple[str, ...]]:
        """Names from the top down, by the ids of projects and of folders in them."""
        paths: dict[str, tuple[str, ...]] = {}
        for project in self._every("/v1/projects"):
            paths[text(project, "id")] = own = (text(project, "name"),)
            self._below(text(project, "id"), None, own, paths)
        return paths

    def _below(
        self, project_id: str, parent_id: str | None, path: tuple[str, ...], paths: dict[str, tuple[str, ...]]
    ) -> None:
        if len(path) > DEEPEST:
            return
        query = {"parent_id": parent_id} if parent_id else {}
        for folder in self._every(at("v1", "projects", project_id, "folders"), **query):
            id, name = text(folder, "id"), text(folder, "name")
            if len(paths) >= FOLDERS_LIMIT:
                raise Endless(f"more than {FOLDERS_LIMIT} folders")
            if id and id not in paths:
                paths[id] = (*path, name)
                self._below(project_id, id, paths[id], paths)


def _video(
    id: str, found: Mapping[str, Any], folders: Mapping[str, tuple[str, ...]], players: Mapping[str, SourcePlayer]
) -> SourceVideo:
    file_url = _file(items(found.get("assets")))
    kept_back = not file_url and text(found, "status") == "done"
    domains, subtitles = words(found.get("privacy_domains")), _subtitles(found)
    place = text(found, "folder_id") or text(found, "project_id")
    return SourceVideo(
        id=id,
        title=text(found, "title") or id,
        created_at=text(found, "created_at"),
        file_url=file_url,
        reason="" if file_url else _reason(text(found, "status")),
        kept_back=kept_back,
        hls_url=(text(found, "hls_link") or None) if kept_back else None,
        gives_file=not kept_back,
        description=text(found, "description"),
        public=text(found, "privacy_type") == "anywhere",
        tags=words(found.get("tags")),
        metadata=(("importedPrivacyDomains", ", ".join(domains)),) if domains else (),
        folder=folders.get(place, ()),
        texts=(*subtitles, *_chapters(found, subtitles[0].language if subtitles else LANGUAGE)),
        poster_url=_poster(found.get("poster")),
        player=players.get(text(found, "player_id")),
        materials=tuple(kinescope_things.material(one) for one in items(found.get("additional_materials"))),
        materials_shown=found.get("additional_materials_enabled") is True,
    )


def _reason(status: str) -> str:
    """Why there is no file."""
    if status == "done":
        return "No file of it can be had: its assets have no links."
    return f"It has no file that can be had: {status or 'nobody says why'}."


def _poster(found: Any) -> str | None:
    """As it was uploaded, or made."""
    if isinstance(found, str):
        return found or None
    return (text(found, "original") or text(found, "md") or None) if isinstance(found, Mapping) else None


def _file(assets: Sequence[Mapping[str, Any]]) -> str | None:
    """The file as it was uploaded, else the largest picture made of it."""
    usable = [one for one in assets if text(one, "url") or text(one, "download_link")]
    best = max(usable, key=lambda one: (text(one, "quality") == "original", _lines(one)), default=None)
    return (text(best, "url") or text(best, "download_link")) if best else None


def _lines(asset: Mapping[str, Any]) -> int:
    """Of 1920x1080, or of 1080p."""
    for said in (text(asset, "resolution").partition("x")[2], text(asset, "quality").removesuffix("p")):
        if said.isascii() and said.isdigit() and len(said) <= 5:
            return int(said)
    return 0


def _subtitles(found: Mapping[str, Any]) -> list[SourceText]:
    """They are shown where a viewer turns them on."""
    given = items(found.get("subtitles"))
    return [
        SourceText("captions", text(one, "language"), text(one, "url"))
        for one in given
        if text(one, "language") and text(one, "url")
    ]


def _chapters(found: Mapping[str, Any], language: str) -> list[SourceText]:
    """Their times are milliseconds; each ends with the next, the last with the video."""
    chapters = found.get("chapters")
    given = items(chapters.get("items")) if isinstance(chapters, Mapping) else []
    starts = sorted((one["time"], text(one, "title")) for one in given if _is_time(one.get("time")))
    length = found.get("duration")
    end_ms = round(length * 1000) if isinstance(length, int | float) and 0 < length < 1e9 else 0
    if not starts:
        return []
    ends = [start for start, _ in starts[1:]] + [max(end_ms, starts[-1][0] + 1000)]
    cues = tuple(
        Cue(start, end, escaped(title) or "-") for (start, title), end in zip(starts, ends, strict=True) if end > start
    )
    return [SourceText("chapters", language, content=write(TextTrack(cues)).encode())]


def _is_time(value: Any) -> bool:
    return type(value) is int and 0 <= value < 10**9


def _is_last(page: Mapping[str, Any], _number: int, given: int) -> bool:
    return given >= _total(page)


def _total(page: Mapping[str, Any]) -> int:
    value: Any = page
    for name in ("meta", "pagination", "total"):
        value = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, int):
        raise OddAnswer(ODD)
    return value
