"""Renditions made of a video's source: written by one process at a time, never rewritten, read by many.

A run is a file that only grows, whole segments one after the other, and its journal names those that are whole: bytes
first, then the line. After a crash the next run begins with the first segment that is missing.

    init.mp4  track        the same bytes whoever writes them
    0.mp4     0.journal    segments 0, 1, 2 …
    30.mp4    30.journal   segments 30, 31 … by another process
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from server.storage import journal
from server.storage.folders import keep
from server.storage.journal import Journal, SegmentEntry, TrackEntry
from server.storage.layout import MadeFolder
from server.storage.room import FULL, NoRoomError, Room


class RunBusyError(Exception):
    """Another process writes this run."""


class DifferentError(Exception):
    """The rendition exists already, coded otherwise: its segments would not go together."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A whole segment and where it lies."""

    entry: SegmentEntry  # `msn` is its number, from 0
    run: int
    offset: int


@dataclass(frozen=True, slots=True)
class Made:
    """What there is of a rendition: the segments from 0 on that have none missing before them."""

    track: TrackEntry
    init: bytes
    segments: tuple[Placed, ...]
    complete: bool  # nothing is to come


class Run:
    """Being written. `descriptor` is for a child to append to; everything here blocks on the disk."""

    def __init__(self, folder: MadeFolder, first: int, room: Room | None = None) -> None:
        """Raises RunBusyError, and ValueError where segments of it are there already."""
        self._room = room
        self.first = first
        self.next = first
        flags = os.O_CREAT | os.O_CLOEXEC | os.O_RDWR
        self._journal = os.open(folder.journal(first), flags | os.O_APPEND, 0o644)
        try:
            _lock(self._journal)
            if os.fstat(self._journal).st_size:
                if Journal.read(folder.journal(first)).segments:
                    raise ValueError(f"segment {first} is there already")
                os.ftruncate(self._journal, 0)  # a torn line
            self.descriptor = os.open(folder.run(first), flags | os.O_TRUNC, 0o644)
        except BaseException:
            os.close(self._journal)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        os.close(self._journal)

    def add(self, *entries: SegmentEntry) -> None:
        """The next segments are whole in the file; when this returns they are on disk, and to be watched. Raises
        NoRoomError: then they are not."""
        if self._room is not None:
            self._room.check()
        for number, entry in enumerate(entries, self.next):
            if entry.msn != number:
                raise ValueError(f"segment {entry.msn} comes after {number - 1}")
        lines = b"".join(map(journal.line, entries))
        with _full_disk():
            os.fdatasync(self.descriptor)
            size = os.fstat(self._journal).st_size
            if os.write(self._journal, lines) < len(lines):
                os.ftruncate(self._journal, size)
                raise NoRoomError("the disk took a part of a journal's lines")
            os.fdatasync(self._journal)
        self.next += len(entries)


class Shelf(Protocol):
    """Where renditions lie: storage.layout, and what else keeps some."""

    def made(self, owner_id: str, revision: int, rendition: str, /) -> MadeFolder: ...

    def video_revision(self, owner_id: str, revision: int, /) -> Path: ...


class RenditionStore:
    """Everything blocks on the disk. Those that write keep to a `room`, if there is one."""

    def __init__(self, layout: Shelf, room: Room | None = None) -> None:
        self._layout = layout
        self._room = room

    def check_room(self, wanted_bytes: int = 0) -> None:
        """Raises NoRoomError."""
        if self._room is not None:
            self._room.check(wanted_bytes)

    def describe(self, video_id: str, revision: int, rendition: str, init: bytes, track: TrackEntry) -> None:
        """Before the first segment, and again by whoever writes another run. Raises DifferentError."""
        folder = self._folder(video_id, revision, rendition)
        folder.path.mkdir(parents=True, exist_ok=True)
        if folder.track.exists():
            if folder.init.read_bytes() != init:
                raise DifferentError(f"{rendition} of {video_id} was begun with another init segment")
            return
        keep(folder.init, init)
        keep(folder.track, journal.line(track))

    def begin(self, video_id: str, revision: int, rendition: str, first: int) -> Run:
        """A run from segment `first` on. Raises RunBusyError, ValueError, NoRoomError."""
        self.check_room()
        folder = self._folder(video_id, revision, rendition)
        with _full_disk():
            folder.path.mkdir(parents=True, exist_ok=True)
            return Run(folder, first, self._room)

    def read(self, video_id: str, revision: int, rendition: str) -> Made | None:
        """None before it is described."""
        folder = self._folder(video_id, revision, rendition)
        tracks = Journal.read(folder.track).tracks
        if 0 not in tracks:
            return None
        found = self._placed(folder)
        prefix: list[Placed] = []
        while (placed := found.get(len(prefix))) is not None:
            prefix.append(placed)
        return Made(tracks[0], folder.init.read_bytes(), tuple(prefix), folder.complete.exists())

    def planned(
        self, video_id: str, revision: int, rendition: str, segments: Sequence[SegmentEntry]
    ) -> Made | None:
        """One whose segments are made on request, each in a run of its own; None before it is described."""
        folder = self._folder(video_id, revision, rendition)
        tracks = Journal.read(folder.track).tracks
        if 0 not in tracks:
            return None
        placed = tuple(Placed(entry, entry.msn, 0) for entry in segments)
        return Made(tracks[0], folder.init.read_bytes(), placed, complete=True)

    def finish(self, video_id: str, revision: int, rendition: str) -> None:
        """Nothing is to come."""
        keep(self._folder(video_id, revision, rendition).complete, b"")

    def names(self, video_id: str, revision: int) -> list[str]:
        """Renditions that were begun."""
        folder = self._layout.video_revision(video_id, revision)
        return sorted(path.parent.name for path in folder.glob("*/track"))

    def count(self, video_id: str, revision: int, rendition: str) -> int:
        """Segments that are there from the first on."""
        found = self._placed(self._folder(video_id, revision, rendition))
        return next(number for number in range(len(found) + 1) if number not in found)

    def missing(self, video_id: str, revision: int, rendition: str, first: int, last: int) -> int | None:
        """The first segment of first..last that is not there, None if all are."""
        found = self._placed(self._folder(video_id, revision, rendition))
        return next((number for number in range(first, last + 1) if number not in found), None)

    def numbers(self, video_id: str, revision: int, rendition: str) -> set[int]:
        """Of all segments that are there."""
        return set(self._placed(self._folder(video_id, revision, rendition)))

    def path(self, video_id: str, revision: int, rendition: str, run: int) -> Path:
        return self._folder(video_id, revision, rendition).run(run)

    def size(self, video_id: str, revision: int, renditions: Sequence[str]) -> int:
        """Bytes of all whole segments."""
        folders = [self._folder(video_id, revision, name) for name in renditions]
        return sum(placed.entry.size for folder in folders for placed in self._placed(folder).values())

    def drop(self, video_id: str, revision: int, rendition: str) -> None:
        shutil.rmtree(self._folder(video_id, revision, rendition).path, ignore_errors=True)

    def remove(self, video_id: str, revision: int) -> None:
        shutil.rmtree(self._layout.video_revision(video_id, revision), ignore_errors=True)

    def _folder(self, video_id: str, revision: int, rendition: str) -> MadeFolder:
        return self._layout.made(video_id, revision, rendition)

    def _placed(self, folder: MadeFolder) -> dict[int, Placed]:
        """Whole segments by number; of one that two runs hold, the earlier run's."""
        found: dict[int, Placed] = {}
        for run in folder.runs():
            try:
                size = folder.run(run).stat().st_size
            except FileNotFoundError:
                continue
            offset = 0
            for entry in Journal.read(folder.journal(run)).segments:
                if offset + entry.size > size:
                    break  # the disk lost what it said it had
                found.setdefault(entry.msn, Placed(entry, run, offset))
                offset += entry.size
        return found


def entry(number: int, start: int, duration: int, timescale: int, size: int) -> SegmentEntry:
    """A segment of a video: all begin with a key frame, and none has a time of day."""
    return SegmentEntry(number, start, duration, timescale, 0, 0, False, True, size)


@contextmanager
def _full_disk() -> Iterator[None]:
    """Others may write to it too: says so in one way."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise NoRoomError(str(error)) from None
        raise


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunBusyError("another process writes here") from None
