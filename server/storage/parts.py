"""Parts of an upload that came each on its own, in any order, and how they become one file. Blocking.

A part is a file under its key, there whole or not at all. `joining` appends parts to the data, a slice at a time, and
then removes them, so a crash leaves either a part or its bytes in the data. How far it came, the data's length tells:
every slice but the last is on disk, so the next `joining` goes on one slice before the data's end.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from server.errors import Problem
from server.storage.folders import make_folder, sync_folder

SLICE_BYTES = 16 << 20  # who ends a join waits for one slice: half a second of a slow disk

# where the file system does not copy by itself
_NO_COPY = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP)


class PartsMissing(Problem):
    """503: bytes that had come are there no more, and nobody sends them again."""

    def __init__(self) -> None:
        super().__init__("unavailable", detail="Parts of the upload are missing in the storage.")


def keep(path: Path, folder: Path, key: int) -> None:
    """A file, whole and synced, becomes the part of that key, in place of one that was not joined yet."""
    make_folder(folder)
    path.replace(folder / str(key))
    sync_folder(folder)


def joining(data: Path, folder: Path, sizes: Mapping[int, int]) -> Iterator[int]:
    """Appends the parts `sizes` (key -> bytes, in order, from the first on) to the data; the bytes it has on disk,
    after each slice.

    Parts that are in it already are no files any more; data that was moved away has 0 bytes. Raises PartsMissing
    and OSError.
    """
    here = {int(name) for name in os.listdir(folder) if name.isdecimal()}
    keys = list(sizes)
    first = next((at for at, key in enumerate(keys) if key in here), len(keys))
    if first == len(keys):
        yield data.stat().st_size if data.exists() else 0
        return
    position = sum(sizes[key] for key in keys[:first])
    if not here.issuperset(keys[first:]) or (position and data.stat().st_size < position):
        raise PartsMissing
    for key in keys[first:]:
        yield from _move(folder / str(key), data, position)
        position += sizes[key]


def _move(part: Path, data: Path, position: int) -> Iterator[int]:
    """The part's bytes stand in the data at `position`, on disk, and the part is no file any more."""
    size = part.stat().st_size
    if position == 0:
        part.replace(data)
        sync_folder(data.parent)
    else:
        there = data.stat().st_size - position
        if there > size:  # nobody knows what it is
            os.truncate(data, position)
        done = max(0, there - SLICE_BYTES) if there <= size else 0
        while done < size:
            done += _copy(part, data, done, position)
            if done < size:
                yield position + done
        part.unlink()
    sync_folder(part.parent)
    yield position + size


def _copy(part: Path, data: Path, done: int, position: int) -> int:
    """One slice; its bytes, which are on disk then. Opened anew each time, it notices that the upload has ended."""
    with part.open("rb") as source, data.open("r+b", buffering=0) as target:
        count = left = min(SLICE_BYTES, os.fstat(source.fileno()).st_size - done)
        source.seek(done)
        target.seek(position + done)
        while left > 0:
            left -= _copy_some(source.fileno(), target.fileno(), left)
        os.fdatasync(target.fileno())
    return count


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
