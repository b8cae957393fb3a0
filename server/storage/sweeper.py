"""Bytes of uploads that nobody will go on with."""

import shutil
from collections.abc import Collection

from server.storage.layout import Layout


def leftovers(layout: Layout, before: float) -> list[str]:
    """Ids of uploads on disk whose folder has not changed since `before` (seconds since the epoch). Blocking.

    A folder is made before its row is committed, so only one that has been there for a while is worth asking about.
    """
    if not layout.uploads.is_dir():
        return []
    return [folder.name for folder in layout.uploads.iterdir() if folder.stat().st_mtime < before]


def sweep(layout: Layout, upload_ids: Collection[str]) -> int:
    """Removes the bytes of the uploads; how many had any. Blocking."""
    folders = [folder for folder in map(layout.upload, upload_ids) if folder.is_dir()]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return len(folders)
