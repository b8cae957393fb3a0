"""The data folder as a whole: one server at a time, and how much space is left."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_RETRY_S = 3.0  # a restarting server may overlap its predecessor's last moment
LOCK_STEP_S = 0.1
TRIED_BYTES = 4096  # a block


class FolderInUseError(OSError):
    """Another server holds the data folder."""


@contextmanager
def held(root: Path, lock: Path) -> Iterator[None]:
    """Makes the folder and holds its lock; blocks up to LOCK_RETRY_S. Raises FolderInUseError or OSError."""
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(descriptor, root)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)  # and with it the lock, also when the process is killed


def _take(descriptor: int, root: Path) -> None:
    for _ in range(int(LOCK_RETRY_S / LOCK_STEP_S)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_STEP_S)
        else:
            return
    holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    raise FolderInUseError(f"{root} is in use by another server (process {holder or 'unknown'})")


def free_bytes(root: Path) -> int:
    """Bytes that an unprivileged process may still write to the folder's file system."""
    found = os.statvfs(root)
    return found.f_bavail * found.f_frsize


def try_writing(root: Path) -> None:
    """Raises OSError, also where the disk is full: a file without bytes would still be taken."""
    probe = root / ".writable"
    try:
        probe.write_bytes(bytes(TRIED_BYTES))
    finally:
        probe.unlink(missing_ok=True)


def write_secret(path: Path, secret: str) -> None:
    """A file that only its owner can read, complete or not there at all."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)  # the file may have been there with wider rights
        os.write(descriptor, secret.encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
