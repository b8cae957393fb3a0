"""The page on which somebody sees which programs may act for them, and takes that back."""

import html
import re
from typing import Any

import pytest
from aiohttp import ClientResponse
from sqlalchemy import select

from server import clock
from server.catalog import keys
from server.catalog.access_models import AuditEntry
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from tests.unit.web.kit import OWNER_KEY, Client
from tests.unit.web.test_consent import Program, opens, register

PATH = "/oauth/allowed"


def fields(text: str) -> list[dict[str, str]]:
    """Of each form, with its button's."""
    found = []
    for form in re.findall(r"<form.*?</form>", text, re.S):
        pairs = re.findall(r'<(?:input type="hidden"|button class="small") name="(\w+)" value="([^"]*)"', form)
        found.append({name: html.unescape(value) for name, value in pairs})
    return found


async def send(client: Client, data: dict[str, str], headers: dict[str, str] | None = None) -> ClientResponse:
    own = {"Origin": str(client.make_url("")).rstrip("/"), "Sec-Fetch-Site": "same-origin", "Authorization": ""}
    return await client.post(PATH, data=data, headers=own if headers is None else {"Authorization": "", **headers})


@pytest.fixture
async def allowed(client: Client) -> tuple[Program, dict[str, Any]]:
    """By the owner's key."""
    program = await register(client)
    return program, await program.token(await program.code())


async def test_what_was_allowed_is_shown_and_taken_back(
    client: Client, database: Database, allowed: tuple[Program, dict[str, Any]]
) -> None:
    program, tokens = allowed
    async with client.get(PATH, headers={"Authorization": ""}) as question:
        text = await question.text()
        assert "password" in text
        assert "frame-ancestors 'none'" in question.headers["Content-Security-Policy"]
    shown = await send(client, {"key": OWNER_KEY})
    text = await shown.text()
    assert (shown.status, shown.headers["Cache-Control"]) == (200, "no-store")
    assert "Cutter &lt;b&gt;" in text
    assert "<code>videos:read</code>" in text
    assert OWNER_KEY not in text
    (form,) = fields(text)

    gone = await send(client, form)

    assert "acts for you no more" in await gone.text()
    assert await opens(client, tokens["access_token"]) == 401
    assert (await program.refresh(tokens["refresh_token"])).status == 400
    assert "had ended already" in await (await send(client, form)).text()
    async with database.read() as transaction:
        found = list(await transaction.scalars(select(AuditEntry).where(AuditEntry.operation == "POST_oauth-allowed")))
    assert ("deleted", form["grant"]) in {(entry.action, entry.object_id) for entry in found}


async def test_another_key_shows_nothing_of_it(
    client: Client, database: Database, allowed: tuple[Program, dict[str, Any]]
) -> None:
    _, tokens = allowed
    (own,) = fields(await (await send(client, {"key": OWNER_KEY})).text())
    async with database.write() as transaction:
        _, secret = await keys.create(transaction, DEFAULT_PROJECT, "other", ["*"])
    program = await register(client)
    await program.token(await program.code(secret))
    (other,) = fields(await (await send(client, {"key": secret})).text())

    answer = await send(client, {**other, "grant": own["grant"]})

    assert "had ended already" in await answer.text()
    assert await opens(client, tokens["access_token"]) == 200


@pytest.mark.parametrize(
    "changed", [{"holder": "key_x"}, {"generation": "0" * 16}, {"until": "99999999999"}, {"until": "1"}, {"seal": "é"},
                {"seal": ""}, {"until": "-1"}, {"until": "x"}],
)  # fmt: skip
async def test_what_was_not_shown_takes_nothing_back(
    client: Client, allowed: tuple[Program, dict[str, Any]], changed: dict[str, str]
) -> None:
    (form,) = fields(await (await send(client, {"key": OWNER_KEY})).text())
    answer = await send(client, {**form, **changed})
    assert answer.status == 400
    assert "show your key again" in await answer.text()
    assert await opens(client, allowed[1]["access_token"]) == 200


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
async def test_other_pages_can_not_send_it(
    client: Client, allowed: tuple[Program, dict[str, Any]], headers: dict[str, str]
) -> None:
    (form,) = fields(await (await send(client, {"key": OWNER_KEY})).text())
    assert (await send(client, form, headers)).status == 403
    assert await opens(client, allowed[1]["access_token"]) == 200


async def test_a_list_ends(
    client: Client, allowed: tuple[Program, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (form,) = fields(await (await send(client, {"key": OWNER_KEY})).text())
    late = clock.wall_ms() + 601_000
    monkeypatch.setattr(clock, "wall_ms", lambda: late)
    assert (await send(client, form)).status == 400


async def test_a_revoked_keys_list_takes_nothing_back(client: Client, database: Database) -> None:
    async with database.write() as transaction:
        key, secret = await keys.create(transaction, DEFAULT_PROJECT, "mine", ["videos:read"])
    program = await register(client)
    await program.token(await program.code(secret))
    (form,) = fields(await (await send(client, {"key": secret})).text())
    async with client.delete(f"/api-keys/{key.id}") as response:
        assert response.status == 204
    assert (await send(client, form)).status == 400


async def test_guessing_keys_ends(client: Client) -> None:
    statuses = {(await send(client, {"key": f"wrong{number}"})).status for number in range(100)}
    assert statuses == {403, 429}
    assert (await send(client, {"key": ""})).status == 429
