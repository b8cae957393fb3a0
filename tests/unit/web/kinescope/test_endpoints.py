"""The addresses that `/v2/init` makes, with uploads on a real catalogue and real files."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.catalog import jobs, libraries, stored_answers
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.errors import Problem
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles
from server.uploads import placement
from server.uploads.joins import Joins
from server.uploads.partials import Partials
from server.uploads.service import Uploads
from server.uploads.source import SourceUploads
from server.vod.materials import Materials
from server.web import tus
from server.web.kinescope import endpoints, identifiers
from server.web.kinescope.endpoints import MAX_LENGTH, SIZE, told_length
from tests.unit.web.kinescope.kit import asked, refused
from tests.unit.web.kit import Client, Connect, Make

V = {"Tus-Resumable": "1.0.0"}
CHUNK = {**V, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
MAX_BYTES = 1000


@pytest.fixture
async def service(database: Database, tmp_path: Path) -> AsyncIterator[Uploads]:
    async with UploadFiles.open(Layout(tmp_path / "data"), 0) as files:
        yield Uploads(database, files, jobs.add, MAX_BYTES, 86400)


@pytest.fixture
def store(database: Database, tmp_path: Path) -> Materials:
    return Materials(database, Layout(tmp_path / "data"), 0)


@pytest.fixture
async def client(connect: Connect, service: Uploads, store: Materials) -> Client:
    def mount(app: web.Application) -> None:
        tus.mount(app)
        endpoints.add_routes(app.router)
        app[tus.UPLOADS], app[endpoints.MATERIALS] = service, store
        app[tus.PARTIALS] = Partials(service, Joins(service, SourceUploads(service)))

    return await connect(mounts=[mount])


def order(**more: Any) -> dict[str, Any]:
    parent = identifiers.uuid_of(libraries.default_id(DEFAULT_PROJECT))
    return {"type": "video", "title": "A film", "parent_id": parent, **more}


@pytest.mark.parametrize(
    ("text", "length"),
    [("12", 12), (str(MAX_LENGTH), MAX_LENGTH), (str(MAX_LENGTH + 1), None), ("0", None), ("", None), ("-5", None),
     ("abc", None), ("1_0", None), (" 5", None), ("\u0663", None), ("9" * 5000, None)],
)  # fmt: skip
def test_lengths_that_are_told(text: str, length: int | None) -> None:
    assert told_length({SIZE: text}) == length
    assert told_length({}) is None


@pytest.mark.parametrize("told", [b"abc", b"-5", b"7"])
async def test_a_clients_own_metadata_tells_no_length(client: Client, told: bytes) -> None:
    pairs = f"filesize {base64.b64encode(told).decode()}"
    made = await client.post("/tus", headers={**V, "Upload-Defer-Length": "1", "Upload-Metadata": pairs})
    path = made.headers["Location"].partition("/tus/")[2]
    address = f"{endpoints.PATH}/{path}"

    head = await client.head(address, headers=V)
    assert (head.status, head.headers.get("Upload-Length")) == (200, None)
    sent = await client.patch(address, data=b"12345678", headers=CHUNK)
    assert (sent.status, sent.headers["Upload-Offset"]) == (204, "8")


async def test_what_was_told_at_the_making_is_no_metadata_of_tus(client: Client) -> None:
    made = await asked(client, "POST", "/v2/init", order(filesize=10))
    path = made["endpoint"].partition(endpoints.PATH)[2]

    head = await client.head(endpoints.PATH + path, headers=V)
    assert head.headers["Upload-Length"] == "10"
    assert "Upload-Metadata" not in (await client.head(tus.PATH + path, headers=V)).headers


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Upload-Length": "9"}, "Upload-Length"),
        ({"Upload-Length": "10", "Upload-Concat": "partial"}, "Upload-Concat"),
        ({"Upload-Concat": "final;/tus/a /tus/b"}, "Upload-Concat"),
    ],
)
async def test_what_contradicts_an_address_is_refused(client: Client, headers: dict[str, str], named: str) -> None:
    made = await asked(client, "POST", "/v2/init", order(filesize=4))
    address = endpoints.PATH + made["endpoint"].partition(endpoints.PATH)[2]
    begun = await client.post(address, headers={**V, "Upload-Length": "10"})  # what is told first may be a guess
    assert begun.status == 201

    answer = await client.post(address, headers={**V, **headers})

    assert answer.status == 400
    assert (await answer.json())["error"]["detail"].startswith(f"{named}: ")
    head = await client.head(address, headers=V)
    assert (head.headers["Upload-Length"], head.headers["Upload-Offset"]) == ("10", "0")


async def test_a_length_beyond_the_limit_makes_nothing(client: Client) -> None:
    found = await refused(client, "POST", "/v2/init", order(filesize=MAX_BYTES + 1))

    assert found[0] == 413
    assert (await asked(client, "GET", "/v1/videos"))["meta"]["pagination"]["total"] == 0


async def test_of_two_that_bring_an_attachment_the_first_ones_is_kept(
    client: Client, store: Materials, make_video: Make
) -> None:
    body = {"type": "attachment", "title": "Slides", "video_id": identifiers.uuid_of(await make_video())}
    made = await asked(client, "POST", "/v2/init", body)
    address = made["endpoint"].removeprefix(made["endpoint"].partition(endpoints.PATH)[0])
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"sec"
        begun.set()
        await go_on.wait()
        yield b"ond"

    second = asyncio.create_task(client.post(address, data=slowly()))
    await begun.wait()
    while not list(store.path("x").parent.glob("new*")):  # the server takes it in
        await asyncio.sleep(0.01)
    assert (await client.post(address, data=b"first")).status == 200
    go_on.set()

    assert (await second).status == 404
    (kept,) = store.path("x").parent.iterdir()
    assert kept.read_bytes() == b"first"


async def test_an_answer_that_could_not_be_kept_leaves_no_video(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise Problem("unavailable")

    key = {"Idempotency-Key": "once"}
    with monkeypatch.context() as patch:
        patch.setattr(stored_answers, "keep", fail)
        assert (await refused(client, "POST", "/v2/init", order(), headers=key))[0] == 503
    assert (await asked(client, "GET", "/v1/videos"))["meta"]["pagination"]["total"] == 0

    made = await asked(client, "POST", "/v2/init", order(), headers=key)
    assert await asked(client, "POST", "/v2/init", order(), headers=key) == made
    assert (await asked(client, "GET", "/v1/videos"))["meta"]["pagination"]["total"] == 1


async def test_the_file_is_made_while_others_may_write(
    client: Client, service: Uploads, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, written = service.files.create, []

    async def slow(upload_id: str) -> None:
        async def write() -> None:
            async with database.write() as transaction:
                written.append(await libraries.get(transaction, DEFAULT_PROJECT, "fo1"))

        await asyncio.create_task(write())  # waits for ever for what waits for it, where that holds the lock
        await create(upload_id)

    monkeypatch.setattr(service.files, "create", slow)
    for key in ({}, {"Idempotency-Key": "slow"}):
        await asked(client, "POST", "/v2/init", order(), headers=key)
    assert len(written) == 2


async def test_what_can_t_be_begun_leaves_no_file(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise Problem("conflict")

    monkeypatch.setattr(placement, "begin", fail)
    assert (await refused(client, "POST", "/v2/init", order()))[0] == 409

    assert list(Layout(tmp_path / "data").uploads.iterdir()) == []
    assert (await asked(client, "GET", "/v1/videos"))["meta"]["pagination"]["total"] == 0
