"""A clip of real pictures, cut to the picture by a real child, decodes frame by frame."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import pytest

from server.catalog import videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Video
from server.formats.fmp4.read import read_samples
from server.jobs.context import JobContext
from server.media.child import Children
from server.packager.presentation import Span, Stored
from server.packager.recorded import RecordedVideo
from server.recorder.edges import FIRST_GENERATION, Edges
from server.recorder.to_vod import Recorder
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from tests.harness import catalogue
from tests.harness.media import clip
from tests.unit.packager.publishing import Broadcast
from tests.unit.packager.test_real_media import publish


@pytest.fixture
def catalogue_url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


@pytest.fixture
async def database(catalogue_url: str) -> AsyncIterator[Database]:
    async with Database.open(catalogue_url) as database:
        yield database


class Room:
    """The broadcast br1 of a ten second film at 30 pictures a second, and clips of it."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self.database = database
        self.layout = layout

    def broadcast(self, **film: Any) -> None:
        with SegmentStore(self.layout) as store:
            on_air = Broadcast.on(store)
            publish(on_air.stream, clip(10, extension="flv", **film).read_bytes())
            on_air.stream.end()
            on_air.written()

    async def clip(self, first: int, last: int, head_ms: int, tail_ms: int) -> Video:
        """The clip's row, after its job has run."""
        duration_s = Recorder(self.layout).load("br1", Span(first, last)).duration_s
        row = Video(
            project_id=DEFAULT_PROJECT, title="", source="live", broadcast_id="br1", duration_s=duration_s,
            segments={"first": first, "last": last, "head_ms": head_ms, "tail_ms": tail_ms},
        )  # fmt: skip
        async with self.database.write() as transaction:
            await videos.add(transaction, row)
        async with Children(2) as children:
            await Edges(self.database, self.layout, children).run(job(row.id))
        async with self.database.read() as transaction:
            found = await videos.find(transaction, row.id)
        assert found
        return found

    def shown(self, row: Video) -> RecordedVideo:
        segments = row.segments or {}
        span = Span(segments["first"], segments["last"])
        stored = Stored(row.id, "br1", span, exact="exact" in segments)
        return cast(RecordedVideo, Recorder(self.layout).presentation(stored))

    def times(self, row: Video, rendition: str) -> list[float]:
        """Seconds at which each picture, or sound frame, is shown: of all generations of the playlist."""
        presentation, found = self.shown(row), []
        init = b""
        for text in presentation.media(rendition).splitlines():
            if text.startswith("#EXT-X-MAP"):
                name = text.split('"')[1].removesuffix(".mp4").removeprefix("init").removeprefix("-")
                init = presentation.init(rendition, int(name or 0))
            elif text.endswith(".m4s"):
                segment = self.segment(row, rendition, int(text.removesuffix(".m4s")))
                found += decoded(init, segment, 90_000 if rendition == "video" else 48_000)
        return found

    def segment(self, row: Video, rendition: str, number: int) -> bytes:
        own = self.layout.clip_edges(row.id, rendition).segment(number)
        return (own if own.exists() else self.layout.rendition("br1", rendition).segment(number)).read_bytes()


def job(video_id: str) -> JobContext:
    async def step(_: str, work: Callable[[], Awaitable[Any]]) -> Any:
        return await work()

    return cast(JobContext, SimpleNamespace(object_id=video_id, step=step))


def decoded(init: bytes, segment: bytes, rate: int) -> list[float]:
    """When the pictures or frames of a segment are shown, by its boxes; the decoder finds as many, all whole."""
    samples = read_samples(segment)
    with av.open(io.BytesIO(init + segment), "r") as container:
        if container.streams.video:
            frames = list(container.decode(video=0))
            assert not any(frame.is_corrupt for frame in frames)
            assert len(frames) == len(samples)
    return sorted(sample.pts / rate for sample in samples)


@pytest.fixture
def room(database: Database, tmp_path: Path) -> Room:
    return Room(database, Layout(tmp_path))


@pytest.mark.parametrize("b_frames", [0, 2])
async def test_both_edges_are_exact_to_the_picture(room: Room, b_frames: int) -> None:
    room.broadcast(b_frames=b_frames)

    row = await room.clip(0, 3, 500, 1200)

    assert row.segments
    assert row.segments["exact"] == row.revision == 2
    assert row.duration_s == pytest.approx(8 - 1.7, abs=0.04)
    pictures, sound = room.times(row, "video"), room.times(row, "audio")
    assert len(pictures) == pytest.approx(6.3 * 30, abs=1)
    assert pictures[0] == pytest.approx(0.5, abs=0.034)
    assert pictures[-1] == pytest.approx(8 - 1.2 - 1 / 30, abs=0.034)
    assert all(0.03 < after - before < 0.04 for before, after in pairwise(pictures))
    assert sound[0] == pytest.approx(0.5, abs=0.022)
    assert sound[-1] == pytest.approx(8 - 1.2, abs=0.045)
    playlist = room.shown(row).media("video")
    assert playlist.count("#EXT-X-DISCONTINUITY\n") == 2
    assert room.shown(row).media("audio").count("#EXT-X-DISCONTINUITY\n") == 2
    assert f"init-{FIRST_GENERATION}.mp4" in playlist


async def test_a_clip_within_one_segment(room: Room) -> None:
    room.broadcast()

    row = await room.clip(2, 2, 400, 600)

    pictures = room.times(row, "video")
    assert len(pictures) == pytest.approx(30, abs=1)
    assert pictures[0] == pytest.approx(4.4, abs=0.034)
    assert pictures[-1] == pytest.approx(5.4 - 1 / 30, abs=0.034)


async def test_whole_segments_stay_as_they_are(room: Room) -> None:
    room.broadcast()

    row = await room.clip(1, 2, 0, 0)

    assert not room.layout.clip_edges(row.id, "video").segment(1).exists()
    assert len(room.times(row, "video")) == 120


async def test_what_can_not_be_cut_stays_exact_to_the_segment(room: Room) -> None:
    room.broadcast()
    room.layout.rendition("br1", "video").segment(0).write_bytes(b"nothing")

    row = await room.clip(0, 1, 500, 0)

    assert row.segments
    assert "exact" not in row.segments
    assert row.revision == 1
