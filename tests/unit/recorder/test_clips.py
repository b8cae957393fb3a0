"""Clips of a broadcast that is on air, of one that is over, of a recording and of a clip."""

from pathlib import Path
from typing import Any

import pytest

from server.catalog import broadcasts, events, live_streams, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Video
from server.catalog.models import Broadcast as BroadcastRow
from server.recorder import clips as module
from server.recorder.clips import Clips, Wish
from server.recorder.moments import MomentError, Seconds, Wall
from server.recorder.to_vod import Recorder
from server.recorder.upkeep import Upkeep
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from tests.unit.packager.publishing import START_MS, Broadcast

ALL = Wish(Seconds(0), None)


class Studio:
    """A live stream and its broadcast br1, eleven seconds long."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self.database = database
        with SegmentStore(layout) as store:
            on_air = Broadcast.on(store)
            on_air.publisher().connect().send(11)
            on_air.stream.end()
            on_air.written()
        self.store = SegmentStore(layout)
        self.upkeep = Upkeep(database, self.store)
        self.clips = Clips(database, layout, Recorder(layout), self.upkeep, self._enqueue)
        self.ordered: list[tuple[str, str]] = []
        self.live = LiveStream(
            project_id=DEFAULT_PROJECT, name="News", stream_key="key", public=False, tags=["a"], broadcast_id="br1"
        )

    async def broadcast(self, state: str) -> None:
        async with self.database.write() as transaction:
            await live_streams.add(transaction, self.live)
            row = BroadcastRow(
                id="br1", project_id=DEFAULT_PROJECT, live_stream_id=self.live.id, protocol="rtmp",
                latency_mode="low", target_duration_s=4, state=state,
            )  # fmt: skip
            await broadcasts.add(transaction, row)

    async def _enqueue(self, transaction: Transaction, project_id: str, kind: str, object_id: str) -> None:
        self.ordered.append((kind, object_id))

    async def clip(self, wish: Wish = ALL) -> Video:
        clip = await self.clips.of_live_stream(DEFAULT_PROJECT, self.live.id, wish)
        assert clip
        return clip

    async def told(self, id: str) -> list[str]:
        async with self.database.read() as transaction:
            return [event.type for event in await events.of_object(transaction, DEFAULT_PROJECT, id)]


@pytest.fixture
def studio(database: Database, tmp_path: Path) -> Studio:
    return Studio(database, Layout(tmp_path))


@pytest.mark.parametrize("state", ["live", "interrupted", "ended", "recorded"])
async def test_a_clip_is_a_video_at_once(studio: Studio, state: str) -> None:
    await studio.broadcast(state)

    clip = await studio.clip(Wish(Seconds(2.5), Seconds(5)))

    assert (clip.state, clip.playable, clip.source, clip.broadcast_id) == ("done", True, "live", "br1")
    assert clip.segments == {"first": 1, "last": 2, "head_ms": 500, "tail_ms": 1000}
    assert clip.duration_s == pytest.approx(4, abs=0.1)
    assert (clip.title, clip.public, clip.tags) == ("News (clip)", False, ["a"])
    assert await studio.told(clip.id) == ["video.created", "video.done", "video.clipped"]
    assert studio.ordered == [("clip", clip.id)]


async def test_by_the_wall_clock_and_with_a_title(studio: Studio) -> None:
    await studio.broadcast("live")

    clip = await studio.clip(Wish(Wall(START_MS + 2000), Wall(START_MS + 6000), "The goal"))

    assert clip.title == "The goal"
    assert clip.segments == {"first": 1, "last": 2, "head_ms": 0, "tail_ms": 0}
    assert studio.ordered == []


async def test_a_recording_and_a_clip_can_be_clipped(studio: Studio) -> None:
    await studio.broadcast("recorded")
    async with studio.database.write() as transaction:
        whole = Video(project_id=DEFAULT_PROJECT, title="Recording", source="live", broadcast_id="br1")
        await videos.add(transaction, whole)

    outer = await studio.clips.of_video(DEFAULT_PROJECT, whole.id, Wish(Seconds(2), Seconds(8)))
    assert outer
    inner = await studio.clips.of_video(DEFAULT_PROJECT, outer.id, Wish(Seconds(2), Seconds(4)))

    assert inner
    assert [(clip.segments or {})["first"] for clip in (outer, inner)] == [1, 2]
    assert (inner.segments or {})["last"] == 2
    with pytest.raises(MomentError, match="not that far"):
        await studio.clips.of_video(DEFAULT_PROJECT, outer.id, Wish(Seconds(2), Seconds(20)))


@pytest.mark.parametrize("fields", [{"source": "upload"}, {"source": "live", "broadcast_id": None}])
async def test_an_upload_is_not_clipped(studio: Studio, fields: dict[str, Any]) -> None:
    async with studio.database.write() as transaction:
        video = Video(project_id=DEFAULT_PROJECT, title="Film", **fields)
        await videos.add(transaction, video)

    assert await studio.clips.of_video(DEFAULT_PROJECT, video.id, ALL) is None


async def test_before_the_first_broadcast_there_is_nothing(studio: Studio) -> None:
    studio.live.broadcast_id = None
    await studio.broadcast("ended")

    assert await studio.clips.of_live_stream(DEFAULT_PROJECT, studio.live.id, ALL) is None


async def test_what_the_window_took_is_not_offered(studio: Studio) -> None:
    await studio.broadcast("live")
    for name in ("video", "audio"):
        for msn in (0, 1):
            studio.store.layout.rendition("br1", name).segment(msn).unlink()

    clip = await studio.clip()

    assert (clip.segments or {})["first"] == 2
    with pytest.raises(MomentError, match="before what is recorded"):
        await studio.clip(Wish(Wall(START_MS + 1000), None))


async def test_an_end_that_is_near_is_waited_for(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    await studio.broadcast("live")
    monkeypatch.setattr(module, "WAIT_MS", 300)
    monkeypatch.setattr(module, "LOOK_S", 0.05)

    with pytest.raises(MomentError, match=r"by about 0\.2 s"):
        await studio.clip(Wish(Seconds(0), Wall(START_MS + 11_200)))


async def test_a_clip_outlives_the_live_window_and_the_recording(studio: Studio) -> None:
    await studio.broadcast("live")
    clip = await studio.clip(Wish(Seconds(2), Seconds(6)))
    with studio.store:
        writer = studio.store.rendition("br1", "video")
        for msn in range(6):
            writer.discard(msn)
        studio.store.flush().result(30)

    assert studio.store.layout.rendition("br1", "video").numbers() == [1, 2]

    async with studio.database.write() as transaction:
        row = await broadcasts.get(transaction, "br1")
        assert row
        row.state = "recorded"
    await studio.upkeep.release("br1")
    assert studio.store.layout.rendition("br1", "audio").numbers() == [1, 2]

    async with studio.database.write() as transaction:
        found = await videos.find(transaction, clip.id)
        assert found
        await videos.remove(transaction, found)
    await studio.upkeep.release("br1")
    assert not studio.store.layout.broadcast("br1").exists()
