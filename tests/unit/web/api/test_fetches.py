"""`source` of a new video: a URL that is fetched."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from server.catalog import jobs, uploads
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.config import FetchConfig
from server.outbound.client import Outbound
from server.protocols.destinations import AddressRules
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles
from server.uploads.fetching import Fetching
from server.uploads.service import Uploads
from server.web.api.fetches import FETCHING
from tests.unit.web.kit import Client, Connect, problem


@pytest.fixture
async def client(connect: Connect, database: Database, tmp_path: Path) -> AsyncIterator[Client]:
    async with UploadFiles.open(Layout(tmp_path), 0) as files, Outbound.open(AddressRules()) as outbound:
        service = Uploads(database, files, jobs.add, 1000, 3600)
        fetching = Fetching(service, outbound, jobs.add, FetchConfig())

        def mount(app: web.Application) -> None:
            app[FETCHING] = fetching

        yield await connect(mounts=[mount])


async def test_a_source_is_fetched_by_a_job(client: Client, database: Database) -> None:
    url = "https://me:secret@example.com/a/film.mp4?sig=1"
    response = await client.post("/videos", json={"title": "T", "source": url})
    video = await response.json()

    assert (response.status, video["state"], video["source"]["type"]) == (202, "pending", "upload")
    assert "secret" not in await response.text()
    async with database.read() as transaction:
        (job,) = await jobs.of_project(transaction, DEFAULT_PROJECT)
        upload = await uploads.of_video(transaction, video["videoId"])
    assert upload is not None
    assert (job.kind, job.object_id, job.arguments) == ("fetch", video["videoId"], {"upload": upload.id})
    assert (upload.fetch or {})["url"] == url
    assert video["links"]["uploadId"] == upload.id


@pytest.mark.parametrize(
    "source", ["", "film.mp4", "file:///etc/passwd", "http://127.0.0.1/", "http://[::1]/",
               "http://169.254.169.254/latest", "https://example.com:22/", "http://0x7f.1/", "http://a b/", 7],
)  # fmt: skip
async def test_what_can_be_seen_to_be_no_good_is_refused(client: Client, source: object) -> None:
    response = await client.post("/videos", json={"title": "T", "source": source})
    await problem(response, 400, "invalid-attribute", "source")
    assert (await (await client.get("/videos")).json())["data"] == []
