"""Envelopes, pages, ids and credentials of the Kinescope dialect, by a resource that only this test has."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from aiohttp import web

from server import ids
from server.catalog import keys
from server.catalog.database import Database
from server.catalog.listing import Page
from server.catalog.models import DEFAULT_PROJECT
from server.errors import Problem
from server.web import typed
from server.web.kinescope import identifiers
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.paging import PageQuery, listed
from server.web.kinescope.shapes import (
    DONE,
    Answer,
    Body,
    Data,
    Domain,
    Done,
    GivenId,
    Id,
    Listed,
    Moment,
)
from server.web.typed import Call
from tests.unit.web.kit import OWNER_KEY, Client, Connect, bearer

AT = datetime(2026, 1, 31, 10, 17, 47, 422193, UTC)
VIDEO = "vi" + ids.encode(uuid.UUID("0966958f-638b-4aab-bf4a-7f9860a57a93"))


class Thing(Answer):
    id: Id
    made_at: Moment


class ThingBody(Body):
    parent_id: GivenId
    domains: Sequence[Domain] = ()


class ThingQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {"created_at": "createdAt", "title": "title"}


operations = kinescope_operations("Things")


@operations.get("/v1/things", "List", scope="videos:read")
async def list_all(call: Call, query: ThingQuery) -> Listed[Thing]:
    return listed(query, Page([1], 7, query.paging()), [Thing(id=VIDEO, made_at=AT)])


@operations.get("/v1/things/{video_id}", "Show", scope="videos:read")
async def show(call: Call, video_id: str) -> Data[Thing]:
    if video_id != VIDEO:
        raise Problem("resource-not-found", name="video_id")
    return Data(data=Thing(id=video_id, made_at=AT))


@operations.post("/v1/things", "Make", scope="videos:write")
async def make(call: Call, body: ThingBody) -> Data[Thing]:
    return Data(data=Thing(id=identifiers.canonical("vi", body.parent_id, "parent_id"), made_at=AT))


@operations.delete("/v1/things/{video_id}", "Delete", scope="videos:write")
async def delete(call: Call, video_id: str) -> Done:
    return DONE


@pytest.fixture
async def api(connect: Connect) -> Client:
    def mount(app: web.Application) -> None:
        typed.mount(app, operations.all)

    client = await connect(key=None, mounts=[mount])
    client.session.headers.update(bearer(OWNER_KEY))
    return client


async def error(api: Client, method: str, path: str, **more: Any) -> tuple[int, int, str]:
    async with api.request(method, path, **more) as response:
        body = (await response.json())["error"]
        return response.status, body["code"], body["detail"]


@pytest.mark.parametrize(
    "spelling", ["0966958f-638b-4aab-bf4a-7f9860a57a93", VIDEO, VIDEO[2:], "0966958F638B4AABBF4A7F9860A57A93"]
)
async def test_ids_are_uuids_and_have_three_spellings(api: Client, spelling: str) -> None:
    async with api.get(f"/v1/things/{spelling}") as response:
        assert await response.json() == {
            "data": {"id": "0966958f-638b-4aab-bf4a-7f9860a57a93", "made_at": "2026-01-31T10:17:47.422193Z"}
        }
        assert response.headers["Content-Type"] == "application/json"


async def test_what_is_no_id(api: Client) -> None:
    assert await error(api, "GET", "/v1/things/x") == (400, 400301, "video_id: This is not an id.")
    assert (await error(api, "POST", "/v1/things", json={"parent_id": "x"}))[1] == 400301
    assert (await error(api, "GET", f"/v1/things/{uuid.uuid4()}"))[:2] == (404, 404404)


async def test_a_page_says_where_it_is(api: Client) -> None:
    async with api.get("/v1/things?page=2&per_page=3&order=created_at.desc,title.asc") as response:
        body = await response.json()

    assert body["meta"] == {
        "pagination": {"page": 2, "per_page": 3, "total": 7}, "order": {"created_at": "desc", "title": "asc"},
    }  # fmt: skip
    assert [each["id"] for each in body["data"]] == ["0966958f-638b-4aab-bf4a-7f9860a57a93"]


def test_what_the_repository_is_asked_for() -> None:
    paging = ThingQuery(page=2, per_page=3, order="title.desc,created_at").paging()

    assert (paging.page, paging.size, paging.sort_by, paging.descending) == (2, 3, "title", True)
    assert paging.then == (("createdAt", False),)
    assert ThingQuery().paging().descending


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("order=secret.asc", 400216),
        ("order=title.up", 400216),
        ("order=,", 400216),
        ("page=0", 400400),
        ("page=x", 400400),
        ("per_page=101", 400400),
        ("order=" + "a" * 300, 400216),
    ],
)
async def test_pages_that_there_are_not(api: Client, query: str, code: int) -> None:
    assert (await error(api, "GET", f"/v1/things?{query}"))[:2] == (400, code)


async def test_bodies_are_strict(api: Client) -> None:
    assert await error(api, "POST", "/v1/things", json={}) == (
        400, 402402, "parent_id: This attribute is required.",
    )  # fmt: skip
    assert (await error(api, "POST", "/v1/things", data=b"{"))[:2] == (400, 400101)
    assert (await error(api, "POST", "/v1/things", data=b"x" * 300_000))[:2] == (413, 413413)
    status, code, detail = await error(api, "POST", "/v1/things", json={"parent_id": VIDEO, "domains": ["a b"], "z": 1})
    assert (status, code) == (400, 402402)
    assert "domains[0]" in detail
    assert "z: There is no such attribute." in detail


async def test_deleting_succeeds_in_words(api: Client) -> None:
    async with api.delete(f"/v1/things/{VIDEO}") as response:
        assert await response.json() == {"data": {"success": True}}


async def test_who_may(api: Client, database: Database) -> None:
    async with database.write() as transaction:
        _, secret = await keys.create(transaction, DEFAULT_PROJECT, "reader", ["videos:read"])

    assert (await error(api, "GET", "/v1/things", headers={"Authorization": "Bearer nonsense"}))[:2] == (401, 100102)
    assert (await error(api, "POST", "/v1/things", headers=bearer(secret), json={}))[:2] == (403, 100103)
    del api.session.headers["Authorization"]
    assert (await error(api, "GET", "/v1/things"))[:2] == (401, 100101)


def test_names_within_something_have_uuids_too() -> None:
    first, second = identifiers.made(VIDEO, "captions", "en"), identifiers.made(VIDEO, "captions", "de")

    assert first == identifiers.made(VIDEO, "captions", "en") != second
    assert uuid.UUID(identifiers.uuid_of(first)).version == 5


async def test_the_document(api: Client) -> None:
    async with api.get("/v1/openapi.json") as response:
        document = await response.json()

    assert document["openapi"] == "3.1.0"
    assert set(document["components"]["schemas"]["Problem"]["properties"]) == {"error"}
