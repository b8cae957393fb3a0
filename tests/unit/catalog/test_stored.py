"""How much there is, by the day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.catalog import renditions, stored, versions, videos
from server.catalog.control_models import Player
from server.catalog.database import Database
from server.catalog.library_models import Material, Poster
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Rendition, TextTrack, Video, Watermark
from server.catalog.stored import Came

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = datetime(2026, 1, 31, tzinfo=UTC)


async def test_files_and_renditions_count_on_the_day_of_their_video(database: Database) -> None:
    async with database.write() as transaction:
        for days, folder, size in ((-9, None, 1), (-5, None, 2), (0, None, 4), (0, "fo1", 8), (1, None, 16)):
            row = Video(project_id=DEFAULT_PROJECT, title="x", folder_id=folder, source_bytes=size, duration_s=1.5,
                        created_at=NOON + timedelta(days=days))  # fmt: skip
            await videos.add(transaction, row)
            for name in ("720p", "audio-aac") if folder else ():
                made = Rendition(video_id=row.id, revision=1, name=name, project_id=DEFAULT_PROJECT, kind="video",
                                 origin="encoded", stored_bytes=100)  # fmt: skip
                await renditions.add(transaction, made)
        came = await stored.by_day(transaction, DEFAULT_PROJECT, NOON, NOON + timedelta(hours=6))
    assert sorted(came, key=lambda each: (each.day, each.size)) == [
        Came(DAY - timedelta(days=1), None, 3, 3.0), Came(DAY, None, 4, 1.5), Came(DAY, "fo1", 208, 1.5),
    ]  # fmt: skip


async def test_a_version_counts_once_and_with_its_video(database: Database) -> None:
    async with database.write() as transaction:
        row = Video(project_id=DEFAULT_PROJECT, title="x", folder_id="fo1", source_bytes=8, duration_s=1.5,
                    created_at=NOON, source="upload", state="done", playable=True)  # fmt: skip
        await videos.add(transaction, row)
        for size in (100, 1000):
            version = await versions.new(transaction, row, versions.REPLACE)
            version.created_at = NOON + timedelta(days=2)
            version.source_bytes, version.duration_s, version.state, version.playable = size, 2.5, "done", True
            await versions.came_on(transaction, version)
        made = Rendition(video_id=version.id, revision=1, name="720p", project_id=DEFAULT_PROJECT, kind="video",
                         origin="encoded", stored_bytes=50)  # fmt: skip
        await renditions.add(transaction, made)
        came = await stored.by_day(transaction, DEFAULT_PROJECT, NOON, NOON + timedelta(days=9))
    assert came == [Came(DAY, "fo1", 1158, 2.5)]


async def test_what_is_kept_beside_counts_and_goes_with_its_row(database: Database) -> None:
    """Each has a size of its own, so that a sum says which of them are in it."""
    ids = {"project_id": DEFAULT_PROJECT}
    async with database.write() as transaction:
        video = await videos.add(transaction, Video(**ids, title="x", folder_id="fo1", created_at=NOON,
                                                    poster_bytes=1, watermark_bytes=2))  # fmt: skip
        with_video = {**ids, "video_id": video.id}
        beside = [
            TextTrack(**with_video, kind="captions", language="en", stored_bytes=4),
            Poster(**with_video, stored_bytes=8), Poster(**with_video, at_s=1.0),
            Material(**with_video, title="", filename="", filetype="", position=1, size=16),
            Material(**with_video, title="", filename="", filetype="", position=2),
        ]  # fmt: skip
        own = [
            Watermark(**ids, width=1, height=1, stored_bytes=32, created_at=NOON),
            Player(**ids, name="", theme={}, logo_bytes=64, created_at=NOON),
            LiveStream(**ids, name="", stream_key="k", poster_bytes=128, slate_bytes=256,
                       created_at=NOON + timedelta(days=1)),
        ]  # fmt: skip
        for row in (*beside, *own):
            transaction.add(row)
        await transaction.flush()
        assert await stored.total(transaction, DEFAULT_PROJECT) == 511
        assert await stored.by_day(transaction, DEFAULT_PROJECT, NOON, NOON + timedelta(days=2)) == [
            Came(DAY, "fo1", 31, 0.0), Came(DAY, None, 96, 0.0), Came(DAY + timedelta(days=1), None, 384, 0.0),
        ]  # fmt: skip
        for row in (*beside, *own):
            await transaction.delete(row)
        await transaction.flush()
        assert await stored.total(transaction, DEFAULT_PROJECT) == 3


@pytest.mark.parametrize(
    ("owner", "counted"),
    [
        ({}, 100),  # the video shows its own file still
        ({"material_id": "vi2", "own_bytes": 100}, 100),  # the other is shown, and the file kept for those who watch it
        ({"material_id": "vi2"}, 100),  # it is gone, and the other has what the two had
    ],
)
async def test_a_linked_file_counts_once(database: Database, owner: dict[str, Any], counted: int) -> None:
    async with database.write() as transaction:
        row = Video(project_id=DEFAULT_PROJECT, title="x", source_bytes=100, created_at=NOON, **owner)
        await videos.add(transaction, row)
        linked = Video(id="vi2", project_id=DEFAULT_PROJECT, title="x", source_bytes=100, version_of=row.id,
                       shares_with=row.id)  # fmt: skip
        await videos.add(transaction, linked)
        assert await stored.total(transaction, DEFAULT_PROJECT) == counted
        came = await stored.by_day(transaction, DEFAULT_PROJECT, NOON, NOON + timedelta(days=1))
        assert sum(each.size for each in came) == counted


async def test_a_clip_has_the_bytes_of_its_recording_until_that_is_gone(database: Database) -> None:
    ids = {"project_id": DEFAULT_PROJECT, "title": "x", "broadcast_id": "br1"}
    async with database.write() as transaction:
        recording = await videos.add(transaction, Video(**ids, source_bytes=100))
        await videos.add(transaction, Video(**ids, source_bytes=10, shares_with="br1"))
        assert await stored.total(transaction, DEFAULT_PROJECT) == 100
        await transaction.delete(recording)
        await transaction.flush()
        assert await stored.total(transaction, DEFAULT_PROJECT) == 10
