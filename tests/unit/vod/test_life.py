"""The ends of a video: discarded and taken back, deleted, erased to the last byte."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from server import clock
from server.catalog import materials, posters, videos
from server.catalog.database import Transaction
from server.catalog.library_models import Material
from server.catalog.models import DEFAULT_PROJECT, Video
from server.jobs.context import JobContext
from server.vod import life as module
from server.vod.life import JOB, Life
from tests.unit.vod.conftest import Archive


class Desk:
    """What is ordered and told."""

    def __init__(self) -> None:
        self.ordered: list[tuple[str, str, Mapping[str, Any]]] = []
        self.released: list[str] = []
        self.gone: list[str] = []

    async def enqueue(
        self, transaction: Transaction, project_id: str, kind: str, object_id: str, arguments: Mapping[str, Any]
    ) -> None:
        self.ordered.append((kind, object_id, arguments))

    async def release(self, broadcast_id: str) -> None:
        self.released.append(broadcast_id)

    def told(self, video: Video) -> None:
        self.gone.append(video.id)


class FakeJob:
    """A job whose steps are just done."""

    def __init__(self, object_id: str, arguments: Mapping[str, Any]) -> None:
        self.object_id, self.arguments, self.project_id = object_id, arguments, DEFAULT_PROJECT

    async def step(self, name: str, work: Callable[[], Awaitable[Any]], **_: Any) -> Any:
        return await work()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def life(archive: Archive, desk: Desk, days: float = 0) -> Life:
    return Life(archive.database, archive.layout, desk.enqueue, days, desk.release, desk.told)


async def end(archive: Archive, id: str, work: Callable[[Transaction, Video], Awaitable[None]]) -> None:
    async with archive.database.write() as transaction:
        row = await videos.find(transaction, id)
        assert row is not None
        await work(transaction, row)


async def is_there(archive: Archive, id: str) -> bool:
    async with archive.database.read() as transaction:
        return await videos.find(transaction, id) is not None


async def test_bytes_that_are_about_to_become_the_video_s_go_too(
    archive: Archive, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload finishes while its video is erased."""
    id, layout, really_erase = await archive.video(), archive.layout, module._erase
    data = layout.upload_data("up1")
    data.parent.mkdir(parents=True)
    data.write_bytes(b"a film")

    def erase(folder: Path) -> None:
        really_erase(folder)
        if data.exists():
            layout.video_source(id).parent.mkdir(parents=True, exist_ok=True)
            data.rename(layout.video_source(id))

    monkeypatch.setattr(module, "_erase", erase)
    await life(archive, desk).erase(cast(JobContext, FakeJob(id, {"uploadId": "up1"})))
    assert not layout.video(id).exists()


async def test_a_deleted_video_leaves_no_byte(archive: Archive, desk: Desk) -> None:
    id = await archive.video(broadcast_id="br1")
    await end(archive, id, life(archive, desk).remove)
    assert not await is_there(archive, id)
    assert desk.gone == [id]
    assert desk.ordered == [(JOB, id, {"broadcastId": "br1", "uploadId": None})]

    job = FakeJob(id, desk.ordered[0][2])
    await life(archive, desk).erase(cast(JobContext, job))
    await life(archive, desk).erase(cast(JobContext, job))  # again, after a crash
    assert not archive.layout.video(id).exists()
    assert desk.released == ["br1", "br1"]
    assert (await archive.event_types(id))[-2:] == ["video.erased", "video.erased"]


async def test_what_goes_with_a_deleted_video_goes_too(archive: Archive, desk: Desk) -> None:
    id, other = [await archive.video() for _ in range(2)]
    files: dict[str, list[Path]] = {}
    async with archive.database.write() as transaction:
        for each in (id, other):
            video = await videos.find(transaction, each)
            assert video is not None
            sizes = (1, None)  # the second one's file is on its way
            brought = [await materials.add(transaction, video, _material(video, size)) for size in sizes]
            files[each] = [archive.layout.material(row.id) for row in brought]
            files[each] += [archive.layout.picture((await posters.add(transaction, video, None)).id)]
            await posters.add(transaction, video, 1.0)  # has no file
    for path in [*files[id], *files[other]]:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")

    await end(archive, id, life(archive, desk).remove)
    job = FakeJob(id, desk.ordered[0][2])
    for _ in range(2):
        await life(archive, desk).erase(cast(JobContext, job))
    assert [path.exists() for path in files[id]] == [False] * 3
    assert [path.exists() for path in files[other]] == [True] * 3


def _material(video: Video, size: int | None) -> Material:
    return Material(
        project_id=DEFAULT_PROJECT, video_id=video.id, title="a", filename="a", filetype="text/plain", size=size
    )


async def test_a_discarded_one_can_be_taken_back(archive: Archive, desk: Desk) -> None:
    id = await archive.video()
    await end(archive, id, life(archive, desk, 2).remove)
    row = await archive.row(id)
    assert row.discarded_at is not None
    assert row.deletes_at is not None
    assert row.deletes_at - row.discarded_at == pytest.approx(timedelta(days=2), abs=timedelta(seconds=1))
    assert (desk.gone, desk.ordered) == ([id], [])
    async with archive.database.read() as transaction:
        assert await videos.get(transaction, DEFAULT_PROJECT, id) is None
        assert await videos.get(transaction, DEFAULT_PROJECT, id, discarded=True) is not None

    await end(archive, id, videos.restore)
    async with archive.database.read() as transaction:
        assert await videos.get(transaction, DEFAULT_PROJECT, id) is not None
    assert await life(archive, desk).round() == 0


async def test_what_is_due_is_deleted(archive: Archive, desk: Desk) -> None:
    now = clock.now()
    due = [await archive.video(deletes_at=now - timedelta(seconds=n)) for n in (1, 2)]
    later = await archive.video(deletes_at=now + timedelta(hours=1))
    assert await life(archive, desk, 30).round() == 2
    assert [object_id for _, object_id, _ in desk.ordered] == due[::-1]
    assert await is_there(archive, later)
