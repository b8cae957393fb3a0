"""A library at api.video, or at another Sluice: they are asked alike."""

from collections.abc import Iterator, Mapping
from typing import Any

from server.client import paging
from server.client.api import PAGE_SIZE, Answer, Api, Exchange, at, exchange, same_server
from server.client.migration.library import (
    Library,
    Listed,
    Listing,
    OddAnswer,
    SourcePlayer,
    SourceText,
    SourceVideo,
    items,
    text,
    words,
)
from server.client.refusals import Refused

URL = "https://ws.api.video"
ODD = "This does not answer as api.video does."
NO_MP4 = "There is no MP4 file of it."
MP4_OFF = "There is no MP4 file of it: its mp4Support is off, and may be turned on there."
COLOURS = (
    "text", "link", "linkHover", "linkActive", "trackPlayed", "trackUnplayed", "trackBackground", "backgroundTop",
    "backgroundBottom", "backgroundText",
)  # fmt: skip
SWITCHES = ("enableApi", "enableControls", "forceAutoplay", "hideTitle", "forceLoop")


class ApiVideo(Library):
    name = "apivideo"

    def __init__(self, key: str, url: str | None = None, ask: Exchange = exchange) -> None:
        self._api = Api(url or URL, key, ask)
        self._players: dict[str, SourcePlayer] = {}
        self._folders: dict[str, tuple[str, ...]] | None = None

    def listing(self) -> Listing:
        first = self._page(1)
        return Listing(_whole(first, "itemsTotal"), self._listed(first))

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        own = {"Authorization": self._api.authorization} if same_server(url, self._api.url) else {}
        return self._api.ask("GET", url, None, {**headers, **own})

    def download(self, url: str) -> bytes:
        return self.fetch(url, {}).raw

    def _page(self, number: int) -> Mapping[str, Any]:
        query = {"currentPage": number, "pageSize": PAGE_SIZE, "sortBy": "createdAt", "sortOrder": "asc"}
        found = self._api.call("GET", "/videos", query=query)
        if not isinstance(found, Mapping) or not isinstance(found.get("data"), list):
            raise OddAnswer(ODD)
        return found

    def _listed(self, page: Mapping[str, Any]) -> Iterator[Listed]:
        for found in paging.every(page, self._page, _is_last):
            if not isinstance(found, Mapping):
                continue
            id = text(found, "videoId")
            if not id:
                raise OddAnswer(ODD)
            yield Listed(id, text(found, "title") or id, found)

    def video(self, listed: Listed) -> SourceVideo:
        id, found = listed.id, listed.raw
        assets = found.get("assets")
        urls: Mapping[str, Any] = assets if isinstance(assets, Mapping) else {}
        file_url, reason, kept_back = self._file(id, found, text(urls, "mp4"))
        hls_url = (text(urls, "hls") or None) if kept_back else None
        takes = bool(file_url or hls_url)
        return SourceVideo(
            id=id,
            title=listed.title,
            created_at=text(found, "createdAt"),
            file_url=file_url,
            reason=reason,
            kept_back=kept_back,
            hls_url=hls_url,
            gives_file=found.get("mp4Support") is not False,
            description=text(found, "description"),
            language=text(found, "language") or None,
            public=found.get("public") is not False,
            panoramic=found.get("panoramic") is True,
            tags=words(found.get("tags")),
            metadata=tuple((text(one, "key"), text(one, "value")) for one in items(found.get("metadata"))),
            folder=self._folder(text(found, "folderId")) if takes else (),
            texts=(*self._texts(id, "captions"), *self._texts(id, "chapters")) if takes else (),
            poster_url=text(urls, "thumbnail") or None,
            player=self._player(text(found, "playerId")) if takes else None,
        )

    def _file(self, id: str, found: Mapping[str, Any], url: str) -> tuple[str | None, str, bool]:
        """(its URL, or why there is none, and whether it is kept back)"""
        status = self._api.call("GET", at("videos", id, "status"))
        encoding = status.get("encoding") if isinstance(status, Mapping) else None
        if not isinstance(encoding, Mapping) or encoding.get("playable") is not True:
            return None, "It has no file that could be played.", False
        if not url:
            return None, MP4_OFF if found.get("mp4Support") is False else NO_MP4, True
        return url, "", False

    def _texts(self, id: str, kind: Any) -> list[SourceText]:
        found = self._api.every(at("videos", id, kind))
        return [
            SourceText(kind, text(one, "srclang") or text(one, "language"), text(one, "src"),
                       default=one.get("default") is True)
            for one in items(list(found))
        ]  # fmt: skip

    def _player(self, id: str) -> SourcePlayer | None:
        if not id:
            return None
        if id not in self._players:
            self._players[id] = _look(id, self._api.call("GET", at("players", id)))
        return self._players[id]

    def _folder(self, id: str) -> tuple[str, ...]:
        """Only another Sluice has them."""
        if not id:
            return ()
        if self._folders is None:
            found = items(list(self._api.every("/folders")))
            self._folders = {
                text(one, "folderId"): tuple(text(step, "name") for step in items(one.get("path"))) for one in found
            }
        return self._folders.get(id, ())


def _look(id: str, found: Any) -> SourcePlayer:
    if not isinstance(found, Mapping):
        raise Refused(502, {"title": f"Of its player {id} nothing is told."})
    assets = found.get("assets")
    urls: Mapping[str, Any] = assets if isinstance(assets, Mapping) else {}
    colours = {name: text(found, name) for name in COLOURS if text(found, name)}
    switches = {name: found[name] for name in SWITCHES if isinstance(found.get(name), bool)}
    return SourcePlayer(
        id, text(found, "name"), {**colours, **switches}, text(urls, "logo") or None, text(urls, "link")
    )


def _is_last(page: Mapping[str, Any], number: int, _given: int) -> bool:
    return number >= _whole(page, "pagesTotal")


def _whole(page: Mapping[str, Any], name: str) -> int:
    """Of the pagination."""
    where = page.get("pagination")
    value = where.get(name) if isinstance(where, Mapping) else None
    if not isinstance(value, int):
        raise OddAnswer(ODD)
    return value
