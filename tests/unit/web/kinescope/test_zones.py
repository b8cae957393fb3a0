"""CDN zones of the Kinescope dialect."""

from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client

EXAMPLE = {
    "name": "test3.edge.kinescope.dev", "host": "test3.edge.kinescope.dev",
    "origins": [{"addr": "test2.example.ru", "basic_auth": {"username": "user", "password": "hidden-word"}}],
    "access_control": {"jwt_secret": "hidden-token", "secure_link": "hidden-link"},
    "settings": {"ignore_query_strings": True, "index_html": "index.html", "block_bad_bots": False},
}  # fmt: skip


async def test_zones(client: Client) -> None:
    made = await asked(client, "POST", "/v1/cdn/zones", EXAMPLE)
    assert (made["name"], made["host"]) == (EXAMPLE["name"], EXAMPLE["host"])
    assert made["origins"] == [{"addr": "test2.example.ru", "basic_auth": {"username": "user", "password": ""}}]
    assert made["access_control"] == {"has_jwt_secret": True, "has_secure_link": True}
    assert made["settings"]["index_html"] == "index.html"
    assert made["settings"]["max_quality"] is None
    assert "hidden" not in str(made)
    path = f"/v1/cdn/zones/{made['id']}"
    change = {**EXAMPLE, "host": "Other.example:8443", "settings": {"playlist_ttl": 5, "max_quality": 720}}
    del change["access_control"]
    changed = await asked(client, "PUT", path, change)
    assert changed["host"] == "other.example:8443"
    assert (changed["settings"]["playlist_ttl"], changed["settings"]["max_quality"]) == (5, 720)
    assert changed["access_control"]["has_jwt_secret"] is True
    assert await asked(client, "GET", "/v1/cdn/zones") == [changed]
    assert await asked(client, "DELETE", path) == {"success": True}
    assert (await refused(client, "PUT", path, EXAMPLE))[:2] == (404, 404404)


async def test_bad_ones(client: Client) -> None:
    for change in (
        {"host": "a/b"}, {"host": ""}, {"host": "user@a.example"}, {"settings": {"max_quality": 0}},
        {"settings": {"segment_ttl": -1}}, {"origins": [{}]}, {"name": None},
    ):  # fmt: skip
        assert (await refused(client, "POST", "/v1/cdn/zones", {**EXAMPLE, **change}))[:2] == (400, 402402), change
