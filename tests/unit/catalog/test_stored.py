"""How much there is, by the day."""

from datetime import UTC, datetime, timedelta

from server.catalog import renditions, stored, versions, videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Rendition, Video
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
