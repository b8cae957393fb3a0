"""Pages elsewhere may call us, with the SDKs' headers, and read ours."""

import pytest
from aiohttp import web

from server.config import HttpConfig
from server.web import application
from server.web.cors import ALLOWED
from tests.unit.web.kit import Client, Connect

PAGE = "https://example.com"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}


async def test_any_origin_by_default_also_in_problems(client: Client, anonymous: Client) -> None:
    for one in (client, anonymous):
        async with one.get("/videos", headers={"Origin": PAGE}) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "Access-Control-Allow-Credentials" not in response.headers
            exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
            assert {"X-RateLimit-Remaining", "X-Request-ID", "Content-Range", "ETag"} <= set(exposed)


async def test_caches_keep_one_answer_for_all_origins(client: Client) -> None:
    async with client.get("/healthz") as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Vary" not in response.headers


@pytest.mark.parametrize("path", ["/videos", "/auth/api-key", "/videos/vi123/source", "/live-streams/x/complete"])
async def test_a_preflight_needs_no_credentials(anonymous: Client, path: str) -> None:
    asked = "authorization,content-range,content-type,av-origin-client,av-origin-app,av-origin-sdk"
    if path.endswith("source"):
        path = path.removesuffix("/source")
    async with anonymous.options(
        path, headers={**PREFLIGHT, "Access-Control-Request-Headers": asked}
    ) as response:
        assert response.status == 204
        assert await response.read() == b""
        assert "Content-Type" not in response.headers
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Allow-Headers"] == asked
        methods = response.headers["Access-Control-Allow-Methods"].split(", ")
        assert {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"} <= set(methods)
        assert response.headers["Access-Control-Max-Age"] == "7200"


async def test_a_preflight_that_asks_for_nothing_learns_all(anonymous: Client) -> None:
    async with anonymous.options("/videos", headers=PREFLIGHT) as response:
        assert response.headers["Access-Control-Allow-Headers"] == ", ".join(ALLOWED)


async def test_a_preflight_of_an_unknown_url_is_404(anonymous: Client) -> None:
    async with anonymous.options("/nope", headers=PREFLIGHT) as response:
        assert response.status == 404


async def test_options_without_an_origin(anonymous: Client) -> None:
    async with anonymous.options("/videos") as response:
        assert response.status == 204
        assert response.headers["Allow"] == "GET,HEAD,POST"
        assert "Access-Control-Allow-Methods" not in response.headers


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://example.com", True), ("https://EXAMPLE.com", True), ("https://evil.test", False), (None, False)],
)
async def test_a_list_of_origins(connect: Connect, origin: str | None, allowed: bool) -> None:
    client = await connect({"http": HttpConfig(cors_origins=["https://example.com/"])})
    headers = {"Origin": origin} if origin else {}
    async with client.get("/healthz", headers=headers) as response:
        assert response.headers["Vary"] == "Origin"
        assert response.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)


async def test_a_mount_exposes_headers_of_its_own(connect: Connect) -> None:
    def mount(app: web.Application) -> None:
        application.expose(app, ["Upload-Offset", "ETag"])

    client = await connect(mounts=[mount])
    async with client.get("/healthz", headers={"Origin": PAGE}) as response:
        exposed = response.headers["Access-Control-Expose-Headers"].split(", ")
    assert exposed.count("Upload-Offset") == exposed.count("ETag") == 1


async def test_a_route_may_answer_options_itself(connect: Connect) -> None:
    async def options(_: web.Request) -> web.Response:
        return web.Response(status=204, headers={"Tus-Version": "1.0.0"})

    def mount(app: web.Application) -> None:
        app.router.add_route("OPTIONS", "/tus", options)

    client = await connect(mounts=[mount])
    async with client.options("/tus", headers=PREFLIGHT) as response:
        assert response.headers["Tus-Version"] == "1.0.0"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Methods" in response.headers
