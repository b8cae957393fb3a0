"""Playlists of the Kinescope dialect, and their pages."""

import uuid

import pytest

from server.web.kinescope import identifiers, playlist_page
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client, Connect, Make

NOWHERE = str(uuid.uuid4())


@pytest.fixture
async def client(connect: Connect) -> Client:
    return await connect(mounts=[lambda app: playlist_page.add_routes(app.router)])



async def test_making_changing_deleting(client: Client, make_video: Make) -> None:
    video = identifiers.uuid_of(await make_video(title="A"))
    folder = (await asked(client, "POST", "/v1/projects", {"name": "Place"}))["id"]
    made = await asked(client, "POST", "/v1/playlists", {"name": "P", "parent_id": folder, "entity_ids": [video]})

    assert (made["name"], made["parent_id"], made["privacy_type"]) == ("P", folder, "anywhere")
    assert made["settings"] == {"sort_field": "custom", "sort_order": "asc", "ignore_interactive_tools": False}
    assert uuid.UUID(made["id"])
    assert made["play_link"].endswith(made["embed_link"].rpartition("/pl/")[2])
    path = f"/v1/playlists/{made['id']}"
    assert await asked(client, "GET", path) == made
    changes = {
        "name": "Playlist updated", "description": "Description updated", "parent_id": folder,
        "privacy_type": "anywhere", "privacy_domains": ["dddd.com"],
        "settings": {"sort_field": "duration", "sort_order": "asc"},
    }  # fmt: skip
    changed = await asked(client, "PATCH", path, changes)
    assert {name: changed[name] for name in changes if name != "settings"} == {
        name: value for name, value in changes.items() if name != "settings"
    }
    assert changed["settings"]["sort_field"] == "duration"
    listed = await asked(client, "GET", "/v1/playlists?page=1&per_page=100&order=name.desc")
    assert (listed["meta"]["order"], listed["data"]) == ({"name": "desc"}, [changed])
    assert await asked(client, "DELETE", path) == {"success": True}
    assert (await refused(client, "GET", path))[:2] == (404, 404404)


async def test_videos_of_a_playlist(client: Client, make_video: Make) -> None:
    one, two = [identifiers.uuid_of(await make_video(title=title)) for title in ("one", "two")]
    path = f"/v1/playlists/{(await asked(client, 'POST', '/v1/playlists', {'name': 'P'}))['id']}"

    async def titles() -> list[str]:
        return [each["title"] for each in await asked(client, "GET", f"{path}/entities")]

    await asked(client, "POST", f"{path}/entities", {"entity_ids": [one, two]})
    assert await titles() == ["one", "two"]
    await asked(client, "PUT", f"{path}/entities/{two}/move", {"position": 1})
    assert await titles() == ["two", "one"]
    await asked(client, "DELETE", f"{path}/entities", {"entity_ids": [two]})
    assert await titles() == ["one"]
    assert (await refused(client, "PUT", f"{path}/entities/{two}/move", {"position": 1}))[:2] == (404, 404404)


async def test_what_can_not_be_in_one(client: Client) -> None:
    for body, status, code, name in (
        ({"name": "P", "entity_ids": [NOWHERE]}, 404, 404404, "entity_ids[0]"),
        ({"name": "P", "entity_ids": ["x"]}, 400, 400301, "entity_ids[0]"),
        ({"name": "P", "parent_id": NOWHERE}, 404, 404404, "parent_id"),
        ({"name": ""}, 400, 402402, "name"),
        ({"name": "P", "settings": {"sort_field": "x"}}, 400, 402402, "settings[sort_field]"),
    ):
        found = await refused(client, "POST", "/v1/playlists", body)
        assert found[:2] == (status, code), found
        assert name in found[2]


async def test_pages_show_public_videos(client: Client, make_video: Make) -> None:
    public = await make_video(title="Seen <b>")
    hidden = await make_video(title="Hidden", public=False)
    ids = [identifiers.uuid_of(each) for each in (hidden, public)]
    made = await asked(client, "POST", "/v1/playlists", {"name": "P", "entity_ids": ids})
    for link in (made["play_link"], made["embed_link"]):
        async with client.get("/" + link.split("/", 3)[3], params={"item": "99"}) as response:
            text = await response.text()
            assert response.status == 200
            assert f'src="/embed/{public}"' in text
            assert "Seen &lt;b&gt;" in text
            assert "Hidden" not in text
    path = "/" + made["embed_link"].split("/", 3)[3]
    custom = {"privacy_type": "custom", "privacy_domains": ["*.shop.example"]}
    await asked(client, "PATCH", f"/v1/playlists/{made['id']}", custom)
    for said, status in (
        ({"Referer": "https://www.shop.example/films"}, 200),
        ({"Referer": f"http://{client.host}:{client.port}{path}"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Referer": "https://evil.example/"}, 404),
        ({"Referer": "http://[broken"}, 404),
        ({}, 404),
    ):
        async with client.get(path, headers=said) as response:
            assert response.status == status, said
    await asked(client, "PATCH", f"/v1/playlists/{made['id']}", {"privacy_type": "nowhere"})
    for path in ("/" + made["play_link"].split("/", 3)[3], "/pl/x", f"/pl/{NOWHERE}"):
        async with client.get(path) as response:
            assert response.status == 404
