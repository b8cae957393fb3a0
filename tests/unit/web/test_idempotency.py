"""Calls that are sent again with the same Idempotency-Key."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from server import clock
from server.app.sweeping import sweep
from server.catalog import keys
from server.catalog.access_models import StoredAnswer
from server.catalog.database import Database
from server.catalog.models import LiveStream, Project, Video
from server.web.idempotency import Idempotency
from server.web.typed import Call, Operations
from tests.unit.web.kit import SECRET, Client, Connect, basic, problem

KEY = {"Idempotency-Key": "9b1c2d"}


async def rows(database: Database, model: Any) -> int:
    async with database.read() as transaction:
        return await transaction.scalar(select(func.count()).select_from(model)) or 0


@pytest.mark.parametrize(
    ("path", "body", "status", "model"),
    [
        ("/videos", {"title": "A"}, 201, Video),
        ("/live-streams", {"name": "A"}, 200, LiveStream),
    ],
)
async def test_the_same_call_again_gets_the_same_answer_and_does_nothing(
    client: Client, database: Database, path: str, body: Any, status: int, model: Any
) -> None:
    first = await client.post(path, json=body, headers=KEY)
    again = await client.post(path, json=body, headers=KEY)

    assert first.status == again.status == status
    assert await first.read() == await again.read()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Content-Type"] == "application/json"
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert await rows(database, model) == 1


async def test_fifty_twins_have_one_effect(client: Client, database: Database) -> None:
    async def post() -> bytes:
        answer = await client.post("/videos", json={"title": "twins"}, headers=KEY)
        assert answer.status == 201
        return await answer.read()

    assert len(set(await asyncio.gather(*(post() for _ in range(50))))) == 1
    assert await rows(database, Video) == 1


async def test_fifty_twins_at_several_processes_have_one_effect(connect: Connect, database: Database) -> None:
    """Who can't know of each other but by the catalogue."""
    clients = [await connect({"idempotency": Idempotency(database, SECRET)}) for _ in range(5)]

    async def post(client: Client) -> bytes:
        answer = await client.post("/videos", json={"title": "twins"}, headers=KEY)
        assert answer.status == 201
        return await answer.read()

    assert len(set(await asyncio.gather(*(post(clients[at % 5]) for at in range(50))))) == 1
    assert await rows(database, Video) == 1


@pytest.mark.parametrize(("path", "body"), [("/videos", {"title": "B"}), ("/upload-tokens", {"title": "A"})])
async def test_the_key_of_another_call_is_refused(client: Client, path: str, body: Any) -> None:
    await client.post("/videos", json={"title": "A"}, headers=KEY)

    await problem(
        await client.post(path, json=body, headers=KEY), 409, "idempotency-key-reused", "Idempotency-Key"
    )


async def test_keys_are_a_projects_own(client: Client, database: Database) -> None:
    async with database.write() as transaction:
        other = Project(name="Other")
        transaction.add(other)
        await transaction.flush()
        _, secret = await keys.create(transaction, other.id, "theirs", ["*"])
    first = await (await client.post("/videos", json={"title": "A"}, headers=KEY)).json()
    theirs = await client.post("/videos", json={"title": "A"}, headers={**KEY, **basic(f"{secret}:")})

    assert theirs.status == 201
    assert (await theirs.json())["videoId"] != first["videoId"]


async def test_what_was_refused_may_be_mended(client: Client, database: Database) -> None:
    await problem(await client.post("/videos", json={"title": ""}, headers=KEY), 400, "invalid-attribute", "title")
    assert (await client.post("/videos", json={"title": "A"}, headers=KEY)).status == 201
    assert await rows(database, Video) == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "caf\xe9"])
async def test_a_malformed_key_is_refused(client: Client, key: str) -> None:
    answer = await client.post("/videos", json={"title": "A"}, headers={"Idempotency-Key": key})
    await problem(answer, 400, "invalid-attribute", "Idempotency-Key")


async def test_calls_that_need_no_key_pass_it_over(client: Client) -> None:
    for _ in range(2):
        assert (await client.get("/videos", headers=KEY)).status == 200
        assert (await client.post("/auth/api-key", json={"apiKey": "the-owner's-key"}, headers=KEY)).status == 200


async def test_an_answer_that_holds_a_secret_can_not_be_read_in_the_catalogue(
    client: Client, database: Database
) -> None:
    made = await (await client.post("/live-streams", json={"name": "A"}, headers=KEY)).json()

    async with database.read() as transaction:
        row = (await transaction.scalars(select(StoredAnswer).options(undefer(StoredAnswer.sealed)))).one()
    assert made["streamKey"].encode() not in row.sealed
    assert KEY["Idempotency-Key"] not in row.key_hash


async def test_answers_expire_and_are_swept(client: Client, database: Database) -> None:
    async def make_old() -> None:
        async with database.write() as transaction:
            (await transaction.scalars(select(StoredAnswer))).one().expires_at = clock.now() - timedelta(seconds=1)

    await client.post("/videos", json={"title": "A"}, headers=KEY)
    await make_old()
    assert (await client.post("/videos", json={"title": "another"}, headers=KEY)).status == 201
    assert await rows(database, StoredAnswer) == 1
    await make_old()
    await sweep(database)

    assert await rows(database, StoredAnswer) == 0


# --- an operation whose work can be watched


def slow(began: asyncio.Event, go_on: asyncio.Event, effects: list[str]) -> Operations:
    operations = Operations("Slow")

    @operations.post("/slow", "Take a while", scope="videos:write", status=201)
    async def make(call: Call) -> None:
        effects.append("begun")
        began.set()
        await go_on.wait()

    return operations


@pytest.fixture
def began() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def go_on() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def effects() -> list[str]:
    return []


@pytest.fixture
async def patient(
    connect: Connect, database: Database, began: asyncio.Event, go_on: asyncio.Event, effects: list[str]
) -> Callable[[float], Any]:
    async def start(twin_wait_s: float) -> Client:
        idempotency = Idempotency(database, SECRET, twin_wait_s)
        return await connect({"idempotency": idempotency}, operations=[slow(began, go_on, effects)])

    return start


async def test_a_twin_waits_for_the_first(
    patient: Any, began: asyncio.Event, go_on: asyncio.Event, effects: list[str]
) -> None:
    client = await patient(30)
    first = asyncio.create_task(client.post("/slow", headers=KEY))
    await began.wait()
    twin = asyncio.create_task(client.post("/slow", headers=KEY))
    go_on.set()

    assert (await first).status == (await twin).status == 201
    assert effects == ["begun"]
    assert (await twin).headers["Idempotent-Replayed"] == "true"


async def test_a_twin_does_not_wait_for_ever(patient: Any, began: asyncio.Event, go_on: asyncio.Event) -> None:
    client = await patient(0.05)
    first = asyncio.create_task(client.post("/slow", headers=KEY))
    await began.wait()
    twin = await client.post("/slow", headers=KEY)

    await problem(twin, 409, "idempotency-key-in-use")
    assert twin.headers["Retry-After"] == "1"
    go_on.set()
    assert (await first).status == 201
