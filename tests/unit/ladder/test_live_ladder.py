"""A broadcast's ladder with children that are made up: what is packaged, given up, and begun again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from server.formats.sample import Sample, VideoConfig
from server.ladder import live_ladder
from server.ladder.live_ladder import LiveLadder
from server.media.ladder import Wish
from server.media.wire import Config, Dropped, Flush, Message, Status, Unit
from tests.harness.mp4 import AVCC
from tests.unit.ladder.fakes import FakePackager, FakeTranscoder

SOURCE = VideoConfig("avc1.640028", 90_000, 1920, 1080, b"entry")
SMALL_SOURCE = VideoConfig("avc1.640028", 90_000, 640, 360, b"entry")
TOO_SLOW = "the machine can't keep up"


class Kit:
    """A ladder that runs, the children it has made, and what it told."""

    def __init__(self, wishes: list[Wish] | None) -> None:
        self.packager = FakePackager()
        self.children: list[FakeTranscoder] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.wanted = 0
        self.ladder = LiveLadder("br1", wishes, self.packager, self._start, lambda *event: self.events.append(event))
        self.running: asyncio.Task[None] | None = None

    def _start(self) -> None:
        self.wanted += 1
        self.running = asyncio.create_task(self.ladder.run(self._make))

    def _make(self, hear: Callable[[Message], None]) -> FakeTranscoder:
        child = FakeTranscoder(hear)
        self.children.append(child)
        return child

    async def until_children(self, count: int) -> FakeTranscoder:
        async with asyncio.timeout(30):
            while len(self.children) < count:
                await asyncio.sleep(0)
        return self.children[-1]

    async def fed(self, source: VideoConfig = SOURCE) -> FakeTranscoder:
        self.ladder.configure("video", source, 0)
        self.ladder.write("video", Sample(0, 0, True, b"picture"))
        return await self.until_children(1)


Make = Callable[..., Kit]


@pytest.fixture
async def make(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    for name in ("FIRST_WAIT_S", "LONGEST_WAIT_S"):
        monkeypatch.setattr(live_ladder, name, 0.0)
    kits: list[Kit] = []

    def make(wishes: list[Wish] | None = None) -> Kit:
        kits.append(Kit(wishes))
        return kits[-1]

    yield make
    for kit in kits:
        if kit.running:
            kit.running.cancel()
            await asyncio.gather(kit.running, return_exceptions=True)


def opened(track: int, name: str, generation: int = 0, record: bytes = AVCC) -> Config:
    return Config(track, generation, {"name": name, "timescale": 90_000, "frameRate": 30.0}, record)


def wishes_of(message: Message) -> list[int]:
    assert isinstance(message, Config)
    return [wish["height"] for wish in message.facts["wishes"]]


async def test_what_comes_back_is_packaged(make: Make) -> None:
    kit = make()
    child = await kit.fed()
    config, unit = child.took()
    assert wishes_of(config) == [720, 480, 360]
    assert unit == Unit(0, 0, 0, True, b"picture")
    assert kit.packager.expected == ["720p", "480p", "360p"]
    kit.ladder.write("video", Sample(3000, 0, False, b"next"))
    child.hear(opened(1, "480p"))
    child.hear(Unit(1, 300, 100, True, b"coded"))
    assert kit.packager.calls == [("configure 0", "480p")]
    assert kit.packager.samples == {"480p": [Sample(100, 200, True, b"coded")]}
    config_480 = kit.packager.configs["480p"]
    assert isinstance(config_480, VideoConfig)
    assert (config_480.codec, config_480.timescale) == ("avc1.42c00d", 90_000)


async def test_a_source_too_small_for_a_ladder_has_no_child(make: Make) -> None:
    kit = make([Wish(720)])
    kit.ladder.configure("video", SMALL_SOURCE, 0)
    assert kit.wanted == 0
    kit.ladder.configure("video", SOURCE, 1)
    kit.ladder.configure("video", SOURCE, 2)
    assert kit.wanted == 1


async def test_what_nobody_asked_for_is_ignored(make: Make) -> None:
    kit = make([Wish(480)])
    child = await kit.fed()
    for message in (
        Unit(0, 0, 0, True, b""),
        opened(0, "1080p"),
        Config(0, 0, {"name": "480p", "timescale": 0}, AVCC),
        Config(0, 0, {}, AVCC),
        Dropped("1080p", "no"),
        Status({"behindMs": "late", "damaged": None}),
        Status({"behindMs": float("nan"), "damaged": float("inf")}),
        Flush(7),
    ):
        child.hear(message)
    assert (kit.packager.calls, kit.packager.samples, kit.events) == ([], {}, [])
    assert kit.ladder.behind_s == 0.0


async def test_times_that_were_never_sent_or_do_not_grow_are_ignored(make: Make) -> None:
    kit = make([Wish(480)])
    child = await kit.fed()
    kit.ladder.write("video", Sample(9000, 0, False, b"next"))
    child.hear(opened(0, "480p"))
    for pts, dts in [(0, 0), (0, -1), (-1, 1), (9001, 1), (1, 9001), (1 << 62, 1 << 62), (0, 0), (9000, 9000)]:
        child.hear(Unit(0, pts, dts, False, b"x"))
    assert [(sample.pts, sample.dts) for sample in kit.packager.samples["480p"]] == [(0, 0), (9000, 9000)]


async def test_statistics(make: Make) -> None:
    kit = make()
    child = await kit.fed()
    child.hear(Status({"behindMs": 1500, "damaged": 3, "pictures": 9}))
    assert (kit.ladder.behind_s, kit.ladder.damaged) == (1.5, 3)


async def test_a_rendition_given_up_leaves_and_is_told(make: Make) -> None:
    kit = make()
    child = await kit.fed()
    child.hear(opened(0, "720p"))
    child.hear(Dropped("720p", TOO_SLOW))
    child.hear(Dropped("720p", TOO_SLOW))
    child.hear(Unit(0, 0, 0, True, b"late"))
    assert kit.packager.calls == [("configure 0", "720p"), ("drop", "720p")]
    assert kit.packager.samples == {}
    assert kit.events == [("live-stream.rendition.dropped", {"rendition": "720p", "reason": TOO_SLOW})]
    kit.ladder.configure("video", SOURCE, 1)
    kit.ladder.write("video", Sample(3000, 0, True, b"next"))
    assert wishes_of(child.took()[2]) == [480, 360]


async def test_with_the_last_rendition_the_child_ends(make: Make) -> None:
    kit = make([Wish(480), Wish(360)])
    child = await kit.fed()
    child.hear(Dropped("480p", TOO_SLOW))
    assert not child.finished
    child.hear(Dropped("360p", TOO_SLOW))
    assert child.finished
    assert kit.running is not None
    await asyncio.wait_for(kit.running, 30)
    assert len(kit.children) == 1


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([opened(0, "480p", record=b"nonsense")], "the encoder's parameters can't be read"),
        ([opened(0, "480p"), opened(0, "480p", record=AVCC.replace(b"\x01\x42\xc0\x0d", b"\x01\x4d\x00\x0d"))],
         "another encoder had to be taken"),
    ],
)  # fmt: skip
async def test_parameters_that_viewers_could_not_be_given(make: Make, messages: list[Message], reason: str) -> None:
    kit = make([Wish(480), Wish(360)])
    child = await kit.fed()
    for message in messages:
        child.hear(message)
    (event,) = kit.events
    assert event[0] == "live-stream.rendition.dropped"
    assert event[1]["reason"].startswith(reason)
    assert kit.packager.calls[-1] == ("drop", "480p")


async def test_a_child_that_fails_is_started_again(make: Make) -> None:
    kit = make([Wish(480)])
    child = await kit.fed()
    child.hear(opened(0, "480p"))
    child.hear(Status({"behindMs": 3400, "damaged": 0}))
    child.fail()
    second = await kit.until_children(2)
    assert kit.events == [
        ("live-stream.ladder.interrupted", {"reason": "crashed: ended with -11", "retryAfter": 0.0})
    ]
    assert kit.ladder.behind_s == 0.0
    kit.ladder.write("video", Sample(3000, 0, False, b"p"))
    kit.ladder.write("video", Sample(6000, 0, True, b"key"))
    assert [type(message) for message in second.took()] == [Config, Unit]
    second.hear(Unit(0, 0, 0, True, b"of a track that it has not told of"))
    assert kit.packager.samples == {}
    second.hear(opened(0, "480p"))
    second.hear(Unit(0, 6000, 6000, True, b"coded"))
    assert kit.packager.calls == [("configure 0", "480p")] * 2
    assert len(kit.packager.samples["480p"]) == 1


async def test_what_was_given_up_stays_so_with_another_child(make: Make) -> None:
    kit = make()
    child = await kit.fed()
    child.hear(Dropped("720p", TOO_SLOW))
    child.fail()
    second = await kit.until_children(2)
    kit.ladder.write("video", Sample(6000, 0, True, b"key"))
    assert wishes_of(second.took()[0]) == [480, 360]


async def drained(ladder: LiveLadder) -> Awaitable[None]:
    waiting = asyncio.create_task(ladder.drain())
    await asyncio.sleep(0)
    assert not waiting.done()
    return waiting


async def test_the_end_waits_for_the_last_pictures(make: Make) -> None:
    kit = make([Wish(480)])
    child = await kit.fed()
    waiting = await drained(kit.ladder)
    assert child.took()[-1] == Flush(1)
    child.hear(Flush(1))
    await asyncio.wait_for(waiting, 30)


async def test_the_end_does_not_wait_for_a_child_that_is_gone(make: Make) -> None:
    kit = make([Wish(480)])
    child = await kit.fed()
    waiting = await drained(kit.ladder)
    child.fail()
    await asyncio.wait_for(waiting, 30)


async def test_the_end_does_not_wait_for_ever(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_ladder, "DRAIN_S", 0.01)
    kit = make([Wish(480)])
    await kit.fed()
    await asyncio.wait_for(kit.ladder.drain(), 30)


async def test_nothing_to_wait_for_without_a_child(make: Make) -> None:
    await asyncio.wait_for(make().ladder.drain(), 30)
