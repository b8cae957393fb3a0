"""Images made on request: what is asked for, kept, shared, refused."""

import asyncio
import json
from typing import Any

import pytest

from server import clock
from server.media.child import ChildFailed
from server.vod import images as module
from tests.unit.web.cinema import IMAGES_PER_MINUTE, JPEG, Cinema
from tests.unit.web.kit import Client, problem


@pytest.mark.parametrize(
    ("query", "made"),
    [
        ("time=4.5", {"at_s": 4.5, "exact": False, "width": None, "height": None, "fit": "preserve"}),
        ("time=0:00:07.250&exact=1", {"at_s": 7.25, "exact": True}),
        ("time=1:30", {"at_s": 10.0}),  # no later than the end
        ("time=2&width=640&height=360&fit=cover", {"width": 640, "height": 360, "fit": "crop"}),
        ("time=2&width=640&fit_mode=pad&utm_source=x", {"width": 640, "fit": "pad"}),
    ],
)
async def test_a_picture_at_a_time(cinema: Cinema, viewer: Client, query: str, made: dict[str, Any]) -> None:
    id = await cinema.video()

    response = await viewer.get(f"/vod/{id}/thumbnail.webp?{query}")

    assert (response.status, await response.text()) == (200, "webp of 1")
    assert response.headers["Content-Type"] == "image/webp"
    assert response.headers["Cache-Control"] == "no-cache"
    order = cinema.children.orders[0]
    assert {name: order[name] for name in made} == made
    assert (order["kind"], order["where"]) == ("thumbnail", "indexed")


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("thumbnail.jpg", "time=nan", "time"),
        ("thumbnail.jpg", "time=-1", "time"),
        ("thumbnail.jpg", "time=1e3", "time"),
        ("thumbnail.jpg", "time=", "time"),
        ("thumbnail.jpg", "time=00:99:00", "time"),
        ("thumbnail.jpg", "time=" + "9" * 400, "time"),
        ("thumbnail.jpg", "time[]=1", "time"),
        ("thumbnail.jpg", "time=1&time=2", "time"),
        ("thumbnail.jpg", "width=1e9", "width"),
        ("thumbnail.jpg", "width=1921", "width"),
        ("thumbnail.jpg", "width=0", "width"),
        ("thumbnail.jpg", "height=-5", "height"),
        ("thumbnail.jpg", "height=٣٢", "height"),
        ("thumbnail.jpg", "fit=x", "fit"),
        ("thumbnail.jpg", "time=1&exact=perhaps", "exact"),
        ("animated.gif", "fps=31", "fps"),
        ("animated.gif", "fps=0", "fps"),
        ("animated.gif", "width=641", "width"),
        ("animated.gif", "start=inf", "start"),
        ("animated.gif", "start=5&end=4", "end"),
        ("animated.gif", "end=10.5", "end"),
    ],
)
async def test_parameters_that_mean_nothing(cinema: Cinema, viewer: Client, path: str, query: str, name: str) -> None:
    id = await cinema.video()

    answer = await viewer.get(f"/vod/{id}/{path}?{query}")

    await problem(answer, 400, "request-invalid-query-parameter", name)
    assert cinema.children.orders == []


async def test_what_was_made_is_kept(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    path = f"/vod/{id}/thumbnail.jpg?time=1"

    first = await viewer.get(path)
    again = await viewer.get(path)
    unchanged = await viewer.get(path, headers={"If-None-Match": first.headers["ETag"]})
    other = await viewer.get(f"/vod/{id}/thumbnail.webp?time=1")

    assert await first.read() == await again.read() == b"jpg of 1"
    assert unchanged.status == 304
    assert await other.read() == b"webp of 2"
    assert len(list(cinema.layout.video_images())) == 4  # two of them say what the child told


async def test_a_url_of_a_revision_never_changes(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(revision=3)

    now = await viewer.get(f"/vod/{id}/thumbnail.jpg?time=1&v=3")
    old = await viewer.get(f"/vod/{id}/thumbnail.jpg?time=1&v=2")

    assert now.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert old.headers["Cache-Control"] == "no-cache"


async def test_a_new_revision_has_new_pictures(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    await viewer.get(f"/vod/{id}/thumbnail.jpg?time=1")
    await cinema.change(id, revision=2)

    response = await viewer.get(f"/vod/{id}/thumbnail.jpg?time=1")

    assert await response.read() == b"jpg of 2"


async def test_all_who_ask_share_one_child(cinema: Cinema, viewer: Client) -> None:
    id, go = await cinema.video(), asyncio.Event()

    async def hold() -> None:
        await go.wait()

    cinema.children.meanwhile = hold
    asking = [asyncio.ensure_future(viewer.get(f"/vod/{id}/thumbnail.jpg?time=1")) for _ in range(5)]
    while not cinema.children.orders:
        await asyncio.sleep(0)
    go.set()

    answers = [await (await one).read() for one in asking]

    assert answers == [b"jpg of 1"] * 5


async def test_a_client_may_have_so_many_made(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    answers = [await viewer.get(f"/vod/{id}/thumbnail.jpg?time={n / 10}") for n in range(IMAGES_PER_MINUTE + 1)]

    assert [answer.status for answer in answers] == [200] * IMAGES_PER_MINUTE + [429]
    await problem(answers[-1], 429, "too-many-requests")
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert (await viewer.get(f"/vod/{id}/thumbnail.jpg?time=0.0")).status == 200  # what is there costs nothing


async def test_no_more_wait_than_make_sense(
    cinema: Cinema, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    id = await cinema.video()

    answer = await viewer.get(f"/vod/{id}/thumbnail.jpg?time=1")

    await problem(answer, 429, "too-many-requests")
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize("fault", ["problem", "crash", "source"])
async def test_what_can_not_be_made_is_not_tried_again_at_once(cinema: Cinema, viewer: Client, fault: str) -> None:
    id = await cinema.video()
    if fault == "problem":
        cinema.children.problem = "it has none"
    elif fault == "crash":
        cinema.children.failure = ChildFailed("crashed", "")
    else:
        cinema.layout.video_source(id).unlink()

    answers = [await viewer.get(f"/vod/{id}/thumbnail.jpg?time=1") for _ in range(2)]

    for answer in answers:
        await problem(answer, 404, "resource-not-found")
        assert answer.headers["Cache-Control"] == "no-store"
    assert len(cinema.children.orders) == (fault != "source")


async def test_a_video_deleted_meanwhile_does_not_come_back_as_a_folder(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()

    async def delete() -> None:
        await cinema.delete(id)
        for path in cinema.layout.video(id).iterdir():
            path.unlink()
        cinema.layout.video(id).rmdir()

    cinema.children.meanwhile = delete
    await viewer.get(f"/vod/{id}/thumbnail.jpg?time=1")

    assert not cinema.layout.video(id).exists()


@pytest.mark.parametrize("path", ["thumbnail.jpg?time=1", "storyboard.vtt", "animated.gif", "poster/sm.jpg"])
@pytest.mark.parametrize(("state", "status"), [("processing", 202), ("error", 404)])
async def test_a_video_that_can_not_be_watched(
    cinema: Cinema, viewer: Client, path: str, state: str, status: int
) -> None:
    id = await cinema.make_video(state=state)

    response = await viewer.get(f"/vod/{id}/{path}")

    assert (response.status, response.headers["Cache-Control"]) == (status, "no-store")


@pytest.mark.parametrize("path", ["thumbnail.jpg?time=1", "storyboard.vtt", "animated.gif", "poster/sm.jpg"])
async def test_private_images_want_a_token(cinema: Cinema, viewer: Client, path: str) -> None:
    id = await cinema.video(public=False, poster_at=clock.now())
    cinema.layout.video_poster(id).write_bytes(JPEG)

    await problem(await viewer.get(f"/vod/{id}/{path}"), 403, "playback-token-missing")
    token = cinema.token(id, audience="thumbnail")
    assert (await viewer.get(f"/vod/{id}/token/{token}/{path}")).status == 200


async def test_a_recording_lies_in_segments(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.recording(9, duration_s=9.0)

    response = await viewer.get(f"/vod/{id}/thumbnail.jpg?time=5")
    sheet = await viewer.get(f"/vod/{id}/storyboard.jpg")

    assert (response.status, sheet.status) == (200, 200)
    assert [order["where"] for order in cinema.children.orders] == ["segments"] * 2


async def test_posters_in_sizes(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(poster_at=clock.now())
    cinema.layout.video_poster(id).write_bytes(JPEG)

    answers = [await viewer.get(f"/vod/{id}/poster/{size}.webp") for size in ("xs", "sm", "md", "lg")]
    await viewer.get(f"/vod/{id}/thumbnail.jpg?width=99")

    assert [answer.status for answer in answers] == [200] * 4
    assert [order["width"] for order in cinema.children.orders] == [160, 320, 640, 1280, 99]
    assert {order["where"] for order in cinema.children.orders} == {"picture"}


async def test_a_storyboard(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()

    text = await (await viewer.get(f"/vod/{id}/storyboard.vtt")).text()
    told = json.loads(await (await viewer.get(f"/vod/{id}/storyboard.json")).read())
    sheets = [await viewer.get(f"/vod/{id}/storyboard.{output}?v=1") for output in ("jpg", "webp")]

    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nstoryboard.jpg?v=1#xywh=0,0,192,108\n")
    assert text.count("-->") == len(told["tiles"]) == 10
    assert told["tiles"][9] == {"start": 9.0, "x": 9 * 192, "y": 0}
    assert [await sheet.read() for sheet in sheets] == [b"jpg of 1", b"webp of 1"]
    assert "immutable" in sheets[0].headers["Cache-Control"]


async def test_an_animated_preview(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()

    response = await viewer.get(f"/vod/{id}/animated.gif?start=8&width=320&fps=10")

    assert (response.status, response.headers["Content-Type"]) == (200, "image/gif")
    order = cinema.children.orders[0]
    assert (order["start_s"], order["end_s"], order["width"], order["fps"]) == (8.0, 10.0, 320, 10)


async def test_a_live_picture_in_another_size(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(7)

    small = await viewer.get(f"/live/{air.id}/thumbnail.webp?width=320&time=99")
    again = await viewer.get(f"/live/{air.id}/thumbnail.webp?width=320")

    assert await small.read() == await again.read() == b"webp of 1"
    assert small.headers["Cache-Control"] == "public, max-age=10"
    assert (cinema.children.orders[0]["where"], cinema.children.orders[0]["width"]) == ("picture", 320)
