"""Work on uploads while they come, with children that do as they are told."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from server.catalog import uploads
from server.catalog.models import DEFAULT_PROJECT, Upload
from server.clock import now
from server.media.child import ChildFailed, Children
from server.media.growing import Source
from server.storage import early as shelf
from server.vod import early
from server.vod.early import LEAST_BYTES, MOST_TRIES, Early, Suits, suitable
from tests.harness.mp4 import FakeTrack, mp4
from tests.unit.vod.conftest import FOUND, Archive

MIB = 1 << 20
MATROSKA = b"\x1a\x45\xdf\xa3" + bytes(3 * MIB)
SOON_S = 40.0


class Looking:
    """Children that look at files: each waits until `enough` bytes are there."""

    def __init__(self) -> None:
        self.enough = 2 * MIB
        self.failure: ChildFailed | None = None
        self.events: Sequence[Mapping[str, Any]] = ({"event": "indexed"}, FOUND)
        self.read: list[bytes] = []
        self.running = 0
        self.began = 0

    async def run(
        self,
        module: str,
        arguments: Mapping[str, Any],
        fds: Sequence[int] = (),
        *,
        on_line: Callable[[Mapping[str, Any]], None],
        **_: object,
    ) -> None:
        assert module == "server.media.probe"
        assert arguments["growth"]["news"] in fds
        self.running += 1
        self.began += 1
        try:
            source = Source(arguments["source"], arguments["growth"])
            while source._here < self.enough:  # what the child's thread would sleep in
                await asyncio.sleep(0.005)
                _readable(arguments["growth"]["news"], source)
            self.read.append(source.read(0, 4))
            os.write(arguments["index"], b"index")
            if self.failure:
                raise self.failure
            for event in self.events:
                on_line(event)
        finally:
            self.running -= 1


def _readable(news: int, source: Source) -> None:
    os.set_blocking(news, False)
    with contextlib.suppress(BlockingIOError):
        source._here += os.eventfd_read(news)


@pytest.fixture
def looking() -> Looking:
    return Looking()


@pytest.fixture
async def work(archive: Archive, looking: Looking) -> AsyncIterator[Early]:
    async with Early(archive.database, archive.layout, cast(Children, looking), 1) as work:
        yield work


async def upload(archive: Archive, content: bytes = MATROSKA, length: int | None = len(MATROSKA)) -> str:
    """Whose bytes are on disk; they are told as the test likes."""
    video_id = await archive.video(None, state="uploading")
    row = Upload(project_id=DEFAULT_PROJECT, protocol="tus", video_id=video_id, length=length, expires_at=now())
    async with archive.database.write() as transaction:
        await uploads.add(transaction, row)
    data = archive.layout.upload_data(row.id)
    data.parent.mkdir(parents=True)
    data.write_bytes(content)
    return row.id


async def until(what: Callable[[], Any]) -> Any:
    async with asyncio.timeout(SOON_S):
        while not (found := what()):
            await asyncio.sleep(0.005)
    return found


async def test_what_was_found_is_there_when_it_is_whole(archive: Archive, work: Early, looking: Looking) -> None:
    id = await upload(archive)
    work.grew(id, LEAST_BYTES)
    await until(lambda: looking.running)
    for size in (MIB, 2 * MIB):
        work.grew(id, size)
    await until(lambda: not work.active)
    await work.leave(id, len(MATROSKA))

    found = shelf.read(archive.layout.upload_early(id))
    assert found is not None
    data = archive.layout.upload_data(id).stat()
    assert (found.upload_id, found.inode, found.size, found.indexed) == (id, data.st_ino, len(MATROSKA), True)
    assert archive.layout.upload_early(id).index.read_bytes() == b"index"
    assert looking.read == [MATROSKA[:4]]
    assert (work.begun, work.active) == (1, 0)


async def test_the_last_byte_waits_a_little(
    archive: Archive, work: Early, looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early, "SETTLE_S", SOON_S)
    looking.enough = len(MATROSKA)
    id = await upload(archive)
    work.grew(id, 2 * MIB)
    await until(lambda: looking.running)
    await work.leave(id, len(MATROSKA))
    assert looking.running == 0
    assert shelf.read(archive.layout.upload_early(id)) is not None
    assert work.kept == 1


@pytest.mark.parametrize("size", [None, 2 * MIB, len(MATROSKA)], ids=["given up", "another length", "stuck"])
async def test_who_is_not_done_is_stopped(
    archive: Archive, work: Early, looking: Looking, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    monkeypatch.setattr(early, "SETTLE_S", 0.02)
    looking.enough = 1 << 40
    id = await upload(archive)
    work.grew(id, 2 * MIB)
    await until(lambda: looking.running)
    await work.leave(id, size)
    assert (looking.running, work.active) == (0, 0)
    assert shelf.read(archive.layout.upload_early(id)) is None
    await work.leave(id, size)


async def test_there_are_so_many_places(archive: Archive, work: Early, looking: Looking) -> None:
    looking.enough = 1 << 40
    first, second = await upload(archive), await upload(archive)
    work.grew(first, 2 * MIB)
    work.grew(second, 2 * MIB)
    await until(lambda: looking.running)
    assert (work.active, work.begun) == (1, 1)
    await work.leave(first, None)
    work.grew(second, 2 * MIB + 1)
    await until(lambda: looking.running)
    assert work.begun == 2


async def test_an_upload_that_pauses_leaves_its_place(archive: Archive, work: Early, looking: Looking) -> None:
    looking.enough = 1 << 40
    id = await upload(archive)
    for _ in range(MOST_TRIES + 2):
        work.grew(id, 2 * MIB)
        await until(lambda: looking.running or not work.active)
        if looking.running:
            _pass(work, id)
        await until(lambda: not work.active)
    assert looking.began == MOST_TRIES


def _pass(work: Early, id: str) -> None:
    """All the time that an upload may pause."""
    idle = work._works[id].idle
    assert idle
    idle.reschedule(asyncio.get_running_loop().time())


async def test_what_was_found_before_a_pause_is_found_again(archive: Archive, work: Early, looking: Looking) -> None:
    id = await upload(archive)
    for _ in range(2):
        work.grew(id, 2 * MIB)
        await until(lambda: not work.active)
    assert (looking.began, work.begun) == (1, 2)


async def test_a_video_that_is_deleted_ends_it(archive: Archive, work: Early, looking: Looking) -> None:
    looking.enough = 1 << 40
    id = await upload(archive)
    work.grew(id, 2 * MIB)
    await until(lambda: looking.running)
    async with archive.database.write() as transaction:
        row = await uploads.get(transaction, id)
        assert row
        await uploads.move(transaction, row, "aborted")
    await until(lambda: not work.active)
    assert looking.running == 0


@pytest.mark.parametrize(
    ("content", "length", "size"),
    [
        (MATROSKA, None, 2 * MIB),
        (MATROSKA, len(MATROSKA), len(MATROSKA)),
        (MATROSKA, len(MATROSKA), LEAST_BYTES - 1),
        (b"RIFF\0\0\0\0WAVE" + bytes(3 * MIB), 3 * MIB, 2 * MIB),
    ],
    ids=["length unknown", "whole", "too little", "another kind"],
)
async def test_others_are_left(
    archive: Archive, work: Early, looking: Looking, content: bytes, length: int | None, size: int
) -> None:
    id = await upload(archive, content, length)
    work.grew(id, size)
    await until(lambda: not work.active)
    assert (looking.began, work.begun) == (0, 0)


@pytest.mark.parametrize("how", ["crashed", "problem", "unserved"])
async def test_a_failure_is_nobodys(archive: Archive, work: Early, looking: Looking, how: str) -> None:
    looking.events = [{"event": how, "code": "invalid", "detail": "it is noise"}]
    looking.failure = ChildFailed("crashed", "for the log") if how == "crashed" else None
    id = await upload(archive)
    for _ in range(2):
        work.grew(id, 2 * MIB)
        await until(lambda: not work.active)
    assert looking.began == 1  # it is not tried again
    assert shelf.read(archive.layout.upload_early(id)) is None


FRONT, TAIL = (mp4(FakeTrack(count=300), moov_first=first) for first in (True, False))


@pytest.mark.parametrize(
    ("content", "size", "wanted"),
    [
        (FRONT, len(FRONT) - 1, Suits.NOW),
        (FRONT, 300, Suits.LATER),
        (FRONT, 30, Suits.LATER),
        (TAIL, len(TAIL) - 1, Suits.LATER),
        (MATROSKA, 10, Suits.NOW),
        (b"\x47" + (b"\0" * 187 + b"\x47") * 30, 5000, Suits.NOW),
        (b"a page", 6, Suits.NEVER),
    ],
)
def test_what_suits(tmp_path: Path, content: bytes, size: int, wanted: Suits) -> None:
    (tmp_path / "data").write_bytes(content)
    assert suitable(tmp_path / "data", size, len(content) + 1000) is wanted
