"""File requests of the Kinescope dialect, and their page."""

import re
from datetime import timedelta

import pytest

from server import clock
from server.catalog.database import Database
from server.protocols.tus.metadata import Description
from server.uploads import placement
from server.web.kinescope import file_request_page
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client, Connect


@pytest.fixture
async def client(connect: Connect) -> Client:
    return await connect(mounts=[lambda app: file_request_page.add_routes(app.router)])



async def _token(client: Client, link: str) -> str | None:
    async with client.get("/" + link.split("/", 3)[3]) as response:
        text = await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Content-Type"].startswith("text/html")
        found = re.search(r'data-token="(\w+)"', text)
        assert response.status == (200 if found else 404)
        return found[1] if found else None


async def test_making_changing_deleting(client: Client) -> None:
    place = (await asked(client, "POST", "/v1/projects", {"name": "Place"}))["id"]
    default = (await asked(client, "GET", "/v1/projects"))["data"][0]["id"]
    body = {"title": "Заголовок", "description": "Описание", "uploading_location_id": place, "expired_at": None}
    made = await asked(client, "POST", "/v1/file-requests", body)
    assert {name: made[name] for name in body} == body
    assert (made["name"], made["media_count"]) == ("Заголовок", 0)
    path = f"/v1/file-requests/{made['id']}"
    token = await _token(client, made["link"])
    assert token is not None
    assert token not in str(made)

    assert await asked(client, "GET", path) == made
    change = {"title": "Rename request", "uploading_location_id": default, "expired_at": None, "archived": False}
    changed = await asked(client, "PUT", path, change)
    assert (changed["name"], changed["uploading_location_id"]) == ("Rename request", default)
    assert await _token(client, made["link"]) == token

    assert (await asked(client, "PUT", path, {"archived": True}))["archived_at"] is not None
    assert await _token(client, made["link"]) is None
    for query, count in (("", 1), ("?archived=true", 1), ("?archived=false", 0)):
        assert len((await asked(client, "GET", f"/v1/file-requests{query}"))["data"]) == count
    await asked(client, "PUT", path, {"archived": False, "expired_at": "2000-01-01T00:00:00Z"})
    assert await _token(client, made["link"]) is None
    later = (clock.now() + timedelta(hours=1)).isoformat()
    await asked(client, "PUT", path, {"expired_at": later})
    assert await _token(client, made["link"]) is not None

    delete = {"name": "Rename request", "folder_id": place, "expired_at": None, "archived": False}
    assert await asked(client, "DELETE", path, delete) == {"success": True}
    assert await _token(client, made["link"]) is None
    assert (await refused(client, "GET", path))[:2] == (404, 404404)
    assert (await refused(client, "GET", "/v1/file-requests?archived=x"))[0] == 400


async def test_the_page_holds_no_html_of_others(client: Client) -> None:
    made = await asked(client, "POST", "/v1/file-requests", {"title": "<b>", "description": "<i>\n</script>"})
    async with client.get("/" + made["link"].split("/", 3)[3]) as response:
        text = await response.text()
    assert "<b>" not in text
    assert "<i>" not in text
    assert text.count("</script>") == 1


async def test_what_comes_is_put_in_its_place(client: Client, database: Database) -> None:
    place = (await asked(client, "POST", "/v1/projects", {"name": "Place"}))["id"]
    made = await asked(client, "POST", "/v1/file-requests", {"title": "x", "uploading_location_id": place})
    token = await _token(client, made["link"])
    assert token is not None
    sender = await placement.sender_of_token(database, token)
    async with database.write() as transaction:
        video = await placement.new_video(transaction, sender, Description(filename="a.mp4"))
        assert video.folder_id is not None
    assert (await asked(client, "GET", f"/v1/projects/{place}"))["id"] == place


async def test_its_id_does_not_open_it(client: Client) -> None:
    """That is in events and in the audit log."""
    link = (await asked(client, "POST", "/v1/file-requests", {"title": "Yours"}))["link"]
    name, _, seal = link.rpartition("/")[2].partition("-")
    base = link.rpartition("/")[0]
    for wrong in (name, f"{name}-", f"{name}-{'0' * len(seal)}", f"{name}-é", f"fr{name}"):
        assert await _token(client, f"{base}/{wrong}") is None
    assert await _token(client, link) is not None
