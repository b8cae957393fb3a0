"""Files of edits: what becomes of them where the disk is full or their child fails."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from server.jobs.context import JobContext
from server.media.child import ChildFailed, Children
from server.storage.room import NoRoomError, Room
from server.vod.editing import Editing
from tests.unit.vod.conftest import Archive
from tests.unit.vod.test_pipeline import FakeJob

RESERVE_BYTES = 1 << 62  # that no disk has


class WaitedError(Exception):
    """The job has given its place to others."""


@dataclass
class Job(FakeJob):
    arguments: dict[str, Any] = field(default_factory=lambda: {"inputs": 1, "start": 1.0, "end": 2.0})

    def progress(self, fraction: float, message: str | None = None) -> None:
        pass

    async def sleep(self, seconds: float) -> None:
        raise WaitedError


async def ordered(archive: Archive) -> str:
    id = await archive.video(None)
    path = archive.layout.video_input(id, 0)
    path.parent.mkdir()
    path.write_bytes(b"a film")
    return id


def editing(archive: Archive, reserve_bytes: int) -> Editing:
    room = Room(archive.layout.root, reserve_bytes)
    return Editing(archive.database, archive.layout, cast(Children, archive.children), archive.enqueue, room=room)


async def test_a_file_waits_for_room(archive: Archive) -> None:
    id = await ordered(archive)
    with pytest.raises(WaitedError):
        await editing(archive, RESERVE_BYTES).run(cast(JobContext, Job(id)))
    assert archive.children.runs == []
    assert [path.name for path in archive.layout.video(id).iterdir()] == ["inputs"]


@pytest.mark.parametrize(("fills_up", "raised"), [(False, ChildFailed), (True, WaitedError)])
async def test_a_child_that_fails_leaves_nothing(
    archive: Archive, fills_up: bool, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await ordered(archive)

    async def fill() -> None:
        def full(room: Room, wanted_bytes: int = 0) -> None:
            raise NoRoomError("full")

        if fills_up:
            monkeypatch.setattr(Room, "check", full)

    archive.children.meanwhile, archive.children.failure = fill, ChildFailed("crashed", "why")
    with pytest.raises(raised):
        await editing(archive, 0).run(cast(JobContext, Job(id)))
    assert [path.name for path in archive.layout.video(id).iterdir()] == ["inputs"]
