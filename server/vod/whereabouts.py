"""Where an upload's file lies, as the child takes it that makes images (server.media.images)."""

import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from server.storage.layout import Layout
from server.vod.plan import Plan


class Where(NamedTuple):
    told: dict[str, Any]
    fds: list[int]


def opened(stack: ExitStack, layout: Layout, video_id: str, revision: int, altered: bool) -> Where:
    """Descriptors live as long as the stack; with what is done to its pictures where they are shown otherwise.

    Raises OSError; ValueError where it is not known yet what is done to them.
    """
    source = _open(stack, layout.video_source(video_id))
    where = Where({"kind": "file", "source": source}, [source])
    try:
        index = _open(stack, layout.video_index(video_id))
    except FileNotFoundError:
        pass
    else:
        where.told.update(kind="indexed", index=index)
        where.fds.append(index)
    if altered:
        _add_treatment(stack, layout, video_id, revision, where)
    return where


def _add_treatment(stack: ExitStack, layout: Layout, video_id: str, revision: int, where: Where) -> None:
    treatment = Plan.of_bytes(layout.video_plan(video_id, revision).read_bytes()).treatment
    where.told["treatment"] = asdict(treatment)
    if treatment.watermark is not None:
        where.fds.append(_open(stack, layout.video_watermark(video_id)))
        where.told["watermark"] = where.fds[-1]


def _open(stack: ExitStack, path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return fd
