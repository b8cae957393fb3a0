"""Annotations as the player gets them: a metadata track of JSON, guarded as the video is, and new once they change."""

import json
from typing import Any

import pytest

from server.catalog import annotations, posters, videos
from server.catalog.library_models import Annotation
from server.formats import webvtt
from tests.unit.web.cinema import Cinema
from tests.unit.web.kit import Client, problem

LINK = "https://shop.example/?a=1&b=<2>"


async def annotate(cinema: Cinema, id: str, title: str = "More", start_ms: int = 1000, **more: Any) -> Annotation:
    async with cinema.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        row = Annotation(
            project_id=video.project_id, video_id=id, title=title, link=LINK, start_ms=start_ms, end_ms=5000, **more
        )
        return await annotations.add(transaction, video, row)


async def shown(viewer: Client, path: str) -> list[tuple[int, int, dict[str, Any]]]:
    response = await viewer.get(path)
    assert (response.status, response.headers["Content-Type"]) == (200, "text/vtt; charset=utf-8")
    track = webvtt.read(await response.text())
    return [(cue.start_ms, cue.end_ms, json.loads(cue.text)) for cue in track.cues]


async def test_a_track_of_them(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    await annotate(cinema, id, "Later", 2000)
    await annotate(cinema, id, "a --> b\n\n<img src=x>")

    assert await shown(viewer, f"/vod/{id}/annotations.vtt") == [
        (1000, 5000, {"title": "a --> b\n\n<img src=x>", "link": LINK, "image": None}),
        (2000, 5000, {"title": "Later", "link": LINK, "image": None}),
    ]


async def test_the_page_is_told_once_there_are_any(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    assert '"annotations":null' in await (await viewer.get(f"/embed/{id}")).text()

    await annotate(cinema, id)

    assert f'"annotations":"/vod/{id}/annotations.vtt"' in await (await viewer.get(f"/embed/{id}")).text()


async def test_a_change_is_a_new_answer(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    await annotate(cinema, id)
    path = f"/vod/{id}/annotations.vtt"
    first = await viewer.get(path)

    assert (await viewer.get(path, headers={"If-None-Match": first.headers["ETag"]})).status == 304
    await annotate(cinema, id, "Another")
    assert (await viewer.get(path, headers={"If-None-Match": first.headers["ETag"]})).status == 200


@pytest.mark.parametrize(
    ("at_s", "active", "image"),
    [
        (2.5, False, "thumbnail.jpg?width=160&time=2.5&exact=1"),
        (None, True, "thumbnail.jpg?width=160"),
        (None, False, None),
    ],
)
async def test_a_picture_is_a_poster_of_the_video(
    cinema: Cinema, viewer: Client, at_s: float | None, active: bool, image: str | None
) -> None:
    id, other = await cinema.video(), await cinema.video()
    async with cinema.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        poster = await posters.add(transaction, video, at_s)
        poster.active = active
    for each in (id, other):
        await annotate(cinema, each, poster_id=poster.id)

    (found,) = await shown(viewer, f"/vod/{id}/annotations.vtt")
    assert found[2]["image"] == image
    (foreign,) = await shown(viewer, f"/vod/{other}/annotations.vtt")
    assert foreign[2]["image"] is None


async def test_they_are_guarded_as_the_video_is(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(public=False)
    await annotate(cinema, id)

    await problem(await viewer.get(f"/vod/{id}/annotations.vtt"), 403, "playback-token-missing")
    assert len(await shown(viewer, f"/vod/{id}/token/{cinema.token(id)}/annotations.vtt")) == 1
    await problem(await viewer.get("/vod/vinothing/annotations.vtt"), 404, "resource-not-found")
