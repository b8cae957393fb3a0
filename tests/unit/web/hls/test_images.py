"""Posters of videos and of live streams."""

import pytest

from server import clock
from server.web.hls import images
from tests.unit.web.cinema import JPEG, Cinema
from tests.unit.web.kit import Client, problem


async def test_a_videos_poster(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(poster_at=clock.now())
    cinema.layout.video_poster(id).write_bytes(JPEG)

    response = await viewer.get(f"/vod/{id}/thumbnail.jpg")
    again = await viewer.get(f"/vod/{id}/thumbnail.jpg", headers={"If-None-Match": response.headers["ETag"]})

    assert (response.status, await response.read()) == (200, JPEG)
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Cache-Control"] == "no-cache"
    assert again.status == 304


@pytest.mark.parametrize(
    ("state", "status"), [("pending", 202), ("processing", 202), ("done", 404), ("error", 404), ("aborted", 404)]
)
async def test_a_video_without_one(cinema: Cinema, viewer: Client, state: str, status: int) -> None:
    id = await cinema.make_video(state=state)

    response = await viewer.get(f"/vod/{id}/thumbnail.jpg")

    assert response.status == status
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_poster_that_vanished(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(poster_at=clock.now())

    await problem(await viewer.get(f"/vod/{id}/thumbnail.jpg"), 404, "resource-not-found")


async def test_a_live_poster_is_of_the_newest_key_frame(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(7)

    response = await viewer.get(f"/live/{air.id}/thumbnail.jpg")

    assert (response.status, await response.read()) == (200, JPEG)
    assert response.headers["Cache-Control"] == "public, max-age=10"
    newest = await viewer.get(air.path(f"{air.window().next_msn}.0.m4s"))
    assert cinema.posters.segments == [await newest.read()]


async def test_a_private_live_poster_is_kept_by_the_viewer_only(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(public=False)

    response = await viewer.get(f"/live/{air.id}/token/{cinema.token(air.id)}/thumbnail.jpg")

    assert response.headers["Cache-Control"] == "private, max-age=10"


async def test_a_stream_off_air_has_none_yet(cinema: Cinema, viewer: Client) -> None:
    idle, early = await cinema.make_live(), await cinema.on_air(0)

    for id in (idle, early.id):
        response = await viewer.get(f"/live/{id}/thumbnail.jpg")
        assert (response.status, response.headers["Cache-Control"]) == (202, "no-store")


async def test_a_picture_that_can_not_be_made(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    cinema.posters.picture = None

    await problem(await viewer.get(f"/live/{air.id}/thumbnail.jpg"), 404, "resource-not-found")


async def test_the_newest_may_be_on_disk(cinema: Cinema) -> None:
    """Only key frames make posters: the newest segment that begins with one may be an old one."""
    air = await cinema.on_air(20)
    air.written()
    air.publisher.send(4)
    window = air.window()
    window.open = None
    while len(window.closed) > 1:
        window.closed.pop()

    found = images.newest(air.on_air)

    assert found
    segment = cinema.layout.rendition(air.broadcast_id, "video").segment(0).read_bytes()
    picture = await images.read(found[1])
    assert segment.startswith(picture)
    assert picture


async def test_sound_alone_has_none(cinema: Cinema) -> None:
    air = await cinema.on_air(0)
    air.publisher.video = False
    air.publisher.connect().send(5)

    assert images.newest(air.on_air) is None


async def test_a_live_stream_shows_what_its_owner_uploaded(cinema: Cinema, viewer: Client) -> None:
    live = await cinema.make_live(poster_at=clock.now())
    path = cinema.layout.picture(live)
    assert (await viewer.get(f"/live/{live}/thumbnail.jpg")).status == 202  # deleted this moment
    path.parent.mkdir(parents=True)
    path.write_bytes(b"its own")

    response = await viewer.get(f"/live/{live}/thumbnail.jpg")

    assert (response.status, await response.read()) == (200, b"its own")
