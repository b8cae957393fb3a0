"""Broadcasts on a real catalogue and real files; publishers and the recorder are fakes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvloop

from server import clock, ids
from server.catalog import events, live_streams
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Broadcast, LiveStream, Video
from server.config import LiveConfig, RtmpConfig
from server.ingest.broadcasts import Broadcasts
from server.ingest.on_air import Facts, OnAir, Publisher
from server.ingest.rtmp import Listener
from server.packager.presentation import Span
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from tests.harness import catalogue
from tests.unit.packager.publishing import AUDIO, VIDEO

KEY = "the-stream-key"
FRAME_MS = 40


@dataclass(eq=False)
class FakeConnection:
    """A publisher's socket that only remembers."""

    id: str = "connection"
    protocol: str = "rtmp"
    closed: list[str] = field(default_factory=list)
    heard: float = field(default_factory=clock.monotonic)
    known: Facts = field(default_factory=Facts)

    def close(self, reason: str) -> None:
        self.closed.append(reason)

    def last_heard(self) -> float:
        return self.heard

    def facts(self) -> Facts:
        return self.known


@dataclass(eq=False)
class FakeRecorder:
    """Makes a row of a video, unless it is told to fail."""

    recorded: list[str] = field(default_factory=list)
    spans: list[Span | None] = field(default_factory=list)
    fails: int = 0
    empty: bool = False  # there was no media

    async def record(
        self, transaction: Transaction, broadcast: Broadcast, live: LiveStream, on_air: OnAir, span: Span | None
    ) -> str | None:
        if self.fails:
            self.fails -= 1
            raise OSError("disk I/O error")
        self.recorded.append(broadcast.id)
        self.spans.append(span)
        if self.empty:
            return None
        video = Video(project_id=live.project_id, title="recording", broadcast_id=broadcast.id)
        transaction.add(video)
        await transaction.flush()
        return video.id


class Studio:
    """One server's broadcasts; `restart` is what comes after a stop."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self.database = database
        self.layout = layout
        self.recorder = FakeRecorder()
        self.gone: list[str] = []
        self.broadcasts: Broadcasts
        self.store: SegmentStore
        self._stack = AsyncExitStack()

    async def start(self) -> "Studio":
        self.store = await self._stack.enter_async_context(SegmentStore(self.layout))
        self.broadcasts = await self._stack.enter_async_context(
            Broadcasts.open(self.database, self.store, LiveConfig(), self.recorder.record, self.gone.append)  # type: ignore[call-arg]
        )
        return self

    async def stop(self) -> None:
        await self._stack.aclose()

    async def restart(self) -> "Studio":
        await self.stop()
        return await self.start()

    async def crash(self) -> "Studio":
        """The next server, on what a killed one left: nobody says goodbye."""
        for on_air in self.broadcasts.all():
            on_air.rearm(None)
        self.store.flush().result(30)
        return await self.start()

    async def live_stream(self, key: str = KEY, **fields: Any) -> str:
        row = LiveStream(project_id=DEFAULT_PROJECT, name="a stream", stream_key=key, **fields)
        async with self.database.write() as transaction:
            return (await live_streams.add(transaction, row)).id

    async def change(self, live_stream_id: str, **fields: Any) -> None:
        async with self.database.write() as transaction:
            row = await live_streams.find(transaction, live_stream_id)
            for name, value in fields.items():
                setattr(row, name, value)

    async def delete(self, live_stream_id: str) -> None:
        async with self.database.write() as transaction:
            row = await live_streams.find(transaction, live_stream_id)
            assert row
            await live_streams.remove(transaction, row)

    async def publish(self, connection: FakeConnection | None = None, key: str = KEY) -> Publisher:
        return await self.broadcasts.publish(key, connection or FakeConnection())

    async def on_air(self, **fields: Any) -> tuple[str, Publisher]:
        """A live stream with a publisher whose media flows."""
        live = await self.live_stream(**fields)
        publisher = await self.publish()
        send(publisher)
        await until(lambda: self.state_is(publisher.broadcast_id, "live"))
        return live, publisher

    async def row(self, broadcast_id: str) -> Broadcast | None:
        async with self.database.read() as transaction:
            return await transaction.get(Broadcast, broadcast_id)

    async def stream(self, live_stream_id: str) -> LiveStream:
        async with self.database.read() as transaction:
            found = await live_streams.find(transaction, live_stream_id)
        assert found
        return found

    async def state(self, broadcast_id: str) -> str | None:
        row = await self.row(broadcast_id)
        return row.state if row else None

    async def state_is(self, broadcast_id: str, state: str) -> bool:
        return await self.state(broadcast_id) == state

    async def over(self, broadcast_id: str) -> bool:
        """Whether the end is in the catalogue."""
        return await self.state(broadcast_id) in ("ended", "recorded")

    async def event_types(self, object_id: str) -> list[str]:
        async with self.database.read() as transaction:
            return [event.type for event in await events.of_object(transaction, DEFAULT_PROJECT, object_id)]

    def showing(self, live_stream_id: str) -> OnAir:
        found = self.broadcasts.get(live_stream_id)
        assert found
        return found


def send(
    publisher: Publisher, seconds: float = 3.0, *, start_ms: int = 0, gop_s: float = 2, sound_only: bool = False
) -> None:
    """Media of so many seconds, all at once."""
    gop = round(gop_s * 1000 / FRAME_MS)
    if not sound_only:
        publisher.configure(VIDEO)
    publisher.configure(AUDIO)
    for index in range(round(seconds * 1000 / FRAME_MS)):
        at_ms = start_ms + index * FRAME_MS
        if not sound_only:
            publisher.video(at_ms, 0, index % gop == 0, index.to_bytes(4, "big") + bytes(40))
        publisher.audio(at_ms, b"\x21" + index.to_bytes(4, "big"))


async def until(what: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Lets the loop go on until `what` is true or answers something true."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = what()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.002)


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The listener's tests run on both loops, whose transports differ; the product runs on uvloop."""
    both = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    sockets = item.path.name in ("test_rtmp.py", "test_rtmp_connection.py")
    return both if sockets else {"asyncio": asyncio.new_event_loop}


def new_broadcast_id() -> str:
    return ids.new("br")


@pytest.fixture
def catalogue_url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


@pytest.fixture
async def studio(catalogue_url: str, tmp_path: Path) -> AsyncIterator[Studio]:
    async with Database.open(catalogue_url) as database:
        studio = await Studio(database, Layout(tmp_path)).start()
        yield studio
        await studio.stop()


@pytest.fixture
async def listener(studio: Studio) -> AsyncIterator[Listener]:
    config = RtmpConfig(host="127.0.0.1", port=0)  # type: ignore[call-arg]
    async with Listener.open(studio.broadcasts, config) as listener:
        yield listener
