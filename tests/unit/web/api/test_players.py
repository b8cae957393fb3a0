"""Players over REST, and the looks they give to a page."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import FormData, web

from server import ids
from server.catalog import keys
from server.catalog.database import Database
from server.catalog.models import Project
from server.media.child import Children
from server.storage.layout import Layout
from server.storage.pictures import PictureStore
from server.vod.pictures import Pictures
from server.web.api import live_stream_thumbnails, players
from tests.unit.web.kit import Client, Connect, basic, problem

PNG = b"\x89PNG"


class FakeChildren:
    """Coders of pictures: whatever begins like a PNG is one."""

    async def run(
        self, module: str, arguments: dict[str, Any], fds: Sequence[int], *, on_line: Callable[..., None], **_: object
    ) -> None:
        assert module == "server.media.images"
        if os.pread(arguments["where"]["source"], 4, 0) != PNG:
            on_line({"event": "problem", "code": "invalid", "detail": "it is no picture"})
            return
        for output, fd in arguments["outputs"].items():
            os.write(fd, output.encode())
        on_line({"event": "made", "width": 40, "height": 20})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
def pictures(database: Database, layout: Layout) -> Pictures:
    return Pictures(database, PictureStore(layout), cast(Children, FakeChildren()))


@pytest.fixture
async def api(connect: Connect, pictures: Pictures) -> Client:
    def mount(app: web.Application) -> None:
        app[players.PICTURES] = pictures
        players.add_routes(app.router)

    return await connect(operations=[live_stream_thumbnails.operations], mounts=[mount])


def form(content: bytes = PNG, **fields: str) -> FormData:
    data = FormData(default_to_multipart=True)
    data.add_field("logo.png", content, filename="logo.png", content_type="application/octet-stream")
    for name, value in fields.items():
        data.add_field(name, value)
    return data


async def made(api: Client, **fields: Any) -> dict[str, Any]:
    async with api.post("/players", json=fields) as response:
        assert response.status == 201, await response.text()
        body: dict[str, Any] = await response.json()
        return body


async def test_what_is_not_given_has_a_meaning(api: Client) -> None:
    player = await made(api)

    assert player["playerId"].startswith("pl")
    assert (player["name"], player["text"], player["assets"]) == ("", "", {"logo": "", "link": ""})
    switches = [player[name] for name in ("enableApi", "enableControls", "forceAutoplay", "hideTitle", "forceLoop")]
    assert switches == [True, True, False, False, False]


async def test_one_is_changed_listed_and_deleted(api: Client) -> None:
    player = await made(api, name="Dark", text="rgba(0, 0, 0, 1)", hideTitle=True)
    path = f"/players/{player['playerId']}"

    async with api.patch(path, json={"linkHover": "red", "hideTitle": False}) as response:
        changed = await response.json()
    assert response.status == 200
    assert changed == {**player, "linkHover": "red", "hideTitle": False, "updatedAt": changed["updatedAt"]}
    async with api.get(path) as response:
        assert await response.json() == changed
    await made(api, name="Another")
    async with api.get("/players", params={"sortBy": "name", "pageSize": 1}) as response:
        body = await response.json()
    assert ([each["name"] for each in body["data"]], body["pagination"]["itemsTotal"]) == (["Another"], 2)

    async with api.delete(path) as response:
        assert response.status == 204
    for method in ("GET", "PATCH", "DELETE"):
        async with api.request(method, path, json={}) as response:
            await problem(response, 404, "resource-not-found", "playerId")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"name": "x" * 101}, "name"),
        ({"text": 7}, "text"),
        ({"enableApi": "yes"}, "enableApi"),
        ({"shape": "round"}, "shape"),
        ({"name": None}, "name"),
    ],
)
async def test_bad_fields_are_named(api: Client, body: dict[str, Any], name: str) -> None:
    async with api.post("/players", json=body) as response:
        await problem(response, 400, "invalid-attribute", name)


async def test_there_is_a_limit(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(players, "MOST", 0)
    async with api.post("/players", json={}) as response:
        await problem(response, 409, "conflict")


async def test_a_logo(api: Client, layout: Layout) -> None:
    id = (await made(api))["playerId"]
    path = f"/players/{id}/logo"

    async with api.post(path, data=form(link="https://example.com/")) as response:
        assert response.status == 201
        assets = (await response.json())["assets"]
    assert assets["link"] == "https://example.com/"
    assert layout.picture(id).read_bytes() == b"png"
    url = assets["logo"].removeprefix(str(api.make_url("/"))[:-1])
    async with api.get(url, headers={"Authorization": ""}) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "image/png")
        assert "immutable" in response.headers["Cache-Control"]
    async with api.get(url.partition("?")[0]) as response:
        assert response.headers["Cache-Control"] == "no-cache"

    async with api.delete(path) as response:
        assert response.status == 204
    assert not layout.picture(id).exists()
    async with api.delete(path) as response:
        await problem(response, 404, "resource-not-found", "playerId")
    async with api.get(url) as response:
        await problem(response, 404, "resource-not-found", "playerId")


@pytest.mark.parametrize(
    ("data", "code", "name"),
    [
        (form(b"no picture"), "uploaded-file-invalid-file", "file"),
        (form(b""), "uploaded-file-empty", None),
        (form(link="javascript:alert(1)"), "invalid-attribute", "link"),
        (form(link="https://["), "invalid-attribute", "link"),
        (form(link="x" * 3000), "invalid-payload", None),
    ],
)
async def test_a_bad_logo_is_refused(api: Client, layout: Layout, data: FormData, code: str, name: str | None) -> None:
    id = (await made(api))["playerId"]
    async with api.post(f"/players/{id}/logo", data=data) as response:
        await problem(response, 400, code, name)
    assert layout.picture_owners() == []


async def test_the_logo_of_a_deleted_player_goes(api: Client, layout: Layout) -> None:
    id = (await made(api))["playerId"]
    async with api.post(f"/players/{id}/logo", data=form()) as response:
        assert response.status == 201
    async with api.delete(f"/players/{id}") as response:
        assert response.status == 204
    assert layout.picture_owners() == []


async def test_what_a_crash_left_goes_at_the_start(api: Client, layout: Layout, pictures: Pictures) -> None:
    id = (await made(api))["playerId"]
    async with api.post(f"/players/{id}/logo", data=form()) as response:
        assert response.status == 201
    layout.picture(ids.new("pl")).write_bytes(b"nobody's")

    await pictures.sweep()

    assert layout.picture_owners() == [id]


async def test_projects_are_kept_apart(api: Client, database: Database) -> None:
    id = (await made(api))["playerId"]
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        await keys.create(transaction, "pr2", "theirs", ["*"], "their-key")

    theirs = basic("their-key:")
    async with api.get("/players", headers=theirs) as response:
        assert (await response.json())["data"] == []
    for path, method in ((f"/players/{id}", "PATCH"), (f"/players/{id}/logo", "DELETE")):
        async with api.request(method, path, json={}, headers=theirs) as response:
            await problem(response, 404, "resource-not-found", "playerId")


async def test_the_picture_of_a_live_stream(api: Client, layout: Layout) -> None:
    async with api.post("/live-streams", json={"name": "A"}) as response:
        id = (await response.json())["liveStreamId"]
    path = f"/live-streams/{id}/thumbnail"

    async with api.post(path, data=form()) as response:
        body = await response.json()
        assert (response.status, body["liveStreamId"]) == (201, id)
    assert layout.picture(id).read_bytes() == b"jpg"

    async with api.delete(path) as response:
        assert (response.status, (await response.json())["liveStreamId"]) == (200, id)
    assert layout.picture_owners() == []
    async with api.delete(path) as response:
        await problem(response, 404, "resource-not-found", "liveStreamId")
    async with api.post(path, data=form(b"no picture")) as response:
        await problem(response, 400, "uploaded-file-invalid-file", "file")
