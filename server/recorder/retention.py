"""Recordings that are kept no longer: by their age, by how many there are, by their bytes, by the free space.

The rules are a live stream's own or the server's; a recording without any rule, and every clip, is kept for ever.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from server import clock, log
from server.catalog import events, live_streams, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Video

EVERY_S = 60.0

_log = log.get("retention")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept of a live stream's recordings; None sets no limit."""

    days: float | None = None  # since the recording was made
    count: int | None = None  # the newest so many
    bytes: int | None = None  # the newest that fit; the newest of all stays

    @classmethod
    def of(cls, stated: Mapping[str, Any] | None, otherwise: "Rule") -> "Rule":
        """A live stream's own rule, each limit that it leaves out taken from the server's."""
        stated = stated or {}
        return cls(*(stated.get(name, getattr(otherwise, name)) for name in ("days", "count", "bytes")))

    @property
    def limits(self) -> bool:
        return (self.days, self.count, self.bytes) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Recording:
    id: str
    made_at: datetime
    bytes: int


@dataclass(frozen=True, slots=True)
class Expired:
    id: str
    reason: str


def expired(recordings: Sequence[Recording], rule: Rule, now: datetime) -> list[Expired]:
    """Those of one live stream that its rule keeps no longer."""
    found, total = [], 0
    for place, each in enumerate(sorted(recordings, key=lambda recording: recording.made_at, reverse=True), 1):
        total += each.bytes
        if rule.days is not None and now - each.made_at > timedelta(days=rule.days):
            found.append(Expired(each.id, f"older than {rule.days:g} days"))
        elif rule.count is not None and place > rule.count:
            found.append(Expired(each.id, f"more than {rule.count} recordings"))
        elif rule.bytes is not None and total > rule.bytes and place > 1:
            found.append(Expired(each.id, f"more than {rule.bytes} bytes of recordings"))
    return found


def crowded_out(recordings: Sequence[Recording], missing_bytes: int) -> list[Expired]:
    """The oldest, until so many bytes are free again."""
    found = []
    for each in sorted(recordings, key=lambda recording: recording.made_at):
        if missing_bytes <= 0:
            break
        missing_bytes -= each.bytes
        found.append(Expired(each.id, "the disk is nearly full"))
    return found


class Retention:
    """`async with retention.running()`. `delete` takes a video's row away, and orders that of its bytes."""

    def __init__(
        self,
        database: Database,
        rule: Rule,
        low_water_bytes: int,
        free_bytes: Callable[[], int],
        delete: Callable[[Transaction, Video], Awaitable[None]],
    ) -> None:
        self._database = database
        self._rule = rule
        self._low_water_bytes = low_water_bytes
        self._free_bytes = free_bytes
        self._take_away = delete
        self.deleted = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            try:
                await self.round()
            except Exception:
                _log.exception("a round of retention failed")  # the next may do better
            await asyncio.sleep(EVERY_S)

    async def round(self) -> int:
        """Deletes what is due; how many recordings went."""
        missing = self._low_water_bytes - await asyncio.to_thread(self._free_bytes)
        due = await self._due(missing)
        for each in due:
            await self._delete(each)
        if missing > 0 and not due:
            _log.error("the disk is nearly full, and no rule lets a recording go", missing_bytes=missing)
        return len(due)

    async def _due(self, missing_bytes: int) -> list[Expired]:
        rules: dict[str, Rule] = {}
        ruled: dict[str, list[Recording]] = defaultdict(list)
        async with self._database.read() as transaction:
            for video in await videos.recordings(transaction):
                id = video.live_stream_id or ""
                if id not in rules:
                    live = await live_streams.find(transaction, id)
                    rules[id] = Rule.of(live.retention if live else None, self._rule)
                if rules[id].limits:
                    ruled[id].append(Recording(video.id, video.created_at, video.source_bytes or 0))
        due = [each for id, recordings in ruled.items() for each in expired(recordings, rules[id], clock.now())]
        gone = {each.id for each in due}
        left = [each for recordings in ruled.values() for each in recordings]
        missing_bytes -= sum(each.bytes for each in left if each.id in gone)
        return due + crowded_out([each for each in left if each.id not in gone], missing_bytes)

    async def _delete(self, due: Expired) -> None:
        async with self._database.write() as transaction:
            video = await videos.find(transaction, due.id)
            if video is None:
                return
            payload = {**videos.links(video), "reason": due.reason}
            await events.record(transaction, video.project_id, video.id, "video.expired", payload)
            await self._take_away(transaction, video)
        self.deleted += 1
        _log.info("a recording is deleted", video=due.id, reason=due.reason)
