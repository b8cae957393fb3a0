"""Libraries elsewhere: what their APIs answer, as they are known to and otherwise."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from server.client.api import Answer, Api, Unreachable
from server.client.migration import kinescope
from server.client.migration.apivideo import ApiVideo
from server.client.migration.kinescope import Kinescope
from server.client.migration.library import Library, Listed, Listing, OddAnswer, SourcePlayer, SourceText, SourceVideo
from server.client.migration.results import Taken
from server.client.migration.taking import Migration
from server.client.paging import Endless
from server.client.refusals import Refused

Answers = dict[str, Any]  # by path, with the page where it matters


class Elsewhere:
    """An API that answers with what it is given, and remembers with which key it was asked."""

    def __init__(self) -> None:
        self.answers: Answers = {}
        self.keys: list[str] = []
        self.url = ""


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    api = Elsewhere()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # its name in the library
            asked = urlsplit(self.path)
            query = parse_qs(asked.query)
            page = (query.get("page") or query.get("currentPage") or ["1"])[0]
            api.keys.append(self.headers.get("Authorization", ""))
            found = api.answers.get(f"{asked.path} {page}", api.answers.get(asked.path))
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield api
        server.shutdown()
        thread.join()


def all_of(library: Library) -> list[SourceVideo]:
    return [library.video(listed) for listed in library.listing().videos]


def taken_of(library: Library, api: Api | None = None, rehearsal: bool = False) -> list[Taken]:
    return Migration(api or Api("http://127.0.0.1:1", "k"), library, rehearsal).run(lambda _: None, lambda _: None)


# --- Kinescope, as its documentation has it

VIDEO = {
    "id": "393b4536-7ef2-45e9-90f5-83bdeb5e0612", "project_id": "p1", "folder_id": None, "version": 0,
    "title": "sample_video", "description": "", "status": "done", "progress": 100, "duration": 65.5,
    "assets": [
        {"quality": "720p", "resolution": "1280x720", "url": "https://cdn.example/720.mp4"},
        {"quality": "1080p", "resolution": "1920x1080", "url": "", "download_link": "https://cdn.example/1080.mp4"},
    ],
    "chapters": {"items": [{"time": 60_000, "title": "Two"}, {"time": 0, "title": "One"}], "enabled": True},
    "privacy_type": "custom", "privacy_domains": ["a.example", "b.example"],
    "created_at": "2020-08-31T09:03:00.106436Z",
    "subtitles": [{"id": "s", "language": "ru", "url": "https://cdn.example/s.vtt"}], "subtitles_enabled": True,
}  # fmt: skip


def page(*data: Any, total: int | None = None) -> Any:
    pagination = {"page": 1, "per_page": 100, "total": len(data) if total is None else total}
    return {"meta": {"pagination": pagination}, "data": list(data)}


def test_a_library_at_kinescope(elsewhere: Elsewhere) -> None:
    elsewhere.answers = {
        "/v1/projects": page({"id": "p1", "name": "Lessons"}),
        "/v1/projects/p1/folders": page({"id": "f1", "name": "Week 1"}),
        "/v1/videos 1": page(VIDEO, total=2),
        "/v1/videos 2": page({**VIDEO, "id": "v2", "folder_id": "f1", "privacy_type": "anywhere", "assets": [],
                              "status": "uploading", "chapters": None, "subtitles": None}, total=2),
    }  # fmt: skip
    library = Kinescope("k", elsewhere.url)

    assert library.listing().total == 2
    first, second = all_of(library)
    assert (first.file_url, first.public, first.folder) == ("https://cdn.example/1080.mp4", False, ("Lessons",))
    assert first.metadata == (("importedPrivacyDomains", "a.example, b.example"),)
    captions, chapters = first.texts
    assert (captions.language, captions.url) == ("ru", "https://cdn.example/s.vtt")
    assert chapters.language == "ru"
    assert chapters.content == (
        b"WEBVTT\n\n00:00:00.000 --> 00:01:00.000\nOne\n\n00:01:00.000 --> 00:01:05.500\nTwo\n"
    )
    assert (second.file_url, second.folder, second.texts) == (None, ("Lessons", "Week 1"), ())
    assert "uploading" in second.reason
    assert set(elsewhere.keys) == {"Bearer k"}


def test_the_original_is_taken_before_what_was_made_of_it(elsewhere: Elsewhere) -> None:
    assets = [*VIDEO["assets"], {"quality": "original", "url": "https://cdn.example/o.mov"}]  # type: ignore[misc]
    elsewhere.answers = {"/v1/projects": page(), "/v1/videos": page({**VIDEO, "assets": assets})}
    assert all_of(Kinescope("k", elsewhere.url))[0].file_url == "https://cdn.example/o.mov"


def test_what_is_beside_videos_at_kinescope(elsewhere: Elsewhere) -> None:
    id = VIDEO["id"]
    elsewhere.answers = {
        "/v1/projects": page({"id": "p1", "name": "Lessons"}),
        "/v1/projects/p1/folders": page(),
        "/v1/players": page({"id": "l1", "name": "Blue", "settings": {"a": 1}}, {"name": "nameless"}),
        "/v1/videos": page({**VIDEO, "additional_materials": [{"id": "m1", "title": "Slides", "filename": "s.pdf"}]}),
        f"/v1/videos/{id}": {"data": {**VIDEO, "player_id": "l1", "additional_materials": [{"id": "m1"}]}},
        f"/v1/videos/{id}/annotations": {"data": [{"id": "a1", "title": "More", "link": "https://a.example"}]},
        "/v1/additional-materials/m1/link": {"data": {"link": f"{elsewhere.url}/s.pdf"}},
        "/v1/additional-materials/m2/link": {"data": {"link": "https://[x"}},
        "/v1/additional-materials/m3/link": {"data": None},
        "/s.pdf": b"slides",
        "/v1/playlists": page({"id": "y1", "name": "Watch", "parent_id": "p1", "player_id": "l1"}),
        "/v1/playlists/y1/entities 1": page({"id": "v1", "position": 2}, total=2),
        "/v1/playlists/y1/entities 2": page({"id": "v2", "position": 1}, total=2),
    }
    library = Kinescope("k", elsewhere.url)

    (player,) = library.players()
    (video,) = all_of(library)
    (playlist,) = library.playlists()
    assert (player.name, video.player, playlist.player) == ("Blue", player, player)
    assert [one.title for one in library.annotations(video)] == ["More"]
    (material,) = video.materials
    assert library.material(material) == b"slides"
    for other in ("m2", "m3"):
        with pytest.raises(Refused):
            library.material(replace(material, id=other))
    assert playlist.folder == ("Lessons",)
    assert library.entries(playlist) == ["v2", "v1"]


def test_a_video_that_is_watched_and_not_had_at_kinescope(elsewhere: Elsewhere) -> None:
    kept_back = {**VIDEO, "assets": [], "hls_link": "https://cdn.example/m.m3u8"}
    elsewhere.answers = {
        "/v1/projects": page(), "/v1/videos": page(kept_back), f"/v1/videos/{VIDEO['id']}": {"data": kept_back},
    }  # fmt: skip
    (found,) = all_of(Kinescope("k", elsewhere.url))
    assert (found.file_url, found.hls_url) == (None, "https://cdn.example/m.m3u8")
    assert (found.kept_back, found.gives_file) == (True, False)


@pytest.mark.parametrize(
    "change",
    [
        {"assets": "none", "status": 1}, {"assets": [1, None, {"url": 5}]}, {"poster": 3, "chapters": []},
        {"chapters": {"items": "x"}},
        {"chapters": {"items": [{"time": "1", "title": 2}, {"time": -1}, {"time": 10**12}, {"time": True}]}},
        {"subtitles": {}}, {"subtitles": [{"language": "en"}, 3]}, {"privacy_domains": 1}, {"tags": {"a": 1}},
        {"duration": "long"}, {"duration": -1}, {"title": None, "description": 4, "created_at": None},
        {"folder_id": ["x"], "project_id": {}},
    ],
)  # fmt: skip
def test_what_is_odd_of_a_video_is_passed_over(elsewhere: Elsewhere, change: dict[str, Any]) -> None:
    elsewhere.answers = {"/v1/projects": page(), "/v1/videos": page({**VIDEO, **change})}
    (found,) = all_of(Kinescope("k", elsewhere.url))
    assert found.id == VIDEO["id"]
    assert isinstance(found.title, str)


def test_folders_in_a_round_end(elsewhere: Elsewhere) -> None:
    elsewhere.answers = {
        "/v1/projects": page({"id": "p1", "name": "P"}),
        "/v1/projects/p1/folders": page({"id": "f1", "name": "F"}),  # whichever folder's are asked for
        "/v1/videos": page({**VIDEO, "folder_id": "f1"}),
    }
    assert all_of(Kinescope("k", elsewhere.url))[0].folder == ("P", "F")


def test_a_list_without_end_is_told_and_the_rest_is_taken(elsewhere: Elsewhere) -> None:
    elsewhere.answers = {
        "/v1/projects": page(), "/v1/players": page(),
        "/v1/videos": page({**VIDEO, "status": "error", "assets": []}, total=1000),
        f"/v1/videos/{VIDEO['id']}/annotations": {"data": []},
        "/v1/playlists": page({"id": "y1", "name": "Watch"}, total=1000),
        "/v1/playlists/y1/entities": page({"id": "v1", "position": 1}, total=1000),
    }  # fmt: skip

    found = taken_of(Kinescope("k", elsewhere.url), here_is_nothing(), rehearsal=True)

    assert [(one.kind, one.title, one.result) for one in found] == [
        ("video", "sample_video", "skipped"), ("video", "The list of videos", "failed"),
        ("playlist", "The list of playlists", "failed"), ("playlist", "Watch", "failed"),
    ]  # fmt: skip
    assert [one.reason[:24] for one in found[1:]] == ["This list has no end: it"] * 3


def test_folders_without_end_are_told(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinescope, "FOLDERS_LIMIT", 3)
    folders = page({"id": "f1", "name": "F"}, {"id": "f2", "name": "G"}, {"id": "f3", "name": "H"})
    elsewhere.answers = {
        "/v1/projects": page({"id": "p1", "name": "P"}), "/v1/projects/p1/folders": folders, "/v1/videos": page(VIDEO),
    }  # fmt: skip
    with pytest.raises(Endless, match="more than 3 folders"):
        all_of(Kinescope("k", elsewhere.url))


# --- api.video

OTHER = {
    "videoId": "vi4blUQ", "title": "A video", "description": "d", "public": True, "tags": ["t"], "language": "fr",
    "metadata": [{"key": "k", "value": "v"}], "createdAt": "2020-01-01T00:00:00+00:00",
    "assets": {"hls": "https://h", "mp4": "https://cdn.example/source.mp4", "thumbnail": "https://cdn.example/t.jpg"},
    "playerId": "pt1", "folderId": "fo1",
}  # fmt: skip


def listed(*data: Any, pages: int = 1) -> Any:
    return {"data": list(data), "pagination": {"pagesTotal": pages, "itemsTotal": len(data) * pages}}


def test_a_library_at_api_video(elsewhere: Elsewhere) -> None:
    unheld = {"assets": {"hls": "https://h"}}
    elsewhere.answers = {
        "/videos 1": listed(OTHER, pages=2),
        "/videos 2": listed({**OTHER, "videoId": "vi2", **unheld, "mp4Support": False}, {**OTHER, **unheld}, pages=2),
        "/videos/vi4blUQ/status": {"encoding": {"playable": True}},
        "/videos/vi2/status": {"encoding": {"playable": True}},
        "/videos/vi2/captions": listed(),
        "/videos/vi2/chapters": listed(),
        "/players/pt1": {"name": "Dark", "text": "#fff", "link": "", "hideTitle": True, "forceLoop": None, "x": 1,
                         "assets": {"logo": "https://cdn.example/l.png", "link": "https://a.example/"}},
        "/folders": listed({"folderId": "fo1", "path": [{"name": "A"}, {"name": "B"}]}),
        "/videos/vi4blUQ/captions": listed({"srclang": "fr", "src": "https://cdn.example/c.vtt", "default": True}),
        "/videos/vi4blUQ/chapters": listed({"language": "fr", "src": f"{elsewhere.url}/chapters.vtt"}),
        "/chapters.vtt": b"WEBVTT\n",
    }
    library = ApiVideo("k", elsewhere.url)

    first, second, third = all_of(library)
    assert (first.file_url, first.language, first.metadata) == ("https://cdn.example/source.mp4", "fr", (("k", "v"),))
    captions, chapters = first.texts
    assert (captions.kind, captions.language, captions.default) == ("captions", "fr", True)
    assert library.download(chapters.url or "") == b"WEBVTT\n"
    assert (first.poster_url, first.folder) == ("https://cdn.example/t.jpg", ("A", "B"))
    assert first.player == SourcePlayer(
        "pt1", "Dark", {"text": "#fff", "hideTitle": True}, "https://cdn.example/l.png", "https://a.example/"
    )
    assert (second.file_url, second.kept_back, second.hls_url) == (None, True, "https://h")
    assert ("mp4Support is off" in second.reason, third.reason) == (True, "There is no MP4 file of it.")


def test_a_list_at_api_video_that_turns_no_page_is_told(elsewhere: Elsewhere) -> None:
    elsewhere.answers = {"/videos": listed(OTHER, pages=1000), "/videos/vi4blUQ/status": {"encoding": {}}}

    found = taken_of(ApiVideo("k", elsewhere.url), here_is_nothing())

    assert [(one.title, one.result) for one in found] == [("A video", "skipped"), ("The list of videos", "failed")]


def test_one_of_whom_no_more_is_told_fails_alone(elsewhere: Elsewhere) -> None:
    there = {"assets": {"mp4": "https://cdn.example/a.mp4"}}
    elsewhere.answers = {
        "/videos": listed({**OTHER, **there, "videoId": "vi1"}, {**OTHER, **there, "videoId": "vi2"}),
        "/videos/vi2/status": {"encoding": {"playable": False}},
    }

    first, second = taken_of(ApiVideo("k", elsewhere.url), here_is_nothing())

    assert (first.source_id, first.result, "404" in first.reason) == ("vi1", "failed", True)
    assert (second.source_id, second.result) == ("vi2", "skipped")


def here_is_nothing() -> Api:
    """A server with an empty library."""
    empty = json.dumps(listed()).encode()
    return Api("http://a", "k", lambda *_: Answer(200, {}, empty))


class Gone(Library):
    """A library whose list can be had, and nothing else."""

    name = "gone"

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def listing(self) -> Listing:
        return Listing(100, (Listed(str(number), "A", {}) for number in range(100)))

    def video(self, listed: Listed) -> SourceVideo:
        raise self._failure

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        return Answer(200, {}, b"")

    def download(self, url: str) -> bytes:
        return b""


@pytest.mark.parametrize("failure", [Unreachable("gone"), Refused(503, None), Refused(401, None), Refused(429, None)])
def test_a_library_that_is_gone_is_not_asked_for_each_of_its_videos(failure: Exception) -> None:
    told: list[Taken] = []
    with pytest.raises(type(failure)):
        Migration(here_is_nothing(), Gone(failure)).run(lambda _: None, told.append)
    assert [one.result for one in told] == ["failed"] * 5


def test_refusals_that_are_about_a_video_end_nothing() -> None:
    assert [one.result for one in taken_of(Gone(Refused(404, None)), here_is_nothing())] == ["failed"] * 100


def test_the_list_may_leave_assets_out(elsewhere: Elsewhere) -> None:
    elsewhere.answers = {
        "/v1/projects": page(), "/v1/videos": page({**VIDEO, "assets": None, "poster": None}),
        f"/v1/videos/{VIDEO['id']}": {"data": {**VIDEO, "poster": {"original": "https://cdn.example/p.jpg"}}},
    }  # fmt: skip
    (found,) = all_of(Kinescope("k", elsewhere.url))
    assert (found.file_url, found.poster_url) == ("https://cdn.example/1080.mp4", "https://cdn.example/p.jpg")


def test_a_key_is_given_to_its_own_api_alone(elsewhere: Elsewhere) -> None:
    elsewhere.answers = {"/c.vtt": b"WEBVTT\n"}
    for library in (ApiVideo("k", "http://other.example"), Kinescope("k", "http://other.example")):
        library.download(f"{elsewhere.url}/c.vtt")
    assert elsewhere.keys == ["", ""]


@pytest.mark.parametrize("library", [ApiVideo, Kinescope])
@pytest.mark.parametrize("body", [b"<html>", [], {}, {"data": 1}, {"data": [{}]}, {"data": [{}], "pagination": {}}])
def test_what_is_no_such_api_is_told(elsewhere: Elsewhere, library: Any, body: Any) -> None:
    elsewhere.answers = {"/videos": body, "/v1/videos": body, "/v1/projects": page()}
    with pytest.raises(OddAnswer, match="does not answer as"):
        all_of(library("k", elsewhere.url))


@pytest.mark.parametrize("library", [ApiVideo, Kinescope])
def test_refusals_are_passed_on(elsewhere: Elsewhere, library: Any) -> None:
    with pytest.raises(Refused, match="status 404"):
        all_of(library("k", elsewhere.url))


@pytest.mark.parametrize("kind", [ApiVideo, Kinescope])
def test_only_the_web_is_asked_for_texts(kind: Any, tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(b"secret")
    library = kind("key", "http://127.0.0.1:1")
    for url in ((tmp_path / "own").as_uri(), f"<URL:{(tmp_path / 'own').as_uri()}>", "data:text/plain,x",
                "ftp://127.0.0.1:1/x", "", "http://[x"):  # fmt: skip
        with pytest.raises(Unreachable):
            library.download(url)


@pytest.mark.parametrize("kind", [ApiVideo, Kinescope])
def test_the_key_is_not_sent_in_the_clear(elsewhere: Elsewhere, kind: Any) -> None:
    elsewhere.answers["/a.vtt"] = b"WEBVTT"

    for own in (elsewhere.url.replace("http", "https"), elsewhere.url):
        assert kind("key", own).download(elsewhere.url + "/a.vtt") == b"WEBVTT"

    assert elsewhere.keys[0] == ""
    assert elsewhere.keys[1]


def test_a_text_that_can_not_be_reached_fails_its_own_video() -> None:
    video = SourceVideo("a", "A", "", "https://cdn.example/a.mp4", texts=(SourceText("captions", "fr", "ftp://x/y"),))

    class Shelf(ApiVideo):
        def listing(self) -> Listing:
            return Listing(2, iter([Listed("a", "A", {}), Listed("b", "B", {})]))

        def video(self, listed: Listed) -> SourceVideo:
            return video if listed.id == "a" else replace(video, id="b", texts=())

    def ask(method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        found: Any = {"videoId": "vi1", "state": "done"}
        if method == "GET":
            found = {"data": [], "pagination": {"pagesTotal": 1}}
        return Answer(200, {}, json.dumps(found).encode())

    taken = taken_of(Shelf("key"), Api("http://a", "k", ask))

    assert [one.result for one in taken] == ["failed", "new"]
    assert (taken[0].video_id, "http://" in taken[0].reason) == ("vi1", True)


def test_a_thumbnail_that_can_not_be_had_is_told() -> None:
    video = SourceVideo("a", "A", "", "https://cdn.example/a.mp4", poster_url="ftp://x/y")

    class Shelf(ApiVideo):
        def listing(self) -> Listing:
            return Listing(1, iter([Listed("a", "A", {})]))

        def video(self, listed: Listed) -> SourceVideo:
            return video

    def ask(method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        found: Any = listed() if method == "GET" else {"videoId": "vi1", "state": "pending"}
        return Answer(200, {}, json.dumps(found).encode())

    (taken,) = taken_of(Shelf("key"), Api("http://a", "k", ask))
    assert (taken.result, taken.reason[:22]) == ("new", "Without its thumbnail:")


class Server:
    """Ours, as far as players are concerned."""

    def __init__(self) -> None:
        self.videos: list[Any] = []
        self.players: list[Any] = []
        self.logos: list[str] = []
        self.looks = 0

    def ask(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        path = urlsplit(url).path
        self.looks += (method, path) == ("GET", "/players")
        if path.endswith("/logo"):
            self.logos.append(path)
            self.players[0]["assets"]["logo"] = "https://here.example/logo.png"
        elif method == "POST" and path == "/players":
            self.players.append({**json.loads(data or b""), "playerId": "pt1", "assets": {"logo": ""}})
            return Answer(201, {}, json.dumps(self.players[-1]).encode())
        elif method == "POST":
            self.videos.append({"videoId": "vi1", "state": "done", "playerId": "pt1"})
            return Answer(201, {}, json.dumps(self.videos[-1]).encode())
        found = self.players if path == "/players" else self.videos if "importedFrom" in url else []
        return Answer(200, {}, json.dumps(listed(*found)).encode())


def test_a_logo_that_can_not_be_had_fails_no_video_and_is_tried_again() -> None:
    player = SourcePlayer("p", "Dark", {}, "https://cdn.example/l.png")
    downloads: list[str] = []

    class Shelf(ApiVideo):
        broken = True

        def listing(self) -> Listing:
            return Listing(2, iter([Listed("a", "A", {}), Listed("b", "B", {})]))

        def video(self, listed: Listed) -> SourceVideo:
            return SourceVideo(listed.id, listed.title, "", "https://cdn.example/a.mp4", player=player)

        def download(self, url: str) -> bytes:
            downloads.append(url)
            if self.broken:
                raise Refused(404, {"title": "Nothing is there."})
            return b"\x89PNG"

    server = Server()
    api, shelf = Api("http://a", "k", server.ask), Shelf("key")
    told, *taken = taken_of(shelf, api)
    assert (told.kind, told.result, told.id) == ("player", "new", "pt1")
    assert [one.reason for one in taken] == ["Without its player's logo: Nothing is there."] * 2
    assert (taken[0].result, server.logos, len(downloads)) == ("new", [], 1)

    shelf.broken = False
    made, server.players = server.players, []
    assert [one.result for one in taken_of(shelf, api)] == ["known"] * 2
    assert server.looks == 2  # one of each run
    server.players = made
    assert {(one.result, one.reason) for one in taken_of(shelf, api)} == {("known", "")}
    assert {(one.result, one.reason) for one in taken_of(shelf, api)} == {("known", "")}
    assert (server.logos, len(server.players), len(downloads)) == (["/players/pt1/logo"], 1, 2)
