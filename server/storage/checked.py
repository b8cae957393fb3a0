"""Bytes that count only once they are known to be those that were sent. Blocking.

    uploads/<id>/checked   how many bytes of the data are good: 20 digits; what lies beyond goes

The note stands before the first byte that has to be checked is written, so bytes that a crash left unchecked are never
taken for good. Without the file all bytes are.
"""

import hmac
import os
from pathlib import Path

from server.protocols.tus.checksum import Checksum
from server.storage.folders import sync_folder

_DIGITS = 20


class Checking:
    """One go of bytes, with a checksum or without one."""

    def __init__(self, note: Path, checksum: Checksum | None) -> None:
        self._note = note
        self._wanted = checksum.digest if checksum else None
        self._hash = checksum.hasher() if checksum else None
        self.refused = False

    def begin(self, size: int) -> None:
        """The first `size` bytes are good; those of this go come next."""
        if self._hash is None:
            forget(self._note)
        elif read(self._note) != size:
            write(self._note, size)

    def update(self, chunk: bytes) -> None:
        if self._hash is not None:
            self._hash.update(chunk)

    def right(self) -> bool:
        """Whether all that came is what was promised."""
        self.refused = self._wanted is not None and self._hash is not None and not hmac.compare_digest(
            self._hash.digest(), self._wanted
        )  # fmt: skip
        return not self.refused

    def end(self, size: int) -> None:
        """The first `size` bytes are good, and on disk."""
        if self._hash is not None and read(self._note) != size:
            write(self._note, size)


def read(note: Path) -> int | None:
    """None where all bytes are good."""
    try:
        text = note.read_bytes()
    except FileNotFoundError:
        return None
    # one that a crash left without its digits stood there before any byte that it would have told of
    return int(text) if len(text) == _DIGITS and text.isdigit() else None


def write(note: Path, size: int) -> None:
    """In place: so few bytes are written whole or not at all."""
    is_new = not note.exists()
    descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.pwrite(descriptor, b"%0*d" % (_DIGITS, size), 0)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync_folder(note.parent)


def forget(note: Path) -> None:
    try:
        note.unlink()
    except FileNotFoundError:
        return
    sync_folder(note.parent)
