import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientResponse

from server import clock
from server.catalog import events, keys
from server.catalog.database import Database
from server.catalog.events import Wanted
from server.catalog.models import DEFAULT_PROJECT, Project
from server.web import event_feed
from tests.unit.web.kit import Client, Connect, problem

STREAM = {"Accept": "text/event-stream"}
WITHIN_S = 15


async def happen(
    database: Database, *objects: str, type: str = "video.updated", project: str = DEFAULT_PROJECT
) -> list[str]:
    async with database.write() as transaction:
        rows = [await events.record(transaction, project, id, type, {"n": 1}) for id in objects]
    return [row.id for row in rows]


async def elsewhere(database: Database) -> str:
    async with database.write() as transaction:
        other = Project(name="other")
        transaction.add(other)
        await transaction.flush()
        return other.id


async def listed(client: Client, **query: Any) -> dict[str, Any]:
    answer = await client.get("/events", params=query)
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


def names(page: dict[str, Any]) -> list[str]:
    return [row["id"] for row in page["data"]]


async def test_pages_by_cursor(client: Client, database: Database) -> None:
    newest = (await listed(client, sortOrder="desc", limit=1))["next"]  # the owner's key was made
    made = await happen(database, "vi1", "vi1", "vi2")
    await happen(database, "vi9", project=await elsewhere(database))

    first = await listed(client, after=newest, limit=2)
    second = await listed(client, after=first["next"], limit=2)
    last = await listed(client, after=second["next"])

    assert (names(first), first["hasMore"]) == (made[:2], True)
    assert (names(second), second["hasMore"]) == (made[2:], False)
    assert (names(last), last["next"]) == ([], made[2])
    row = first["data"][1]
    assert row | {"createdAt": ""} == {
        "id": made[1], "type": "video.updated", "createdAt": "", "projectId": DEFAULT_PROJECT, "objectId": "vi1",
        "sequence": 2, "data": {"n": 1},
    }  # fmt: skip
    assert names(await listed(client, sortOrder="desc", limit=2)) == [made[2], made[1]]
    assert names(await listed(client, sortOrder="desc", limit=1, after=made[2])) == [made[1]]


async def test_filters(client: Client, database: Database) -> None:
    begun = clock.now()
    (one,) = await happen(database, "vi1")
    (two,) = await happen(database, "li1", type="live-stream.ended")
    (three,) = await happen(database, "vi1", type="video.done")

    async def found(**query: Any) -> list[str]:
        return names(await listed(client, **{"from": begun.isoformat(), **query}))

    assert await found() == [one, two, three]
    assert await found(objectId="vi1") == [one, three]
    assert await found(**{"types[]": "video.*"}) == [one, three]
    assert await found(**{"types[]": "live-stream.ended"}) == [two]
    assert await found(**{"types[]": "video.version.*"}) == []  # there may be some
    async with database.read() as transaction:
        wild = Wanted(types=["video_done"])  # no wildcard of SQL's
        assert await events.page(transaction, DEFAULT_PROJECT, wild, None, 10) == []
    assert await found(to="2020-01-01T00:00:00+00:00") == []


@pytest.mark.parametrize(
    ("query", "name"),
    [({"types[]": "nonsense"}, "types[0]"), ([("types[]", "video.*"), ("types[]", "vidoe.*")], "types[1]"),
     ({"types": "video_done"}, "types[0]"), ({"types[]": ""}, "types[0]"), ({"limit": 0}, "limit"),
     ({"limit": 1001}, "limit"), ({"after": "nonsense"}, "after"), ({"from": "x"}, "from")],
)  # fmt: skip
async def test_bad_queries(client: Client, query: Any, name: str) -> None:
    await problem(await client.get("/events", params=query), 400, "request-invalid-query-parameter", name)


async def test_an_event_of_others_is_no_cursor(client: Client, database: Database) -> None:
    (theirs,) = await happen(database, "vi9", project=await elsewhere(database))
    answer = await client.get("/events", params={"after": theirs})
    await problem(answer, 400, "request-invalid-query-parameter", "after")


async def told(response: ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The events of a stream; a heartbeat is {}."""
    found: dict[str, Any] = {}
    async for line in response.content:
        text = line.decode().rstrip("\n")
        if not text:
            if "data" in found:
                yield json.loads(found["data"]) | {"_id": found["id"], "_event": found["event"]}
            elif "beat" in found:
                yield {}
            found = {}
        elif text == ":":
            found["beat"] = True
        else:
            name, _, value = text.partition(": ")
            found[name] = value


async def some(response: ClientResponse, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(WITHIN_S):
        found = []
        async for one in told(response):
            found.append(one)
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {found}")


async def test_events_come_as_they_happen(client: Client, database: Database) -> None:
    async with client.get("/events?types[]=video.*", headers=STREAM) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
        await response.content.readuntil(b"\n\n")  # retry: …
        (first,) = await happen(database, "vi1")
        (got,) = await some(response, 1)
        assert (got["id"], got["_id"], got["_event"], got["objectId"]) == (first, first, "video.updated", "vi1")
        await happen(database, "li1", type="live-stream.ended")
        await happen(database, "vi9", project=await elsewhere(database))
        (second,) = await happen(database, "vi1")
        (got,) = await some(response, 1)
        assert got["id"] == second


async def test_a_rare_filter_does_not_look_through_the_same_again(client: Client, database: Database) -> None:
    assert client.app
    feed = client.app[event_feed.FEED]
    listener = event_feed.Listener(DEFAULT_PROJECT, 0, Wanted(types=["live-stream.*"]))
    await happen(database, "vi1", "vi2")
    assert await feed._next(listener) == []
    async with database.read() as transaction:
        assert listener.position == await events.newest(transaction)

    (wanted,) = await happen(database, "li1", type="live-stream.ended")
    await happen(database, "vi1")
    assert [row.id for row in await feed._next(listener)] == [wanted]


async def test_a_busy_stream_asks_whether_it_may(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "READ_AT_ONCE", 1)
    monkeypatch.setattr(event_feed, "HEARTBEAT_S", 0.0)
    await happen(database, *["vi1"] * 5)
    assert client.app

    async def may_not() -> bool:
        return False

    listener = event_feed.Listener(DEFAULT_PROJECT, 0, Wanted())
    chunks = [chunk async for chunk in client.app[event_feed.FEED]._chunks(listener, may_not)]
    assert len(chunks) == 1


async def test_who_comes_back_misses_nothing(
    client: Client, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "READ_AT_ONCE", 2)
    made = await happen(database, *["vi1"] * 6)

    async with client.get("/events", headers={**STREAM, "Last-Event-ID": made[0]}) as response:
        assert [one["id"] for one in await some(response, 5)] == made[1:]
    await problem(
        await client.get("/events", headers={**STREAM, "Last-Event-ID": "nonsense"}), 400,
        "request-invalid-query-parameter", "after",
    )  # fmt: skip


async def test_a_silent_stream_beats_and_asks_whether_it_may(
    connect: Connect, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_feed, "HEARTBEAT_S", 0.05)
    async with database.write() as transaction:
        key, _ = await keys.create(transaction, DEFAULT_PROJECT, "listener", ["events:read"], "listener")
    client = await connect(key="listener")
    async with client.get("/events", headers=STREAM) as response:
        await response.content.readuntil(b"\n\n")
        assert await some(response, 2) == [{}, {}]
        async with database.write() as transaction:
            row = await keys.get(transaction, key.id)
            assert row
            row.revoked_at = clock.now()
        async with asyncio.timeout(WITHIN_S):
            await response.content.read()  # it ends


async def test_so_many_listen_at_most(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "LISTENERS_OF_PROJECT", 1)
    async with client.get("/events", headers=STREAM) as response:
        await response.content.readuntil(b"\n\n")
        refused = await client.get("/events", headers=STREAM)
        await problem(refused, 503, "unavailable")
        assert refused.headers["Retry-After"] == "5"


async def test_a_server_that_stops_lets_them_go(client: Client) -> None:
    async with client.get("/events", headers=STREAM) as response:
        await response.content.readuntil(b"\n\n")
        assert client.app
        client.app[event_feed.FEED].let_go()
        async with asyncio.timeout(WITHIN_S):
            assert await response.content.read() == b""
