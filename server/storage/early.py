"""What was made of an upload before it was whole: kept beside its bytes, then taken over by its video. Blocking.

    facts   JSON: of which upload, file and length all of it is, and what was found; written before anything is made

The folder goes wherever the upload's bytes go. Nothing in it is watched: it is taken over once the upload is a video's
source, and only if it is of these very bytes.
"""

import json
import os
import shutil
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from server.storage.folders import keep
from server.storage.layout import EarlyFolder, Layout, MadeFolder


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a file; `facts` and `open` are media.facts' and media.calls' matter."""

    upload_id: str
    inode: int
    size: int  # of all of it
    indexed: bool  # its index is there
    open: str | None
    facts: Mapping[str, Any]


class EarlyShelf:
    """For storage.renditions: those made of uploads, by the upload's id."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def made(self, owner_id: str, revision: int, rendition: str) -> MadeFolder:
        return self._layout.upload_early(owner_id).made(rendition)

    def video_revision(self, owner_id: str, revision: int) -> Path:
        return self._layout.upload_early(owner_id).path


def begin(folder: EarlyFolder) -> None:
    """With nothing in it."""
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.path.mkdir(parents=True)


def write(folder: EarlyFolder, found: Found) -> None:
    """What `read` gives from now on, also after a crash."""
    keep(folder.facts, json.dumps(asdict(found)).encode())


def read(folder: EarlyFolder) -> Found | None:
    """None where there is nothing, or nothing whole."""
    try:
        return Found(**json.loads(folder.facts.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def is_of(found: Found, upload_id: str | None, file: os.stat_result, size: int) -> bool:
    """Whether it was made of that file, which has `size` bytes when it is whole."""
    return (found.upload_id, found.inode, found.size) == (upload_id, file.st_ino, size)


def take(
    layout: Layout, video_id: str, upload_id: str | None, revision: int, without: Set[str] = frozenset()
) -> Found | None:
    """What was made of the video's source while it came; its renditions, but those `without`, are the revision's now.
    Doing it again is no harm. Raises FileNotFoundError without a source."""
    folder = layout.video_early(video_id)
    found = read(folder)
    source = layout.video_source(video_id).stat()
    if found is None or not is_of(found, upload_id, source, source.st_size):
        drop(layout, video_id)
        return None
    for name in folder.renditions():
        place = layout.made(video_id, revision, name).path
        if name not in without and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            folder.made(name).path.rename(place)
    return found


def drop(layout: Layout, video_id: str) -> None:
    shutil.rmtree(layout.video_early(video_id).path, ignore_errors=True)
