"""Folders whose entries survive a crash: a file's own fsync does not make its name durable."""

import os
import tempfile
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, durably; one that is there is no error. Blocking."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """What came to the folder, and what went, is on disk. Blocking."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep(path: Path, content: bytes) -> None:
    """A small file, there whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # two may write it at once
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
