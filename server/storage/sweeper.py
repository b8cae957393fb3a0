"""Bytes of uploads that nobody will go on with."""

import math
import shutil
from collections.abc import Collection
from pathlib import Path

from server.storage.layout import Layout


def leftovers(layout: Layout, before: float) -> list[str]:
    """Ids of uploads on disk that nothing was written to since `before` (seconds since the epoch). Blocking.

    Bytes may come before their row is committed, so only those that rest for a while are worth asking about.
    """
    if not layout.uploads.is_dir():
        return []
    return [folder.name for folder in layout.uploads.iterdir() if _last_change(folder) < before]


def sweep(layout: Layout, upload_ids: Collection[str]) -> int:
    """Removes the bytes of the uploads; how many had any. Blocking."""
    folders = [folder for folder in map(layout.upload, upload_ids) if folder.is_dir()]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return len(folders)


def _last_change(folder: Path) -> float:
    """Seconds since the epoch; a file that grows does not change its folder."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except FileNotFoundError:  # it is just being finished
        return math.inf
