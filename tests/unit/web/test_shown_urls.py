"""What opens anything is in no line, whichever route takes it and whatever becomes of the request."""

import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from server import log
from server.web import dash, hls, tus, upload_urls
from server.web.hls import captions, images, live, movies, texts, vod
from server.web.kinescope import endpoints, materials
from server.web.shown_urls import QUERY_SECRETS, SECRETS
from tests.unit.web.kit import Client, Connect

SECRET = "s3cretThatOpens"
PAGES = (dash, hls, captions, images, live, movies, texts, vod, endpoints, materials)
NAMES = {"upload": "up1", "material": "ma1", "session": "us1", "output": "jpg", "row": "vi1"}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.configure("debug", "json", stream)
    yield stream
    log.configure("info", "json")


def declared() -> list[str]:
    """Paths of all routes that have a secret in them, as they were declared."""
    router = web.UrlDispatcher()
    for module in PAGES:
        if (add := getattr(module, "add_routes", None)) is not None:
            add(router)
    for path in (tus.PATH + "/{upload}/{secret}", upload_urls.SESSION, upload_urls.SESSION + "/{upload}/{secret}"):
        router.add_get(path, tus.upload)
    router.add_get("/upload-tokens/{uploadToken}", tus.upload)
    paths = {resource.canonical for resource in router.resources()}
    return sorted(path for path in paths if SECRETS & set(re.findall(r"\{(\w+)\}", path)))


def url_of(path: str) -> str:
    """A URL that the route takes."""
    return re.sub(r"\{(\w+)\}", lambda found: SECRET if found[1] in SECRETS else NAMES.get(found[1], "x1"), path)


async def failing(_: web.Request) -> web.Response:
    try:
        raise ValueError(f"no such file: /vod/vi1/token/{SECRET}/hls")
    except ValueError as error:
        raise RuntimeError(f"opened by /x?token={SECRET}") from error


async def ask(connect: Connect, lines: io.StringIO, asked: Mapping[str, str]) -> list[dict[str, Any]]:
    """The lines of requests that fail unexpectedly: routes as declared, and a URL for each."""

    def mount(app: web.Application) -> None:
        for path in dict.fromkeys(asked.values()):
            app.router.add_get("/try" + path, failing)

    client: Client = await connect(mounts=[mount])
    for url in asked:
        async with client.get(URL("/try" + url, encoded=True)) as response:
            assert response.status == 500
    log.Lines.flush()
    return [json.loads(line) for line in lines.getvalue().splitlines()]


async def test_every_route_with_a_secret(connect: Connect, lines: io.StringIO) -> None:
    asked = {url_of(path): path for path in declared()}
    found = await ask(connect, lines, asked)

    assert SECRET not in json.dumps(found)
    shown = ["/try" + url.replace(SECRET, "***") for url in asked]
    assert [line["path"] for line in found if line["event"] == "request failed"] == shown
    assert [line["url"] for line in found if line["event"] == "request"] == shown


def test_there_are_such_routes() -> None:
    paths = declared()

    assert {"/v2/upload/{upload}/{secret}", "/tus/{upload}/{secret}", "/upload-sessions/{session}/{key}"} < set(paths)
    assert len(paths) > 15


async def test_queries(connect: Connect, lines: io.StringIO) -> None:
    names = sorted(QUERY_SECRETS)
    found = await ask(connect, lines, {f"/x?a=1&{name}={SECRET}&b=2": "/x" for name in names})

    assert SECRET not in json.dumps(found)
    shown = [line["url"] for line in found if line["event"] == "request"]
    assert shown == [f"/try/x?a=1&{name}=***&b=2" for name in names]


async def test_other_spellings(connect: Connect, lines: io.StringIO) -> None:
    asked = {
        f"/v2/%75pload/up1/{SECRET}": "/v2/upload/{upload}/{secret}",
        f"/v2/upload/up1/{SECRET}?tok%65n={SECRET}": "/v2/upload/{upload}/{secret}",
        f"/tu%73/up1/{SECRET}": "/tus/{upload}/{secret}",
        f"/x?TOKEN={SECRET}&t%6Fken={SECRET}": "/x",
    }
    assert SECRET not in json.dumps(await ask(connect, lines, asked))


@pytest.mark.parametrize(
    "url", [f"/v2/upload/up1/{SECRET}/more", f"/tu%73/up1/{SECRET}/more", f"/nothing?token={SECRET}"]
)
async def test_what_no_route_takes(connect: Connect, lines: io.StringIO, url: str) -> None:
    client: Client = await connect()
    async with client.get(URL(url, encoded=True)) as response:
        assert response.status == 404
    log.Lines.flush()

    assert SECRET not in lines.getvalue()
    assert '"url":' in lines.getvalue()
