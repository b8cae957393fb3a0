"""The segments of all broadcasts, written by one thread.

The event loop hands parts over without waiting; the thread appends each to the file of its open segment, then closes
and renames the file and adds a line to the journal. It is woken once for all that came in TICK_S, since wake-ups cost
more than writes.

What survives: a killed process loses the parts still queued (about TICK_S), and `recovery` finishes the segment that
was open. Nothing is synced here, so a power cut may also take what the kernel had not written back, usually 30 s;
`recovery` finds that by comparing sizes. Syncing each segment would cost two disk flushes a second and stream.

When the disk is full, fails, or is too slow for the queue: live goes on from memory, the segment's file is given up
as a whole and its journal line becomes a gap, `on_fault` is told, and the next segment tries again.
"""

import contextlib
import errno
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from server import log
from server.storage.journal import JournalEntry, SegmentEntry, TrackEntry, line, read_journal
from server.storage.layout import Layout, RenditionFolder
from server.storage.recovery import Recovered, RecoveredRendition, recover

__all__ = [
    "Recovered",
    "RecoveredRendition",
    "RenditionWriter",
    "SegmentEntry",
    "SegmentFile",
    "SegmentStore",
    "StoreFault",
    "TrackEntry",
    "read_journal",
]

TICK_S = 0.05  # gathered before the thread looks again; a crash loses about so much more
MAX_QUEUED_BYTES = 64 << 20  # 5 s of 20 streams at 5 Mbit/s: longer than that a disk may not think
MAX_QUEUED = 8_192  # parts and orders: the same 5 s of 100 streams, with room
MAX_OWED = 4_096  # journal lines of a rendition that wait for a full disk: two hours
STOP_TIMEOUT_S = 8.0  # SIGTERM gives the process 10 s

_log = log.get("storage")

Order = Callable[[], None]


@dataclass(frozen=True, slots=True)
class StoreFault:
    """A segment that is not on disk: the recording has a gap."""

    broadcast_id: str
    rendition: str
    msn: int
    reason: str


class SegmentFile:
    """One segment on its way to the disk; `written` or `failed` once it is known how it went."""

    __slots__ = ("descriptor", "failed", "folder", "msn", "writer", "written")

    def __init__(self, writer: "RenditionWriter", msn: int) -> None:
        self.writer = writer
        self.folder = writer.folder
        self.msn = msn
        self.descriptor = -1  # of the disk thread
        self.written = False
        self.failed = False

    def append(self, part: bytes) -> None:
        """Queues a part, unless there is no room: then the segment is given up."""
        self.writer.store.append(self, part)

    def close(self, entry: SegmentEntry) -> None:
        """Queues the end of the segment and its line in the journal."""
        self.writer.store.close_segment(self, entry)


class RenditionWriter:
    """The queue's end that the packager holds, for one rendition."""

    def __init__(self, store: "SegmentStore", broadcast_id: str, rendition: str, folder: RenditionFolder) -> None:
        self.store = store
        self.broadcast_id = broadcast_id
        self.rendition = rendition
        self.folder = folder
        self.faults = 0  # segments given up

    def track(self, entry: TrackEntry, init: bytes) -> None:
        """A generation begins: its init segment and its line."""
        self.store.begin_track(self, entry, init)

    def open(self, msn: int) -> SegmentFile:
        return SegmentFile(self, msn)

    def gap(self, entry: SegmentEntry) -> None:
        """A segment of which there are no bytes."""
        self.store.note(self, entry)

    def discard(self, msn: int) -> None:
        """A segment that nobody may ask for any more."""
        self.store.discard(self, msn)


class SegmentStore:
    """`async with SegmentStore(layout)`: the thread runs within. Methods are called on the event loop.

    `on_fault` is called on either thread, at most once a segment.
    """

    def __init__(
        self,
        layout: Layout,
        on_fault: Callable[[StoreFault], None] | None = None,
        *,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
        max_queued: int = MAX_QUEUED,
    ) -> None:
        self.layout = layout
        self.faults = 0  # segments given up
        self.written_segments = 0
        self.written_bytes = 0  # also counts down the queue: written on the disk thread only
        self._on_fault = on_fault
        self._max_queued_bytes = max_queued_bytes
        self._max_queued = max_queued
        self._taken_bytes = 0  # on the event loop only
        self._dropped_bytes = 0  # taken, but not written; on the disk thread only
        self._spared: dict[str, list[tuple[int, int]]] = {}  # by broadcast, while it is on air
        self._orders: deque[Order] = deque()
        self._owed: dict[Path, deque[Order]] = {}  # journal lines and init segments; on the disk thread only
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="segments", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Writes all that is queued; blocks up to STOP_TIMEOUT_S."""
        self._stop()
        self._thread.join(STOP_TIMEOUT_S)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        import asyncio  # the one edge that knows a loop

        self._stop()
        await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_S)

    # --- on the event loop

    def rendition(self, broadcast_id: str, rendition: str) -> RenditionWriter:
        return RenditionWriter(self, broadcast_id, rendition, self.layout.rendition(broadcast_id, rendition))

    @property
    def queued_bytes(self) -> int:
        return self._taken_bytes - self.written_bytes - self._dropped_bytes

    @property
    def queued(self) -> int:
        return len(self._orders)

    def append(self, file: SegmentFile, part: bytes) -> None:
        if file.failed:
            return
        if self.queued_bytes + len(part) > self._max_queued_bytes or len(self._orders) >= self._max_queued:
            self._give_up(file, "the disk is too slow")
            return
        self._taken_bytes += len(part)
        self._order(lambda: self._write(file, part))

    def close_segment(self, file: SegmentFile, entry: SegmentEntry) -> None:
        self._order(lambda: self._close(file, entry))

    def begin_track(self, writer: RenditionWriter, entry: TrackEntry, init: bytes) -> None:
        self._order(lambda: self._begin_track(writer, entry, init))

    def note(self, writer: RenditionWriter, entry: JournalEntry) -> None:
        self._order(lambda: self._note(writer.folder, entry))

    def spare(self, broadcast_id: str, first: int, last: int) -> None:
        """Segments first to last are wanted by a video: they outlive the window of live playback."""
        self._spared.setdefault(broadcast_id, []).append((first, last))

    def unspare(self, broadcast_id: str, first: int, last: int) -> None:
        """Takes a `spare` of the same segments back."""
        spans = self._spared.get(broadcast_id, [])
        if (first, last) in spans:
            spans.remove((first, last))

    def discard(self, writer: RenditionWriter, msn: int) -> None:
        """Deletes a segment, unless it is spared."""
        if not any(first <= msn <= last for first, last in self._spared.get(writer.broadcast_id, ())):
            self._order(lambda: writer.folder.segment(msn).unlink(missing_ok=True))

    def over(self, broadcast_id: str) -> None:
        """Nothing of the broadcast will be discarded any more: what it spared need not be known here."""
        self._spared.pop(broadcast_id, None)

    def flush(self) -> "Future[None]":
        """Done when all that was handed over before is written, or given up."""
        done: Future[None] = Future()
        self._hurry.set()
        self._order(lambda: done.set_result(None) if done.set_running_or_notify_cancel() else None)
        return done

    def recover(self, broadcast_id: str) -> Recovered:
        """What a restart finds of a broadcast that nobody writes now; blocks on the disk, call it in a thread."""
        return recover(self.layout, broadcast_id)

    def remove(self, broadcast_id: str) -> None:
        """Deletes a broadcast that nobody writes now; blocks on the disk, call it in a thread."""
        shutil.rmtree(self.layout.broadcast(broadcast_id), ignore_errors=True)

    def _order(self, order: Order) -> None:
        # Orders that aren't parts are few, a handful a segment, and follow the parts' limit.
        self._orders.append(order)
        if not self._wake.is_set():
            self._wake.set()

    def _stop(self) -> None:
        self._stopping = True
        self._hurry.set()
        self._wake.set()

    # --- on the disk thread

    def _run(self) -> None:
        while not (self._stopping and not self._orders):
            self._wake.wait()
            self._hurry.wait(TICK_S)
            self._hurry.clear()
            self._wake.clear()
            while self._orders:
                self._carry_out(self._orders.popleft())

    def _carry_out(self, order: Order) -> None:
        try:
            order()
        except Exception as error:  # the thread serves every stream: none may stop it
            _log.error("a disk order failed", exc_info=error)

    def _write(self, file: SegmentFile, part: bytes) -> None:
        if file.failed:
            self._dropped_bytes += len(part)
            return
        try:
            if file.descriptor < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                file.descriptor = os.open(file.folder.open_segment(file.msn), flags, 0o644)
            view = memoryview(part)
            while view:
                view = view[os.write(file.descriptor, view) :]
        except OSError as error:
            self._dropped_bytes += len(part)
            self._give_up(file, error.strerror or str(error))
        else:
            self.written_bytes += len(part)

    def _close(self, file: SegmentFile, entry: SegmentEntry) -> None:
        descriptor, file.descriptor = file.descriptor, -1
        if descriptor >= 0:
            try:
                os.close(descriptor)
                if not file.failed:
                    file.folder.open_segment(file.msn).rename(file.folder.segment(file.msn))
            except OSError as error:
                self._give_up(file, error.strerror or str(error))
        if file.failed:
            with contextlib.suppress(OSError):
                file.folder.open_segment(file.msn).unlink(missing_ok=True)
            entry = replace(entry, gap=True, size=0)
        else:
            file.written = True
            self.written_segments += 1
        self._note(file.folder, entry)

    def _begin_track(self, writer: RenditionWriter, entry: TrackEntry, init: bytes) -> None:
        folder = writer.folder

        def write() -> None:
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.init(entry.generation).write_bytes(init)
            _append_line(folder, entry)

        if not self._settle(folder, write):
            self._report(StoreFault(writer.broadcast_id, writer.rendition, -1, "the init segment can't be written"))

    def _note(self, folder: RenditionFolder, entry: JournalEntry) -> None:
        self._settle(folder, lambda: _append_line(folder, entry))

    def _settle(self, folder: RenditionFolder, order: Order) -> bool:
        """Carries out what the disk refused before, then the order; False where the disk refuses still."""
        owed = self._owed.setdefault(folder.path, deque(maxlen=MAX_OWED))
        owed.append(order)
        try:
            while owed:
                owed[0]()
                owed.popleft()
        except OSError:
            return False
        del self._owed[folder.path]
        return True

    # --- on either

    def _give_up(self, file: SegmentFile, reason: str) -> None:
        file.failed = True
        file.writer.faults += 1
        self._report(StoreFault(file.writer.broadcast_id, file.writer.rendition, file.msn, reason))

    def _report(self, fault: StoreFault) -> None:
        self.faults += 1
        _log.warning(
            "segment not on disk", broadcast=fault.broadcast_id, rendition=fault.rendition, msn=fault.msn,
            reason=fault.reason,
        )  # fmt: skip
        if self._on_fault is not None:
            with contextlib.suppress(RuntimeError):  # the loop that it calls into may be closed by now
                self._on_fault(fault)


def _append_line(folder: RenditionFolder, entry: JournalEntry) -> None:
    """Whole or not at all: a line after a torn one would not be believed."""
    text = line(entry)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        descriptor = os.open(folder.journal, flags, 0o644)
    except FileNotFoundError:  # a rendition may begin with a gap
        folder.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder.journal, flags, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if os.write(descriptor, text) < len(text):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)
