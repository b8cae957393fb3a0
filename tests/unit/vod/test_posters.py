"""Posters: where they are kept, and how often a child is started for one."""

import asyncio
from functools import partial
from typing import cast

import pytest

from server import clock
from server.catalog import videos
from server.media.child import ChildFailed, Children
from server.vod import posters as module
from server.vod.posters import Posters
from tests.unit.vod.conftest import INDEX, JPEG, Archive

INIT, SEGMENT = b"init", b"segment"
PROBLEM = {"event": "problem", "code": "unsupported", "detail": "no picture"}


@pytest.fixture
def posters(archive: Archive) -> Posters:
    archive.children.events = ()
    return Posters(archive.database, archive.layout, cast(Children, archive.children))


async def segment() -> bytes:
    return SEGMENT


async def test_an_upload_has_one_beside_its_file(archive: Archive, posters: Posters) -> None:
    id = await archive.video()
    archive.layout.video_index(id).write_bytes(INDEX)

    await posters.of_upload(id)

    assert archive.layout.video_poster(id).read_bytes() == JPEG
    assert (await archive.row(id)).poster_at is not None
    assert (await archive.row(id)).poster_bytes == len(JPEG)
    assert not archive.layout.video_poster(id).with_suffix(".new").exists()


@pytest.mark.parametrize("chosen", [True, False], ids=["chosen", "best"])
async def test_a_moment_that_its_owner_chose_or_a_file_without_an_index(
    archive: Archive, posters: Posters, chosen: bool
) -> None:
    id = await archive.video(poster_s=3.0 if chosen else None)

    await posters.of_upload(id)

    assert archive.children.runs == ["images"]
    assert archive.layout.video_poster(id).read_bytes() == JPEG


async def test_its_owners_picture_stays(archive: Archive, posters: Posters) -> None:
    id = await archive.video(poster_at=clock.now())

    await posters.of_upload(id)

    assert archive.children.runs == []


async def test_what_its_owner_gives_while_one_is_made_stays(archive: Archive, posters: Posters) -> None:
    id = await archive.video()
    archive.layout.video_index(id).write_bytes(INDEX)

    archive.children.meanwhile = partial(choose, archive, posters, id, b"its owner's")
    await posters.of_upload(id)

    assert archive.layout.video_poster(id).read_bytes() == b"its owner's"
    assert (await archive.row(id)).poster_bytes == len(b"its owner's")


async def test_a_moment_that_is_chosen_while_one_is_made_counts(archive: Archive, posters: Posters) -> None:
    id = await archive.video()
    archive.layout.video_index(id).write_bytes(INDEX)

    archive.children.meanwhile = partial(choose, archive, posters, id, None)
    await posters.of_upload(id)

    assert archive.children.runs == ["thumbnails", "images"]  # the best one, then that of the moment
    assert archive.layout.video_poster(id).read_bytes() == JPEG


async def choose(archive: Archive, posters: Posters, id: str, picture: bytes | None) -> None:
    async with archive.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video is not None
        await posters.choose(transaction, video, picture, 1.0)


async def test_sound_alone_is_drawn(archive: Archive, posters: Posters) -> None:
    id = await archive.video()
    archive.layout.video_index(id).write_bytes(INDEX)
    archive.children.events = [PROBLEM]

    await posters.of_upload(id)

    assert archive.children.runs == ["thumbnails", "images"]
    assert archive.layout.video_poster(id).read_bytes() == JPEG


async def test_a_recording_has_one_in_a_folder_of_its_own(archive: Archive, posters: Posters) -> None:
    id = await archive.video(source=None)
    archive.layout.video(id).rmdir()

    await posters.of_recording(id, INIT, SEGMENT)

    assert archive.layout.video_poster(id).read_bytes() == JPEG


async def test_a_recording_has_one_though_a_moment_was_chosen_before(archive: Archive, posters: Posters) -> None:
    id = await archive.video(source=None, poster_s=1.0)

    await posters.of_recording(id, INIT, SEGMENT)

    assert archive.layout.video_poster(id).read_bytes() == JPEG


async def test_sound_has_none(archive: Archive, posters: Posters) -> None:
    id = await archive.video()
    archive.children.events = [PROBLEM]

    await posters.of_recording(id, INIT, SEGMENT)

    assert (await archive.row(id)).poster_at is None
    assert not archive.layout.video_poster(id).exists()


async def test_a_video_deleted_meanwhile_does_not_come_back_as_a_folder(archive: Archive, posters: Posters) -> None:
    id = await archive.video()
    archive.children.meanwhile = lambda: archive.delete(id)

    await posters.of_recording(id, INIT, SEGMENT)

    assert not archive.layout.video(id).exists()


async def test_a_missing_source_is_an_os_error(archive: Archive, posters: Posters) -> None:
    id = await archive.video(source=None)

    with pytest.raises(FileNotFoundError):
        await posters.of_upload(id)


async def test_all_who_ask_for_a_live_poster_share_one_child(archive: Archive, posters: Posters) -> None:
    found = await asyncio.gather(*(posters.live("br1", INIT, segment) for _ in range(5)))

    assert found == [JPEG] * 5
    assert archive.children.runs == ["thumbnails"]
    assert await posters.live("br1", INIT, segment) == JPEG
    assert await posters.live("br2", INIT, segment) == JPEG
    assert archive.children.runs == ["thumbnails"] * 2
    assert posters._making == {}


async def test_a_live_poster_gets_old(
    archive: Archive, posters: Posters, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    await posters.live("br1", INIT, segment)
    now += module.LIVE_S

    await posters.live("br1", INIT, segment)

    assert archive.children.runs == ["thumbnails"] * 2


@pytest.mark.parametrize("busy", ["waiting", "at once"])
async def test_under_load_an_old_live_poster_does(
    archive: Archive, posters: Posters, monkeypatch: pytest.MonkeyPatch, busy: str
) -> None:
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    await posters.live("br1", INIT, segment)
    now += module.LIVE_S
    if busy == "waiting":
        archive.children.waiting = 1
    else:
        monkeypatch.setattr(module, "LIVE_AT_ONCE", 0)

    assert await posters.live("br1", INIT, segment) == JPEG

    assert archive.children.runs == ["thumbnails"]


@pytest.mark.parametrize("fault", ["child", "picture", "segment"])
async def test_a_live_poster_that_fails_is_not_tried_again_at_once(
    archive: Archive, posters: Posters, fault: str
) -> None:
    """Each request would start a child."""
    tries = []

    async def read() -> bytes:
        tries.append(1)
        if fault == "segment":
            raise FileNotFoundError
        return SEGMENT

    if fault == "child":
        archive.children.failure = ChildFailed("crashed", "")
    elif fault == "picture":
        archive.children.events = [PROBLEM]

    assert [await posters.live("br1", INIT, read) for _ in range(3)] == [None] * 3
    assert len(tries) == 1


async def test_who_leaves_does_not_take_the_poster_from_the_others(archive: Archive, posters: Posters) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        started.set()
        await go.wait()

    archive.children.meanwhile = hold
    first, second = (asyncio.ensure_future(posters.live("br1", INIT, segment)) for _ in range(2))
    await started.wait()
    first.cancel()
    go.set()

    assert await second == JPEG


async def test_no_more_live_posters_are_kept_than_fit(posters: Posters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIVE_KEPT", 2)
    for number in range(4):
        await posters.live(f"br{number}", INIT, segment)

    assert list(posters._live) == ["br2", "br3"]
