"""Images made on request, kept beside their videos up to a number of bytes: the one not asked for longest goes first.

After a restart those made longest ago count as such. What is deleted with its video is found out when it is asked for
or is to go.
"""

import contextlib
import os
import threading
from collections import OrderedDict
from pathlib import Path

from server.storage.layout import Layout


class ImageCache:
    """Every method but `used` blocks on the disk; they may be called in any thread."""

    def __init__(self, layout: Layout, limit_bytes: int) -> None:
        self._layout = layout
        self._limit = limit_bytes
        self._kept: OrderedDict[Path, int] = OrderedDict()  # path -> bytes, least recently used first
        self._lock = threading.Lock()
        self.used = 0  # bytes
        self.removed = 0  # images that had to go

    def load(self) -> None:
        """Take up what is there from before."""
        found: list[tuple[float, Path, int]] = []
        for path in self._layout.video_images():
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, path, status.st_size))
        with self._lock:
            for _, path, size in sorted(found):
                if path not in self._kept:
                    self._kept[path] = size
                    self.used += size
        self._make_room()

    def get(self, video_id: str, name: str) -> bytes | None:
        path = self._layout.video_image(video_id, name)
        try:
            data = path.read_bytes()
        except OSError:
            self._forget(path)
            return None
        with self._lock:
            if path in self._kept:
                self._kept.move_to_end(path)
        return data

    def put(self, video_id: str, name: str, data: bytes) -> None:
        """Raises OSError; then nothing is kept."""
        path = self._layout.video_image(video_id, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{name}-{threading.get_ident():x}-new")
        temporary.write_bytes(data)
        os.replace(temporary, path)
        with self._lock:
            self.used += len(data) - self._kept.pop(path, 0)
            self._kept[path] = len(data)
        self._make_room()

    def _make_room(self) -> None:
        while True:
            with self._lock:
                if self.used <= self._limit or not self._kept:
                    return
                path, size = self._kept.popitem(last=False)
                self.used -= size
                self.removed += 1
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _forget(self, path: Path) -> None:
        with self._lock:
            self.used -= self._kept.pop(path, 0)
