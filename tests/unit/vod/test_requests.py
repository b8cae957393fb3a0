"""Segments on request: made once for all who wait, in their order, and what happens when they can't be."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from server.media.child import ChildFailed, Children
from server.media.ladder import Source, Wish, rungs
from server.media.orders import TIMESCALE, Described, PictureOrder, Reading, Segment
from server.media.problems import MediaProblem
from server.media.title import Measured
from server.media.warm_encoder import Answer
from server.storage.journal import TrackEntry
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore
from server.storage.segment_cache import SegmentCache, SegmentKey
from server.vod import plans, requests
from server.vod.plan import OnRequest, Plan
from server.vod.requests import BusyError, NoSuchSegmentError, NotMadeError, Requests
from server.vod.warm_encoders import WarmEncoders

INIT = b"an init segment"
SEGMENTS = 8
PLAN = Plan(
    duration_s=16.0,
    cuts=tuple(range(0, 2 * SEGMENTS * TIMESCALE + 1, 2 * TIMESCALE)),
    rungs=rungs(Source(640, 360, frame_rate=30.0), [Wish(240), Wish(144)]),
    on_request=OnRequest(0, 23.0, (0, 2, 2, 2)),
)


@dataclass
class Studio:
    """All that the fake children do; `gate` lets them go on."""

    orders: list[str] = field(default_factory=list)
    ceilings: list[int] = field(default_factory=list)  # of them
    ended: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[Exception | MediaProblem | bytes] = field(default_factory=list)  # of the next orders
    prepared: int = 0

    def prepare(self, module: str) -> None:
        self.prepared += 1


class FakeEncoder:
    def __init__(self, studio: Studio, source: int, index: int | None, reading: Reading, mark: int | None) -> None:
        self.studio, self.fd = studio, source
        self.killed = asyncio.Event()
        self.position, self.orders, self.usable = -1, 0, True

    async def make(self, order: PictureOrder, outputs: Mapping[str, int]) -> Answer:
        self.orders += 1
        ((name, output),) = outputs.items()
        self.studio.orders.append(f"{name}/{order.first}")
        self.studio.ceilings.append(order.rungs[0].bitrate)
        os.write(output, f"segment {order.first} of {name}".encode())
        gone = asyncio.ensure_future(self.killed.wait())
        going = asyncio.ensure_future(self.studio.gate.wait())
        await asyncio.wait([gone, going], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        going.cancel()
        if self.killed.is_set():
            raise ChildFailed("crashed", "it was killed")
        init = INIT
        if self.studio.failures:
            failure = self.studio.failures.pop(0)
            if isinstance(failure, Exception):
                self.usable = False
                raise failure
            if isinstance(failure, MediaProblem):
                return Answer(problem=failure)
            init = failure
        self.position = order.cuts[-1]
        size = os.fstat(output).st_size
        segment = Segment(name, order.first, order.cuts[0], order.cuts[1] - order.cuts[0], size)
        return Answer({name: Described(name, init, "avc1.64001e", TIMESCALE)}, {name: segment})

    def end(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.studio.ended += 1
        self.fd, self.usable = -1, False

    def kill(self) -> None:
        self.end()
        self.killed.set()

    async def ended(self) -> None:
        assert self.fd < 0


@dataclass
class Desk:
    """Requests and what is behind them."""

    requests: Requests
    studio: Studio
    layout: Layout
    video_id: str = "vi1"

    def key(self, number: int, rendition: str = "240p") -> SegmentKey:
        return SegmentKey(self.video_id, 1, rendition, number)

    def ask(self, number: int, rendition: str = "240p") -> "asyncio.Task[bytes]":
        return asyncio.ensure_future(self.requests.segment(self.key(number, rendition)))

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(30):
            while not what():
                await asyncio.sleep(0.005)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as desk:
        yield desk


@asynccontextmanager
async def open_desk(
    folder: Path, fill: bool = False, places: int = 2, wait_s: float = 5.0, idle_s: float = 60.0
) -> AsyncIterator[Desk]:
    layout, studio = Layout(folder), Studio()
    renditions = RenditionStore(layout)
    for video_id in ("vi1", "vi2"):
        plans.keep(layout, video_id, 1, PLAN)
        layout.video_source(video_id).write_bytes(b"a source")
        for rung in PLAN.rungs:
            renditions.describe(video_id, 1, rung.name, INIT, TrackEntry(0, "video", "avc1", TIMESCALE, 0, 0))
    encoders = WarmEncoders(layout, cast(Children, studio), places, idle_s, cast(Any, FakeEncoder))
    made = Requests(layout, encoders, SegmentCache(layout, 10_000), fill, wait_s)
    async with made.running():
        studio.gate.set()
        yield Desk(made, studio, layout)
        studio.gate.set()
    assert encoders.alive == 0


async def test_a_segment_is_made_once_for_all_who_wait(desk: Desk) -> None:
    desk.studio.gate.clear()
    asking = [desk.ask(3) for _ in range(5)]
    await desk.until(lambda: desk.studio.orders)
    desk.studio.gate.set()

    assert await asyncio.gather(*asking) == [b"segment 3 of 240p"] * 5
    await desk.until(lambda: desk.requests.cache.has(desk.key(3)))
    found = desk.requests.numbers.found
    assert await desk.ask(3) == b"segment 3 of 240p"
    assert desk.studio.orders.count("240p/3") == 1
    assert (desk.requests.numbers.found, desk.requests.numbers.refused) == (found + 1, 0)


async def test_a_title_that_was_looked_at_has_its_own_ceilings(desk: Desk) -> None:
    measured = replace(PLAN, title=Measured(PLAN.rungs[-1], (40_000,), 1.0))
    assert measured.fitted[0].bitrate < PLAN.rungs[0].bitrate
    plans.keep(desk.layout, "vi2", 1, measured)
    for video_id in ("vi1", "vi2"):
        await desk.requests.segment(SegmentKey(video_id, 1, "240p", SEGMENTS - 1))
    assert desk.studio.ceilings == [PLAN.rungs[0].bitrate, measured.fitted[0].bitrate]


async def test_the_next_ones_are_made_ahead_and_by_the_same_child(desk: Desk) -> None:
    await desk.ask(2)
    await desk.until(lambda: len(desk.studio.orders) == 1 + requests.AHEAD)

    assert desk.studio.orders == ["240p/2", "240p/3", "240p/4", "240p/5"]
    await desk.until(lambda: desk.requests.cache.has(desk.key(5)))
    assert desk.requests.encoders == 1
    await desk.ask(6)
    await desk.until(lambda: desk.requests.cache.has(desk.key(7)))
    assert desk.studio.orders[4:] == ["240p/6", "240p/7"], "there are eight"


async def test_who_waits_goes_before_what_is_made_ahead(desk: Desk) -> None:
    await desk.ask(0)
    desk.studio.gate.clear()
    await desk.until(lambda: len(desk.studio.orders) == 2)  # the next is being made ahead
    other = desk.ask(5, "144p")
    await desk.until(lambda: len(desk.studio.orders) == 3)
    desk.studio.gate.set()

    await other
    assert desk.studio.orders[1:3] == ["240p/1", "144p/5"]


async def test_what_is_made_ahead_is_waited_for(desk: Desk) -> None:
    await desk.ask(0)
    desk.studio.gate.clear()
    await desk.until(lambda: len(desk.studio.orders) == 2)
    waiting = desk.ask(1)
    await asyncio.sleep(0.02)
    desk.studio.gate.set()

    assert await waiting == b"segment 1 of 240p"
    assert desk.studio.orders.count("240p/1") == 1


async def test_too_many_at_once_are_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MOST_ASKED", 3)
    desk.studio.gate.clear()
    asking = [desk.ask(number) for number in (0, 2, 4)]
    await desk.until(lambda: desk.requests.waiting == 3)
    with pytest.raises(BusyError):
        await desk.ask(6)
    joined = desk.ask(4)  # costs nothing
    await asyncio.sleep(0.02)
    desk.studio.gate.set()

    assert len(await asyncio.gather(*asking, joined)) == 4
    assert desk.requests.numbers.refused == 1
    assert await desk.ask(6)


async def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    async with open_desk(tmp_path, wait_s=0.05) as desk:
        desk.studio.gate.clear()
        with pytest.raises(BusyError):
            await desk.ask(1)
        desk.studio.gate.set()
        assert await desk.ask(1) == b"segment 1 of 240p"
        assert desk.studio.orders.count("240p/1") == 1, "it was made all the same"


async def test_who_leaves_takes_his_place_in_the_queue_with_him(desk: Desk) -> None:
    desk.studio.gate.clear()
    asking = []
    for number in (0, 2, 4, 6):
        asking.append(desk.ask(number))
        await desk.until(lambda: desk.requests.waiting == len(asking))
    for task in asking[2:]:
        task.cancel()
    await asyncio.wait(asking[2:])
    assert desk.requests.waiting == 2
    desk.studio.gate.set()

    await asyncio.gather(*asking[:2])
    assert desk.studio.orders[:2] == ["240p/0", "240p/2"]
    assert desk.requests.numbers.failed == 0


@pytest.mark.parametrize(("number", "rendition"), [(-1, "240p"), (SEGMENTS, "240p"), (0, "1080p")])
async def test_what_is_not_planned_is_not_made(desk: Desk, number: int, rendition: str) -> None:
    with pytest.raises(NoSuchSegmentError):
        await desk.ask(number, rendition)
    assert not desk.studio.orders


async def test_a_plan_that_is_not_for_it_makes_nothing(desk: Desk) -> None:
    plans.keep(desk.layout, "vi2", 1, Plan(2.0, (0, 2 * TIMESCALE), PLAN.rungs))
    desk.video_id = "vi2"
    with pytest.raises(NoSuchSegmentError):
        await desk.ask(0)


async def test_a_child_that_crashes_is_followed_by_another(desk: Desk) -> None:
    desk.studio.failures = [ChildFailed("crashed", "it was killed")]

    assert await desk.ask(7) == b"segment 7 of 240p"
    assert desk.studio.orders == ["240p/7", "240p/7"]


@pytest.mark.parametrize(
    "failure",
    [
        [ChildFailed("crashed", "it was killed")] * 2,
        [MediaProblem("invalid", "no picture of the segment could be decoded")],
        [b"another init segment"],
    ],
)
async def test_a_failure_is_told_and_remembered_for_a_while(
    desk: Desk, failure: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.studio.failures = list(failure)
    with pytest.raises(NotMadeError):
        await desk.ask(7)
    asked = len(desk.studio.orders)
    with pytest.raises(NotMadeError):
        await desk.ask(7)
    assert (len(desk.studio.orders), desk.requests.numbers.failed) == (asked, 1)
    assert await desk.ask(7, "144p"), "others are not touched"

    monkeypatch.setattr(requests, "FAILED_S", 0.0)
    assert await desk.ask(7) == b"segment 7 of 240p"


async def test_a_deleted_videos_segments_are_not_waited_for(desk: Desk) -> None:
    assert await desk.ask(1)
    await desk.until(lambda: desk.requests.cache.has(desk.key(4)))
    desk.studio.gate.clear()
    waiting = [desk.ask(number) for number in (0, 5, 7)]
    await desk.until(lambda: desk.requests.waiting == 3)

    desk.requests.forget("vi1")

    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in found] == [NotMadeError] * 3
    await desk.until(lambda: desk.requests.encoders == 0)
    assert desk.requests.cache.used == 0
    desk.layout.video_plan("vi1", 1).unlink()
    with pytest.raises(FileNotFoundError):
        await desk.ask(1)


async def test_children_of_other_videos_make_way(tmp_path: Path) -> None:
    async with open_desk(tmp_path, places=1) as desk:
        await desk.ask(7)
        desk.video_id = "vi2"
        await desk.ask(7)
        assert (desk.requests.encoders, desk.studio.ended) == (1, 1)


async def test_a_child_that_nobody_asks_ends(tmp_path: Path) -> None:
    async with open_desk(tmp_path, idle_s=0.01) as desk:
        await desk.ask(7)
        await desk.until(lambda: desk.requests.encoders == 0)
        assert desk.studio.ended == 1


async def test_the_rest_is_made_while_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "QUIET_S", 0.01)
    async with open_desk(tmp_path, fill=True) as desk:
        await desk.ask(6)
        await desk.until(lambda: all(desk.requests.cache.has(desk.key(n)) for n in range(SEGMENTS)))
        assert sorted(desk.studio.orders) == [f"240p/{n}" for n in range(SEGMENTS)]
        assert not desk.requests.cache.has(desk.key(0, "144p")), "which nobody asked for"


async def test_what_is_made_after_a_restart_is_what_is_missing(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.ask(7)
        await desk.until(lambda: desk.requests.cache.has(desk.key(7)))
    async with open_desk(tmp_path) as desk:
        assert await desk.ask(7) == b"segment 7 of 240p"
        assert not desk.studio.orders
