"""Work on uploads while they come: looked at, and copied into renditions, as far as their bytes are there.

    enough is there ──► looked at ──► copied ──► it becomes whole: the job `vod` takes over what there is
          │                │            │
          └── not a kind ──┴── failed ──┴── silent for long: later again, or not at all

For files that begin with what they need: MP4 with its index first, Matroska, MPEG-TS. All of it is a gain of time and
nothing else: what is not there, or not of the upload's very bytes, the job makes. So no failure here is anybody's.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Set
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from server import log
from server.catalog import uploads
from server.catalog.database import Database
from server.catalog.models import Upload
from server.formats.fmp4.foreign import Mp4Error, find_moov
from server.media import calls
from server.media.child import ChildFailed, Children
from server.media.containers import HEAD_BYTES, MATROSKA, MP4, MPEG_TS, container_of
from server.media.facts import SourceFacts
from server.media.growing import Growth
from server.protocols.content_range import Pieces
from server.storage import early
from server.storage.appender import uncancelled
from server.storage.early import EarlyShelf, Found
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore
from server.vod.copying import LONGEST_S, Copying, Order

LEAST_BYTES = 1 << 20  # before so much is there, a child would only wait
IDLE_S = 300.0  # after so long without a byte an upload's place is another's
SETTLE_S = 0.5  # that the last byte's sender waits for what is all but done
MOST_TRIES = 3  # of an upload that pauses: each begins with reading what is there
REMEMBERED = 4096  # uploads that were tried

_log = log.get("vod")


class Suits(Enum):
    NOW = "now"
    LATER = "later"  # perhaps, when more is there
    NEVER = "never"


@dataclass(eq=False, slots=True)
class _Work:
    """What is done for one upload."""

    upload_id: str
    size: int  # bytes that are there
    total: int = 0  # that there will be
    video_id: str = ""
    task: "asyncio.Task[None] | None" = None
    growth: Growth | None = None  # of the child that runs
    idle: asyncio.Timeout | None = None

    def grew(self, size: int) -> None:
        if size <= self.size:
            return
        self.size = size
        if self.growth is not None:
            self.growth.grew(size)
        if self.idle is not None and not self.idle.expired():
            self.idle.reschedule(asyncio.get_running_loop().time() + IDLE_S)


class Early:
    """The Reader of uploads (storage.upload_files), as a context: at its end all work is let be."""

    def __init__(self, database: Database, layout: Layout, children: Children, places: int) -> None:
        """At most `places` uploads at once, each with one child; others do without."""
        self._database = database
        self._layout = layout
        self._children = children
        self._copying = Copying(children, RenditionStore(EarlyShelf(layout)))
        self._places = places
        self._works: dict[str, _Work] = {}
        self._tries: OrderedDict[str, int] = OrderedDict()
        self._checks: set[asyncio.Task[None]] = set()
        self.begun = 0
        self.kept = 0  # uploads that became whole with something made of them
        database.on_commit(self._changed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._places = 0
        for work in list(self._works.values()):
            await _stop(work)
        if self._checks:
            await asyncio.wait(self._checks)

    @property
    def active(self) -> int:
        return len(self._works)

    def grew(self, upload_id: str, size: int) -> None:
        if (work := self._works.get(upload_id)) is not None:
            work.grew(size)
        elif size >= LEAST_BYTES and self.active < self._places and self._tries.get(upload_id, 0) < MOST_TRIES:
            work = self._works[upload_id] = _Work(upload_id, size)
            work.task = asyncio.create_task(self._run(work))

    async def leave(self, upload_id: str, size: int | None) -> None:
        self._tries.pop(upload_id, None)
        work = self._works.get(upload_id)
        if work is None or work.task is None:
            return
        if size is not None and size == work.total:
            work.grew(size)
            await asyncio.wait([work.task], timeout=SETTLE_S)
            self.kept += 1
        await _stop(work)

    def _changed(self, changed: Set[str]) -> None:
        """Uploads whose videos were deleted, or that others superseded."""
        for work in self._works.values():
            if work.task is not None and work.total and (work.upload_id in changed or work.video_id in changed):
                check = asyncio.create_task(self._check(work))
                self._checks.add(check)
                check.add_done_callback(self._checks.discard)

    async def _check(self, work: _Work) -> None:
        async with self._database.read() as transaction:
            row = await uploads.get(transaction, work.upload_id)
        if row is None or row.state not in uploads.OPEN:
            await _stop(work)

    async def _run(self, work: _Work) -> None:
        try:
            async with asyncio.timeout(IDLE_S) as work.idle:
                await self._work(work)
        except TimeoutError:
            _log.info("an upload pauses", upload=work.upload_id, bytes=work.size)
        except (ChildFailed, OSError) as error:
            self._give_up(work, str(error))
        except Exception:
            _log.exception("nothing is made of an upload before it is whole", upload=work.upload_id)
            self._note(work, MOST_TRIES)
        finally:
            del self._works[work.upload_id]

    async def _work(self, work: _Work) -> None:
        async with self._database.read() as transaction:
            row = await uploads.get(transaction, work.upload_id)
        total = _length(row) if row is not None and row.state in uploads.OPEN else None
        if row is None or total is None or work.size >= total:
            return
        path = self._layout.upload_data(work.upload_id)
        suits = await asyncio.to_thread(suitable, path, work.size, total)
        if suits is not Suits.NOW:
            if suits is Suits.NEVER:
                self._note(work, MOST_TRIES)
            return
        work.total, work.video_id = total, row.video_id
        self._note(work)
        self.begun += 1
        found = await self._looked_at(work, path)
        if found is None:
            self._give_up(work, "it has to be seen as a whole")
        elif not found.indexed:
            with Growth(work.size, total) as work.growth:
                facts = SourceFacts.of_event(dict(found.facts))
                await self._copying.copy(Order(work.upload_id, 0, path, facts, work.growth), _nobody_watches)

    async def _looked_at(self, work: _Work, path: Path) -> Found | None:
        """What is known of the file, also from a time before a pause or a crash."""
        folder = self._layout.upload_early(work.upload_id)
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            file = os.fstat(source)
            known = await asyncio.to_thread(early.read, folder)
            if known is not None and early.is_of(known, work.upload_id, file, work.total):
                return known
            await uncancelled(asyncio.to_thread(early.begin, folder))
            index = os.open(folder.index, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                with Growth(work.size, work.total) as work.growth:
                    result = await calls.examine(
                        self._children, source, index, timeout_s=LONGEST_S, growth=work.growth
                    )
                await asyncio.to_thread(os.fsync, index)
            finally:
                os.close(index)
        finally:
            os.close(source)
        if result.problem is not None or result.facts is None:
            return None
        facts = result.facts.to_event()
        found = Found(work.upload_id, file.st_ino, work.total, result.indexed, result.open, facts)
        await uncancelled(asyncio.to_thread(early.write, folder, found))
        return found

    def _give_up(self, work: _Work, reason: str) -> None:
        _log.info("an upload is left until it is whole", upload=work.upload_id, reason=reason)
        self._note(work, MOST_TRIES)

    def _note(self, work: _Work, tries: int | None = None) -> None:
        self._tries[work.upload_id] = tries or self._tries.get(work.upload_id, 0) + 1
        if len(self._tries) > REMEMBERED:
            self._tries.popitem(last=False)


async def _stop(work: _Work) -> None:
    """Ends the work with its child; what it has written stays."""
    if work.task is not None and not work.task.done():
        work.task.cancel()
        await asyncio.wait([work.task])


async def _nobody_watches() -> None:
    pass


def _length(row: Upload) -> int | None:
    """Bytes that the upload will have, where that was said."""
    if row.parts is not None:
        pieces = Pieces.from_row(row.parts)
        return pieces.total if pieces.unit == "bytes" else None
    return row.length


def suitable(path: Path, size: int, total: int) -> Suits:
    """Whether something can be made of the first `size` bytes of a file that will have `total`. Blocking."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        container = container_of(os.pread(source, HEAD_BYTES, 0))
        if container in (MATROSKA, MPEG_TS):
            return Suits.NOW
        if container is not MP4:
            return Suits.NEVER
        place = find_moov(lambda at, length: os.pread(source, min(length, max(0, size - at)), at), total)
    except Mp4Error:
        return Suits.LATER
    finally:
        os.close(source)
    return Suits.NOW if place.offset + place.size <= size else Suits.LATER
