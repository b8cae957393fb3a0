"""Renditions of a video: their states, their events, and their end."""

import pytest

from server.catalog import events, renditions, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Rendition, Video


async def made(transaction: Transaction, *names: str, revision: int = 1) -> Video:
    video = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="A"))
    for name in names:
        row = Rendition(
            video_id=video.id, revision=revision, name=name, project_id=DEFAULT_PROJECT, kind="video", origin="encoded"
        )
        await renditions.add(transaction, row)
    return video


def test_every_state_that_can_be_reached_has_a_line() -> None:
    table = renditions.TRANSITIONS
    assert {state for states in table.values() for state in states} <= set(table)


async def test_a_change_of_state_is_told_by_the_video(database: Database) -> None:
    async with database.write() as transaction:
        video = await made(transaction, "720p")
        row = await renditions.get(transaction, video.id, 1, "720p")
        assert row is not None
        await renditions.move(transaction, video, row, "encoding")
        await renditions.move(transaction, video, row, "ready", bytes=7)

    async with database.read() as transaction:
        told = (await events.of_object(transaction, DEFAULT_PROJECT, video.id))[1:]
    assert [event.type for event in told] == ["video.rendition.encoding", "video.rendition.ready"]
    facts = {"rendition": "720p", "revision": 1, "kind": "video", "bytes": 7}
    assert told[1].payload == {"videoId": video.id, **facts}


async def test_what_is_ready_stays_so(database: Database) -> None:
    async with database.write() as transaction:
        video = await made(transaction, "720p")
        (row,) = await renditions.of_video(transaction, video.id, 1)
        await renditions.move(transaction, video, row, "ready")
        with pytest.raises(renditions.WrongState, match=r"720p of .* is ready, it can't become failed"):
            await renditions.move(transaction, video, row, "failed")


async def test_they_are_listed_by_revision_and_go_with_the_video(database: Database) -> None:
    async with database.write() as transaction:
        video = await made(transaction, "720p", "480p")
        other = await made(transaction, "720p", revision=2)
        assert [row.name for row in await renditions.of_video(transaction, video.id, 1)] == ["480p", "720p"]
        assert await renditions.of_video(transaction, other.id, 1) == []

    async with database.write() as transaction:
        found = await videos.find(transaction, video.id)
        assert found is not None
        await videos.remove(transaction, found)
        await renditions.remove(transaction, other.id, 2)

    async with database.read() as transaction:
        assert await renditions.of_video(transaction, video.id, 1) == []
        assert await renditions.of_video(transaction, other.id, 2) == []
