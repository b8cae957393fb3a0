"""A library at api.video, or at another Sluice: they are asked alike."""

from collections.abc import Iterator, Mapping
from typing import Any

from server.client.api import PAGE_SIZE, Api, at, exchange, same_server
from server.client.migration.library import Listing, OddAnswer, SourceText, SourceVideo, items, text, words
from server.client.refusals import Refused

URL = "https://ws.api.video"
ODD = "This does not answer as api.video does."
NO_MP4 = "There is no MP4 file of it."


class ApiVideo:
    name = "apivideo"

    def __init__(self, key: str, url: str | None = None) -> None:
        self._api = Api(url or URL, key)

    def listing(self) -> Listing:
        first = self._page(1)
        return Listing(_whole(first, "itemsTotal"), self._videos(first))

    def download(self, url: str) -> bytes:
        own = same_server(url, self._api.url)
        return exchange("GET", url, None, {"Authorization": self._api.authorization} if own else {}).raw

    def _page(self, number: int) -> Mapping[str, Any]:
        query = {"currentPage": number, "pageSize": PAGE_SIZE, "sortBy": "createdAt", "sortOrder": "asc"}
        found = self._api.call("GET", "/videos", query=query)
        if not isinstance(found, Mapping) or not isinstance(found.get("data"), list):
            raise OddAnswer(ODD)
        return found

    def _videos(self, page: Mapping[str, Any]) -> Iterator[SourceVideo]:
        number = 1
        while True:
            for found in items(page["data"]):
                yield self._asked(found)
            if number >= _whole(page, "pagesTotal"):
                return
            number += 1
            page = self._page(number)

    def _asked(self, found: Mapping[str, Any]) -> SourceVideo:
        """What is refused of one, which may just have been deleted, is said of that alone. Raises OddAnswer."""
        id = text(found, "videoId")
        if not id:
            raise OddAnswer(ODD)
        try:
            return self._video(id, found)
        except Refused as refusal:
            title = text(found, "title") or id
            return SourceVideo(id, title, text(found, "createdAt"), None, str(refusal), refused=True)

    def _video(self, id: str, found: Mapping[str, Any]) -> SourceVideo:
        file_url, reason = self._file(id, found)
        return SourceVideo(
            id=id,
            title=text(found, "title") or id,
            created_at=text(found, "createdAt"),
            file_url=file_url,
            reason=reason,
            description=text(found, "description"),
            language=text(found, "language") or None,
            public=found.get("public") is not False,
            panoramic=found.get("panoramic") is True,
            tags=words(found.get("tags")),
            metadata=tuple((text(one, "key"), text(one, "value")) for one in items(found.get("metadata"))),
            texts=(*self._texts(id, "captions"), *self._texts(id, "chapters")) if file_url else (),
        )

    def _file(self, id: str, found: Mapping[str, Any]) -> tuple[str | None, str]:
        """(its URL, or why there is none)"""
        assets = found.get("assets")
        url = text(assets, "mp4") if isinstance(assets, Mapping) else ""
        if not url:
            return None, NO_MP4 if found.get("mp4Support") is not False else f"{NO_MP4[:-1]}: its mp4Support is off."
        status = self._api.call("GET", at("videos", id, "status"))
        encoding = status.get("encoding") if isinstance(status, Mapping) else None
        if not isinstance(encoding, Mapping) or encoding.get("playable") is not True:
            return None, "It has no file that could be played."
        return url, ""

    def _texts(self, id: str, kind: Any) -> list[SourceText]:
        found = self._api.every(at("videos", id, kind))
        return [
            SourceText(kind, text(one, "srclang") or text(one, "language"), text(one, "src"),
                       default=one.get("default") is True)
            for one in items(list(found))
        ]  # fmt: skip


def _whole(page: Mapping[str, Any], name: str) -> int:
    """Of the pagination."""
    where = page.get("pagination")
    value = where.get(name) if isinstance(where, Mapping) else None
    if not isinstance(value, int):
        raise OddAnswer(ODD)
    return value
