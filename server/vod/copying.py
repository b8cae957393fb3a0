"""The tracks of a source that browsers play, copied into renditions where its own index can't serve them."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from server import log
from server.media.child import ChildFailed, Children
from server.media.facts import SourceFacts
from server.media.packaging import Copy, copies_of, package
from server.media.problems import MediaProblem
from server.packager.presentation import VIDEO
from server.storage.layout import Layout
from server.storage.renditions import Made, RenditionStore
from server.vod.writing import Writing

ATTEMPTS = 2  # of a child that crashes: once may be the machine's fault

_log = log.get("vod")


class Copying:
    def __init__(self, layout: Layout, children: Children, renditions: RenditionStore) -> None:
        self._layout = layout
        self._children = children
        self._renditions = renditions

    async def copy(
        self, video_id: str, revision: int, facts: SourceFacts, on_begun: Callable[[], Awaitable[None]]
    ) -> Mapping[str, Made]:
        """What could be copied, whole; `on_begun` comes once each of them has a segment. What a crash left is gone on
        with. Raises OSError."""
        copies = copies_of(facts)
        known = await asyncio.to_thread(self._read, video_id, revision, copies)
        if copies and not all(name in known and known[name].complete for name in _names(copies)):
            problem = await self._tried(video_id, revision, facts, copies, on_begun)
            if problem is not None:
                _log.info("not copied", video=video_id, code=problem.code, detail=problem.detail)
                await asyncio.to_thread(self._drop, video_id, revision, copies)
                return {}
            for name in _names(copies):
                await asyncio.to_thread(self._renditions.finish, video_id, revision, name)
        found = await asyncio.to_thread(self._read, video_id, revision, copies)
        return {name: made for name, made in found.items() if made.segments}

    async def _tried(
        self,
        video_id: str,
        revision: int,
        facts: SourceFacts,
        copies: Sequence[Copy],
        on_begun: Callable[[], Awaitable[None]],
    ) -> MediaProblem | None:
        attempts = ATTEMPTS
        while True:
            known = await asyncio.to_thread(self._read, video_id, revision, copies)
            try:
                return await self._package(video_id, revision, facts, copies, known, on_begun)
            except ChildFailed as error:
                _log.warning("copying failed", video=video_id, reason=error.reason, detail=error.detail)
                attempts -= 1
                if error.reason != "crashed" or not attempts:
                    return MediaProblem("failed", str(error))

    async def _package(
        self,
        video_id: str,
        revision: int,
        facts: SourceFacts,
        copies: Sequence[Copy],
        known: Mapping[str, Made],
        on_begun: Callable[[], Awaitable[None]],
    ) -> MediaProblem | None:
        waits = {name for name in _names(copies) if name not in known or not known[name].segments}

        async def came(name: str, number: int) -> None:
            if name in waits:
                waits.remove(name)
                if not waits:
                    await on_begun()

        missing = {name: len(known[name].segments) if name in known else 0 for name in _names(copies)}
        wanted = [replace(copy, first=missing[copy.name]) for copy in copies]
        labels = {copy.name: (copy.language, copy.title) for copy in copies}
        writing = Writing(self._renditions, video_id, revision, came, labels)
        source = os.open(self._layout.video_source(video_id), os.O_RDONLY | os.O_CLOEXEC)
        try:
            async with writing.open(missing) as ways:
                return await package(self._children, source, os.fstat(source).st_size, facts, wanted, *ways)
        finally:
            os.close(source)

    def _read(self, video_id: str, revision: int, copies: Sequence[Copy]) -> dict[str, Made]:
        found = {name: self._renditions.read(video_id, revision, name) for name in _names(copies)}
        return {name: made for name, made in found.items() if made is not None}

    def _drop(self, video_id: str, revision: int, copies: Sequence[Copy]) -> None:
        for name in _names(copies):
            self._renditions.drop(video_id, revision, name)


def cuts(made: Mapping[str, Made]) -> tuple[int, tuple[int, ...]] | None:
    """Of copied pictures: ticks a second, and where each segment begins and the last ends."""
    if VIDEO not in made:
        return None
    entries = [placed.entry for placed in made[VIDEO].segments]
    return entries[0].timescale, (*(entry.start for entry in entries), entries[-1].end)


def _names(copies: Sequence[Copy]) -> list[str]:
    return [copy.name for copy in copies]
