"""Watermarks over REST: uploaded, listed, deleted, and wanted by videos."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import FormData, web

from server import ids
from server.catalog import keys, videos
from server.catalog.database import Database
from server.catalog.models import Project
from server.media.child import Children
from server.storage.layout import Layout
from server.storage.watermarks import WatermarkStore
from server.vod.marks import Marks
from server.web.api import watermarks
from tests.unit.web.kit import Client, Connect, basic, problem

PNG = b"\x89PNG"


class FakeChildren:
    """Coders of pictures: whatever begins like a PNG is one."""

    async def run(
        self, module: str, arguments: dict[str, Any], fds: Sequence[int], *, on_line: Callable[..., None], **_: object
    ) -> None:
        assert (module, arguments["make"]["kind"]) == ("server.media.images", "watermark")
        picture = os.pread(arguments["where"]["source"], 4, 0)
        if picture != PNG:
            on_line({"event": "problem", "code": "invalid", "detail": "it is no picture"})
            return
        os.write(arguments["outputs"]["png"], b"coded")
        on_line({"event": "made", "width": 40, "height": 20})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
async def api(connect: Connect, database: Database, layout: Layout) -> Client:
    def mount(app: web.Application) -> None:
        app[watermarks.MARKS] = Marks(database, WatermarkStore(layout), cast(Children, FakeChildren()))

    return await connect(mounts=[mount])


def form(content: bytes = PNG, name: str = "file") -> FormData:
    data = FormData(default_to_multipart=True)
    data.add_field(name, content, filename=name, content_type="application/octet-stream")
    return data


async def upload(api: Client) -> str:
    async with api.post("/watermarks", data=form()) as response:
        body = await response.json()
        assert response.status == 200, body
    assert set(body) == {"watermarkId", "createdAt", "width", "height"}
    assert body["watermarkId"].startswith("watermark_")
    return str(body["watermarkId"])


async def test_one_is_uploaded_listed_and_deleted(api: Client, layout: Layout) -> None:
    id = await upload(api)
    assert layout.watermark(id).read_bytes() == b"coded"

    async with api.get("/watermarks") as response:
        body = await response.json()
    assert [(each["watermarkId"], each["width"], each["height"]) for each in body["data"]] == [(id, 40, 20)]
    assert body["pagination"]["itemsTotal"] == 1

    async with api.delete(f"/watermarks/{id}") as response:
        assert response.status == 204
    assert layout.watermark_ids() == []
    async with api.delete(f"/watermarks/{id}") as response:
        await problem(response, 404, "resource-not-found", "watermarkId")


async def test_lists_are_paged_and_sorted(api: Client) -> None:
    made = [await upload(api) for _ in range(3)]

    async with api.get("/watermarks", params={"pageSize": 2, "sortBy": "createdAt", "sortOrder": "asc"}) as response:
        assert [each["watermarkId"] for each in (await response.json())["data"]] == made[:2]
    async with api.get("/watermarks", params={"currentPage": 2, "pageSize": 2}) as response:
        assert [each["watermarkId"] for each in (await response.json())["data"]] == made[:1]
    async with api.get("/watermarks", params={"sortBy": "name"}) as response:
        await problem(response, 400, "request-invalid-query-parameter", "sortBy")


@pytest.mark.parametrize(
    ("data", "code", "name"),
    [
        (form(b"no picture"), "uploaded-file-invalid-file", "file"),
        (form(b""), "uploaded-file-empty", None),
        (FormData({"a": "b"}, default_to_multipart=True), "uploaded-file-no-file", None),
    ],
)
async def test_what_is_no_picture_is_refused(
    api: Client, layout: Layout, data: FormData, code: str, name: str | None
) -> None:
    async with api.post("/watermarks", data=data) as response:
        await problem(response, 400, code, name)
    assert layout.watermark_ids() == []


async def test_one_that_is_too_large_is_refused(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watermarks, "MAX_BYTES", 0)
    async with api.post("/watermarks", data=form(bytes(200_000))) as response:
        await problem(response, 413, "uploaded-file-too-large")


async def test_projects_are_kept_apart(api: Client, database: Database) -> None:
    id = await upload(api)
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        await keys.create(transaction, "pr2", "theirs", ["*"], "their-key")

    async with api.get("/watermarks", headers=basic("their-key:")) as response:
        assert (await response.json())["data"] == []
    async with api.delete(f"/watermarks/{id}", headers=basic("their-key:")) as response:
        await problem(response, 404, "resource-not-found", "watermarkId")
    wanted = {"title": "A", "watermark": {"id": id}}
    async with api.post("/videos", json=wanted, headers=basic("their-key:")) as response:
        await problem(response, 400, "invalid-attribute", "watermark[id]")


async def test_scopes(api: Client, database: Database) -> None:
    async with database.write() as transaction:
        await keys.create(transaction, "pr1111111111111111111111", "reader", ["watermarks:read"], "reader-key")
    async with api.get("/watermarks", headers=basic("reader-key:")) as response:
        assert response.status == 200
    async with api.post("/watermarks", data=form(), headers=basic("reader-key:")) as response:
        await problem(response, 403, "forbidden")


async def test_a_video_wants_one_and_keeps_it(api: Client, layout: Layout, database: Database) -> None:
    id = await upload(api)
    wanted = {"id": id, "bottom": "10px", "right": "5%", "width": "20%", "opacity": "70%"}

    async with api.post("/videos", json={"title": "Marked", "watermark": wanted}) as response:
        body = await response.json()
        assert response.status == 201, body
    assert body["watermark"] == {**wanted, "top": None, "left": None, "height": "initial"}
    assert body["crop"] is None
    async with api.delete(f"/watermarks/{id}") as response:
        assert response.status == 204

    assert layout.video_watermark(body["videoId"]).read_bytes() == b"coded"
    async with database.read() as transaction:
        row = await videos.find(transaction, body["videoId"])
    assert row
    assert row.watermark
    assert (row.watermark["id"], row.watermark["opacity"]) == (id, 0.7)
    async with api.get(f"/videos/{row.id}") as response:
        assert (await response.json())["watermark"] == body["watermark"]


@pytest.mark.parametrize("id", ["watermark_" + 22 * "A", "watermark_1", "", "../videos"])
async def test_one_that_is_not_there(api: Client, layout: Layout, id: str) -> None:
    async with api.post("/videos", json={"title": "A", "watermark": {"id": id}}) as response:
        body = await problem(response, 400, "invalid-attribute", "watermark[id]")
    assert body["detail"] == "There is no such watermark."
    async with api.get("/videos") as response:
        assert (await response.json())["data"] == []
    assert not layout.videos.exists()


async def test_a_video_that_is_not_made_leaves_nothing(
    api: Client, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OSError("no more")

    id = await upload(api)
    monkeypatch.setattr(videos, "add", fail)
    async with api.post("/videos", json={"title": "A", "watermark": {"id": id}}) as response:
        assert response.status == 500
    assert list(layout.videos.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("top", "10"), ("left", "-1px"), ("bottom", "10em"), ("right", "100000px"), ("width", "half"),
        ("height", ""), ("opacity", "0.7"), ("opacity", "101%"), ("opacity", "70"), ("width", 100), ("colour", "red"),
    ],
)  # fmt: skip
async def test_a_place_that_is_none(api: Client, field: str, value: object) -> None:
    wanted = {"id": ids.new("watermark_"), field: value}
    async with api.post("/videos", json={"title": "A", "watermark": wanted}) as response:
        await problem(response, 400, "invalid-attribute", f"watermark[{field}]")


async def test_without_an_id(api: Client) -> None:
    async with api.post("/videos", json={"title": "A", "watermark": {"top": "0px"}}) as response:
        await problem(response, 400, "attribute-required", "watermark[id]")


async def test_a_crop_is_kept(api: Client) -> None:
    wanted = {"left": "10%", "width": "50%", "height": "540px"}
    async with api.post("/videos", json={"title": "Cropped", "crop": wanted}) as response:
        body = await response.json()
        assert response.status == 201, body
    assert body["crop"] == {**wanted, "top": "0px"}
    assert body["watermark"] is None


@pytest.mark.parametrize(
    ("crop", "code", "name"),
    [
        ({"width": "50%"}, "attribute-required", "crop[height]"),
        ({"width": "0px", "height": "50%"}, "invalid-attribute", "crop[width]"),
        ({"width": "50%", "height": "initial"}, "invalid-attribute", "crop[height]"),
        ({"left": "60%", "width": "50%", "height": "50%"}, "invalid-attribute", "crop[width]"),
        ({"top": "10px", "width": "50%", "height": "101%"}, "invalid-attribute", "crop[height]"),
        ({"top": "x", "width": "50%", "height": "50%"}, "invalid-attribute", "crop[top]"),
        ("all", "invalid-attribute", "crop"),
    ],
)
async def test_a_crop_that_is_none(api: Client, crop: Any, code: str, name: str) -> None:
    async with api.post("/videos", json={"title": "A", "crop": crop}) as response:
        await problem(response, 400, code, name)
