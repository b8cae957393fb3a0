"""The ladders of this node: which broadcasts get one, and what is told of them."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

from server import log
from server.catalog import events
from server.catalog.database import Database
from server.config import LiveConfig
from server.ladder.live_ladder import LiveLadder, Packager
from server.media.child import Children
from server.media.ladder import Wish
from server.media.transcoding import Settings, Transcoding, usable_encoder

LADDER, PASSTHROUGH = "ladder", "passthrough"  # values of `renditions`, which may be a list too
AT_ONCE = "this node transcodes as many live streams as it may: live.max_ladders"

_log = log.get("ladder")


@dataclass(frozen=True, slots=True)
class Whose:
    """The broadcast that a ladder is of."""

    project_id: str
    live_stream_id: str
    broadcast_id: str


class Ladders:
    """`async with Ladders(…)`; leaving it ends all children."""

    def __init__(self, database: Database, config: LiveConfig) -> None:
        self._database = database
        self._config = config
        self._children = Children(max(1, config.max_ladders))
        self._encoder: asyncio.Task[str] | None = None
        self._ladders: dict[str, LiveLadder] = {}  # by broadcast
        self._running: dict[str, asyncio.Task[None]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._dropped = 0  # of ladders that are over
        self.refused = 0  # broadcasts that got none
        self.restarts = 0
        self.given_up = 0  # renditions

    async def __aenter__(self) -> Self:
        await self._children.__aenter__()
        self._encoder = asyncio.create_task(self._try_encoders())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._encoder is not None
        tasks: list[asyncio.Task[Any]] = [self._encoder, *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._telling, return_exceptions=True)
        await self._children.__aexit__(kind, error, trace)

    # --- numbers

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def dropped(self) -> int:
        """Pictures that children had no room for."""
        return self._dropped + sum(ladder.dropped for ladder in self._ladders.values())

    @property
    def behind_s(self) -> float:
        """By how much the slowest rendition of all is behind its source."""
        return max((ladder.behind_s for ladder in self._ladders.values()), default=0.0)

    def get(self, broadcast_id: str) -> LiveLadder | None:
        return self._ladders.get(broadcast_id)

    # --- broadcasts

    def begin(self, renditions: Any, whose: Whose, packager: Packager) -> LiveLadder | None:
        """The reader to attach to a broadcast with this setting; None where the source is all there is to be."""
        if renditions == PASSTHROUGH:
            return None
        ladder = LiveLadder(
            whose.broadcast_id,
            wishes_of(renditions),
            packager,
            on_wanted=partial(self._start, whose),
            on_event=partial(self._happened, whose),
        )
        self._ladders[whose.broadcast_id] = ladder
        return ladder

    async def finish(self, broadcast_id: str) -> None:
        """No media follows: waits for the last pictures, and ends the child."""
        ladder = self._ladders.get(broadcast_id)
        if ladder is None:
            return
        await ladder.drain()
        if self._ladders.pop(broadcast_id, None) is ladder:
            self._dropped += ladder.dropped
            if task := self._running.get(broadcast_id):
                task.cancel()

    def _start(self, whose: Whose) -> None:
        """There are pictures to transcode."""
        if self.running >= self._config.max_ladders:
            self._happened(whose, "live-stream.ladder.refused", {"reason": AT_ONCE})
            self._ladders[whose.broadcast_id].refuse()
            return
        task = self._running[whose.broadcast_id] = asyncio.create_task(self._run(whose))
        task.add_done_callback(partial(self._ended, whose))

    async def _run(self, whose: Whose) -> None:
        assert self._encoder is not None
        encoder = await asyncio.shield(self._encoder)
        settings = Settings(encoder, self._config.ladder_nice)
        await self._ladders[whose.broadcast_id].run(partial(Transcoding, self._children, settings))

    def _ended(self, whose: Whose, task: asyncio.Task[None]) -> None:
        del self._running[whose.broadcast_id]
        if not task.cancelled() and (error := task.exception()):
            _log.error("a ladder failed", broadcast=whose.broadcast_id, exc_info=error)

    # --- what is told

    def _happened(self, whose: Whose, event: str, facts: dict[str, Any]) -> None:
        self.refused += event == "live-stream.ladder.refused"
        self.restarts += event == "live-stream.ladder.interrupted"
        self.given_up += event == "live-stream.rendition.dropped"
        _log.warning(event, broadcast=whose.broadcast_id, **facts)
        self._spawn(self._tell(whose, event, facts))

    async def _tell(self, whose: Whose, event: str, facts: dict[str, Any]) -> None:
        payload = {"liveStreamId": whose.live_stream_id, "broadcastId": whose.broadcast_id, **facts}
        async with self._database.write() as transaction:
            await events.record(transaction, whose.project_id, whose.live_stream_id, event, payload)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("an event could not be written", exc_info=error)

    async def _try_encoders(self) -> str:
        wanted = self._config.encoder
        name, faults = await usable_encoder(self._children, wanted)
        if name == wanted or wanted == "auto":
            _log.info("encoder of live renditions", encoder=name, not_usable=faults)
        else:
            _log.warning("the encoder of live renditions can't be used", encoder=wanted, instead=name, reason=faults)
        return name


def wishes_of(renditions: Any) -> Sequence[Wish] | None:
    """Of the column; None: those of the table."""
    if renditions == LADDER:
        return None
    return [
        Wish(item["height"], item.get("width"), item.get("videoBitrate"), item.get("fps")) for item in renditions
    ]
