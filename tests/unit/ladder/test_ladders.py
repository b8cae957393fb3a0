"""Which broadcasts are transcoded, with real children, and what is told in events."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from server.catalog import events
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.config import LiveConfig
from server.formats.sample import Sample
from server.ladder import ladders as module
from server.ladder.ladders import AT_ONCE, Ladders, Whose, wishes_of
from server.ladder.live_ladder import LiveLadder
from server.media.ladder import Wish
from tests.harness.media import clip
from tests.unit.ladder.fakes import FakePackager
from tests.unit.media.coded import Coded, coded

TWO = [{"height": 144}, {"height": 90, "videoBitrate": 80_000, "fps": 15.0}]
PATIENCE_S = 50

Open = Callable[..., Any]


@pytest.fixture
async def open_ladders(database: Database) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def open_(**settings: Any) -> Ladders:
            return await stack.enter_async_context(Ladders(database, LiveConfig(**settings)))

        yield open_


@pytest.fixture
def source() -> Coded:
    return coded(clip(2, size="320x180"))


def whose(number: int) -> Whose:
    return Whose(DEFAULT_PROJECT, f"li{number}", f"br{number}")


def write(ladder: LiveLadder, source: Coded) -> None:
    ladder.configure("video", source.config, 0)
    for unit in source.units:
        ladder.write("video", Sample(unit.dts, unit.pts - unit.dts, unit.key, unit.data))


def kill_children() -> None:
    """As the kernel does where memory runs out."""
    for path in Path("/proc/self/task").glob("*/children"):
        for pid in path.read_text().split():
            if b"server.media.transcoder" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(int(pid), signal.SIGKILL)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def told(database: Database, stream: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """The events of a live stream, once there are so many."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with database.read() as transaction:
                found = await events.of_object(transaction, DEFAULT_PROJECT, stream)
            if len(found) >= count:
                return [(event.type, event.payload) for event in found]
            await asyncio.sleep(0.01)


def test_wishes_of_the_setting() -> None:
    assert wishes_of("ladder") is None
    assert wishes_of(TWO) == [Wish(144), Wish(90, None, 80_000, 15.0)]


async def test_a_broadcast_is_transcoded_from_its_first_picture_to_its_last(open_ladders: Open, source: Coded) -> None:
    ladders, packager = await open_ladders(), FakePackager()
    ladder = ladders.begin(TWO, whose(1), packager)
    assert ladders.get("br1") is ladder
    assert ladders.running == 0  # nothing to transcode yet
    write(ladder, source)
    assert (ladders.running, packager.expected) == (1, ["144p", "90p"])
    await ladders.finish("br1")
    assert [sample.pts for sample in packager.samples["144p"]] == [unit.pts for unit in source.units]
    assert len(packager.samples["90p"]) == 30
    await until(lambda: ladders.running == 0)
    assert (ladders.get("br1"), ladders.dropped, ladders.restarts, ladders.given_up) == (None, 0, 0, 0)
    await ladders.finish("br1")


async def test_what_passes_through_has_no_ladder(open_ladders: Open) -> None:
    ladders = await open_ladders()
    assert ladders.begin("passthrough", whose(1), FakePackager()) is None
    await ladders.finish("br1")


async def test_beyond_its_number_a_node_transcodes_no_more(
    open_ladders: Open, database: Database, source: Coded
) -> None:
    ladders = await open_ladders(max_ladders=1)
    packagers = [FakePackager() for _ in range(3)]
    first, second, third = (ladders.begin(TWO, whose(at), packager) for at, packager in enumerate(packagers))
    write(first, source)
    write(second, source)
    assert (ladders.running, ladders.refused, packagers[1].expected) == (1, 1, [])
    assert (first.given_up, second.given_up) == (set(), {"144p", "90p"})
    facts = {"liveStreamId": "li1", "broadcastId": "br1", "reason": AT_ONCE}
    assert await told(database, "li1", 1) == [("live-stream.ladder.refused", facts)]
    for name in ("br0", "br1"):
        await ladders.finish(name)
    await until(lambda: ladders.running == 0)
    write(third, source)
    assert ladders.running == 1
    assert packagers[1].samples == {}


async def test_no_ladders_at_all(open_ladders: Open, source: Coded) -> None:
    ladders = await open_ladders(max_ladders=0)
    write(ladders.begin("ladder", whose(1), FakePackager()), source)  # too small for the table's
    write(ladders.begin(TWO, whose(2), FakePackager()), source)
    assert (ladders.running, ladders.refused) == (0, 1)


async def test_a_killed_child_is_told_of_and_its_renditions_come_back(
    open_ladders: Open, database: Database, source: Coded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.ladder.live_ladder.FIRST_WAIT_S", 0.0)
    ladders, packager = await open_ladders(), FakePackager()
    ladder = ladders.begin(TWO[:1], whose(1), packager)
    write(ladder, source)
    await until(lambda: "144p" in packager.samples)
    kill_children()
    ((kind, facts),) = await told(database, "li1", 1)
    assert (kind, facts["retryAfter"]) == ("live-stream.ladder.interrupted", 0.0)
    packager.samples.clear()
    later = [unit._replace(pts=unit.pts + 900_000, dts=unit.dts + 900_000) for unit in source.units]
    await until(lambda: ladder.transcoding)
    for unit in later:
        ladder.write("video", Sample(unit.dts, unit.pts - unit.dts, unit.key, unit.data))
    await ladders.finish("br1")
    assert [sample.pts for sample in packager.samples["144p"]] == [unit.pts for unit in later]
    assert ladders.restarts == 1


async def test_an_encoder_that_is_not_there_is_stood_in_for(
    open_ladders: Open, source: Coded, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Mock()
    monkeypatch.setattr(module, "_log", log)
    ladders, packager = await open_ladders(encoder="h264_videotoolbox"), FakePackager()
    write(ladders.begin(TWO[:1], whose(1), packager), source)
    await until(lambda: "144p" in packager.samples)
    assert log.warning.call_args.kwargs["instead"] == "libx264"
