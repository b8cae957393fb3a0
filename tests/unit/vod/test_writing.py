"""What children say of renditions, on a disk that is slower than they are."""

import os
import threading
from pathlib import Path

import pytest

from server.media.orders import Described, Segment
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore
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
