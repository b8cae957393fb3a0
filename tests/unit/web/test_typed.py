"""The typed-route layer: declarations that don't fit fail at once, bodies and answers are exact."""

import json
from typing import Annotated, Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from server import ids
from server.errors import Problem
from server.web import validation
from server.web.shapes import WHOLE, Answer, Body, Query
from server.web.typed import Call, Operations, path_value
from tests.unit.web.kit import Client, Connect, problem


class Thing(Body):
    name: str
    count_of_all: int = 0


class Told(Answer):
    what_was_said: str


class Asked(Query):
    at: Annotated[int, Field(ge=0), WHOLE] = 0


def test_a_handler_that_does_not_fit_its_path_fails_at_import() -> None:
    operations = Operations("Try")

    with pytest.raises(TypeError, match=r"takes \['other_id'\], its route gives \['video_id'\]"):

        @operations.get("/videos/{videoId}", "Show", scope=None)
        async def show(call: Call, other_id: str) -> None: ...


def test_the_parts_of_a_declaration() -> None:
    operations = Operations("Try")

    @operations.post("/things/{videoId}/parts/{partName}", "Add", scope="videos:write", status=201)
    async def add(call: Call, video_id: str, part_name: str, query: Asked, body: Thing) -> Told | web.Response:
        """Why."""
        raise NotImplementedError

    (one,) = operations.all
    assert one.path_names == {"videoId": "video_id", "partName": "part_name"}
    assert (one.query, one.body, one.answer) == (Asked, Thing, Told)
    assert (one.method, one.kind, one.tag, one.description) == ("POST", "write", "Try", "Why.")
    assert one.name == "POST_things-videoId-parts-partName"


def test_path_values() -> None:
    id = ids.new("vi")

    assert path_value("videoId", id) == path_value("videoId", id[2:]) == id
    assert path_value("videoId", str(ids.to_uuid("vi", id))) == id
    assert path_value("partName", "r0.m3u8") == "r0.m3u8"


@pytest.mark.parametrize(
    ("name", "text"),
    [("videoId", "li1111111111111111111112"), ("videoId", "../../x"), ("partName", "x" * 257), ("partName", "\x00")],
)
def test_path_values_that_name_nothing(name: str, text: str) -> None:
    with pytest.raises(Problem, match="resource-not-found") as caught:
        path_value(name, text)
    assert caught.value.name == name


@pytest.fixture
async def echo(connect: Connect) -> Client:
    """Says what it was told."""
    operations = Operations("Try")

    @operations.post("/echo", "Say it back", scope=None)
    async def say(call: Call, body: Thing) -> Told:
        return Told(what_was_said=f"{body.name}:{body.count_of_all}")

    @operations.put("/nothing", "Say nothing", scope=None, status=202)
    async def nothing(call: Call) -> None: ...

    @operations.delete("/nothing", "Say nothing", scope=None, status=204)
    async def gone(call: Call) -> None: ...

    @operations.get("/at", "Say where", scope=None)
    async def at(call: Call, query: Asked) -> Told:
        return Told(what_was_said=str(query.at))

    return await connect(operations=[operations])


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", "", "☃"],
)
async def test_json_is_read_whatever_the_content_type(echo: Client, content_type: str) -> None:
    async with echo.post("/echo", data=b'{"name": "x"}', headers={"Content-Type": content_type}) as response:
        assert response.status == 200
        assert await response.json() == {"whatWasSaid": "x:0"}


async def test_an_answer_is_exactly_json(echo: Client) -> None:
    async with echo.post("/echo", data=b'{"name": "\xc3\xa9", "countOfAll": 3}') as response:
        assert response.headers.getall("Content-Type") == ["application/json"]
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.read() == '{"whatWasSaid":"é:3"}'.encode()


@pytest.mark.parametrize(("method", "status"), [("PUT", 202), ("DELETE", 204)])
async def test_an_empty_answer_says_no_type(echo: Client, method: str, status: int) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # what an SDK sends with its PUT
    async with echo.request(method, "/nothing", headers=form) as response:
        assert response.status == status
        assert "Content-Type" not in response.headers
        assert await response.read() == b""


REQUIRED, INVALID, PAYLOAD = "attribute-required", "invalid-attribute", "invalid-payload"

BODIES: list[tuple[bytes, str, str | None]] = [
    (b"", REQUIRED, "name"),
    (b"{}", REQUIRED, "name"),
    (b'{"name": null}', INVALID, "name"),
    (b'{"name": 7}', INVALID, "name"),
    (b'{"name": true}', INVALID, "name"),
    (b'{"name": ["x"]}', INVALID, "name"),
    (b'{"name": "x", "countOfAll": "7"}', INVALID, "countOfAll"),
    (b'{"name": "x", "countOfAll": 7.0}', INVALID, "countOfAll"),
    (b'{"name": "x", "countOfAll": true}', INVALID, "countOfAll"),
    (b'{"name": "x", "countOfAll": 1e400}', INVALID, "countOfAll"),
    (b'{"name": "x", "count_of_all": 7}', INVALID, "count_of_all"),
    (b'{"name": "x", "other": 7}', INVALID, "other"),
    (b"[]", PAYLOAD, None),
    (b"null", PAYLOAD, None),
    (b'"name"', PAYLOAD, None),
    (b"{not json", PAYLOAD, None),
    (b'{"name": "x"', PAYLOAD, None),
    (b'{"name": "x"} trailing', PAYLOAD, None),
    (b'{"name": "\xff"}', PAYLOAD, None),
    (b'{"name": "\\ud800"}', PAYLOAD, None),
    (b"name=x", PAYLOAD, None),
    (b"[" * 100_000, PAYLOAD, None),
    (b'{"a":' * 20_000, PAYLOAD, None),
]


@pytest.mark.parametrize(("sent", "code", "name"), BODIES, ids=[repr(sent[:40]) for sent, _, _ in BODIES])
async def test_bodies_that_do_not_fit(echo: Client, sent: bytes, code: str, name: str | None) -> None:
    async with echo.post("/echo", data=sent) as response:
        body = await problem(response, 400, code, name)
    if name:
        assert body["problems"][0]["name"] == name
        assert body["problems"][0]["detail"] == body["detail"]
        assert body["problems"][0]["type"] == body["type"]


async def test_all_faults_are_listed(echo: Client) -> None:
    async with echo.post("/echo", json={"countOfAll": "many", "other": 1, "more": 2}) as response:
        body = await problem(response, 400, REQUIRED, "name")
    assert [entry["name"] for entry in body["problems"]] == ["name", "countOfAll", "other", "more"]


async def test_thousands_of_faults_are_not(echo: Client) -> None:
    for count, code, name in ((900, REQUIRED, "name"), (20_000, PAYLOAD, None)):
        async with echo.post("/echo", json={f"k{n}": 1 for n in range(count)}) as response:
            body = await problem(response, 400, code, name)
            assert len(body.get("problems", [])) <= 20


async def test_a_long_name_is_cut(echo: Client) -> None:
    async with echo.post("/echo", json={"name": "x", "k" * 5000: 1}) as response:
        body = await response.json()
    assert body["name"] == "k" * 100


@given(data=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["name", "countOfAll", "x", ""]), inner, max_size=4),
    max_leaves=8,
))  # fmt: skip
def test_any_json_is_accepted_or_refused_by_name(data: Any) -> None:
    try:
        Thing.model_validate_json(json.dumps(data))
    except ValidationError as error:
        found = validation.of_body(error)
        assert found.row.status == 400


@pytest.mark.parametrize(
    ("query", "said"), [("", "0"), ("at=7", "7"), ("at=007", "7"), ("unknown=1", "0"), ("at[]=1", None), ("at=", None),
                        ("at=-1", None), ("at=1.0", None), ("at=%201", None), ("at=1_0", None), ("at=٣", None),
                        ("at=9999999999", None), ("at=1&at=2", None), ("at=true", None)]
)  # fmt: skip
async def test_numbers_in_queries(echo: Client, query: str, said: str | None) -> None:
    async with echo.get(f"/at?{query}") as response:
        if said is not None:
            assert await response.json() == {"whatWasSaid": said}
        else:
            body = await problem(response, 400, "request-invalid-query-parameter", "at")
            assert "attribute" not in body["detail"]
