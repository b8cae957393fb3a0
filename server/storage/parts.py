"""Parts of an upload that came each on its own, in any order, and how they become one file. Blocking.

A part is a file under its key, there whole or not at all. `join` appends parts to the data and then removes them, so
a crash leaves either a part or its bytes in the data, and the next `join` goes on from there.
"""

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from server.errors import Problem
from server.storage.folders import make_folder, sync_folder

COPY_BYTES = 64 << 20  # by one system call

# where the file system does not copy by itself
_NO_COPY = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP)


def keep(path: Path, folder: Path, key: int) -> None:
    """A file, whole and synced, becomes the part of that key, in place of one that was not joined yet."""
    make_folder(folder)
    path.replace(folder / str(key))
    sync_folder(folder)


def join(data: Path, folder: Path, sizes: Mapping[int, int]) -> int:
    """Appends the parts `sizes` (key -> bytes, in order, from the first on) to the data; the bytes it has then.

    Parts that are in it already are no files any more; data that was moved away has 0 bytes. Raises Problem (503)
    when bytes are missing, and OSError.
    """
    here = {int(name) for name in os.listdir(folder) if name.isdecimal()}
    keys = list(sizes)
    first = next((at for at, key in enumerate(keys) if key in here), len(keys))
    if first == len(keys):
        return data.stat().st_size if data.exists() else 0
    position = sum(sizes[key] for key in keys[:first])
    if not here.issuperset(keys[first:]) or (position and data.stat().st_size < position):
        raise Problem("unavailable", detail="Parts of the upload are missing in the storage.")
    for key in keys[first:]:
        _move(folder / str(key), data, position)
        position += sizes[key]
    return position


def _move(part: Path, data: Path, position: int) -> None:
    if position == 0:
        part.replace(data)
        sync_folder(data.parent)
    else:
        _copy(part, data, position)
        part.unlink()
    sync_folder(part.parent)


def _copy(part: Path, data: Path, position: int) -> None:
    """The part's bytes stand in the data at `position`, on disk, and nothing after them."""
    with part.open("rb") as source, data.open("r+b", buffering=0) as target:
        os.ftruncate(target.fileno(), position)
        target.seek(position)
        left = os.fstat(source.fileno()).st_size
        while left > 0:
            left -= _copy_some(source.fileno(), target.fileno(), min(left, COPY_BYTES))
        os.fdatasync(target.fileno())


def _copy_some(source: int, target: int, count: int) -> int:
    try:
        copied = os.copy_file_range(source, target, count)
    except OSError as error:
        if error.errno not in _NO_COPY:
            raise
        copied = os.sendfile(target, source, None, count)
    if copied == 0:
        raise OSError(errno.EIO, "a part became shorter")
    return copied
