"""Copies of tracks: what becomes of them where there is no room."""

import pytest

from server.media.child import ChildFailed, Children
from server.storage.renditions import RenditionStore
from server.storage.room import NoRoomError, Room
from server.vod.copying import Copying, Order
from tests.unit.vod.conftest import FACTS, Archive


async def test_a_disk_that_is_full_is_waited_for(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child, which writes, dies of it first."""
    id = await archive.video(state="processing")

    async def dies(*_: object) -> None:
        raise ChildFailed("crashed", "it can't write")

    async def begun() -> None:
        raise AssertionError("nothing has begun")

    copying = Copying(Children(1), RenditionStore(archive.layout, Room(archive.layout.root, 1 << 62)))
    monkeypatch.setattr(copying, "_package", dies)
    with pytest.raises(NoRoomError):
        await copying.copy(Order(id, 1, archive.layout.video_source(id), FACTS), begun)
