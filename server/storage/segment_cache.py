"""Segments made on request, kept up to a number of bytes: the one not asked for longest goes first.

Each is a run of its own in its rendition's folder, its journal written when it is whole. After a restart those made
longest ago count as unused longest. What is deleted with its video is found out when it is asked for or is to go.
"""

import contextlib
import threading
from collections import OrderedDict
from typing import NamedTuple

from server.storage.journal import Journal, SegmentEntry
from server.storage.layout import Layout, MadeFolder
from server.storage.renditions import Run


class SegmentKey(NamedTuple):
    """A segment of a rendition that is made of a video's source."""

    video_id: str
    revision: int  # of the source
    rendition: str
    number: int  # from 0


class SegmentCache:
    """All but `has` and `forget` block on the disk; they may be called in any thread."""

    def __init__(self, layout: Layout, limit_bytes: int) -> None:
        self._layout = layout
        self._kept: OrderedDict[SegmentKey, int] = OrderedDict()  # -> bytes, least recently used first
        self._lock = threading.Lock()
        self.limit = limit_bytes
        self.used = 0  # bytes
        self.removed = 0  # segments that had to go

    def load(self) -> None:
        """Takes up what is there from before. What was being made is not there; it is made again in its place."""
        found: list[tuple[float, SegmentKey, int]] = []
        for video_id, revision, folder in self._layout.cached_folders():
            for number in folder.runs():
                key = SegmentKey(video_id, revision, folder.path.name, number)
                with contextlib.suppress(OSError):
                    entry = _entry(folder, number)
                    if entry is not None:
                        found.append((folder.journal(number).stat().st_mtime, key, entry.size))
        for _, key, size in sorted(found):
            self._keep(key, size)
        self._make_room()

    def has(self, key: SegmentKey) -> bool:
        """As far as is known without looking."""
        return key in self._kept

    def read(self, key: SegmentKey) -> bytes | None:
        """The whole segment; None where it is not there."""
        folder = self._folder(key)
        try:
            entry = _entry(folder, key.number)
            if entry is not None:
                with folder.run(key.number).open("rb", buffering=0) as file:
                    data = file.read(entry.size)
                if len(data) == entry.size:
                    self._keep(key, entry.size)
                    return data
        except OSError:
            pass
        self._drop(key)
        return None

    def begin(self, key: SegmentKey) -> Run:
        """Where it is to be written. Raises OSError where its rendition's folder is gone, RunBusyError."""
        folder = self._folder(key)
        if not folder.cached.exists():
            folder.cached.touch()
        try:
            return Run(folder, key.number)
        except ValueError:  # it is there, and was found damaged
            _remove(folder, key.number)
            return Run(folder, key.number)

    def add(self, key: SegmentKey, run: Run, entry: SegmentEntry) -> None:
        """It is whole."""
        run.add(entry)
        self._keep(key, entry.size)
        self._make_room()

    def forget(self, video_id: str) -> None:
        """The files of the video are gone."""
        with self._lock:
            for key in [key for key in self._kept if key.video_id == video_id]:
                self.used -= self._kept.pop(key)

    def _keep(self, key: SegmentKey, size: int) -> None:
        with self._lock:
            self.used += size - self._kept.pop(key, 0)
            self._kept[key] = size

    def _drop(self, key: SegmentKey) -> None:
        with self._lock:
            self.used -= self._kept.pop(key, 0)

    def _make_room(self) -> None:
        while True:
            with self._lock:
                if self.used <= self.limit or len(self._kept) <= 1:
                    return
                key, size = self._kept.popitem(last=False)
                self.used -= size
                self.removed += 1
            with contextlib.suppress(OSError):
                _remove(self._folder(key), key.number)

    def _folder(self, key: SegmentKey) -> MadeFolder:
        return self._layout.made(key.video_id, key.revision, key.rendition)


def _entry(folder: MadeFolder, number: int) -> SegmentEntry | None:
    """Of a run of one segment."""
    found = Journal.read(folder.journal(number)).segments
    return found[0] if found and folder.run(number).stat().st_size >= found[0].size else None


def _remove(folder: MadeFolder, number: int) -> None:
    """The journal first: what it says is there, is."""
    folder.journal(number).unlink(missing_ok=True)
    folder.run(number).unlink(missing_ok=True)
