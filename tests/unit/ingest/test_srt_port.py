"""The port alone: its thread, its hand-overs, its limits."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.ingest import srt_port
from server.ingest.srt_port import Peer, Port
from server.media.mpegts import Item, TsInput
from server.protocols.srt.events import ConnectionRequested
from server.protocols.srt.listener import Listener
from tests.harness import media
from tests.unit.ingest.test_srt import Caller, now_us, until
from tests.unit.ingest.test_srt import Peer as CallingPeer


class Sink:
    """Takes everything, or nothing; remembers on which thread it was called."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.ended: list[tuple[str, bool]] = []
        self.threads: set[int] = set()
        self.peer: Peer | None = None
        self.takes = True

    def take(self, items: list[Item], size: int) -> None:
        self.threads.add(threading.get_ident())
        self.items += items
        if self.peer and self.takes:
            self.peer.taken += size

    def over(self, reason: str, by_peer: bool) -> None:
        self.ended.append((reason, by_peer))


class Door:
    """Accepts whoever comes."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.port = Port(Listener(), self._requested)
        self._tasks: set[asyncio.Task[None]] = set()

    def _requested(self, request: ConnectionRequested) -> None:
        task = asyncio.ensure_future(self._accept(request))
        self._tasks.add(task)

    async def _accept(self, request: ConnectionRequested) -> None:
        def accept(now: int) -> Peer:
            made = self.port.core.accept(request, now)
            return self.port.accept(made, self.sink, True, now)  # type: ignore[arg-type]

        self.sink.peer = await self.port.ask(accept)


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Door, CallingPeer]]:
    door = Door(Sink())
    door.port.open("127.0.0.1", 0)
    door.port.start()
    caller = CallingPeer(door.port.port, "key")
    try:
        await caller.connected()
        await until(lambda: door.sink.peer)
        yield door, caller
    finally:
        await caller.end()
        await door.port.close()


def source() -> bytes:
    return media.clip(2, b_frames=2, extension="ts").read_bytes()


async def test_media_is_handed_over_on_the_event_loop_in_batches() -> None:
    async with opened() as (door, caller):
        await caller.send(source())
        await until(lambda: len(door.sink.items) > 140)

        assert door.sink.threads == {threading.get_ident()}
        await caller.end()
        await until(lambda: door.sink.ended)
        assert door.sink.ended == [("ended by the peer", True)]
        assert door.port.counts()["received"] > 100
        assert door.port.alive
    assert not door.port.alive


async def test_what_the_event_loop_does_not_take_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srt_port, "MAX_WAITING", 1)
    async with opened() as (door, caller):
        door.sink.takes = False
        peer = door.sink.peer
        assert peer
        await caller.send(source())
        await until(lambda: peer.handed > 0)  # all of it at once, perhaps
        await caller.send(source())
        await until(lambda: peer.overrun > 0)


async def test_a_fault_in_one_stream_is_counted_and_the_thread_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: TsInput, data: bytes) -> list[Item]:
        raise ZeroDivisionError

    monkeypatch.setattr(TsInput, "feed", broken)
    async with opened() as (door, caller):
        await caller.send(source())
        await until(lambda: door.port.faults > 0)
        assert door.port.alive


async def test_what_is_asked_of_the_thread_may_fail() -> None:
    async with opened() as (door, _):

        def fails(now: int) -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await door.port.ask(fails)
        assert await door.port.ask(lambda now: threading.get_ident()) != threading.get_ident()


async def test_a_thread_that_is_busy_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as (door, _):
        monkeypatch.setattr(srt_port, "ASK_S", 0.05)
        free, done = threading.Event(), []
        door.port.call(lambda now: (free.wait(30), None)[1])
        with pytest.raises(TimeoutError):
            await door.port.ask(done.append)
        free.set()
        monkeypatch.setattr(srt_port, "ASK_S", 5)
        assert await door.port.ask(lambda now: 7) == 7
        assert not done  # nobody waits for it any more


async def test_hanging_up_tells_the_peer_and_not_the_sink() -> None:
    async with opened() as (door, caller):
        assert door.sink.peer
        door.port.hang_up(door.sink.peer)
        await until(lambda: len(caller.events) == 2)
        assert door.sink.ended == []


@pytest.mark.parametrize(
    ("connections", "calm", "lasts_s", "tick_s"),
    [
        (1, True, 10.0, srt_port.TICK_S),
        (srt_port.FEW + 1, True, 10.0, srt_port.LONG_TICK_S),
        (srt_port.FEW + 1, False, 10.0, srt_port.TICK_S),
        (100, True, 0.03, 0.03),
        (100, True, 0.0, srt_port.SHORT_TICK_S),
        (1, True, 0.001, srt_port.SHORT_TICK_S),
    ],
)
def test_a_tick_is_long_where_nobody_waits_and_the_buffer_lasts(
    connections: int, calm: bool, lasts_s: float, tick_s: float
) -> None:
    assert srt_port.tick_s(connections, calm, lasts_s) == tick_s


def test_what_waits_for_a_reader_is_bounded() -> None:
    caller = Caller(("127.0.0.1", 1), now_us())
    connection: Any = type("Quiet", (), {"statistics": lambda self, now: None})()
    peer = Peer(connection, Sink(), False, 0)
    assert caller.connection is None

    sent = 0
    while peer.send(bytes(1316)):
        sent += 1316

    assert srt_port.MAX_QUEUE <= sent <= srt_port.MAX_QUEUE + 2 * 1316
    peer.sent += sent
    assert peer.send(b"again")
