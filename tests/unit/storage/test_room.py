"""Room on the disk."""

import errno
import os
from pathlib import Path

import pytest

from server.storage import data_folder, renditions
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore
from server.storage.room import NoRoomError, Room


@pytest.mark.parametrize(
    ("reserve", "wanted", "fits"), [(400, 600, True), (400, 601, False), (1000, 0, True), (1001, 0, False)]
)
def test_the_reserve_is_left_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserve: int, wanted: int, fits: bool
) -> None:
    monkeypatch.setattr(data_folder, "free_bytes", lambda root: 1000)
    room = Room(tmp_path, reserve)
    assert room.bytes == 1000 - reserve
    if fits:
        room.check(wanted)
        return
    with pytest.raises(NoRoomError):
        room.check(wanted)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_others_filled_is_told_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    store = RenditionStore(Layout(tmp_path))
    with store.begin("vi1", 1, "360p", 0) as run:

        def full(descriptor: int) -> None:
            raise OSError(fault, os.strerror(fault))

        monkeypatch.setattr(renditions.os, "fdatasync", full)
        with pytest.raises(NoRoomError):
            run.add(renditions.entry(0, 0, 180_000, 90_000, 4))
