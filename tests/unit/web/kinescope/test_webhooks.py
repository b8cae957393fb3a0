"""Webhooks of the Kinescope dialect."""

from server.catalog import webhooks
from server.catalog.database import Database
from server.catalog.webhook_models import Webhook
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client

EXAMPLE = {
    "name": "webhook1", "endpoint": "https://example.io/kinescope/webhook", "login": "me", "password": "hidden-word",
    "events": ["media.update.status"],
}  # fmt: skip


async def _row(database: Database) -> Webhook:
    async with database.read() as transaction:
        (row,) = [row for row in await webhooks.all_rows(transaction) if row.format == "kinescope"]
        return row


async def test_credentials_are_kept_and_not_shown(client: Client, database: Database) -> None:
    made = await asked(client, "POST", "/v1/webhooks", EXAMPLE)
    assert (made["name"], made["endpoint"], made["events"]) == ("webhook1", EXAMPLE["endpoint"], EXAMPLE["events"])
    assert "login" not in made
    assert "password" not in made
    assert "hidden-word" not in str(made)
    row = await _row(database)
    assert (row.login, row.password, row.format) == ("me", "hidden-word", "kinescope")
    path = f"/v1/webhooks/{made['id']}"

    await asked(client, "PUT", path, {"name": "other"})
    assert (await _row(database)).password == "hidden-word"
    await asked(client, "PUT", path, {"endpoint": "https://elsewhere.example/"})
    assert (await _row(database)).login is None
    change = {"name": "edit2", "endpoint": "https://example.io/kin/webhook", "login": "123", "password": "2222"}
    changed = await asked(client, "PUT", path, {**change, "events": ["media.update.status"]})
    assert changed["endpoint"] == change["endpoint"]
    row = await _row(database)
    assert (row.login, row.password) == ("123", "2222")
    assert (await asked(client, "GET", "/v1/webhooks"))["data"] == [changed]
    assert await asked(client, "DELETE", path) == {"success": True}
    assert (await refused(client, "DELETE", path))[:2] == (404, 404404)


async def test_those_of_other_formats_are_not_here(client: Client) -> None:
    async with client.post("/webhooks", json={"url": "https://a.example/", "events": ["*"]}) as response:
        webhook_id = (await response.json())["webhookId"]
    assert (await asked(client, "GET", "/v1/webhooks"))["data"] == []
    assert (await refused(client, "DELETE", f"/v1/webhooks/{webhook_id}"))[:2] == (404, 404404)


async def test_credentials_in_the_address_and_bad_ones(client: Client, database: Database) -> None:
    made = await asked(client, "POST", "/v1/webhooks", {**EXAMPLE, "endpoint": "https://u:p@a.example/x", "login": ""})
    assert made["endpoint"] == "https://a.example/x"
    assert (await _row(database)).password == "p"
    private = {"endpoint": "http://192.168.0.1/"}
    assert (await refused(client, "PUT", f"/v1/webhooks/{made['id']}", private))[:2] == (400, 402402)
    bad = [{"endpoint": "ftp://x"}, {"events": ["nothing.such"]}, {"events": []}, {"name": 1}, {"x": 1}]
    for change in (private, *bad):
        assert (await refused(client, "POST", "/v1/webhooks", {**EXAMPLE, **change}))[:2] == (400, 402402)
