"""Libraries taken over from another server, in both dialects, with all that is said of their videos."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner, Result

from server import ids
from server.cli import main
from server.client import forms
from tests.harness import media
from tests.harness.server import OWNER_KEY, Server, until

pytestmark = pytest.mark.server

CAPTIONS = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
CHAPTERS = b"WEBVTT\n\n00:00.000 --> 00:01.000\nFirst\n\n00:01.000 --> 00:02.000\nSecond\n"


@pytest.fixture(autouse=True)
def of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SLUICE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def there(server: Server) -> tuple[Server, str]:
    """The library that is taken over, a project of its own; and its key."""
    project = server.api("POST", "/projects", {"name": "a library"})["projectId"]
    made = server.api("POST", "/api-keys", {"name": "there", "scopes": ["*"], "projectId": project})
    return server, made["secret"]


def in_project(server: Server, key: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
    answer = server.call(method, path, body, key=key, **more)
    assert answer.status < 300, f"{method} {path}: {answer.status} {answer.text}"
    return answer.json() if answer.body else None


def a_library(server: Server, key: str, path: Path) -> dict[str, str]:
    """Ids by titles: one video with everything, a private one that has no MP4, one without a file."""
    folder = in_project(server, key, "POST", "/folders", {"name": "Lessons"})
    below = in_project(server, key, "POST", "/folders", {"name": "Week 1", "parentId": folder["folderId"]})
    described = [
        {"title": "Whole", "description": "All of it", "tags": ["a", "b"], "language": "de",
         "metadata": [{"key": "id", "value": "7"}], "folderId": below["folderId"]},
        {"title": "Private", "public": False, "mp4Support": False},  # so it is brought by its stream
        {"title": "Empty"},
    ]  # fmt: skip
    found = {}
    for one in described:
        id = found[one["title"]] = in_project(server, key, "POST", "/videos", one)["videoId"]
        if one["title"] != "Empty":
            body, headers = forms.of_file(path.read_bytes(), "film.mp4")
            in_project(server, key, "POST", f"/videos/{id}/source", body, headers=headers)
    for path_of, content in (("captions/en", CAPTIONS), ("captions/de", CAPTIONS), ("chapters/en", CHAPTERS)):
        body, headers = forms.of_file(content, "text.vtt")
        in_project(server, key, "POST", f"/videos/{found['Whole']}/{path_of}", body, headers=headers)
    in_project(server, key, "PATCH", f"/videos/{found['Whole']}/captions/de", {"default": True})
    return found


@pytest.fixture
def sluice(make_server: Callable[..., Server], there: tuple[Server, str]) -> Callable[..., Any]:
    """`sluice import` into a server of its own; what it prints as JSON."""
    here = make_server(SLUICE_FETCH__ALLOW='["127.0.0.1"]')
    source, key = there
    environment = {"SLUICE_URL": here.http, "SLUICE_KEY": OWNER_KEY, "SLUICE_SOURCE_KEY": key}

    def run(*arguments: str, code: int = 0) -> Result:
        told = ["import", "--source-url", source.http, *arguments]
        done = CliRunner(env=environment).invoke(main, told)
        assert done.exit_code == code, done.output
        return done

    run.here = here  # type: ignore[attr-defined]
    return run


def results(done: Result) -> dict[str, tuple[str, str | None]]:
    """What became of each, and its id here, by its title."""
    return {one["title"]: (one["result"], one["videoId"]) for one in json.loads(done.stdout)}


def text_of(server: Server, video_id: str, kind: str, language: str) -> str:
    shown = server.api("GET", f"/videos/{video_id}/{kind}/{language}")
    return server.get(shown["src"]).text


def same_media(video: dict[str, Any], other: dict[str, Any]) -> None:
    """Every picture, and every packet of sound."""
    for stream in ("v", "a"):
        hashes = [media.frame_hashes(one["assets"]["hls"], stream) for one in (video, other)]
        assert hashes[0] == hashes[1] != []


def metadata(video: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in video["metadata"]}


def test_a_library_of_the_first_dialect(sluice: Any, there: tuple[Server, str], tmp_path: Path) -> None:
    source, key, here = *there, sluice.here
    known = a_library(source, key, media.clip(2, b_frames=2))
    settled(source, key, known["Whole"], known["Private"])
    player = in_project(source, key, "POST", "/players", {"name": "Dark", "hideTitle": True})["playerId"]
    in_project(source, key, "PATCH", f"/videos/{known['Private']}", {"playerId": player})

    planned = results(sluice("--from", "apivideo", "--dry-run", "--json"))
    assert planned == {"Whole": ("new", None), "Private": ("new", None), "Empty": ("skipped", None)}
    assert here.api("GET", "/videos")["data"] == []

    found = results(sluice("--from", "apivideo", "--wait", "--json"))
    assert [found[title][0] for title in ("Whole", "Private", "Empty")] == ["new", "new", "skipped"]
    whole = here.api("GET", f"/videos/{found['Whole'][1]}")
    assert (whole["state"], whole["description"], whole["tags"]) == ("done", "All of it", ["a", "b"])
    assert (whole["language"], whole["public"]) == ("de", True)
    created = in_project(source, key, "GET", f"/videos/{known['Whole']}")["createdAt"]
    origin = f"apivideo:{known['Whole']}"
    assert metadata(whole) == {"id": "7", "importedFrom": origin, "importedCreatedAt": created}
    captions = here.api("GET", f"/videos/{whole['videoId']}/captions")["data"]
    assert {one["srclang"]: one["default"] for one in captions} == {"en": False, "de": True}
    assert "Hello" in text_of(here, whole["videoId"], "captions", "en")
    assert "Second" in text_of(here, whole["videoId"], "chapters", "en")
    private = here.api("GET", f"/videos/{found['Private'][1]}")
    assert (private["state"], private["public"], private["mp4Support"]) == ("done", False, False)
    same_media(private, in_project(source, key, "GET", f"/videos/{known['Private']}"))
    look = here.api("GET", f"/players/{private['playerId']}")
    assert (look["name"], look["hideTitle"]) == (f"Dark ({player})", True)
    folder = here.api("GET", f"/folders/{whole['folderId']}")
    assert [step["name"] for step in folder["path"]] == ["Lessons", "Week 1"]

    again = sluice("--from", "apivideo")
    assert counts(again) == {"videos": "0 0 2 1 0 0"}
    assert known["Whole"] in again.stdout
    assert len(here.api("GET", "/videos")["data"]) == 2

    here.api("DELETE", f"/videos/{whole['videoId']}/captions/en")
    here.api("DELETE", f"/videos/{private['videoId']}")
    third = results(sluice("--from", "apivideo", "--json"))
    assert third["Whole"] == ("known", whole["videoId"])
    assert third["Private"][0] == "new"
    assert third["Private"][1] != private["videoId"]
    assert "Hello" in text_of(here, whole["videoId"], "captions", "en")


def test_a_library_of_the_second_dialect(sluice: Any, there: tuple[Server, str], tmp_path: Path) -> None:
    source, key, here = *there, sluice.here
    known = a_library(source, key, media.clip(2, b_frames=2))
    settled(source, key, known["Whole"], known["Private"])
    items = [{"time": 0, "title": "First & <last>"}, {"time": 1000, "title": "Last"}]
    body = {"items": items, "enabled": True, "show_on_load": False}
    in_project(source, key, "PUT", f"/v1/videos/{known['Whole']}/chapters", body)

    things = their_things(source, key, known, a_picture(tmp_path / "logo.png"))

    planned = sluice("--from", "kinescope", "--dry-run")
    assert counts(planned) == {"players": "2 0 0 0 0 0", "videos": "2 0 0 1 0 0", "annotations": "2 0 0 0 0 0",
                               "materials": "1 0 0 0 0 0", "playlists": "1 0 0 0 0 0"}  # fmt: skip
    assert here.api("GET", "/players")["data"] == []

    found = results(sluice("--from", "kinescope", "--wait", "--json"))
    assert [found[title][0] for title in ("Whole", "Private", "Empty")] == ["new", "new", "skipped"]
    whole = here.api("GET", f"/videos/{found['Whole'][1]}")
    assert (whole["state"], whole["description"], whole["tags"]) == ("done", "All of it", ["a", "b"])
    assert metadata(whole)["importedFrom"].startswith("kinescope:")
    assert metadata(whole)["importedCreatedAt"]
    folder = here.api("GET", f"/folders/{whole['folderId']}")
    assert [step["name"] for step in folder["path"]] == ["Lessons", "Week 1"]
    assert {one["srclang"] for one in here.api("GET", f"/videos/{whole['videoId']}/captions")["data"]} == {"en", "de"}
    (chapters,) = here.api("GET", f"/videos/{whole['videoId']}/chapters")["data"]
    assert "First &amp; &lt;last&gt;" in here.get(chapters["src"]).text
    private = here.api("GET", f"/videos/{found['Private'][1]}")
    assert (private["state"], private["public"], private["mp4Support"]) == ("done", False, False)
    same_media(private, in_project(source, key, "GET", f"/videos/{known['Private']}"))

    the_same_things(here, things, found)

    assert {one[0] for one in results(sluice("--from", "kinescope", "--json")).values()} == {"known", "skipped"}
    assert here.api("GET", "/folders")["pagination"]["itemsTotal"] == 3
    the_same_things(here, things, found)

    here.api("DELETE", f"/videos/{found['Private'][1]}")
    origin = [one for one in private["metadata"] if one["key"] == "importedFrom"]
    waiting = here.api("POST", "/videos", {"title": "Private", "metadata": origin})["videoId"]  # the run was ended
    third = results(sluice("--from", "kinescope", "--wait", "--json"))
    assert {title: third[title][0] for title in ("Whole", "Private", "Watch these")} == {
        "Whole": "known", "Private": "again", "Watch these": "again",
    }  # fmt: skip
    assert (third["Private"][1], here.api("GET", f"/videos/{waiting}")["state"]) == (waiting, "done")
    the_same_things(here, things, third)


def their_things(server: Server, key: str, videos: dict[str, str], logo: bytes) -> dict[str, Any]:
    """What is beside videos, in the second dialect: two players, one with a logo, two annotations alike, a file, and a
    playlist whose order is its own."""

    def made(path: str, body: Any, **more: Any) -> Any:
        return in_project(server, key, "POST", path, body, **more)["data"]

    settings = {"theme": {"colors": {"primary": "#123456"}}}
    player = made("/v1/players", {"name": "Blue", "settings": settings, "ads": [{"url": "https://ads.example"}]})
    made("/v1/players", {"name": "Of nobody"})
    made(f"/v1/players/{player['id']}/logo", logo, headers={"Content-Type": "image/png"})
    whole = f"/v1/videos/{videos['Whole']}"
    in_project(server, key, "PATCH", whole, {"player_id": player["id"], "additional_materials_enabled": True})
    note = {"type": "text", "title": "More", "link": "https://example.com/more", "start_time": 0, "end_time": 900}
    for _ in range(2):
        made(f"{whole}/annotations", note)
    told = {"X-Video-ID": videos["Whole"], "X-File-Name": "Folien%201.pdf", "X-Title": "%C3%9Cbersicht"}
    made("/additional-material", b"slides", headers={**told, "Content-Type": "application/pdf"})
    folder = next(
        one["folderId"] for one in in_project(server, key, "GET", "/folders")["data"] if one["name"] == "Week 1"
    )
    playlist = made("/v1/playlists", {
        "name": "Watch these", "description": "In this order", "entity_ids": [videos["Private"], videos["Whole"]],
        "tags": ["own"], "player_id": player["id"], "privacy_type": "custom", "privacy_domains": ["a.example"],
        "parent_id": folder, "settings": {"sort_field": "custom", "sort_order": "desc"},
    })  # fmt: skip
    return {"player": player, "note": note, "settings": settings, "playlist": playlist}


def the_same_things(here: Server, things: dict[str, Any], found: dict[str, tuple[str, str | None]]) -> None:
    """Once, with what they name."""
    players = {one["name"]: one for one in here.api("GET", "/v1/players")["data"]}
    blue = players[f"Blue ({things['player']['id']})"]
    assert len(players) == 2
    assert (blue["settings"], blue["ads"]) == (things["settings"], [{"url": "https://ads.example"}])
    assert blue["logo"]

    whole = here.api("GET", f"/v1/videos/{found['Whole'][1]}")["data"]
    assert (whole["player_id"], whole["additional_materials_enabled"]) == (blue["id"], True)
    notes = here.api("GET", f"/v1/videos/{found['Whole'][1]}/annotations")["data"]
    assert [{name: one[name] for name in things["note"]} for one in notes] == [things["note"]] * 2
    (file,) = whole["additional_materials"]
    assert (file["title"], file["filename"], file["filetype"]) == ("Übersicht", "Folien 1.pdf", "application/pdf")
    link = here.api("GET", f"/v1/additional-materials/{file['id']}/link")["data"]["link"]
    assert here.get(link).body == b"slides"

    (playlist,) = here.api("GET", "/v1/playlists")["data"]
    names = ("name", "description", "privacy_type", "privacy_domains", "settings")
    assert {name: playlist[name] for name in names} == {name: things["playlist"][name] for name in names}
    assert (playlist["player_id"], playlist["tags"][0]) == (blue["id"], "own")
    assert playlist["parent_id"] == whole["folder_id"]
    entries = here.api("GET", f"/v1/playlists/{playlist['id']}/entities")["data"]
    in_order = sorted(entries, key=lambda one: one["position"])
    assert [ids.canonical("vi", one["id"]) for one in in_order] == [found["Private"][1], found["Whole"][1]]


def a_picture(path: Path) -> bytes:
    media.ffmpeg("-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", path)
    return path.read_bytes()


def counts(done: Result) -> dict[str, str]:
    """New, again, known, skipped, missing, failed of each kind, as the summary has them."""
    lines = done.stderr[done.stderr.index("NEW") :].splitlines()[1:]
    return {kind: " ".join(numbers) for kind, *numbers in (line.split() for line in lines)}


def test_a_library_behind_a_door_that_flaps(sluice: Any, there: tuple[Server, str]) -> None:
    """Of each three answers one says that it is too much, one that it is away, and one is no answer."""
    source, key, here = *there, sluice.here
    known = a_library(source, key, media.clip(2, b_frames=2))
    settled(source, key, known["Whole"], known["Private"])
    with flapping(source.http) as door:
        found = results(sluice("--from", "kinescope", "--source-url", door.url, "--json"))
        assert {title: one[0] for title, one in found.items()} == {"Whole": "new", "Private": "new", "Empty": "skipped"}
        whole = found["Whole"][1]
        assert len(here.api("GET", f"/videos/{whole}/captions")["data"]) == 2
        again = results(sluice("--from", "kinescope", "--source-url", door.url, "--json"))
        assert again == {title: ("skipped" if one[0] == "skipped" else "known", one[1]) for title, one in found.items()}
    assert door.shut >= 6


class Door:
    def __init__(self) -> None:
        self.url = ""
        self.shut = 0


@contextmanager
def flapping(behind: str) -> Iterator[Door]:
    """What is asked of it is asked of the server behind it once it was refused in one of several ways."""
    door, asked = Door(), Counter[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # its name in the library
            asked[self.path] += 1
            status = (429, 503, None, 200)[asked.total() % 4] if asked[self.path] == 1 and asked.total() > 1 else 200
            if status == 200:
                return self.pass_on()
            door.shut += 1
            if status is not None:
                self.send_response(status)
                self.send_header("Retry-After" if status == 503 else "X-RateLimit-Retry-After", "1")
                self.send_header("Content-Length", "0")
                self.end_headers()
            return None

        def pass_on(self) -> None:
            headers = {name: value for name, value in self.headers.items() if name in ("Authorization", "Host")}
            with urlopen(Request(behind + self.path, headers=headers), timeout=60) as answer:
                body = answer.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        door.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield door
        listening.shutdown()
        thread.join()


def test_what_can_not_be_taken_is_said(sluice: Any, there: tuple[Server, str]) -> None:
    for arguments, sentence in {
        ("--from", "apivideo", "--source-key", "wrong"): "Error: ",
        ("--from", "kinescope", "--source-key", "wrong"): "Error: ",
        ("--from", "apivideo", "--source-url", "http://127.0.0.1:1"): "can't be reached",
        ("--from", "kinescope", "--source-url", f"{there[0].http}/openapi.json?"): "does not answer as Kinescope does",
    }.items():
        assert sentence in sluice(*arguments, code=1).stderr
    assert "FILE, or --from" in sluice(code=2).stderr
    assert "--source-key" in sluice("--from", "apivideo", "--source-key", "", code=2).stderr


def settled(server: Server, key: str, *ids: str) -> None:
    """Until all are done."""
    until(lambda: all(in_project(server, key, "GET", f"/videos/{id}")["state"] == "done" for id in ids), 150, 0.5)
