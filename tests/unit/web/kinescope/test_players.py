"""Players of the Kinescope dialect."""

from typing import Any

import pytest
from aiohttp import FormData

from server.web.api import players as native
from tests.unit.web.kinescope.kit import asked, data_of, refused
from tests.unit.web.kit import Client, Connect

EXAMPLE = {
    "name": "my player 1",
    "settings": {},
    "ads": [
        {
            "url": "url",
            "trigger": {
                "type": "preroll/midroll/postroll",
                "trigger_settings": {"timePoints": [10], "percentages": [50], "interval": 30},
            },
            "countries": {"items": ["ru"], "type": "include/exclude"},
        }
    ],
}


class Pictures:
    """As the store of logos, without one."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def logo(self, data: bytes) -> bytes:
        return data

    async def put(self, player_id: str, data: bytes) -> None:
        self.kept[player_id] = data

    async def remove(self, player_id: str) -> None:
        self.kept.pop(player_id, None)


async def test_they_are_kept_as_they_come(client: Client) -> None:
    made = await asked(client, "POST", "/v1/players", EXAMPLE)
    assert {name: made[name] for name in EXAMPLE} == EXAMPLE
    assert made["logo"] is None
    path = f"/v1/players/{made['id']}"
    async with client.request("GET", path, json={"name": "my player 1.1", "settings": {}}) as response:
        assert await data_of(response) == made
    changed = await asked(client, "PUT", path, {"name": "my player 1.1", "settings": {"a": [1, None]}, "ads": []})
    assert (changed["name"], changed["settings"], changed["ads"]) == ("my player 1.1", {"a": [1, None]}, [])
    assert (await asked(client, "GET", "/v1/players"))["data"] == [changed]
    async with client.get("/players") as response:
        assert (await response.json())["data"][0]["name"] == "my player 1.1"


@pytest.mark.parametrize("settings", [{"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}, {"a": "\0"}])
async def test_settings_have_limits(client: Client, settings: Any) -> None:
    found = await refused(client, "POST", "/v1/players", {"name": "x", "settings": settings})
    assert found[:2] == (400, 402402)
    assert "settings" in found[2]


async def test_logos(connect: Connect) -> None:
    pictures = Pictures()
    client = await connect(mounts=[lambda app: app.__setitem__(native.PICTURES, pictures)])  # type: ignore[arg-type]
    path = f"/v1/players/{(await asked(client, 'POST', '/v1/players', EXAMPLE))['id']}"
    form = FormData()
    form.add_field("file", b"a picture", filename="a.png")
    for body in (form, b"a picture"):
        async with client.post(f"{path}/logo", data=body) as response:
            assert (await data_of(response))["logo"]
        assert list(pictures.kept.values()) == [b"a picture"]
        assert await asked(client, "DELETE", f"{path}/logo") == {"success": True}
        assert not pictures.kept
    assert (await refused(client, "DELETE", f"{path}/logo"))[:2] == (404, 404404)
    assert (await refused(client, "POST", f"{path}/logo"))[:2] == (400, 1)
