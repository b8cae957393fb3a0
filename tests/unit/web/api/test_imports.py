"""Videos from a table of URLs."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData, web

from server.catalog import jobs, uploads, videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.config import FetchConfig
from server.outbound.client import Outbound
from server.protocols.destinations import AddressRules
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles
from server.uploads import imports as import_job
from server.uploads.fetching import Fetching
from server.uploads.imports import Imports
from server.uploads.service import Uploads
from server.web.api import imports
from server.web.api.fetches import FETCHING
from tests.unit.web.kit import Client, Connect, problem

TABLE = """url,title,description,tags,public,metadata.shop
https://a.example/one.mp4,One,"First, of two","x, y,x",no,7
https://user:pw@b.example/My%20two.mp4?s=1,,,,,
"""


@pytest.fixture
async def fetching(database: Database, tmp_path: Path) -> AsyncIterator[Fetching]:
    async with UploadFiles.open(Layout(tmp_path), 0) as files, Outbound.open(AddressRules()) as outbound:
        yield Fetching(Uploads(database, files, jobs.add, 1000, 3600), outbound, jobs.add, FetchConfig())


@pytest.fixture
async def client(connect: Connect, database: Database, fetching: Fetching) -> Client:
    def mount(app: web.Application) -> None:
        app[FETCHING] = fetching
        app[imports.IMPORTS] = Imports(database, fetching, jobs.add)

    client: Client = await connect(operations=[imports.operations], mounts=[mount])
    return client


async def post(client: Client, text: str | bytes | io.BytesIO, kind: str = "text/csv") -> Any:
    return await client.post("/videos/import", data=text, headers={"Content-Type": kind})


async def test_each_row_is_a_video_that_is_fetched(client: Client, database: Database) -> None:
    response = await post(client, TABLE)
    found = await response.json()
    first, second = [await (await client.get(f"/videos/{one['videoId']}")).json() for one in found["videos"]]

    assert (response.status, found["total"], found["repeated"], found["states"]) == (201, 2, False, {"pending": 2})
    assert (first["title"], first["description"], first["tags"]) == ("One", "First, of two", ["x", "y"])
    assert (first["public"], first["metadata"]) == (False, [{"key": "shop", "value": "7"}])
    assert (second["title"], second["public"], second["tags"]) == ("My two.mp4", True, [])
    async with database.read() as transaction:
        upload = await uploads.of_video(transaction, second["videoId"])
        made = await jobs.of_project(transaction, DEFAULT_PROJECT)
    assert upload is not None
    assert upload.fetch is not None
    assert upload.fetch["url"] == "https://user:pw@b.example/My%20two.mp4?s=1"
    assert sorted(job.kind for job in made) == ["fetch", "fetch", "import"]


async def test_a_form_does_as_well(client: Client) -> None:
    form = FormData()
    form.add_field("file", TABLE.encode(), filename="videos.csv", content_type="text/csv")
    assert (await client.post("/videos/import", data=form)).status == 201


async def test_the_same_file_makes_nothing_again(client: Client) -> None:
    first = await (await post(client, TABLE)).json()
    again = await (await post(client, TABLE)).json()
    other = await (await post(client, TABLE + "https://c.example/3.mp4,,,,,\n")).json()

    assert again == {**first, "repeated": True}
    assert other["importId"] != first["importId"]
    assert (await (await client.get("/videos")).json())["pagination"]["itemsTotal"] == 5


async def test_it_can_be_watched(client: Client) -> None:
    made = await (await post(client, TABLE)).json()
    await client.delete(f"/videos/{made['videos'][0]['videoId']}")
    shown = await (await client.get(f"/videos/import/{made['importId']}")).json()

    assert shown["states"] == {"deleted": 1, "pending": 1}
    assert [video["title"] for video in shown["videos"]] == [None, "My two.mp4"]
    await problem(await client.get("/videos/import/im1111111111111111111111"), 404, "resource-not-found", "importId")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["line 1"]),
        ("url\n", ["line 1"]),
        ("title\nA\n", ["line 1, url"]),
        ("url,colour,size\nA,B,C\n", ["line 1, colour", "line 1, size"]),
        ("url,title\nftp://a/b,T\nhttps://a.example/b,T\n,T\n", ["line 2, url", "line 4, url"]),
        ("URL,Public,language\nhttps://a.example/b,maybe,englisch\n", ["line 2, Public", "line 2, language"]),
        ("url\nhttp://127.0.0.1/a\nhttp://169.254.169.254/\n", ["line 2, url", "line 3, url"]),
        ('url,title\nhttps://a.example/b,"T\n', ["line 2"]),
        ("url\n" + "https://a.example/b\n" * 1001, ["line 1002"]),
        ("url\n" + "x\n" * 200, [f"line {line}, url" for line in range(2, 102)]),
    ],
)
async def test_faults_are_named_by_line_and_column_and_nothing_is_made(
    client: Client, text: str, names: list[str]
) -> None:
    response = await post(client, text)
    body = await response.json()

    assert (response.status, [one["name"] for one in body["problems"]]) == (400, names)
    assert body["name"] == names[0]
    assert (await (await client.get("/videos")).json())["data"] == []


async def test_what_is_no_table_is_refused(client: Client) -> None:
    await problem(await post(client, b"{}", "application/json"), 415, "unsupported-media-type")
    large = io.BytesIO(b"x" * (imports.MAX_BYTES + 1))
    await problem(await post(client, large), 413, "uploaded-file-too-large")
    assert (await post(client, b"url\n\xff\n")).status == 400


async def test_what_a_crash_left_out_is_made_by_the_job(
    database: Database, fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = [import_job.wish(f"https://a.example/{n}", {"title": f"{n}"}) for n in range(25)]
    service = Imports(database, fetching, jobs.add)
    original = service._make_some

    async def some(import_id: str) -> bool:
        await original(import_id)
        raise SystemError("power is gone")

    monkeypatch.setattr(service, "_make_some", some)
    with pytest.raises(SystemError):
        await service.order(DEFAULT_PROJECT, "digest", wishes)
    row, new = await Imports(database, fetching, jobs.add).order(DEFAULT_PROJECT, "digest", wishes)

    assert not new
    async with database.read() as transaction:
        titles = [(await videos.find(transaction, id)).title for id in row.video_ids]  # type: ignore[union-attr]
    assert titles == [f"{n}" for n in range(25)]
