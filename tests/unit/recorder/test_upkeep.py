"""Segments that a video shows stay; others go."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.catalog import broadcasts, live_streams, videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Broadcast, LiveStream, Video
from server.recorder.upkeep import Upkeep, unwanted
from server.storage.layout import Layout
from server.storage.segments import SegmentStore


@pytest.mark.parametrize(
    ("spans", "gone"),
    [
        ([None], []),
        ([(1, 2)], [0, 3, 4]),
        ([(1, 2), (2, 3)], [0, 4]),
        ([(1, 2), None], []),
        ([(7, 9)], [0, 1, 2, 3, 4]),
    ],
)
def test_what_no_video_shows(spans: list[tuple[int, int] | None], gone: list[int]) -> None:
    assert unwanted(range(5), spans) == gone


class House:
    """The broadcast br1, of five segments, and videos of it."""

    def __init__(self, database: Database, store: SegmentStore) -> None:
        self.database = database
        self.store = store
        self.upkeep = Upkeep(database, store)
        for name in ("video", "audio"):
            folder = store.layout.rendition("br1", name)
            folder.path.mkdir(parents=True)
            folder.journal.touch()
            for msn in range(5):
                folder.segment(msn).write_bytes(b"m")

    async def broadcast(self, state: str) -> None:
        async with self.database.write() as transaction:
            live = LiveStream(project_id=DEFAULT_PROJECT, name="live", stream_key=live_streams.new_stream_key())
            await live_streams.add(transaction, live)
            row = Broadcast(
                id="br1", project_id=DEFAULT_PROJECT, live_stream_id=live.id, protocol="rtmp", latency_mode="low",
                target_duration_s=4, state=state,
            )  # fmt: skip
            await broadcasts.add(transaction, row)

    async def video(self, segments: dict[str, Any] | None = None) -> None:
        async with self.database.write() as transaction:
            row = Video(project_id=DEFAULT_PROJECT, title="", source="live", broadcast_id="br1", segments=segments)
            await videos.add(transaction, row)

    def left(self, name: str = "video") -> list[int]:
        return self.store.layout.rendition("br1", name).numbers()


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, SegmentStore(Layout(tmp_path)))


async def test_without_a_video_all_of_it_goes(house: House) -> None:
    await house.broadcast("ended")

    await house.upkeep.release("br1")

    assert not house.store.layout.broadcast("br1").exists()


async def test_the_recording_keeps_all_of_it(house: House) -> None:
    await house.broadcast("recorded")
    await house.video()
    await house.video({"first": 1, "last": 1})

    await house.upkeep.release("br1")

    assert house.left() == [0, 1, 2, 3, 4]


async def test_a_clip_keeps_its_part_in_every_rendition(house: House) -> None:
    await house.broadcast("recorded")
    await house.video({"first": 1, "last": 2})

    await house.upkeep.release("br1")

    assert house.left("video") == house.left("audio") == [1, 2]
    assert house.store.layout.rendition("br1", "video").journal.exists()


async def test_a_clip_that_is_not_committed_yet_keeps_its_part(house: House) -> None:
    await house.broadcast("recorded")
    async with house.database.write() as transaction:
        segments = {"first": 1, "last": 2}
        row = Video(project_id=DEFAULT_PROJECT, title="", source="live", broadcast_id="br1", segments=segments)
        await videos.add(transaction, row)
        releasing = asyncio.create_task(house.upkeep.release("br1"))
        await asyncio.wait([releasing], timeout=0.2)
        assert house.left() == [0, 1, 2, 3, 4]
    await releasing

    assert house.left() == [1, 2]


async def test_what_is_on_air_is_left_alone(house: House) -> None:
    await house.broadcast("interrupted")

    await house.upkeep.release("br1")

    assert house.left() == [0, 1, 2, 3, 4]


async def test_a_restart_knows_the_clips_of_what_is_on_air(house: House) -> None:
    await house.broadcast("live")
    await house.video({"first": 1, "last": 2})

    with house.store:
        await house.upkeep.restore()
        writer = house.store.rendition("br1", "video")
        for msn in range(5):
            writer.discard(msn)
        house.store.flush().result(30)

    assert house.left() == [1, 2]
