"""Looking into an uploaded file in a child: its facts, and its index where it is shown by one."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

from server import log
from server.media import calls
from server.media.calls import Examination
from server.media.child import ChildFailed, Children
from server.storage.layout import Layout
from server.vod.making import GAVE_UP

ATTEMPTS = 2  # of a child that crashes: once may be the machine's fault

Publish = Callable[[Path], Awaitable[None]]  # given the index, as soon as it is whole

_log = log.get("vod")


class Examining:
    """Asks children, each for `timeout_s` at most."""

    def __init__(self, children: Children, layout: Layout, timeout_s: float) -> None:
        self._children = children
        self._layout = layout
        self._timeout_s = timeout_s

    async def tried(self, video_id: str, publish: Publish) -> Examination:
        """What is found; a child that fails is a problem of the file."""
        attempts = ATTEMPTS
        while True:
            try:
                return await self._examined(video_id, publish)
            except ChildFailed as error:
                _log.warning("the probe failed", video=video_id, reason=error.reason, detail=error.detail)
                attempts -= 1
                if error.reason != "crashed" or not attempts:
                    return Examination(False, None, calls.problem_of(error))

    async def _examined(self, video_id: str, publish: Publish) -> Examination:
        """Asks a child. Raises ChildFailed."""
        publishing: list[asyncio.Future[None]] = []
        with ExitStack() as stack:
            index_path = self._layout.video_index(video_id).with_suffix(".new")
            source = _opened(stack, self._layout.video_source(video_id), os.O_RDONLY)
            index = _opened(stack, index_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

            def indexed() -> None:
                publishing.append(asyncio.ensure_future(publish(index_path)))

            try:
                found = await calls.examine(self._children, source, index, indexed, self._timeout_s)
            finally:
                if publishing:
                    await publishing[0]
                else:
                    index_path.unlink(missing_ok=True)
        if found.facts is None and found.problem is None:
            return Examination(False, None, GAVE_UP)
        return found


def _opened(stack: ExitStack, path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
    stack.callback(os.close, descriptor)
    return descriptor
