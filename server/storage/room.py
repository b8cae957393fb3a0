"""Room on the disk: so much of it is left free, whoever writes."""

import errno
from pathlib import Path

from server.storage import data_folder

FULL = (errno.ENOSPC, errno.EDQUOT)


class NoRoomError(Exception):
    """What was to be written would eat into the reserve, or the disk takes no more."""


class Room:
    """Of the file system of a folder. Blocks on the disk."""

    def __init__(self, root: Path, reserve_bytes: int) -> None:
        self._root = root
        self._reserve_bytes = reserve_bytes

    @property
    def bytes(self) -> int:
        """That may still be written; less than none where the reserve is not there."""
        return data_folder.free_bytes(self._root) - self._reserve_bytes

    def check(self, wanted_bytes: int = 0) -> None:
        """Raises NoRoomError."""
        room = self.bytes
        if room < wanted_bytes or room < 0:
            raise NoRoomError(f"{wanted_bytes >> 20} MiB are wanted, there is room for {max(0, room) >> 20}")
