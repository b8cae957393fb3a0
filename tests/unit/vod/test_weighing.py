"""Bytes of renditions, counted when they have ended."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from server.catalog import renditions, stored, videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Rendition, Video
from server.vod import weighing
from server.vod.weighing import Weighing
from tests.harness import catalogue


class Store:
    """Of renditions whose bytes are as many as their names say."""

    def size(self, video_id: str, revision: int, names: Sequence[str]) -> int:
        return sum(map(int, names)) * revision


@pytest.fixture
def url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


async def test_what_has_ended_is_counted_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighing, "AT_ONCE", 2)
    store: Any = Store()
    async with Database.open(url) as database:
        counting = Weighing(database, store)
        async with database.write() as transaction:
            video = await videos.add(transaction, Video(project_id=DEFAULT_PROJECT, title="x"))
            for name, state in (("1", "ready"), ("10", "failed"), ("100", "encoding"), ("1000", "ready")):
                ids = {"video_id": video.id, "revision": 2, "name": name, "project_id": DEFAULT_PROJECT}
                await renditions.add(transaction, Rendition(**ids, kind="video", origin="encoded", state=state))
        assert [await counting.round() for _ in range(3)] == [2, 1, 0]
        async with database.write() as transaction:
            assert await stored.total(transaction, DEFAULT_PROJECT) == 2022
            row = await renditions.get(transaction, video.id, 2, "100")
            assert row is not None
            await renditions.move(transaction, video, row, "ready")
        assert await counting.round() == 1
        async with database.read() as transaction:
            assert await stored.total(transaction, DEFAULT_PROJECT) == 2222
