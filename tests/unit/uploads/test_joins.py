"""Joins in the background: stopped between slices, gone on with, and in nobody's way."""

import asyncio
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.catalog import uploads
from server.errors import Problem
from server.protocols.content_range import parse
from server.storage import parts
from server.uploads import joins
from tests.unit.uploads.test_partials import committed, part


class Gate:
    """Lets slices through when it is told."""

    def __init__(self, monkeypatch):
        self.reached, self._open, self._copy = threading.Event(), threading.Semaphore(0), parts._copy
        monkeypatch.setattr(parts, "SLICE_BYTES", 2)
        monkeypatch.setattr(parts, "_copy", self.copy)

    def copy(self, *those):
        self.reached.set()
        assert self._open.acquire(timeout=20)
        return self._copy(*those)

    def let(self, slices):
        self._open.release(slices)

    async def wait(self):
        assert await asyncio.to_thread(self.reached.wait, 20)


@pytest.fixture
def gate(monkeypatch):
    return Gate(monkeypatch)


async def test_a_stop_waits_for_one_slice_and_a_start_goes_on(house, reopened, gate):
    upload_id = await committed(house, await part(house, b"ab"), await part(house, b"cdefgh"))
    async with house.joins.running():
        await gate.wait()
        gate.let(1)
    row = await house.row(upload_id)
    assert (row.state, house.joins.at_work) == ("created", 0)
    assert house.layout.upload_data(upload_id).read_bytes() == b"abcd"

    gate.let(9)
    house.files._stopping = False  # another process
    await reopened.recover()
    assert reopened.source(row.video_id) == b"abcdefgh"
    assert reopened.stored() == []


async def test_uploads_come_while_parts_are_joined(house, gate):
    upload_id = await committed(house, await part(house, b"ab"), await part(house, b"cd"))
    join = house.joins.begin(upload_id)
    await gate.wait()
    others = [await house.create(2) for _ in range(6)]
    await asyncio.gather(*(house.append(opened, 0, b"xy") for opened in others))
    assert [house.source(opened.video_id) for opened in others] == [b"xy"] * 6
    told = house.service.view(await house.row(upload_id))
    assert (told.state, told.made_of_others) == ("created", True)

    gate.let(1)
    await join
    assert house.source((await house.row(upload_id)).video_id) == b"abcd"


async def test_a_join_that_is_on_is_begun_once(house, gate):
    upload_id = await committed(house, await part(house, b"ab"), await part(house, b"cd"))
    join = house.joins.begin(upload_id)
    assert house.joins.begin(upload_id) is join
    assert await house.joins.resume() == [join]
    gate.let(1)
    await join

    assert (house.joins.at_work, await house.joins.resume()) == (0, [])


async def test_what_is_being_joined_does_not_expire(house, gate):
    upload_id = await committed(house, await part(house, b"ab"), await part(house, b"cd"))
    async with house.database.write() as transaction:
        row = await uploads.get(transaction, upload_id)
        row.expires_at = row.created_at
    await house.sweep()
    gate.let(1)
    await house.joins.begin(upload_id)

    assert (await house.row(upload_id)).state == "uploaded"


async def test_a_join_that_failed_is_tried_again(house, monkeypatch):
    def refused(*_):
        raise OSError(28, "No space left on device")

    upload_id = await committed(house, await part(house, b"ab"), await part(house, b"cd"))
    monkeypatch.setattr(parts, "_copy_some", refused)
    await house.recover()
    assert (await house.row(upload_id)).state == "created"
    monkeypatch.undo()
    await house.sweep()
    await house.joins.begin(upload_id)

    assert (await house.row(upload_id)).state == "uploaded"


async def over(house, *upload_ids, days=1):
    """Their time is over."""
    async with house.database.write() as transaction:
        for upload_id in upload_ids:
            row = await uploads.get(transaction, upload_id)
            row.expires_at = row.created_at - timedelta(days=days)


async def lost(house):
    """A complete upload that misses a part."""
    upload_id = await committed(house, await part(house, b"ab"), last := await part(house, b"cd"))
    house.layout.upload_data(last.id).unlink()
    return upload_id


async def tried(house):
    """A round, and whatever it began is at its end."""
    await house.sweep()
    await asyncio.gather(*house.joins._tasks.values(), return_exceptions=True)


async def test_what_can_never_be_joined_expires(house):
    upload_id = await lost(house)
    with capture_logs() as told:
        for _ in range(3):
            await tried(house)
        assert (await house.row(upload_id)).state == "created"  # somebody may bring the file back until then
        await over(house, upload_id)
        await tried(house)

    row = await house.row(upload_id)
    assert (row.state, (await house.video(row.video_id)).state) == ("expired", "aborted")
    assert [each["event"] for each in told if each["log_level"] == "warning"] == ["parts can't be joined"]
    assert (house.joins.at_work, await house.joins.resume()) == (0, [])
    assert house.joins._failures == {}


async def test_what_a_restart_finds_lost_and_over_expires_too(house, reopened):
    upload_id = await lost(house)
    await over(house, upload_id)
    await reopened.recover()
    await reopened.sweep()

    assert (await reopened.row(upload_id)).state == "expired"


async def test_joins_that_fail_for_long_are_given_up_unless_they_move(house, monkeypatch):
    def refused(source, target, count):
        if allowed:
            return os.sendfile(target, source, None, min(allowed.pop(), count))
        raise OSError(28, "No space left on device")

    allowed, at = [], 0.0
    monkeypatch.setattr(parts, "SLICE_BYTES", 1)
    monkeypatch.setattr(parts, "_copy_some", refused)
    monkeypatch.setattr(joins.clock, "monotonic", lambda: at)
    upload_id = await committed(house, await part(house, b"ab"), await part(house, b"cdef"))
    await over(house, upload_id)
    await tried(house)
    at = joins.GIVEN_UP_S - 1
    allowed.append(1)
    await tried(house)  # a byte more: it fails anew
    at += joins.GIVEN_UP_S - 1
    await tried(house)
    assert (await house.row(upload_id)).state == "created"

    at += 1
    await tried(house)
    assert (await house.row(upload_id)).state == "expired"


async def test_joins_at_work_keep_no_other_upload_from_expiring(house, gate, monkeypatch):
    monkeypatch.setattr(uploads.expired, "__defaults__", (1, ()))
    upload_id = await committed(house, await part(house, b"ab"), await part(house, b"cd"))
    left = [await house.create(), await house.create()]
    await over(house, upload_id, days=3)
    await over(house, left[0].id, days=1)
    await over(house, left[1].id, days=2)
    await house.sweep()
    assert [(await house.row(each.id)).state for each in left] == ["created", "expired"]
    gate.let(1)
    await house.joins.begin(upload_id)

    assert (await house.row(upload_id)).state == "uploaded"


async def test_a_request_with_the_last_part_lets_go_of_a_server_that_stops(house, reopened, gate):
    video_id = await house.new_video()
    await house.send(video_id, b"ab", parse("part 1/2"))
    last = asyncio.create_task(house.send(video_id, b"cdefgh", parse("part 2/2")))
    await gate.wait()
    async with house.joins.running():
        pass
    gate.let(9)
    with pytest.raises(Problem, match="stopping"):
        await last

    house.files._stopping = False
    await reopened.recover()
    assert reopened.source(video_id) == b"abcdefgh"


def join_until_killed(folder, slices):
    """Whether a process joined all before so many slices."""
    command = [sys.executable, "-m", "tests.integration.joins_program", str(folder), "10"]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            for _ in range(slices):
                if process.stdout.readline() != "slice\n":
                    return True
                process.stdin.write("\n")
                process.stdin.flush()
            return process.stdout.readline() == "done\n"
        finally:
            process.kill()


@pytest.mark.server
async def test_kill_9_amid_slices_loses_and_repeats_nothing(house, reopened):
    texts = [bytes(range(at, at + count)) for at, count in ((0, 35), (50, 51), (120, 42))]
    upload_id = await committed(house, *[await part(house, text) for text in texts])
    data = house.layout.upload_data(upload_id)

    assert not await asyncio.to_thread(join_until_killed, house.layout.root, 3)
    first = data.stat().st_size
    assert not await asyncio.to_thread(join_until_killed, house.layout.root, 5)
    assert 35 < first < data.stat().st_size < 35 + 51 + 42
    await reopened.recover()
    assert reopened.source((await house.row(upload_id)).video_id) == b"".join(texts)
    assert reopened.stored() == []
