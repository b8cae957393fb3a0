"""What is taken over beside videos, into a server that holds what it is told."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from server import ids
from server.client.api import Answer, Api, Unreachable
from server.client.migration.library import (
    Library,
    Listed,
    Listing,
    SourceAnnotation,
    SourceMaterial,
    SourcePlayer,
    SourcePlaylist,
    SourceVideo,
)
from server.client.migration.results import Taken
from server.client.migration.taking import Migration
from server.client.refusals import Refused

BLUE = SourcePlayer("p1", "Blue", {}, settings={"a": 1})
NOTE = SourceAnnotation("a1", "More", "https://a.example", "text", 0, 9)
FILE = SourceMaterial("m1", "Übersicht", "a b.pdf", "application/pdf", 6)
LIST = SourcePlaylist("y1", "Watch", "", player=BLUE, tags=("own",))


class Shelf(Library):
    """Two videos, the first with everything; `broken`: names of what can't be asked for."""

    name = "kinescope"

    def __init__(self) -> None:
        self.broken: dict[str, Exception] = {}
        self.left: set[str] = set()  # ids of videos that have no file
        self.notes: list[SourceAnnotation] = [NOTE, NOTE]

    def _check(self, what: str) -> None:
        if what in self.broken:
            raise self.broken[what]

    def listing(self) -> Listing:
        return Listing(2, (Listed(id, id.upper(), {}) for id in ("one", "two")))

    def video(self, listed: Listed) -> SourceVideo:
        whole = listed.id == "one"
        return SourceVideo(
            listed.id, listed.title, "", None if listed.id in self.left else "https://cdn.example/a.mp4",
            player=BLUE if whole else None, materials=(FILE,) if whole else (), materials_shown=True,
        )  # fmt: skip

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        return Answer(200, {}, b"slides")

    def download(self, url: str) -> bytes:
        return b""

    def players(self) -> Iterable[SourcePlayer]:
        yield BLUE
        self._check("players")

    def annotations(self, video: SourceVideo) -> Sequence[SourceAnnotation]:
        self._check("annotations")
        return self.notes if video.id == "one" else []

    def material(self, material: SourceMaterial) -> bytes:
        self._check("material")
        return b"slides"

    def playlists(self) -> Iterator[SourcePlaylist]:
        self._check("playlists")
        yield LIST

    def entries(self, playlist: SourcePlaylist) -> Sequence[str]:
        self._check("entries")
        return ["two", "one"]


def uuid_of(id: str) -> str:
    return str(ids.to_uuid("", id[-22:]))


@dataclass
class Here:
    """Our server, as far as it is asked."""

    videos: dict[str, dict[str, Any]] = field(default_factory=dict)
    players: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    playlists: list[dict[str, Any]] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def ask(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        path = urlsplit(url).path
        self.calls.append(f"{method} {path}")
        body = json.loads(data) if data and path != "/additional-material" else {}
        return Answer(200, {}, json.dumps(self._answer(method, path, body, url, headers)).encode())

    def _answer(self, method: str, path: str, body: Any, url: str, headers: Mapping[str, str]) -> Any:
        page = {"meta": {"pagination": {"total": 1}}, "pagination": {"pagesTotal": 1}}
        match method, path.split("/")[1:]:
            case "GET", ["videos"]:
                origin = unquote(urlsplit(url).query).partition("=")[2].partition("&")[0]
                return {"data": [self.videos[origin]] if origin in self.videos else []}
            case "POST", ["videos"]:
                origin = next(one["value"] for one in body["metadata"] if one["key"] == "importedFrom")
                self.videos[origin] = {"videoId": ids.new("vi"), "state": "done", "playerId": body.get("playerId")}
                return self.videos[origin]
            case "PATCH", ["videos", id]:
                next(one for one in self.videos.values() if one["videoId"] == id).update(body)
                return {}
            case "GET", ["players"]:
                return {"data": self.players, **page}
            case "POST", ["v1", "players"]:
                id = ids.new("pl")
                self.players.append({"name": body["name"], "playerId": id, "assets": {"logo": None}})
                return {"data": {"id": uuid_of(id)}}
            case "GET", ["v1", "videos", _, "annotations"]:
                return {"data": self.notes}
            case "POST", ["v1", "videos", _, "annotations"]:
                self.notes.append({**body, "id": f"n{len(self.notes)}"})
                return {"data": self.notes[-1]}
            case "GET", ["v1", "videos", _]:
                return {"data": {"additional_materials": self.files}}
            case "POST", ["additional-material"]:
                title, name = (unquote(headers[one]) for one in ("X-Title", "X-File-Name"))
                self.files.append({"id": "f", "title": title, "filename": name, "size": 6})
                return {"data": self.files[-1]}
            case "GET", ["v1", "playlists"]:
                return {"data": self.playlists, **page}
            case "POST", ["v1", "playlists"]:
                self.playlists.append({**body, "id": "list"})
                self.entries = body["entity_ids"]
                return {"data": {"id": "list"}}
            case "GET", ["v1", "playlists", _, "entities"]:
                return {"data": [{"id": uuid_of(one)} for one in self.entries]}
            case "POST", ["v1", "playlists", _, "entities"]:
                self.entries += body["entity_ids"]
                return {}
            case "PUT", ["v1", "playlists", _, "entities", id, "move"]:
                self.entries.remove(id)
                self.entries.insert(body["position"] - 1, id)
                return {}
        return {"data": [], **page}

    def ids(self, *sources: str) -> list[str]:
        return [self.videos[f"kinescope:{one}"]["videoId"] for one in sources]


def taken_of(shelf: Shelf, here: Here, rehearsal: bool = False) -> list[Taken]:
    return Migration(Api("http://here", "k", here.ask), shelf, rehearsal).run(lambda _: None, lambda _: None)


def said(taken: list[Taken]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.source_id, one.result) for one in taken]


ALL = [("player", "p1"), ("video", "one"), ("annotation", "a1"), ("annotation", "a1"), ("material", "m1"),
       ("video", "two"), ("playlist", "y1")]  # fmt: skip


def all_are(result: str) -> list[tuple[str, str, str]]:
    return [(*one, result) for one in ALL]


def test_each_thing_is_made_once_and_names_what_was_made() -> None:
    here = Here()
    assert said(taken_of(Shelf(), here, rehearsal=True)) == all_are("new")
    assert [one for one in here.calls if not one.startswith("GET")] == []

    assert said(taken_of(Shelf(), here)) == all_are("new")
    (blue,) = here.players
    (playlist,) = here.playlists
    assert blue["name"] == "Blue (p1)"
    assert [one["playerId"] for one in here.videos.values()] == [blue["playerId"], None]
    assert (playlist["player_id"], playlist["tags"]) == (blue["playerId"], ["own", "importedFrom:kinescope:y1"])
    assert here.entries == here.ids("two", "one")
    assert "PATCH /v1/videos/" + here.ids("one")[0] in here.calls

    here.calls.clear()
    for rehearsal in (True, False):
        assert said(taken_of(Shelf(), here, rehearsal)) == all_are("known")
    assert [one for one in here.calls if not one.startswith("GET")] == []


def test_another_run_does_what_is_left() -> None:
    here, shelf = Here(), Shelf()
    shelf.left, shelf.notes = {"two"}, [NOTE]
    first = taken_of(shelf, here)
    assert [(one.result, one.reason) for one in first if one.kind == "playlist"] == [
        ("new", "1 of its 2 videos is not here.")
    ]
    next(iter(here.videos.values()))["playerId"] = None

    second = taken_of(Shelf(), here)
    assert [one.result for one in second] == ["known", "known", "known", "new", "known", "new", "again"]
    assert here.entries == here.ids("two", "one")
    assert here.videos["kinescope:one"]["playerId"] == here.players[0]["playerId"]


@pytest.mark.parametrize("error", [Refused(403, {"title": "It was refused."}), Unreachable("It was refused.")])
@pytest.mark.parametrize("what", ["players", "annotations", "material", "playlists", "entries"])
def test_what_fails_keeps_nothing_else(what: str, error: Exception) -> None:
    here, shelf = Here(), Shelf()
    shelf.broken = {what: error}
    broken = [one for one in taken_of(shelf, here) if one.result == "failed"]
    assert broken
    assert all("It was refused." in one.reason for one in broken)
    assert len(here.videos) == 2

    shelf.broken = {}
    assert not [one for one in taken_of(shelf, here) if one.result == "failed"]
    counts = len(here.players), len(here.notes), len(here.files), len(here.playlists), len(here.entries)
    assert counts == (1, 2, 1, 1, 2)


def test_what_is_gone_is_not_asked_for_each_thing() -> None:
    class Many(Shelf):
        def annotations(self, video: SourceVideo) -> Sequence[SourceAnnotation]:
            return [NOTE] * 100

    def gone(here: Here) -> Callable[..., Answer]:
        def ask(method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
            if method == "POST" and url.endswith("/annotations"):
                raise Unreachable("gone")
            return here.ask(method, url, data, headers)

        return ask

    told: list[Taken] = []
    with pytest.raises(Unreachable):
        Migration(Api("http://here", "k", gone(Here())), Many()).run(lambda _: None, told.append)
    assert [one.result for one in told if one.kind == "annotation"] == ["failed"] * 5
