"""The tracks of a source that browsers play, copied into renditions where its own index can't serve them."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from server import log
from server.media.child import ChildFailed, Children
from server.media.facts import SourceFacts
from server.media.growing import Growth
from server.media.packaging import TARGET_S, Copy, copies_of, package
from server.media.problems import MediaProblem
from server.packager.presentation import VIDEO
from server.storage.renditions import Made, RenditionStore
from server.vod.writing import Writing

ATTEMPTS = 2  # of a child that crashes: once may be the machine's fault
LONGEST_S = 86400.0  # that one child waits for a file that still comes

_log = log.get("vod")


@dataclass(frozen=True, slots=True)
class Order:
    """`owner_id` is whose the renditions are: a video's, or an upload's that still comes, and has a `growth`.

    What is in `but` is shown otherwise.
    """

    owner_id: str
    revision: int
    source: Path
    facts: SourceFacts
    growth: Growth | None = None
    but: tuple[str, ...] = ()
    target_s: float = TARGET_S

    @property
    def copies(self) -> tuple[Copy, ...]:
        return tuple(copy for copy in copies_of(self.facts) if copy.name not in self.but)


class Copying:
    def __init__(self, children: Children, renditions: RenditionStore) -> None:
        self._children = children
        self._renditions = renditions

    async def copy(self, order: Order, on_begun: Callable[[], Awaitable[None]]) -> Mapping[str, Made]:
        """What could be copied, whole; `on_begun` comes once each of them has a segment. What a crash left is gone on
        with. Raises OSError, NoRoomError."""
        copies = order.copies
        known = await asyncio.to_thread(self._read, order, copies)
        if copies and all(name in known and known[name].segments for name in _names(copies)):
            await on_begun()
        if copies and not all(name in known and known[name].complete for name in _names(copies)):
            problem = await self._tried(order, copies, on_begun)
            if problem is not None:
                _log.info("not copied", of=order.owner_id, code=problem.code, detail=problem.detail)
                await asyncio.to_thread(self._drop, order, copies)
                return {}
            for name in _names(copies):
                await asyncio.to_thread(self._renditions.finish, order.owner_id, order.revision, name)
        found = await asyncio.to_thread(self._read, order, copies)
        return {name: made for name, made in found.items() if made.segments}

    async def _tried(
        self, order: Order, copies: Sequence[Copy], on_begun: Callable[[], Awaitable[None]]
    ) -> MediaProblem | None:
        attempts = 1 if order.growth else ATTEMPTS  # what has come was told to the child that crashed
        while True:
            known = await asyncio.to_thread(self._read, order, copies)
            try:
                return await self._package(order, copies, known, on_begun)
            except ChildFailed as error:
                await asyncio.to_thread(self._renditions.check_room)  # a full disk looks like that too
                _log.warning("copying failed", of=order.owner_id, reason=error.reason, detail=error.detail)
                attempts -= 1
                if error.reason != "crashed" or not attempts:
                    return MediaProblem("failed", str(error))

    async def _package(
        self,
        order: Order,
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
        writing = Writing(self._renditions, order.owner_id, order.revision, came, labels)
        source = os.open(order.source, os.O_RDONLY | os.O_CLOEXEC)
        growth = order.growth
        size, timeout_s = (growth.total, LONGEST_S) if growth else (os.fstat(source).st_size, None)
        try:
            async with writing.open(missing) as ways:
                return await package(
                    self._children, source, size, order.facts, wanted, *ways, timeout_s, growth, order.target_s
                )
        finally:
            os.close(source)

    def _read(self, order: Order, copies: Sequence[Copy]) -> dict[str, Made]:
        found = {name: self._renditions.read(order.owner_id, order.revision, name) for name in _names(copies)}
        return {name: made for name, made in found.items() if made is not None}

    def _drop(self, order: Order, copies: Sequence[Copy]) -> None:
        for name in _names(copies):
            self._renditions.drop(order.owner_id, order.revision, name)


def length_s(made: Mapping[str, Made]) -> float:
    """When the last of it ends."""
    ends = [each.segments[-1].entry for each in made.values() if each.segments]
    return max((entry.end / entry.timescale for entry in ends), default=0.0)


def cuts(made: Mapping[str, Made]) -> tuple[int, tuple[int, ...]] | None:
    """Of copied pictures: ticks a second, and where each segment begins and the last ends."""
    if VIDEO not in made:
        return None
    entries = [placed.entry for placed in made[VIDEO].segments]
    return entries[0].timescale, (*(entry.start for entry in entries), entries[-1].end)


def _names(copies: Sequence[Copy]) -> list[str]:
    return [copy.name for copy in copies]
