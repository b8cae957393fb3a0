"""Work that nobody waits for."""

import asyncio
from typing import Any

from server import log

_log = log.get("server")

_background: set[asyncio.Future[Any]] = set()


def in_background(work: Any) -> None:
    """What may fail without anything being lost."""
    task = asyncio.ensure_future(work)
    _background.add(task)
    task.add_done_callback(_finished)


def _finished(task: asyncio.Future[Any]) -> None:
    _background.discard(task)
    if not task.cancelled() and (error := task.exception()):
        _log.warning("background work failed", reason=str(error))
