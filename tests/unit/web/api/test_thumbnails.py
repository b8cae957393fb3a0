"""Posters chosen by the owner: a moment, a picture of one's own, one of the candidates."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import FormData, web

from server import ids
from server.catalog import events, videos
from server.catalog.models import DEFAULT_PROJECT, Video
from server.media.child import ChildFailed, Children
from server.vod.posters import Posters
from server.vod.presentations import Presentations
from server.web.api import thumbnails
from server.web.hls import images
from server.web.rates import Rates
from tests.unit.web.cinema import JPEG, Cinema
from tests.unit.web.kit import Client, Connect, problem


@pytest.fixture
async def api(connect: Connect, cinema: Cinema) -> AsyncIterator[Client]:
    with Presentations(cinema.layout, {}) as presentations:

        def mount(app: web.Application) -> None:
            app[images.IMAGES] = images.Desk(cinema.images(presentations), Rates({"image": 20}))
            app[thumbnails.POSTERS] = Posters(cinema.database, cinema.layout, cast(Children, cinema.children))

        yield await connect(operations=[thumbnails.operations], mounts=[mount])


async def row(cinema: Cinema, id: str) -> Video:
    async with cinema.database.read() as transaction:
        found = await videos.find(transaction, id)
    assert found
    return found


def form(content: bytes, name: str = "file") -> FormData:
    data = FormData(default_to_multipart=True)
    data.add_field(name, content, filename=name, content_type="application/octet-stream")
    return data


async def test_a_moment_is_chosen(api: Client, cinema: Cinema) -> None:
    id = await cinema.video()

    async with api.patch(f"/videos/{id}/thumbnail", json={"timecode": "00:00:04.25"}) as response:
        assert response.status == 200
        assert (await response.json())["videoId"] == id

    order = cinema.children.orders[0]
    assert (order["at_s"], order["exact"], order["width"]) == (4.25, True, 1280)
    assert cinema.layout.video_poster(id).read_bytes() == b"jpg of 1"
    found = await row(cinema, id)
    assert found.poster_at is not None
    assert found.poster_s == 4.25
    async with cinema.database.read() as transaction:
        last = (await events.of_object(transaction, DEFAULT_PROJECT, id))[-1]
    assert (last.type, last.payload["changed"]) == ("video.updated", ["thumbnail"])


@pytest.mark.parametrize(
    ("timecode", "at_s"), [("00:15:22.05", 922.05), ("00:15:22:05", 922.05), ("00:15:22", 922), ("124", 124)]
)
async def test_a_moment_of_a_video_without_a_file_is_remembered(
    api: Client, cinema: Cinema, timecode: str, at_s: float
) -> None:
    id = await cinema.make_video()

    async with api.patch(f"/videos/{id}/thumbnail", json={"timecode": timecode}) as response:
        assert response.status == 200

    found = await row(cinema, id)
    assert (found.poster_s, found.poster_at) == (at_s, None)
    assert cinema.children.orders == []


@pytest.mark.parametrize("timecode", ["", "nan", "-1", "1:2:3:4", "00:00:01:999", "now", "9" * 31])
async def test_a_moment_that_is_none(api: Client, cinema: Cinema, timecode: str) -> None:
    id = await cinema.video()

    async with api.patch(f"/videos/{id}/thumbnail", json={"timecode": timecode}) as response:
        await problem(response, 400, "invalid-attribute", "timecode")
    async with api.patch(f"/videos/{id}/thumbnail", json={}) as response:
        await problem(response, 400, "attribute-required", "timecode")


async def test_a_moment_without_a_picture(api: Client, cinema: Cinema) -> None:
    id = await cinema.video()
    cinema.children.problem = "it has none"

    async with api.patch(f"/videos/{id}/thumbnail", json={"timecode": "1"}) as response:
        await problem(response, 409, "conflict")

    assert (await row(cinema, id)).poster_at is None


@pytest.mark.parametrize("known", [True, False], ids=["of a video", "before its file"])
async def test_a_picture_is_uploaded(api: Client, cinema: Cinema, known: bool) -> None:
    id = await cinema.video() if known else await cinema.make_video()

    async with api.post(f"/videos/{id}/thumbnail", data=form(JPEG)) as response:
        assert response.status == 200, await response.text()

    assert cinema.children.orders[0]["where"] == "picture"
    assert cinema.layout.video_poster(id).read_bytes() == b"jpg of 1"
    assert (await row(cinema, id)).poster_at is not None


@pytest.mark.parametrize("fault", ["problem", "crash"])
async def test_what_is_no_picture(api: Client, cinema: Cinema, fault: str) -> None:
    id = await cinema.video()
    if fault == "problem":
        cinema.children.problem = "it is no picture"
    else:
        cinema.children.failure = ChildFailed("crashed", "")

    async with api.post(f"/videos/{id}/thumbnail", data=form(b"no picture")) as response:
        await problem(response, 400, "uploaded-file-invalid-file", "file")

    assert not cinema.layout.video_poster(id).exists()


async def test_a_picture_that_is_too_large(
    api: Client, cinema: Cinema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "MAX_BYTES", 1)
    id = await cinema.video()

    async with api.post(f"/videos/{id}/thumbnail", data=form(bytes(1 << 20))) as response:
        await problem(response, 413, "uploaded-file-too-large")


async def test_candidates(api: Client, cinema: Cinema) -> None:
    id = await cinema.video()
    cinema.children.told = {"candidates": [{"at_s": 61.5, "score": 0.9}]}

    async with api.get(f"/videos/{id}/thumbnail/candidates") as response:
        found: dict[str, Any] = await response.json()

    assert cinema.children.orders[0]["kind"] == "candidates"
    assert cinema.children.orders[0]["times"] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]
    assert [(one["timecode"], one["time"], one["score"]) for one in found["data"]] == [("00:01:01.500", 61.5, 0.9)]
    assert found["data"][0]["thumbnail"].endswith(f"/vod/{id}/thumbnail.jpg?time=61.5")


async def test_a_video_to_come_has_no_candidates(api: Client, cinema: Cinema) -> None:
    id = await cinema.make_video()

    async with api.get(f"/videos/{id}/thumbnail/candidates") as response:
        assert await response.json() == {"data": []}


async def test_somebody_elses_video(api: Client, cinema: Cinema) -> None:
    for method, more in (("PATCH", {"json": {"timecode": "1"}}), ("POST", {"data": form(JPEG)})):
        async with api.request(method, f"/videos/{ids.new('vi')}/thumbnail", **more) as response:
            await problem(response, 404, "resource-not-found", "videoId")
