"""What children say of renditions, on a disk that is slower than they are."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from server.media.orders import Described, Segment
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore
from server.storage.room import NoRoomError, Room
from server.vod import writing
from server.vod.writing import Writing

NAMES = ("360p", "240p")


def described(name: str) -> Described:
    return Described(name, b"init", "avc1.64001f", 90_000, 640, 360, 30.0)


def segment(name: str, number: int, size: int = 4) -> Segment:
    return Segment(name, number, number * 180_000, 180_000, size)


async def test_what_waits_for_the_disk_is_brought_there_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two renditions come in turns while the first call is slow: their order stays, and each is told of."""
    store, told, synced, go = RenditionStore(Layout(tmp_path)), [], [0], threading.Event()
    sync = os.fdatasync

    def slow(descriptor: int) -> None:
        go.wait(10)
        synced[0] += 1
        sync(descriptor)

    async def came(name: str, number: int) -> None:
        told.append((name, number))

    monkeypatch.setattr(writing, "AT_ONCE", 200)
    monkeypatch.setattr("server.storage.renditions.os.fdatasync", slow)
    async with Writing(store, "vi1", 1, came).open(dict.fromkeys(NAMES, 0)) as ways:
        for name in NAMES:
            ways.described(described(name))
        for number in range(60):
            for name in NAMES:
                os.write(ways.outputs[name], bytes(4))
                ways.made(segment(name, number))
        go.set()

    for name in NAMES:
        made = store.read("vi1", 1, name)
        assert made is not None
        assert [(each.entry.msn, each.offset) for each in made.segments] == [(n, 4 * n) for n in range(60)]
        assert [number for which, number in told if which == name] == list(range(60))
    assert synced[0] < 20


async def test_a_segment_that_is_missing_is_an_error(tmp_path: Path) -> None:
    store = RenditionStore(Layout(tmp_path))

    async def came(name: str, number: int) -> None:
        pass

    with pytest.raises(ValueError, match="segment 2 comes after 0"):  # noqa: PT012
        async with Writing(store, "vi1", 1, came).open({"360p": 0}) as ways:
            ways.described(described("360p"))
            os.write(ways.outputs["360p"], bytes(8))
            ways.made(segment("360p", 0))
            ways.made(segment("360p", 2))
    made = store.read("vi1", 1, "360p")
    assert made is None or [each.entry.msn for each in made.segments] in ([0], [])


async def test_a_disk_that_takes_no_more_ends_what_writes_to_it(tmp_path: Path) -> None:
    """The child is cut off where it is; what was on disk before stays, and nothing else is to be watched."""
    store, reached = RenditionStore(Layout(tmp_path), LittleRoom(looks=2)), asyncio.Event()

    async def came(name: str, number: int) -> None:
        reached.set()

    with pytest.raises(NoRoomError):  # noqa: PT012
        async with Writing(store, "vi1", 1, came).open({"360p": 0}) as ways:
            ways.described(described("360p"))
            os.write(ways.outputs["360p"], bytes(4))
            ways.made(segment("360p", 0))
            await reached.wait()
            os.write(ways.outputs["360p"], bytes(4))
            ways.made(segment("360p", 1))
            await asyncio.Event().wait()  # as for a child that goes on
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()

    made = store.read("vi1", 1, "360p")
    assert made is not None
    assert [each.entry.msn for each in made.segments] == [0]
    assert not made.complete


async def test_who_cancels_what_writes_is_not_told_of_a_fault(tmp_path: Path) -> None:
    store, ready = RenditionStore(Layout(tmp_path)), asyncio.Event()

    async def came(name: str, number: int) -> None:
        pass

    async def write() -> None:
        async with Writing(store, "vi1", 1, came).open({"360p": 0}):
            ready.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await ready.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


class LittleRoom(Room):
    """For so many looks at it: at the beginning of a run, and for each batch of segments."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    @property
    def bytes(self) -> int:
        self._looks -= 1
        return self._looks
