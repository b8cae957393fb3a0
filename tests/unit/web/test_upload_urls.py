"""Upload sessions over REST, and their URLs as pages and programs use them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from yarl import URL

from server import clock, log
from server.catalog import audit, events, jobs, upload_sessions, videos
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles
from server.uploads import expiry
from server.uploads.joins import Joins
from server.uploads.partials import Partials
from server.uploads.service import Uploads
from server.uploads.source import SourceUploads
from server.web import tus, upload_urls
from server.web.api import sources
from tests.unit.web.kit import problem

MAX_BYTES = 1000
V = {"Tus-Resumable": "1.0.0"}
CHUNK = {**V, "Content-Type": "application/offset+octet-stream"}
PAGE = "https://www.example.com"
TYPED = {"Content-Type": "video/mp4"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
async def service(database, layout) -> AsyncIterator[Uploads]:
    async with UploadFiles.open(layout, 0) as files:
        yield Uploads(database, files, jobs.add, MAX_BYTES, 86400)


@pytest.fixture
async def client(connect, service):
    def mount(app):
        tus.mount(app)
        app[tus.UPLOADS], app[sources.SOURCES] = service, SourceUploads(service)
        app[tus.PARTIALS] = Partials(service, Joins(service, app[sources.SOURCES]))
        upload_urls.add_routes(app.router)

    return await connect(mounts=[mount])


async def made(client, **body: Any) -> tuple[dict[str, Any], str]:
    """A session, and the path of its URL."""
    async with client.post("/upload-sessions", json=body) as response:
        assert response.status == 201, await response.text()
        session = await response.json()
    return session, URL(session["url"]).path


async def shown(client, session: dict[str, Any]) -> dict[str, Any]:
    async with client.get(f"/upload-sessions/{session['uploadSessionId']}") as response:
        assert response.status == 200
        told: dict[str, Any] = await response.json()
        return told


async def event_types(database, session: dict[str, Any]) -> list[str]:
    async with database.read() as transaction:
        rows = await events.of_object(transaction, DEFAULT_PROJECT, session["uploadSessionId"])
    return [row.type.removeprefix("upload-session.") for row in rows]


async def test_a_session(client, database):
    session, path = await made(
        client, ttl=60, maxBytes=500, maxDuration=30, types=[".MP4", "Video/*"], origin="HTTPS://www.Example.com",
        title="T", passthrough="p",
    )  # fmt: skip
    secret = path.rpartition("/")[2]
    listed = await (await client.get("/upload-sessions?sortBy=expiresAt")).json()

    assert [session[name] for name in ("state", "videoId", "maxBytes", "maxDuration", "types", "origin")] == [
        "waiting", None, 500, 30, ["mp4", "video/*"], PAGE,
    ]  # fmt: skip
    assert listed["data"] == [await shown(client, session)] == [{k: v for k, v in session.items() if k != "url"}]
    async with database.read() as transaction:
        row = await upload_sessions.get(transaction, DEFAULT_PROJECT, session["uploadSessionId"])
        entries = (await audit.page(transaction, DEFAULT_PROJECT, audit.Filter(), Paging(1, 9, None, True))).rows
    assert secret not in row.secret_hash
    assert [(one.action, one.object_type, one.after["secret_hash"]) for one in entries] == [
        ("created", "upload_sessions", "***")
    ]
    assert log.mask(f"PUT {path} and {path}/up1/x") == f"PUT {path[:-len(secret)]}*** and {path[:-len(secret)]}***"
    assert (await client.delete(f"/upload-sessions/{session['uploadSessionId']}")).status == 204
    assert (await client.put(path, data=b"abc", headers=TYPED)).status == 404
    assert await event_types(database, session) == ["created", "deleted"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("ttl", 0), ("maxBytes", 0), ("maxDuration", 0), ("types", ["text/plain"]), ("types", ["*"]),
     ("origin", "example.com"), ("origin", "https://a/b"), ("origin", "*"), ("folderId", "x")],
)  # fmt: skip
async def test_bad_limits(client, name, value):
    async with client.post("/upload-sessions", json={name: value}) as response:
        assert response.status == (404 if name == "folderId" else 400)
        assert (await response.json())["name"].startswith(name)


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("whole", [True, False], ids=["raw", "form"])
async def test_a_file(connect, client, database, layout, method, whole):
    session, path = await made(client, title="T", tags=["a"], metadata=[{"key": "k", "value": "v"}], types=["mp4"])
    data: Any = b"abc"
    if not whole:
        data = FormData()
        data.add_field("file", b"abc", filename="b.mp4", content_type="video/mp4")
    async with client.request(method, path, data=data, headers=TYPED if whole else {}) as response:
        answer = await response.json()
        assert (response.status, answer["uploadSessionId"]) == (201, session["uploadSessionId"])
    async with database.read() as transaction:
        video = await videos.find(transaction, answer["videoId"])

    assert (video.title, video.tags, video.meta) == ("T", ["a"], [{"key": "k", "value": "v"}])
    assert layout.video_source(video.id).read_bytes() == b"abc"
    assert await event_types(database, session) == ["created", "used"]
    told = await shown(client, session)
    assert (told["state"], told["videoId"]) == ("uploading", video.id)
    async with client.put(path, data=b"abc", headers=TYPED) as response:
        await problem(response, 400, "video-source-already-uploaded")
    async with client.delete(f"/upload-sessions/{session['uploadSessionId']}") as response:
        await problem(response, 409, "conflict")


async def test_over_tus(client, layout, database):
    session, path = await made(client, maxBytes=10, title="T")
    async with client.options(path) as response:
        assert response.headers["Tus-Max-Size"] == "10"
        assert "concatenation" not in response.headers["Tus-Extension"]
    async with client.post(path, headers={**V, "Upload-Length": "11"}) as response:
        await problem(response, 413, "uploaded-file-too-large", "Upload-Length")
    async with client.post(path, headers={**V, "Upload-Length": "3", "Upload-Concat": "partial"}) as response:
        await problem(response, 400, "invalid-attribute", "Upload-Concat")
    first = (await client.post(path, headers={**V, "Upload-Length": "9"})).headers
    second = (await client.post(path, headers={**V, "Upload-Defer-Length": "1"})).headers  # the page was loaded anew
    own = second["Location"]

    assert own.startswith(path + "/up")
    assert first["Sluice-Video-Id"] == second["Sluice-Video-Id"]
    assert (await client.head(first["Location"], headers=V)).status == 410
    async with client.patch(own, data=b"abc", headers={**CHUNK, "Upload-Offset": "0", "Upload-Length": "11"}) as answer:
        await problem(answer, 413, "uploaded-file-too-large")
    async with client.patch(own, data=b"abc", headers={**CHUNK, "Upload-Offset": "0", "Upload-Length": "3"}) as answer:
        assert answer.status == 204
    assert layout.video_source(second["Sluice-Video-Id"]).read_bytes() == b"abc"
    async with client.post(path, headers={**V, "Upload-Length": "9"}) as response:
        await problem(response, 400, "video-source-already-uploaded")
    assert await event_types(database, session) == ["created", "used"]


@pytest.mark.parametrize(
    ("headers", "size", "status", "slug"),
    [
        ({}, 3, 415, "unsupported-media-type"),
        ({"Content-Type": "video/webm"}, 3, 415, "unsupported-media-type"),
        (TYPED, 11, 413, "uploaded-file-too-large"),
        (TYPED, 0, 400, "uploaded-file-empty"),
    ],
)
async def test_files_that_are_not_taken(client, layout, headers, size, status, slug):
    session, path = await made(client, maxBytes=10, types=["mp4"])
    async with client.put(path, data=b"x" * size, headers=headers) as response:
        await problem(response, status, slug)

    assert list(layout.uploads.iterdir()) == []
    assert (await shown(client, session))["state"] == "waiting"


async def test_origins(connect, client, service):
    _, path = await made(client, origin=PAGE)
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "PUT"}
    async with client.options(path, headers=asked) as response:
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
        assert "PUT" in response.headers["Access-Control-Allow-Methods"]
    async with client.put(path, data=b"abc", headers={"Origin": "https://evil.example"}) as response:
        await problem(response, 403, "forbidden", "Origin")
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
    begun = await client.post(path, headers={**V, "Upload-Length": "3", "Origin": PAGE})
    async with client.head(begun.headers["Location"], headers={**V, "Origin": "https://evil.example"}) as response:
        assert response.status == 403
    async with client.put(path, data=b"abc", headers={"Origin": PAGE}) as response:
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (201, PAGE)


async def test_the_end_of_its_time(client, database, service, layout, monkeypatch):
    session, path = await made(client, ttl=60)
    late = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: late)
    async with client.put(path, data=b"abc") as response:
        await problem(response, 410, "upload-gone")
    assert (await shown(client, session))["state"] == "expired"
    joins = Joins(service, SourceUploads(service))
    await expiry.sweep(service, Partials(service, joins), joins, layout)
    assert await event_types(database, session) == ["created", "expired"]
    monkeypatch.setattr(clock, "now", lambda: late + upload_sessions.KEPT)
    await expiry.sweep(service, Partials(service, joins), joins, layout)
    async with client.get(f"/upload-sessions/{session['uploadSessionId']}") as response:
        await problem(response, 404, "resource-not-found", "uploadSessionId")


async def test_one_that_was_given_up_takes_another(client, database):
    session, path = await made(client)
    begun = await client.post(path, headers={**V, "Upload-Length": "3"})
    assert (await shown(client, session))["state"] == "uploading"
    assert (await client.delete(begun.headers["Location"], headers=V)).status == 204
    assert (await shown(client, session))["state"] == "waiting"
    async with client.put(path, data=b"abc") as response:
        assert (response.status, (await response.json())["videoId"]) == (201, begun.headers["Sluice-Video-Id"])


async def test_who_lacks_the_secret(client):
    _, path = await made(client)
    for wrong in (path + "x", path.rpartition("/")[0] + "/x", "/upload-sessions/us1/x", "/upload-sessions/x/x"):
        async with client.put(wrong, data=b"abc") as response:
            await problem(response, 404, "resource-not-found")


async def test_the_same_call_again(client):
    sent = {"json": {"title": "T"}, "headers": {"Idempotency-Key": "k"}}
    answers = [await (await client.post("/upload-sessions", **sent)).json() for _ in range(2)]

    assert answers[0] == answers[1]
    assert (await (await client.get("/upload-sessions")).json())["pagination"]["itemsTotal"] == 1
