"""Bytes and files as answers: conditions and ranges (RFC 9110 sections 13 and 14), and what caches are told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.web import middleware
from server.web.hls import files
from tests.unit.web.kit import Client

BODY = b"0123456789"
CACHE = "public, max-age=31536000, immutable"
MEMORY, DISK = "/memory", "/disk"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(BODY)
    return path


@pytest.fixture
async def client(path: Path) -> AsyncIterator[Client]:
    async def memory(request: web.Request) -> web.StreamResponse:
        return files.body_answer(request, BODY, "video/mp4", CACHE, "tag")

    async def disk(request: web.Request) -> web.StreamResponse:
        return files.file_answer(path, "video/mp4", CACHE, **{"X-More": "1"})

    async def vanishing(request: web.Request) -> web.StreamResponse:
        answer = files.file_answer(path, "video/mp4", CACHE)
        path.unlink()
        return answer

    async def untagged(request: web.Request) -> web.StreamResponse:
        return files.playlist(request, "#EXTM3U\n", files.REVALIDATED)

    app = web.Application(middlewares=[middleware.outermost])
    for route, handler in ((MEMORY, memory), (DISK, disk), ("/vanishing", vanishing), ("/untagged", untagged)):
        app.router.add_get(route, handler)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize("route", [MEMORY, DISK])
async def test_whole(client: Client, route: str) -> None:
    response = await client.get(route)

    assert (response.status, await response.read()) == (200, BODY)
    assert response.headers["Content-Type"] == "video/mp4"
    assert response.headers["Cache-Control"] == CACHE
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["ETag"].startswith('"')


@pytest.mark.parametrize("route", [MEMORY, DISK])
async def test_head_tells_the_same_without_a_body(client: Client, route: str) -> None:
    whole, head = await client.get(route), await client.head(route)

    assert (head.status, await head.read()) == (200, b"")
    for name in ("Content-Type", "Content-Length", "Cache-Control", "ETag", "Accept-Ranges"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("route", [MEMORY, DISK])
@pytest.mark.parametrize(
    ("asked", "given", "body"),
    [
        ("bytes=0-0", "bytes 0-0/10", b"0"),
        ("bytes=2-5", "bytes 2-5/10", b"2345"),
        ("bytes=7-", "bytes 7-9/10", b"789"),
        ("bytes=-3", "bytes 7-9/10", b"789"),
        ("bytes=5-99", "bytes 5-9/10", b"56789"),
        ("bytes=-99", "bytes 0-9/10", BODY),
        ("bytes=0-", "bytes 0-9/10", BODY),
    ],
)
async def test_a_range(client: Client, route: str, asked: str, given: str, body: bytes) -> None:
    response = await client.get(route, headers={"Range": asked})

    assert (response.status, await response.read()) == (206, body)
    assert response.headers["Content-Range"] == given
    assert response.headers["Cache-Control"] == CACHE


@pytest.mark.parametrize("route", [MEMORY, DISK])
@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100"])
async def test_a_range_past_the_end_is_not_kept(client: Client, route: str, asked: str) -> None:
    response = await client.get(route, headers={"Range": asked})

    assert response.status == 416
    assert response.headers["Content-Range"] == "bytes */10"
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("asked", ["bytes=1-2,4-5", "lines=1-2", "bytes=5-2", "bytes", "bytes=a-b"])
async def test_a_range_that_is_not_understood_is_passed_over(client: Client, asked: str) -> None:
    response = await client.get(MEMORY, headers={"Range": asked})

    assert (response.status, await response.read()) == (200, BODY)


@pytest.mark.parametrize("route", [MEMORY, DISK])
@pytest.mark.parametrize("form", ['{}', 'W/{}', '"other", {}', '*'])
async def test_what_is_known_is_not_sent_again(client: Client, route: str, form: str) -> None:
    etag = (await client.get(route)).headers["ETag"]

    response = await client.get(route, headers={"If-None-Match": form.format(etag)})

    assert (response.status, await response.read()) == (304, b"")
    assert response.headers["ETag"] == etag
    assert response.headers["Cache-Control"] == CACHE


@pytest.mark.parametrize("route", [MEMORY, DISK])
async def test_what_has_another_tag_is_sent(client: Client, route: str) -> None:
    response = await client.get(route, headers={"If-None-Match": '"other"'})

    assert (response.status, await response.read()) == (200, BODY)


@pytest.mark.parametrize(("condition", "status"), [('"tag"', 206), ('"other"', 200), ('W/"tag"', 200)])
async def test_a_range_of_what_has_changed_is_answered_whole(client: Client, condition: str, status: int) -> None:
    response = await client.get(MEMORY, headers={"Range": "bytes=0-1", "If-Range": condition})

    assert response.status == status


async def test_a_range_of_a_file_that_has_changed_is_answered_whole(client: Client, path: Path) -> None:
    etag = (await client.get(DISK)).headers["ETag"]
    held = await client.get(DISK, headers={"Range": "bytes=0-1", "If-Range": etag})
    path.write_bytes(BODY * 2)

    changed = await client.get(DISK, headers={"Range": "bytes=0-1", "If-Range": etag})
    weak = await client.get(DISK, headers={"Range": "bytes=0-1", "If-Range": "W/" + changed.headers["ETag"]})
    alone = await client.get(DISK, headers={"If-Range": etag})
    dated = await client.get(DISK, headers={"Range": "bytes=0-1", "If-Range": changed.headers["Last-Modified"]})

    assert (held.status, await held.read()) == (206, BODY[:2])
    assert (changed.status, await changed.read()) == (200, BODY * 2)
    assert (weak.status, await weak.read()) == (200, BODY * 2)
    assert (dated.status, alone.status) == (206, 200)


async def test_without_a_tag_there_are_no_ranges(client: Client) -> None:
    response = await client.get("/untagged", headers={"Range": "bytes=0-1", "If-None-Match": "*"})

    assert (response.status, await response.text()) == (200, "#EXTM3U\n")
    assert "ETag" not in response.headers
    assert response.headers["Content-Type"] == "application/vnd.apple.mpegurl"


async def test_a_files_own_headers_go_with_it(client: Client) -> None:
    assert (await client.get(DISK)).headers["X-More"] == "1"


async def test_a_file_that_is_not_there_is_a_problem_that_is_not_kept(client: Client, path: Path) -> None:
    path.unlink()

    response = await client.get(DISK)

    assert response.status == 404
    assert response.headers["Cache-Control"] == "no-store"
    assert (await response.json())["type"].endswith("resource-not-found")


async def test_a_folder_is_no_file(client: Client, path: Path) -> None:
    path.unlink()
    path.mkdir()

    assert (await client.get(DISK)).status == 404


async def test_a_file_that_goes_while_it_is_answered_is_not_kept_either(client: Client) -> None:
    response = await client.get("/vanishing")

    assert response.status == 404
    assert response.headers["Cache-Control"] == "no-store"


async def test_not_ready_is_asked_again() -> None:
    response = files.not_ready(3)

    assert (response.status, response.body, response.headers["Retry-After"]) == (202, None, "3")
    assert response.headers["Cache-Control"] == "no-store"
