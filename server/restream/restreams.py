"""The service: which targets each broadcast of this node has, started and stopped while it is on air."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

from server import log
from server.catalog import events
from server.catalog.database import Database
from server.config import LiveConfig
from server.protocols.backoff import Pace
from server.protocols.rtmp.url import RtmpUrl
from server.protocols.srt.url import SrtUrl
from server.restream.link import Link
from server.restream.rtmp_link import RtmpLink
from server.restream.srt_link import SrtLink
from server.restream.state import Status
from server.restream.target import PACE, Address, Target
from server.stream.stream import Stream

MAX_TELLING = 1000  # events that wait for the catalogue; more are left out, and counted
STOP_S = 4.0  # targets that are let go may take so long to be told

_log = log.get("restream")


@dataclass(frozen=True, slots=True)
class Whose:
    """The broadcast that targets are of."""

    project_id: str
    live_stream_id: str
    broadcast_id: str


@dataclass(slots=True, eq=False)
class _Broadcast:
    whose: Whose
    stream: Stream
    targets: dict[str, Target] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """A target's status with its numbers as they stand."""

    status: Status
    bytes: int
    dropped: int


class Restreams:
    """`async with Restreams(…)`; leaving it ends all connections."""

    def __init__(self, database: Database, config: LiveConfig, pace: Pace = PACE) -> None:
        self._database = database
        self._config = config
        self._pace = pace
        self._broadcasts: dict[str, _Broadcast] = {}  # by live stream
        self._ending: set[asyncio.Task[Any]] = set()
        self._telling: asyncio.Queue[tuple[Whose, dict[str, Any]]] = asyncio.Queue(MAX_TELLING)
        self._teller: asyncio.Task[None] | None = None
        self._gone_bytes = self._gone_dropped = 0  # of targets that are no more
        self.failures = 0
        self.untold = 0  # changes of state without an event

    async def __aenter__(self) -> Self:
        self._teller = asyncio.create_task(self._tell())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for live_stream_id in list(self._broadcasts):
            self._forget(live_stream_id)
        if self._ending:
            await asyncio.wait(self._ending, timeout=STOP_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._telling.join(), STOP_S)
        if self._teller is not None:
            self._teller.cancel()
            await asyncio.wait([self._teller])

    # --- numbers

    def _all(self) -> Iterable[Target]:
        return [target for broadcast in self._broadcasts.values() for target in broadcast.targets.values()]

    def states(self) -> Mapping[str, float]:
        """Targets by state."""
        found: dict[str, float] = dict.fromkeys(("idle", "connecting", "broadcasting", "errored"), 0)
        for target in self._all():
            found[target.status.state] += 1
        return found

    @property
    def sent(self) -> int:
        """Bytes."""
        return self._gone_bytes + sum(target.sent for target in self._all())

    @property
    def dropped(self) -> int:
        """Samples that targets did not take in time."""
        return self._gone_dropped + sum(target.dropped for target in self._all())

    def status(self, live_stream_id: str, restream_id: str) -> Shown:
        """Idle where nothing runs."""
        broadcast = self._broadcasts.get(live_stream_id)
        target = broadcast.targets.get(restream_id) if broadcast else None
        if target is None:
            return Shown(Status(), 0, 0)
        return Shown(target.status, target.sent, target.dropped)

    # --- broadcasts

    def begin(self, whose: Whose, column: Iterable[Mapping[str, Any]], stream: Stream) -> None:
        """A broadcast begins, with the targets of its live stream."""
        self._forget(whose.live_stream_id)
        self._broadcasts[whose.live_stream_id] = _Broadcast(whose, stream)
        self.changed(whose.live_stream_id, column)

    def finish(self, live_stream_id: str, broadcast_id: str) -> None:
        """No media follows: the connections are closed as they should be."""
        broadcast = self._broadcasts.get(live_stream_id)
        if broadcast is not None and broadcast.whose.broadcast_id == broadcast_id:
            self._forget(live_stream_id)

    def changed(self, live_stream_id: str, column: Iterable[Mapping[str, Any]]) -> None:
        """The targets of a live stream, as they are now: those on air go on where nothing of them has changed."""
        broadcast = self._broadcasts.get(live_stream_id)
        if broadcast is None:
            return
        wanted = {each.id: each for each in addresses(column)}
        for target in list(broadcast.targets.values()):
            now = wanted.get(target.address.id)
            if now is None or not now.enabled or not _same(now, target.address):
                self._stop(broadcast, target)
        for address in wanted.values():
            if address.enabled and address.id not in broadcast.targets:
                self._start(broadcast, address)

    def _start(self, broadcast: _Broadcast, address: Address) -> None:
        told = partial(self._happened, broadcast.whose)
        target = broadcast.targets[address.id] = Target(address, broadcast.stream, self._connect, told, self._pace)
        task = broadcast.tasks[address.id] = asyncio.create_task(target.run(), context=Context())
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def _stop(self, broadcast: _Broadcast, target: Target) -> None:
        del broadcast.targets[target.address.id]
        task = broadcast.tasks.pop(target.address.id)
        task.add_done_callback(lambda _: self._count(target))
        task.cancel()

    def _forget(self, live_stream_id: str) -> None:
        broadcast = self._broadcasts.pop(live_stream_id, None)
        for target in list(broadcast.targets.values()) if broadcast else ():
            assert broadcast is not None
            self._stop(broadcast, target)

    def _count(self, target: Target) -> None:
        self._gone_bytes += target.sent
        self._gone_dropped += target.dropped

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("restreaming failed", exc_info=error)

    def _connect(self, url: RtmpUrl | SrtUrl) -> Link:
        private = self._config.private_addresses
        return SrtLink(url, private) if isinstance(url, SrtUrl) else RtmpLink(url, private)

    # --- what is told

    def _happened(self, whose: Whose, target: Target) -> None:
        status = target.status
        self.failures += status.state == "errored"
        facts = {"restreamId": target.address.id, "name": target.address.name, "status": status.state}
        try:
            self._telling.put_nowait((whose, facts | ({"reason": status.reason} if status.reason else {})))
        except asyncio.QueueFull:
            self.untold += 1

    async def _tell(self) -> None:
        """Events in their order; targets wait between failures, which bounds how many there are."""
        while True:
            whose, facts = await self._telling.get()
            payload = {"liveStreamId": whose.live_stream_id, "broadcastId": whose.broadcast_id, **facts}
            try:
                async with self._database.write() as transaction:
                    await events.record(
                        transaction, whose.project_id, whose.live_stream_id, "live-stream.restream.status", payload
                    )
            except Exception as error:
                _log.error("an event could not be written", exc_info=error)
            finally:
                self._telling.task_done()


def addresses(column: Iterable[Mapping[str, Any]]) -> list[Address]:
    """The targets in the column of a live stream."""
    return [
        Address(each["restreamId"], each["name"], each["serverUrl"], each["streamKey"], each.get("enabled", True))
        for each in column
    ]


def _same(one: Address, other: Address) -> bool:
    return (one.server_url, one.key) == (other.server_url, other.key)
