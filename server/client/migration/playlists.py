"""Playlists of a library elsewhere: each made here once, known by a tag that says where it came from."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from server import ids
from server.client import paging
from server.client.api import PAGE_SIZE, Api, at
from server.client.migration.calling import once
from server.client.migration.library import SourcePlayer, SourcePlaylist, items
from server.client.migration.results import Taken

Folder = Callable[[tuple[str, ...]], str]  # the id here of the folder with these names from the top down


class Playlists:
    """`videos`: ids there -> here, of those that are here. `mark`: of the tag, before the other id."""

    def __init__(
        self, api: Api, mark: str, videos: Mapping[str, str], player: Callable[[SourcePlayer], str], folder: Folder
    ) -> None:
        self._api = api
        self._mark = mark
        self._videos = videos
        self._player = player
        self._folder = folder
        self._known: dict[str, str] | None = None  # tags -> ids

    def taken(self, one: SourcePlaylist, wanted: Sequence[str], rehearsal: bool) -> Taken:
        """`wanted`: ids there of its videos. Raises Refused, Unreachable."""
        tag = self._mark + one.id
        known = self._there().get(tag)
        here = [self._videos[id] for id in wanted if id in self._videos]
        if known is None:
            id = None if rehearsal else self._made(one, tag, here)
            return Taken(one.id, one.name, "new", None, "" if rehearsal else _lacks(wanted, here), "playlist", id)
        added = () if rehearsal else self._added(known, here)
        return Taken(one.id, one.name, "again" if added else "known", None, _lacks(wanted, here), "playlist", known)

    def _there(self) -> Mapping[str, str]:
        """By those of their tags that say where they came from."""
        if self._known is None:
            found = paging.every(self._page(1), self._page, _is_last)
            self._known = {tag: one["id"] for one in found for tag in one["tags"] if tag.startswith(self._mark)}
        return self._known

    def _page(self, number: int) -> Any:
        return self._api.call("GET", "/v1/playlists", query={"page": number, "per_page": PAGE_SIZE})

    def _made(self, one: SourcePlaylist, tag: str, here: Sequence[str]) -> str:
        body: dict[str, Any] = {
            "name": one.name, "description": one.description, "entity_ids": list(here),
            "privacy_type": one.privacy_type, "privacy_domains": list(one.privacy_domains),
            "tags": [*one.tags, tag], "settings": one.settings,
        }  # fmt: skip
        if one.folder:
            body["parent_id"] = self._folder(one.folder)
        if one.player is not None:
            body["player_id"] = self._player(one.player)
        made = self._api.send("POST", "/v1/playlists", body, headers=once()).json
        return str(made["data"]["id"])

    def _added(self, id: str, here: Sequence[str]) -> Sequence[str]:
        """Those that were not here when it was made, each at its place."""
        path = at("v1", "playlists", id, "entities")
        there = {ids.canonical("vi", one["id"]) for one in items(self._api.call("GET", path)["data"])}
        lacking = [each for each in here if each not in there]
        if lacking:
            self._api.send("POST", path, {"entity_ids": lacking}, headers=once())
            for each in lacking:
                self._api.call("PUT", path + at(each, "move"), {"position": here.index(each) + 1})
        return lacking


def _is_last(page: Any, _number: int, given: int) -> bool:
    return bool(given >= page["meta"]["pagination"]["total"])


def _lacks(wanted: Sequence[str], here: Sequence[str]) -> str:
    lacking = len(wanted) - len(here)
    return f"{lacking} of its {len(wanted)} videos {'is' if lacking == 1 else 'are'} not here." if lacking else ""
