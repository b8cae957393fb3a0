"""A video's file by requests, as the SDKs send them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData

from server.catalog import audit, jobs, keys, uploads
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, UploadToken
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles
from server.uploads.service import Uploads
from server.uploads.source import SourceUploads
from server.web.api import sources
from tests.unit.web.kit import bearer

MAX_BYTES = 1000
TOKEN = "to1111111111111111111112"
HALF_A_FORM = b"--XX\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nabc"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
async def service(database, layout) -> AsyncIterator[SourceUploads]:
    async with UploadFiles.open(layout, 0) as files:
        yield SourceUploads(Uploads(database, files, jobs.add, MAX_BYTES, 86400))


@pytest.fixture
def start(connect, service):
    async def start(**more: Any):
        def mount(app):
            app[sources.SOURCES] = service

        return await connect(operations=[sources.operations], mounts=[mount], **more)

    return start


@pytest.fixture
async def client(start):
    return await start()


@pytest.fixture
async def stranger(start):
    return await start(key=None)


@pytest.fixture
async def video_id(client) -> str:
    answer = await client.post("/videos", json={"title": "T"})
    return (await answer.json())["videoId"]


@pytest.fixture
async def token(database) -> str:
    async with database.write() as transaction:
        await uploads.add_token(transaction, UploadToken(id=TOKEN, project_id=DEFAULT_PROJECT, ttl_s=0))
    return TOKEN


def form(body: bytes | None = b"abc", name: str = "file", filename: str | None = "a.mp4", after=(), before=()):
    data = FormData(default_to_multipart=True)
    for field, value in before:
        data.add_field(field, value)
    if body is not None:
        data.add_field(name, body, filename=filename, content_type="video/mp4")
    for field, value in after:
        data.add_field(field, value, filename="b.mp4" if isinstance(value, bytes) else None)
    return data


async def send(client, path, data, content_range=None):
    return await client.post(path, data=data, headers={"Content-Range": content_range} if content_range else {})


@pytest.mark.parametrize("name", ["file", "558k.mp4", "whatever"])
async def test_a_whole_file(client, layout, video_id, name):
    answer = await send(client, f"/videos/{video_id}/source", form(name=name))
    video = await answer.json()

    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/json"
    assert (video["videoId"], video["state"], video["source"]["type"]) == (video_id, "pre-processing", "upload")
    assert layout.video_source(video_id).read_bytes() == b"abc"


async def test_each_part_answers_the_video(client, layout, video_id):
    path = f"/videos/{video_id}/source"
    for number in (2, 1, 2):
        answer = await send(client, path, form(b"x%d" % number), f"part {number}/*")
        assert (answer.status, (await answer.json())["videoId"]) == (201, video_id)
    status = await (await client.get(f"/videos/{video_id}/status")).json()
    answer = await send(client, path, form(b"x3"), "part 3/3")

    assert status["ingest"]["receivedParts"] == {"parts": [1, 2], "total": None}
    assert (answer.status, (await answer.json())["state"]) == (201, "pre-processing")
    assert layout.video_source(video_id).read_bytes() == b"x1x2x3"


async def test_ranges_of_bytes(client, layout, video_id):
    path = f"/videos/{video_id}/source"
    await send(client, path, form(b"de"), "bytes 3-4/5")
    status = await (await client.get(f"/videos/{video_id}/status")).json()
    answer = await send(client, path, form(b"abc"), "bytes 0-2/5")

    assert status["ingest"]["receivedBytes"] == [{"from": 3, "to": 4, "total": 5}]
    assert answer.status == 201
    assert layout.video_source(video_id).read_bytes() == b"abcde"


@pytest.mark.parametrize(
    ("data", "content_range", "status", "slug"),
    [
        (form(None, after=[("x", "y")]), None, 400, "uploaded-file-no-file"),
        (form(b""), None, 400, "uploaded-file-empty"),
        (form(b"x" * 1001), None, 413, "uploaded-file-too-large"),
        (form(after=[("file", b"x")]), None, 400, "uploaded-file-multiple-files"),
        (form(before=[("videoId", "x" * 3000)]), None, 400, "invalid-payload"),
        (form(), "part 0/1", 400, "video-content-range-malformed"),
        (form(), "bytes 0-7/9", 400, "video-content-range-mismatch"),
    ],
)
async def test_faulty_files(client, layout, video_id, data, content_range, status, slug):
    answer = await send(client, f"/videos/{video_id}/source", data, content_range)

    assert answer.status == status
    assert (await answer.json())["type"].endswith(slug)
    assert list(layout.uploads.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"abc", "video/mp4", 415),
        (b"abc", "multipart/form-data", 400),
        (b"abc", "multipart/form-data; boundary=XX", 400),
        (HALF_A_FORM, "multipart/form-data; boundary=XX", 400),
    ],
)
async def test_what_is_no_form(client, layout, video_id, data, content_type, status):
    answer = await client.post(f"/videos/{video_id}/source", data=data, headers={"Content-Type": content_type})

    assert answer.status == status
    assert list(layout.uploads.iterdir()) == []


async def test_a_second_file_is_refused(client, video_id):
    await send(client, f"/videos/{video_id}/source", form())
    answer = await send(client, f"/videos/{video_id}/source", form())

    assert answer.status == 400
    assert (await answer.json())["type"].endswith("video-source-already-uploaded")


async def test_an_unknown_video(client):
    assert (await send(client, "/videos/vi1111111111111111111111/source", form())).status == 404


async def test_the_source_needs_a_key(stranger, video_id):
    assert (await send(stranger, f"/videos/{video_id}/source", form())).status == 401


@pytest.mark.parametrize("where", ["before", "after"])
async def test_a_delegated_upload_goes_on_with_its_video(stranger, layout, token, where):
    path = f"/upload?token={token}"
    first = await (await send(stranger, path, form(b"abc"), "part 1/2")).json()
    fields = {where: [("videoId", first["videoId"])]}
    answer = await send(stranger, path, form(b"def", filename="blob", **fields), "part 2/2")
    video = await answer.json()

    assert (first["title"], first["state"]) == ("a.mp4", "uploading")
    assert (answer.status, video["videoId"], video["state"]) == (201, first["videoId"], "pre-processing")
    assert layout.video_source(first["videoId"]).read_bytes() == b"abcdef"


async def test_a_delegated_upload_fills_a_waiting_video(stranger, token, video_id):
    answer = await send(stranger, f"/upload?token={token}", form(after=[("videoId", video_id)]))

    assert (answer.status, (await answer.json())["title"]) == (201, "T")


@pytest.mark.parametrize(("query", "status"), [("", 401), ("?token=", 401), ("?token=to1", 401)])
async def test_a_delegated_upload_needs_its_token(stranger, query, status):
    assert (await send(stranger, f"/upload{query}", form())).status == status


@pytest.mark.parametrize(("path", "status"), [("/videos/vi1111111111111111111111/source", 404), ("/upload", 401)])
async def test_one_who_asks_first_is_refused_before_the_body(client, path, status):
    async def body():
        pytest.fail("the body was asked for")
        yield b""

    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    answer = await client.post(path, data=body(), headers=headers, expect100=True)

    assert answer.status == status


async def test_one_who_asks_first_is_told_to_go_on(client, layout, video_id):
    answer = await client.post(f"/videos/{video_id}/source", data=form(), expect100=True)

    assert answer.status == 201
    assert layout.video_source(video_id).read_bytes() == b"abc"


async def test_a_key_that_only_uploads_replaces_no_file(client, database, make_video):
    done = await make_video(source="upload", state="done")
    waiting = await make_video()
    async with database.write() as transaction:
        await keys.create(transaction, DEFAULT_PROJECT, "x", ["uploads:create"], "uploader")

    refused = await client.post(f"/videos/{done}/source?replace=true", data=form(), headers=bearer("uploader"))
    assert refused.status == 403
    assert (await refused.json())["detail"] == "To replace a video's file takes the scope videos:write."
    filled = await client.post(f"/videos/{waiting}/source?replace=true", data=form(), headers=bearer("uploader"))
    assert filled.status == 201


async def test_an_upload_is_in_the_audit_log(client, video_id, database):
    assert (await client.post(f"/videos/{video_id}/source", data=form())).status == 201

    async with database.read() as transaction:
        page = await audit.page(transaction, DEFAULT_PROJECT, audit.Filter(object_id=video_id), Paging())
    assert ("POST_videos-videoId-source", "changed") in [(row.operation, row.action) for row in page.rows]
