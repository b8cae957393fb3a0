"""Sources that are pulled: each live stream that names one is published from it while it is enabled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial

from server import clock, log
from server.catalog import live_streams
from server.catalog.database import Database
from server.catalog.models import LiveStream
from server.ingest.broadcasts import Broadcasts
from server.ingest.on_air import Connection, Publisher, Refused
from server.ingest.pull import Source
from server.ingest.pull_hls import HlsPull
from server.ingest.pull_rtmp import RtmpPull
from server.ingest.pull_source import HlsUrl, read
from server.ingest.pull_srt import SrtPull
from server.ingest.pull_state import PullState, PullStatus, SourceFailed
from server.media.child import Children
from server.protocols.backoff import Backoff, Pace
from server.protocols.srt.url import SrtUrl

MAX_HLS = 16  # sources over HLS at once, each with its child; more wait
STOP_S = 3.0  # a stopping server waits this long for sources to be let go
LASTING = frozenset({"unknown", "disabled"})  # causes of a refusal that hardly pass by themselves
OURS = "the server failed to take the source"
PACE = Pace(longest_s=10.0)  # who comes back is to be seen soon

_log = log.get("pull")


@dataclass(eq=False, slots=True)
class _Pull:
    url: str = field(repr=False)
    status: PullStatus
    backoff: Backoff
    task: asyncio.Task[None] | None = None
    pulled: int = 0  # times
    since: float | None = None  # when it last began to flow

    @property
    def held_s(self) -> float:
        """For how long the last connection was of use."""
        return 0.0 if self.since is None else clock.monotonic() - self.since


class Pulls:
    """`async with pulls.running()`."""

    def __init__(self, database: Database, broadcasts: Broadcasts, private: bool, pace: Pace = PACE) -> None:
        """`private`: whether sources may be in private networks."""
        self._database = database
        self._broadcasts = broadcasts
        self._private = private
        self._pace = pace
        self._children = Children(MAX_HLS)
        self._pulls: dict[str, _Pull] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes up the sources of the catalogue."""
        async with self._database.read() as transaction:
            rows = await live_streams.pulled(transaction)
        for row in rows:
            self.changed(row)
        async with self._children:
            try:
                yield
            finally:
                for live_stream_id in list(self._pulls):
                    self.deleted(live_stream_id)
                if self._ending:
                    await asyncio.wait(self._ending, timeout=STOP_S)

    def status(self, live_stream_id: str) -> PullStatus | None:
        """None where nothing is pulled."""
        pull = self._pulls.get(live_stream_id)
        return pull.status if pull else None

    def states(self) -> dict[str, float]:
        """Sources by state."""
        found: dict[str, float] = dict.fromkeys(("idle", "connecting", "pulling", "errored"), 0)
        for pull in self._pulls.values():
            found[pull.status.state] += 1
        return found

    def changed(self, live: LiveStream) -> None:
        """The live stream was made or changed."""
        url = live.source_url if live.state != "disabled" else None
        known = self._pulls.get(live.id)
        if known is not None and known.url == url:
            return
        self.deleted(live.id)
        if url:
            pull = self._pulls[live.id] = _Pull(url, PullStatus(), Backoff(self._pace))
            pull.task = asyncio.create_task(self._run(live.id, pull), context=Context())
            self._ending.add(pull.task)
            pull.task.add_done_callback(self._ended)

    def deleted(self, live_stream_id: str) -> None:
        """Nothing is pulled for it any more."""
        pull = self._pulls.pop(live_stream_id, None)
        if pull is not None and pull.task is not None:
            pull.task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("pulling failed", exc_info=error)

    async def _run(self, live_stream_id: str, pull: _Pull) -> None:
        while True:
            pull.since = None
            await self._move(live_stream_id, pull, "connecting")
            try:
                await self._source(pull.url).run(partial(self._admit, live_stream_id, pull))
                failure = SourceFailed("the source has ended")
            except SourceFailed as failed:
                failure = failed
            except ValueError as error:  # a URL that was kept before there were such rules
                failure = SourceFailed(str(error), lasting=True)
            except Exception as error:  # a fault of ours, or the catalogue's: what is wanted is tried again
                _log.error("pulling failed", live_stream=live_stream_id, exc_info=error)
                failure = SourceFailed(OURS)
            await self._move(live_stream_id, pull, "errored", str(failure))
            await asyncio.sleep(pull.backoff.wait_s(pull.held_s, lasting=failure.lasting))

    def _source(self, url: str) -> Source:
        read_url = read(url)
        if isinstance(read_url, HlsUrl):
            return HlsPull(read_url, self._private, self._children)
        return SrtPull(read_url, self._private) if isinstance(read_url, SrtUrl) else RtmpPull(read_url, self._private)

    async def _admit(self, live_stream_id: str, pull: _Pull, connection: Connection) -> Publisher:
        """As a publisher with the stream key: one that publishes already goes before. Raises SourceFailed."""
        async with self._database.read() as transaction:
            live = await live_streams.find(transaction, live_stream_id)
        try:
            publisher = await self._broadcasts.publish(live.stream_key if live else "", connection)
        except Refused as refused:
            raise SourceFailed(str(refused), lasting=refused.cause in LASTING) from None
        pull.since = clock.monotonic()
        pull.status.reconnects = pull.pulled
        pull.pulled += 1
        try:
            await self._move(live_stream_id, pull, "pulling")
        except BaseException:
            publisher.closed("the source was let go", ended=False)
            raise
        return publisher

    async def _move(self, live_stream_id: str, pull: _Pull, state: PullState, reason: str = "") -> None:
        pull.status.move(state, reason)
        facts = {"reason": reason} if reason else {}
        _log.info(state, live_stream=live_stream_id, **facts)
        try:
            async with self._database.write() as transaction:
                live = await live_streams.find(transaction, live_stream_id)
                if live is not None:
                    await live_streams.tell(transaction, live, "source.status", status=state, **facts)
        except Exception as error:  # the source itself is not concerned
            _log.error("an event could not be written", exc_info=error)
