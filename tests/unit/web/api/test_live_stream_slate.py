"""Slates over REST; the child that codes them is a fake."""

import pytest
from aiohttp import FormData

from server import ids
from server.web.api import live_stream_slate
from tests.unit.web.api.live_control import Desk
from tests.unit.web.kit import problem


def form(*files: tuple[str, bytes]) -> FormData:
    data = FormData(default_to_multipart=True)
    data.add_field("note", "a field of no use")
    for name, content in files:
        data.add_field("file", content, filename=name)
    return data


async def test_a_slate_is_kept_and_taken_away(desk: Desk) -> None:
    live = await desk.live()
    path = f"/live-streams/{live['liveStreamId']}/slate"
    assert live["slate"] is None

    async with desk.client.post(path, data=form(("slate.png", b"a picture"))) as response:
        made = await response.json()
        assert response.status == 201

    assert made["slate"] == {"width": 1280, "height": 720, "duration": 2.0}
    assert desk.slates.made == [(b"a picture", (1280, 720))]
    assert (await desk.call("GET", f"/live-streams/{live['liveStreamId']}"))["slate"] == made["slate"]
    gone = await desk.call("DELETE", path)
    assert gone["slate"] is None
    assert desk.slates.removed == [live["liveStreamId"]]


async def test_it_has_the_size_of_what_is_on_air(desk: Desk) -> None:
    live = await desk.live()
    await desk.on_air(live)
    on_air = desk.broadcasts.get(live["liveStreamId"])
    assert on_air
    assert on_air.publisher
    config = on_air.publisher.video_config

    async with desk.client.post(
        f"/live-streams/{live['liveStreamId']}/slate", data=form(("slate.png", b"a picture"))
    ) as response:
        assert response.status == 201

    assert desk.slates.made[0][1] == (config.width, config.height)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("files", "status", "code"),
    [
        ([], 400, "uploaded-file-no-file"),
        ([("a.png", b"a"), ("b.png", b"b")], 400, "uploaded-file-multiple-files"),
        ([("a.png", b"a" * 300_000)], 413, "uploaded-file-too-large"),
    ],
)
async def test_bad_forms(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, files: list[tuple[str, bytes]], status: int, code: str
) -> None:
    monkeypatch.setattr(live_stream_slate, "MAX_BYTES", 200_000)
    live = await desk.live()

    path = f"/live-streams/{live['liveStreamId']}/slate"
    async with desk.client.post(path, data=form(*files)) as response:
        await problem(response, status, code)


async def test_a_file_that_is_none(desk: Desk) -> None:
    desk.slates.refuses = True
    live = await desk.live()
    path = f"/live-streams/{live['liveStreamId']}/slate"

    async with desk.client.post(path, data=form(("slate.png", b"a picture"))) as response:
        await problem(response, 400, "uploaded-file-invalid-file")
    async with desk.client.post(path, json={}) as response:
        await problem(response, 415, "unsupported-media-type", "Content-Type")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_an_unknown_stream(desk: Desk, method: str) -> None:
    path = f"/live-streams/{ids.new('li')}/slate"
    async with desk.client.request(method, path, data=form(("slate.png", b"a picture"))) as response:
        await problem(response, 404, "resource-not-found", "liveStreamId")
