"""Problems as the Kinescope dialect says them, whatever refuses a request."""

from typing import Any

import pytest
from aiohttp import web

from server.errors import ERRORS, Problem
from server.web.kinescope import errors
from tests.unit.web.kit import Client, Connect, bearer


@pytest.mark.parametrize(
    ("problem", "code", "message", "detail"),
    [
        (Problem("resource-not-found", name="video_id"), 404404, "no such entity", "video_id: The requested resource"),
        (Problem("resource-not-found", name="videoId"), 404404, "no such entity", "video_id: The requested resource"),
        (Problem("invalid-attribute", "No.", "Upload-Length"), 402402, "validation error", "Upload-Length: No."),
        (Problem("invalid-id", name="video_id"), 400301, "invalid uuid format", "video_id: This is not an id."),
        (Problem("invalid-attribute", "Too long.", "title"), 402402, "validation error", "title: Too long."),
        (Problem("request-invalid-query-parameter", "No.", "order"), 400216, "not allowed order field", "order: No."),
        (Problem("request-invalid-query-parameter", "No.", "page"), 400400, "unexpected value", "page: No."),
        (Problem("unprocessable", "Not from there."), 422422, "the request is understood", "Not from there."),
        (Problem("internal-error"), 500500, "internal server error", "The operator can look for the request r1."),
        (
            Problem("attribute-required", problems=[{"name": "a", "title": "A."}, {"name": "b", "detail": "B."}]),
            402402, "validation error", "a: A. b: B.",
        ),
    ],
)  # fmt: skip
def test_what_a_problem_becomes(problem: Problem, code: int, message: str, detail: str) -> None:
    found = errors.body_of(problem, "r1")["error"]

    assert found["code"] == code
    assert found["message"].startswith(message)
    assert found["detail"].startswith(detail)


@pytest.mark.parametrize("code", ERRORS)
def test_every_problem_can_be_said(code: str) -> None:
    found = errors.body_of(Problem(code))["error"]

    assert set(found) == {"code", "message", "detail"}
    assert isinstance(found["code"], int)
    assert found["message"]
    assert found["detail"]


def test_its_rows_are_of_problems_that_there_are() -> None:
    assert {key if isinstance(key, str) else key[0] for key in errors._ROWS} <= set(ERRORS)


@pytest.mark.parametrize(
    ("path", "spoken"),
    [
        ("/v1/videos", True),
        ("/v2/init", True),
        ("/v1", True),
        ("/additional-material", True),
        ("/v10/x", False),
        ("/videos", False),
        ("/vod/x", False),
    ],
)
def test_where_it_is_spoken(path: str, spoken: bool) -> None:
    assert errors.spoken(path) is spoken


async def refused(client: Client, method: str, path: str, status: int, **more: Any) -> dict[str, Any]:
    async with client.request(method, path, **more) as response:
        assert response.status == status, await response.text()
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["X-Request-ID"]
        body: dict[str, Any] = await response.json()
        assert set(body) == {"error"}
        return dict(body["error"])


async def test_what_the_server_itself_refuses(client: Client) -> None:
    assert (await refused(client, "GET", "/v1/nothing", 404))["code"] == 404404
    assert (await refused(client, "GET", "/v2", 404))["code"] == 404404
    assert (await refused(client, "DELETE", "/v1/openapi.json", 405))["code"] == 405405


async def test_what_fails_within(connect: Connect) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise LookupError("a defect")

    client = await connect(mounts=[lambda app: app.router.add_get("/v1/defect", fail) and None])

    error = await refused(client, "GET", "/v1/defect", 500)

    assert error["code"] == 500500
    assert "a defect" not in str(error)


async def test_the_api_at_the_root_says_it_in_its_own_way(client: Client) -> None:
    async with client.get("/nothing", headers=bearer("x")) as response:
        assert set(await response.json()) == {"type", "title", "status"}
