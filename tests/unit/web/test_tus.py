"""tus over HTTP, verb by verb: method, headers, body -> status, headers."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server import log
from server.catalog import jobs, keys, uploads, videos
from server.catalog.models import DEFAULT_PROJECT, UploadToken, Video
from server.config import HttpConfig
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles
from server.uploads.joins import Joins
from server.uploads.partials import Partials
from server.uploads.service import Uploads
from server.uploads.source import SourceUploads
from server.web import tus
from tests.unit.web.kit import bearer

MAX_BYTES = 1000
TOKEN = "to1111111111111111111112"
V = {"Tus-Resumable": "1.0.0"}
CHUNK = {**V, "Content-Type": "application/offset+octet-stream"}
NAME = base64.b64encode(b"a.mp4").decode()


@pytest.fixture
async def service(database, tmp_path: Path) -> AsyncIterator[Uploads]:
    async with UploadFiles.open(Layout(tmp_path), 0) as files:
        yield Uploads(database, files, jobs.add, MAX_BYTES, 86400)


@pytest.fixture
def start(connect, service):
    async def start(**more: Any):
        def mount(app):
            tus.mount(app)
            app[tus.UPLOADS] = service
            app[tus.PARTIALS] = Partials(service, Joins(service, SourceUploads(service)))

        return await connect(mounts=[mount], **more)

    return start


@pytest.fixture
async def client(start):
    return await start()


@pytest.fixture
async def stranger(start):
    return await start(key=None)


@pytest.fixture
async def url(client) -> str:
    """Of a fresh upload of 10 bytes."""
    answer = await client.post("/tus", headers={**V, "Upload-Length": "10", "Upload-Metadata": f"filename {NAME}"})
    return answer.headers["Location"]


async def video_of(database, answer) -> Video:
    async with database.read() as transaction:
        found = await videos.find(transaction, answer.headers["Sluice-Video-Id"])
    assert found is not None
    return found


async def test_options_need_no_key_and_no_version(stranger):
    answer = await stranger.options("/tus")

    assert answer.status == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == "1000"
    assert "termination" in answer.headers["Tus-Extension"]


async def test_preflights_allow_what_clients_send(stranger):
    asked = {"Origin": "https://page", "Access-Control-Request-Method": "PATCH",
             "Access-Control-Request-Headers": "tus-resumable,upload-offset,content-type"}  # fmt: skip
    answer = await stranger.options("/tus/upX/secret", headers=asked)

    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Headers"] == "tus-resumable,upload-offset,content-type"
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]


async def test_pages_may_read_the_answers(client):
    answer = await client.post("/tus", headers={**V, "Upload-Length": "10", "Origin": "https://page"})
    exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))

    assert {"Location", "Upload-Offset", "Upload-Expires", "Tus-Resumable", "Sluice-Video-Id"} <= exposed


async def test_creation_answers_where_and_which_video(client, database):
    answer = await client.post("/tus/", headers={**V, "Upload-Length": "10", "Upload-Metadata": f"filename {NAME}"})

    assert answer.status == 201
    assert answer.headers["Location"].startswith("/tus/up")
    assert answer.headers["Upload-Offset"] == "0"
    assert answer.headers["Upload-Expires"].endswith(" GMT")
    assert (await video_of(database, answer)).title == "a.mp4"


@pytest.mark.parametrize(
    ("http", "headers", "prefix"),
    [
        (HttpConfig(public_url="https://v.example/x"), {}, "https://v.example/x/tus/up"),
        (HttpConfig(trusted_proxies=["127.0.0.1"]),
         {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "v.example"}, "https://v.example/tus/up"),
        (HttpConfig(), {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}, "/tus/up"),
    ],
)  # fmt: skip
async def test_the_location_honours_how_the_server_is_reached(start, http, headers, prefix):
    client = await start(changed={"http": http})
    answer = await client.post("/tus", headers={**V, **headers, "Upload-Length": "10"})

    assert answer.headers["Location"].startswith(prefix)


async def test_creation_with_upload(client):
    answer = await client.post("/tus", headers={**CHUNK, "Upload-Length": "10"}, data=b"01234")
    head = await client.head(answer.headers["Location"], headers=V)

    assert (answer.status, answer.headers["Upload-Offset"], head.headers["Upload-Offset"]) == (201, "5", "5")


async def test_creation_with_all_of_it(client, database):
    answer = await client.post("/tus", headers={**CHUNK, "Upload-Length": "5"}, data=b"01234")

    assert (answer.status, answer.headers["Upload-Offset"]) == (201, "5")
    assert (await video_of(database, answer)).state == "pre-processing"


@pytest.mark.parametrize(
    ("headers", "data", "status", "name"),
    [
        ({"Upload-Length": "10"}, None, 412, "Tus-Resumable"),
        (V, None, 400, "Upload-Length"),
        ({**V, "Upload-Length": "1001"}, None, 413, "Upload-Length"),
        ({**V, "Upload-Length": "0"}, None, 400, "Upload-Length"),
        ({**V, "Upload-Length": "10", "Upload-Metadata": "a b c"}, None, 400, "Upload-Metadata.a"),
        ({**V, "Upload-Length": "10", "Content-Type": "text/plain"}, b"x", 415, "Content-Type"),
        ({**V, "Upload-Length": "10", "Upload-Metadata": "videoId eA=="}, None, 404, "videoId"),
    ],
)
async def test_faulty_creations(client, headers, data, status, name):
    answer = await client.post("/tus", headers=headers, data=data)

    assert (answer.status, (await answer.json())["name"]) == (status, name)
    assert answer.headers["Tus-Resumable"] == "1.0.0"


async def test_a_body_too_long_for_its_upload_makes_none(client, service):
    async def body():
        yield b"x" * 20

    answer = await client.post("/tus", headers={**CHUNK, "Upload-Length": "10"}, data=body())

    assert answer.status == 413
    assert "Location" not in answer.headers


async def test_creation_needs_a_credential(stranger):
    creation = {**V, "Upload-Length": "10"}

    assert (await stranger.post("/tus", headers=creation)).status == 401
    assert (await stranger.post("/tus?token=to1", headers=creation)).status == 401
    assert (await stranger.post("/tus", headers={**creation, "Authorization": "Bearer nope"})).status == 401


async def test_an_upload_token_is_a_credential(stranger, database):
    async with database.write() as transaction:
        await uploads.add_token(transaction, UploadToken(id=TOKEN, project_id=DEFAULT_PROJECT, ttl_s=0))
    answer = await stranger.post(f"/tus?token={TOKEN}", headers={**V, "Upload-Length": "10"})

    assert answer.status == 201


async def test_a_key_without_the_scope_is_refused(start, database):
    async with database.write() as transaction:
        await keys.create(transaction, DEFAULT_PROJECT, "reader", ["videos:read"], "reader")
    client = await start(key="reader")

    assert (await client.post("/tus", headers={**V, "Upload-Length": "10"})).status == 403


async def test_head_tells_all(client, url, stranger):
    answer = await stranger.head(url, headers=V)

    assert answer.status == 200
    assert answer.headers["Upload-Offset"] == "0"
    assert answer.headers["Upload-Length"] == "10"
    assert answer.headers["Upload-Metadata"] == f"filename {NAME}"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_patches_append_until_it_is_whole(stranger, url):
    first = await stranger.patch(url, headers={**CHUNK, "Upload-Offset": "0"}, data=b"01234")
    second = await stranger.patch(url, headers={**CHUNK, "Upload-Offset": "5"}, data=b"56789")

    assert (first.status, first.headers["Upload-Offset"]) == (204, "5")
    assert "Upload-Expires" in first.headers
    assert (second.status, second.headers["Upload-Offset"]) == (204, "10")
    assert "Upload-Expires" not in second.headers


async def test_a_post_may_stand_in_for_a_patch(stranger, url):
    override = {**CHUNK, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    answer = await stranger.post(url, headers=override, data=b"01234")

    assert (answer.status, answer.headers["Upload-Offset"]) == (204, "5")


async def test_a_length_can_be_deferred(client):
    answer = await client.post("/tus", headers={**V, "Upload-Defer-Length": "1"})
    url = answer.headers["Location"]
    assert (await client.head(url, headers=V)).headers["Upload-Defer-Length"] == "1"
    answer = await client.patch(url, headers={**CHUNK, "Upload-Offset": "0", "Upload-Length": "3"}, data=b"abc")

    assert (answer.status, answer.headers["Upload-Offset"]) == (204, "3")


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({**CHUNK, "Upload-Offset": "1"}, b"x", 409),
        ({**CHUNK, "Upload-Offset": "0"}, b"x" * 11, 413),
        ({**CHUNK}, b"x", 400),
        ({**V, "Upload-Offset": "0", "Content-Type": "video/mp4"}, b"x", 415),
        ({"Content-Type": CHUNK["Content-Type"], "Upload-Offset": "0"}, b"x", 412),
    ],
)
async def test_faulty_patches(client, url, headers, data, status):
    answer = await client.patch(url, headers=headers, data=data)

    assert answer.status == status
    assert (await answer.json())["status"] == status
    assert (await client.head(url, headers=V)).headers["Upload-Offset"] == "0"


async def test_a_given_up_upload_is_gone(client, url):
    assert (await client.delete(url, headers=V)).status == 204
    assert (await client.head(url, headers=V)).status == 410
    assert (await client.delete(url, headers=V)).status == 410


async def test_a_finished_upload_is_not_given_up(client, url):
    await client.patch(url, headers={**CHUNK, "Upload-Offset": "0"}, data=b"0123456789")

    assert (await client.delete(url, headers=V)).status == 403


@pytest.mark.parametrize("verb", ["head", "patch", "delete"])
@pytest.mark.parametrize("path", ["/tus/up1111111111111111111111/x", "/tus/../etc/passwd", "/tus/%2e%2e/x"])
async def test_unknown_uploads(client, verb, path):
    answer = await client.request(verb, path, headers={**CHUNK, "Upload-Offset": "0"})

    assert answer.status == 404


async def test_the_secret_opens_only_its_own_upload(client, url):
    other = (await client.post("/tus", headers={**V, "Upload-Length": "10"})).headers["Location"]
    mixed = url.rpartition("/")[0] + "/" + other.rpartition("/")[2]

    assert (await client.head(mixed, headers=V)).status == 404


async def test_other_methods_are_refused(client, url):
    answer = await client.get(url, headers=V)

    assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS, HEAD, PATCH, DELETE")


async def test_one_who_asks_first_is_refused_before_the_body(client, url):
    async def body():
        pytest.fail("the body was asked for")
        yield b""

    answer = await client.patch(
        url, headers={**CHUNK, "Upload-Offset": "7", "Expect": "100-continue"}, data=body(), expect100=True
    )

    assert answer.status == 409


async def test_one_who_asks_first_is_told_to_go_on(client, url):
    answer = await client.patch(url, headers={**CHUNK, "Upload-Offset": "0"}, data=b"01234", expect100=True)

    assert (answer.status, answer.headers["Upload-Offset"]) == (204, "5")


async def test_a_full_disk_is_said_before_the_bytes(client, service, url, monkeypatch):
    monkeypatch.setattr(service.files, "_reserve_bytes", 1 << 60)
    creation = await client.post("/tus", headers={**V, "Upload-Length": "10"})
    patch = await client.patch(url, headers={**CHUNK, "Upload-Offset": "0"}, data=b"01234")

    assert (creation.status, patch.status) == (507, 507)
    assert (await patch.json())["title"] == "The server is out of storage space."


async def test_a_sender_that_goes_away_leaves_what_came(start, url, client):
    """And a line in the log, not a traceback."""
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    head = {**CHUNK, "Upload-Offset": "0", "Content-Length": "10"}
    lines = [f"PATCH {url} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    writer.write("\r\n".join(lines).encode() + b"abc")
    await writer.drain()
    writer.transport.abort()
    answer = await client.head(url, headers=V)

    assert answer.headers["Upload-Offset"] in ("0", "3")
    assert await reader.read() == b""


async def test_a_key_that_only_uploads_replaces_no_file(client, database, make_video):
    video_id = await make_video(source="upload", state="done")
    async with database.write() as transaction:
        await keys.create(transaction, DEFAULT_PROJECT, "x", ["uploads:create"], "uploader")
    said = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}"
        for name, value in (("videoId", video_id), ("replace", "true"))
    )
    wish = {**V, "Upload-Length": "10", "Upload-Metadata": said}

    assert (await client.post("/tus", headers=wish)).status == 201
    assert (await client.post("/tus", headers={**wish, **bearer("uploader")})).status == 403


def sha1(text: bytes) -> dict[str, str]:
    return {"Upload-Checksum": f"sha1 {base64.b64encode(hashlib.sha1(text).digest()).decode()}"}


async def test_a_wrong_checksum_is_460_and_the_bytes_are_gone(client, url):
    patch = {**CHUNK, "Upload-Offset": "0"}
    wrong = await client.patch(url, headers={**patch, **sha1(b"43210")}, data=b"01234")
    offset = (await client.head(url, headers=V)).headers["Upload-Offset"]
    right = await client.patch(url, headers={**patch, **sha1(b"01234")}, data=b"01234")

    assert (wrong.status, (await wrong.json())["title"]) == (460, "The checksum does not match.")
    assert (offset, right.status, right.headers["Upload-Offset"]) == ("0", 204, "5")


async def test_a_wrong_checksum_makes_no_upload(client, service):
    answer = await client.post("/tus", headers={**CHUNK, "Upload-Length": "9", **sha1(b"x")}, data=b"01234")

    assert answer.status == 460
    assert "Location" not in answer.headers
    assert list(service.files._layout.uploads.iterdir()) == []


async def partial(client, text: bytes) -> str:
    """The URL of a whole one."""
    headers = {**CHUNK, "Upload-Length": str(len(text)), "Upload-Concat": "partial"}
    answer = await client.post("/tus", headers=headers, data=text)
    assert (answer.status, answer.headers.get("Sluice-Video-Id")) == (201, None)
    return answer.headers["Location"]


async def test_partial_uploads_become_one(client, database):
    concat = f"final;{await partial(client, b'01234')} {await partial(client, b'56789')}"
    answer = await client.post("/tus", headers={**V, "Upload-Concat": concat, "Upload-Metadata": f"filename {NAME}"})
    url = answer.headers["Location"]
    head = await client.head(url, headers=V)
    patch = await client.patch(url, headers={**CHUNK, "Upload-Offset": "10"}, data=b"")

    assert (answer.status, (await video_of(database, answer)).title) == (201, "a.mp4")
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("10", "10")
    assert head.headers["Upload-Concat"] == concat
    assert patch.status == 403


async def test_a_partial_upload_is_one_among_others(stranger, client):
    url = await partial(client, b"01234")
    head = await stranger.head(url, headers=V)

    assert (head.headers["Upload-Concat"], head.headers["Upload-Offset"]) == ("partial", "5")
    assert (await stranger.head(url + "x", headers=V)).status == 404
    assert (await stranger.delete(url, headers=V)).status == 204
    assert (await stranger.head(url, headers=V)).status == 404


async def test_unfinished_parts_are_not_joined(client):
    headers = {**V, "Upload-Length": "10", "Upload-Concat": "partial"}
    url = (await client.post("/tus", headers=headers)).headers["Location"]
    answer = await client.post("/tus", headers={**V, "Upload-Concat": f"final;{url}"})

    assert (answer.status, (await answer.json())["name"]) == (409, "Upload-Concat")


async def test_the_parts_urls_are_no_credential_for_a_video(stranger, client):
    url = await partial(client, b"01234")

    assert (await stranger.post("/tus", headers={**V, "Upload-Concat": f"final;{url}"})).status == 401


async def test_a_secret_of_a_partial_upload_is_masked():
    assert "hush" not in log.mask("/tus/pu1111111111111111111111/hush")
