"""What is watched, in memory: loaded once, forgotten when it is gone or too much."""

import asyncio
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from server.formats.fmp4.movie import read_index
from server.packager.presentation import (
    NoSuchMediaError,
    Piece,
    Presentation,
    SegmentPlan,
    ShortReadError,
    Span,
    Stored,
)
from server.storage.journal import TrackEntry
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore, entry
from server.vod import presentations as module
from server.vod.plan import Plan
from server.vod.presentations import Presentations, uploaded
from tests.harness.mp4 import FakeTrack, mp4


@dataclass
class FakePresentation:
    """So many seconds of the video or broadcast that it was made of."""

    holder: str
    duration_s: float = 10.0
    growing: bool = False


@dataclass
class FakeLoader:
    loaded: list[str] = field(default_factory=list)
    spans: list[Span | None] = field(default_factory=list)
    duration_s: float = 10.0
    fails: Exception | None = None
    go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, stored: Stored) -> Presentation:
        holder = stored.broadcast_id or stored.video_id
        self.loaded.append(holder)
        self.spans.append(stored.span)
        self.go.wait(30)
        if self.fails:
            raise self.fails
        return cast(Presentation, FakePresentation(holder, self.duration_s, not stored.settled))


@pytest.fixture
def loader() -> FakeLoader:
    loader = FakeLoader()
    loader.go.set()
    return loader


@pytest.fixture
def presentations(loader: FakeLoader, tmp_path: Path) -> Iterator[Presentations]:
    with Presentations(Layout(tmp_path), {"upload": loader, "live": loader}) as presentations:
        yield presentations


async def test_a_presentation_is_loaded_once(presentations: Presentations, loader: FakeLoader) -> None:
    loader.go.clear()
    asking = [asyncio.ensure_future(presentations.get(Stored("vi1"), 1, "upload")) for _ in range(5)]
    await asyncio.sleep(0)
    loader.go.set()

    found = await asyncio.gather(*asking)

    assert all(one is found[0] for one in found)
    assert await presentations.get(Stored("vi1"), 1, "upload") is found[0]
    assert loader.loaded == ["vi1"]


async def test_a_revision_is_another_one(presentations: Presentations, loader: FakeLoader) -> None:
    first, second = [await presentations.get(Stored("vi1"), revision, "upload") for revision in (1, 2)]
    assert first is not second


async def test_a_recording_is_found_by_its_broadcast(presentations: Presentations, loader: FakeLoader) -> None:
    await presentations.get(Stored("vi1", "br1"), 1, "live")

    assert loader.loaded == ["br1"]


async def test_a_part_of_a_broadcast_is_asked_for_as_such(presentations: Presentations, loader: FakeLoader) -> None:
    await presentations.get(Stored("vi1", "br1", Span(2, 5)), 1, "live")

    assert loader.spans == [Span(2, 5)]


async def test_what_was_made_elsewhere_is_not_loaded(presentations: Presentations, loader: FakeLoader) -> None:
    made = cast(Presentation, FakePresentation("br1", 90.0))

    presentations.put("vi1", 1, made)
    presentations.put("vi1", 1, made)

    assert await presentations.get(Stored("vi1", "br1"), 1, "live") is made
    assert loader.loaded == []
    assert presentations._kept_s == 90.0


async def test_what_was_forgotten_is_loaded_again(presentations: Presentations, loader: FakeLoader) -> None:
    for revision in (1, 2):
        await presentations.get(Stored("vi1"), revision, "upload")
    await presentations.get(Stored("vi2"), 1, "upload")

    presentations.forget("vi1")
    presentations.forget("vi1")
    await presentations.get(Stored("vi2"), 1, "upload")
    await presentations.get(Stored("vi1"), 1, "upload")

    assert loader.loaded == ["vi1", "vi1", "vi2", "vi1"]


async def test_a_failure_is_told_to_all_and_not_remembered(presentations: Presentations, loader: FakeLoader) -> None:
    loader.fails = FileNotFoundError("no index")
    asked = [presentations.get(Stored("vi1"), 1, "upload") for _ in range(2)]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in found] == [FileNotFoundError] * 2

    loader.fails = None
    assert await presentations.get(Stored("vi1"), 1, "upload")


async def test_a_failure_that_nobody_waits_for_is_no_fault(
    presentations: Presentations, loader: FakeLoader, recwarn: pytest.WarningsRecorder
) -> None:
    """The loop would complain of an exception that was never retrieved."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    loader.fails = FileNotFoundError("no index")
    loader.go.clear()
    asking = asyncio.ensure_future(presentations.get(Stored("vi1"), 1, "upload"))
    await asyncio.sleep(0.01)
    asking.cancel()
    loader.go.set()
    while presentations._loading:
        await asyncio.sleep(0.001)

    assert complaints == []


async def test_the_least_watched_go_when_all_together_are_too_long(
    presentations: Presentations, loader: FakeLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_S", 3 * 3600.0)
    loader.duration_s = 3600.0
    for number in (1, 2, 3):
        await presentations.get(Stored(f"vi{number}"), 1, "upload")
    await presentations.get(Stored("vi1"), 1, "upload")
    await presentations.get(Stored("vi4"), 1, "upload")
    assert [id for id, _ in presentations._kept] == ["vi3", "vi1", "vi4"]

    loader.duration_s = 10 * 3600.0
    await presentations.get(Stored("vi5"), 1, "upload")
    assert [id for id, _ in presentations._kept] == ["vi5"]  # one is kept, however long
    presentations.forget("vi5")
    assert presentations._kept_s == 0


async def test_the_shortest_count_too(
    presentations: Presentations, loader: FakeLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_S", 3 * module.LEAST_S)
    loader.duration_s = 0.1
    for number in range(5):
        await presentations.get(Stored(f"vi{number}"), 1, "upload")

    assert len(presentations._kept) == 3


async def test_a_segment_is_put_together_of_pieces_of_the_source(presentations: Presentations, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.video("vi1").mkdir(parents=True)
    layout.video_source("vi1").write_bytes(bytes(range(100)))
    plan = SegmentPlan(b"head", ((10, 4), (50, 2)), (Piece(0, 0, 4), b"-", Piece(1, 0, 2)), 11)

    assert await presentations.segment("vi1", plan) == b"head" + bytes([10, 11, 12, 13]) + b"-" + bytes([50, 51])

    layout.video_source("vi1").write_bytes(bytes(51))
    with pytest.raises(ShortReadError):
        await presentations.segment("vi1", plan)
    layout.video_source("vi1").unlink()
    with pytest.raises(FileNotFoundError):
        await presentations.segment("vi1", plan)


def test_an_upload_is_loaded_by_its_index(tmp_path: Path) -> None:
    layout, data = Layout(tmp_path), mp4(FakeTrack(count=300, sync=range(1, 300, 60)))
    layout.video("vi1").mkdir(parents=True)
    index = read_index(lambda offset, size: data[offset : offset + size], len(data))
    layout.video_index("vi1").write_bytes(index.to_bytes())

    presentation = uploaded(layout, RenditionStore(layout), 2.0)(Stored("vi1"))

    assert presentation.duration_s == 10.0
    assert presentation.renditions == ("video",)


def _stored(tmp_path: Path, *tracks: FakeTrack) -> tuple[Layout, RenditionStore]:
    """An upload with its index and the plan of one that is served by it."""
    layout, data = Layout(tmp_path), mp4(*tracks)
    index = read_index(lambda offset, size: data[offset : offset + size], len(data))
    layout.video_plan("vi1", 1).parent.mkdir(parents=True)
    layout.video_index("vi1").write_bytes(index.to_bytes())
    layout.video_plan("vi1", 1).write_bytes(Plan(10.0, (0, 900_000), passed=True).to_bytes())
    return layout, RenditionStore(layout)


def _make(renditions: RenditionStore, name: str) -> None:
    renditions.describe("vi1", 1, name, b"init", TrackEntry(0, "video", "avc1.64001f", 90_000, 0, 0, 320, 180, 30.0))
    with renditions.begin("vi1", 1, name, 0) as run:
        os.write(run.descriptor, b"segment")
        run.add(entry(0, 0, 900_000, 90_000, 7))
    renditions.finish("vi1", 1, name)


def test_of_what_is_altered_only_the_sound_is_the_sources(tmp_path: Path) -> None:
    """One loader gives both: whether it is altered is a fact of the row, which may change."""
    sound = FakeTrack("audio", 480, 20, 48_000, delta=1024)
    layout, renditions = _stored(tmp_path, FakeTrack(count=300, sync=range(1, 300, 60)), sound)
    load = uploaded(layout, renditions, 2.0)
    as_it_is, altered = Stored("vi1"), Stored("vi1", altered=True)

    assert load(as_it_is).renditions == ("video", "audio")
    assert load(altered).renditions == ("audio",)
    for name in ("180p", "video"):  # one of an earlier time
        _make(renditions, name)
    assert load(altered).renditions == ("180p", "audio")
    assert "/video/" not in load(altered).master("r1/")
    with pytest.raises(NoSuchMediaError):
        load(altered).segment("video", 0)
    layout.video_plan("vi1", 1).unlink()
    with pytest.raises(ValueError, match="nothing can be watched yet"):
        load(altered)
    assert load(as_it_is).renditions == ("video", "audio")


def test_of_what_is_altered_and_silent_nothing_is_the_sources(tmp_path: Path) -> None:
    layout, renditions = _stored(tmp_path, FakeTrack(count=300, sync=range(1, 300, 60)))
    load, altered = uploaded(layout, renditions, 2.0), Stored("vi1", altered=True)

    with pytest.raises(ValueError, match="nothing can be watched yet"):
        load(altered)
    _make(renditions, "180p")
    assert load(altered).renditions == ("180p",)


async def test_one_that_grows_is_loaded_again_once_it_is_a_second_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, loads = [100.0], [0]
    monkeypatch.setattr("server.clock.monotonic", lambda: now[0])

    def load(stored: Stored) -> Any:
        loads[0] += 1
        return FakePresentation(stored.video_id, growing=loads[0] < 3)

    with Presentations(Layout(tmp_path), {"upload": load}) as presentations:
        for at, expected in ((100.0, 1), (100.5, 1), (101.0, 2), (102.5, 3), (110.0, 3)):
            now[0] = at
            await presentations.get(Stored("vi1", settled=False), 1, "upload")
            assert loads[0] == expected


async def test_what_has_ended_is_shown_whole_at_once(presentations: Presentations, loader: FakeLoader) -> None:
    """Also while one is being loaded that began before the end, whenever that comes."""
    loader.go.clear()
    before = asyncio.ensure_future(presentations.get(Stored("vi1", settled=False), 1, "upload"))
    await asyncio.sleep(0)
    after = asyncio.ensure_future(presentations.get(Stored("vi1", settled=True), 1, "upload"))
    await asyncio.sleep(0)
    loader.go.set()

    growing, whole = await asyncio.gather(before, after)

    assert (growing.growing, whole.growing) == (True, False)
    assert await presentations.get(Stored("vi1", settled=True), 1, "upload") is whole
    assert len(loader.loaded) == 2


async def test_one_that_grows_is_not_shown_after_the_end(presentations: Presentations, loader: FakeLoader) -> None:
    growing = await presentations.get(Stored("vi1", settled=False), 1, "upload")
    assert await presentations.get(Stored("vi1", settled=False), 1, "upload") is growing

    assert not (await presentations.get(Stored("vi1", settled=True), 1, "upload")).growing


async def test_one_that_grows_is_read_again_once_its_video_changed(
    presentations: Presentations, loader: FakeLoader
) -> None:
    kept = {}
    for id, growing in (("vi1", True), ("vi2", False)):
        kept[id] = cast(FakePresentation, await presentations.get(Stored(id), 1, "upload"))
        kept[id].growing = growing

    presentations.outdated({"vi1", "vi2", "another"})

    assert await presentations.get(Stored("vi1"), 1, "upload") is not kept["vi1"]
    assert await presentations.get(Stored("vi2"), 1, "upload") is kept["vi2"]


async def changed_while_read(
    presentations: Presentations, loader: FakeLoader
) -> tuple[Stored, "asyncio.Future[Presentation]"]:
    """One that grows, whose reading goes on with `loader.go`."""
    loader.go.clear()
    stored = Stored("vi1", settled=False)
    reading = asyncio.ensure_future(presentations.get(stored, 1, "upload"))
    await asyncio.sleep(0)
    presentations.outdated({"vi1"})
    return stored, reading


async def test_one_that_changes_while_it_is_read_is_read_again(
    presentations: Presentations, loader: FakeLoader
) -> None:
    stored, before = await changed_while_read(presentations, loader)
    after = asyncio.ensure_future(presentations.get(stored, 1, "upload"))
    await asyncio.sleep(0)
    loader.go.set()

    old, new = await asyncio.gather(before, after)

    assert old is not new
    assert await presentations.get(stored, 1, "upload") is not old


async def test_one_that_changed_while_it_was_read_is_not_taken_for_fresh(
    presentations: Presentations, loader: FakeLoader
) -> None:
    stored, before = await changed_while_read(presentations, loader)
    loader.go.set()
    old = await before

    assert await presentations.get(stored, 1, "upload") is not old
