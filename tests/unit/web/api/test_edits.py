"""Edits of videos over REST."""

from pathlib import Path
from typing import Any

import pytest

from server import ids
from server.catalog import projects, sandboxes, videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.storage.layout import Layout
from server.vod.edits import Edits
from server.web.api import clones, edits
from tests.unit.web.kit import Client, Connect, Make


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
async def api(connect: Connect, database: Database, layout: Layout) -> Client:
    async def enqueue(*_: object) -> None:
        pass

    def mount(app: Any) -> None:
        app[clones.EDITS] = Edits(database, layout, enqueue)

    return await connect(operations=[edits.operations], mounts=[mount])


@pytest.mark.parametrize("wished", [None, {"id": ids.new("watermark_"), "top": "0px", "left": "0px", "width": "50%"}])
async def test_no_watermark_takes_the_place_of_a_sandbox_mark(
    api: Client, database: Database, layout: Layout, make_video: Make, wished: object
) -> None:
    id = await make_video(source="upload", state="done", playable=True)
    layout.video_source(id).parent.mkdir(parents=True)
    layout.video_source(id).write_bytes(b"an upload")
    async with database.write() as transaction:
        project = await projects.get(transaction, DEFAULT_PROJECT)
        assert project
        project.sandbox = True
    response = await api.post(f"/videos/{id}/remake", json={"watermark": wished})
    assert response.status == 202, await response.text()
    async with database.read() as transaction:
        (version,) = await videos.versions(transaction, id)

    assert (response.status, version.watermark) == (202, sandboxes.MARK)
