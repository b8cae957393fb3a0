"""Images of videos on request: pictures at any time, storyboards, animated previews, candidates for posters.

Each is made once, in a child process, whoever asks meanwhile; what was made is kept as long as there is room.
"""

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from server import clock, log
from server.catalog import videos
from server.catalog.database import Database
from server.media import calls
from server.media.child import ChildFailed, Children
from server.media.problems import MediaProblem
from server.packager.presentation import VIDEO, Presentation, Stored
from server.packager.recorded import RecordedVideo
from server.storage.image_cache import ImageCache
from server.storage.layout import Layout
from server.vod import whereabouts
from server.vod.orders import Order
from server.vod.presentations import Presentations

AT_ONCE = 2  # children that make images; a transcode wants the machine too
MOST_WAITING = 32  # beyond them who asks is told to come again
FAILED_S = 30.0  # what could not be made is not tried again at once
FAILED_KEPT = 1000
SMALL_KEPT = 64  # made of pictures in memory
UPLOAD = "upload"

IMPOSSIBLE = "No picture can be made of the video."

Work = Callable[[], Awaitable[Mapping[str, bytes]]]

_log = log.get("vod")


class BusyError(Exception):
    """Too many wait already."""


class NoImageError(Exception):
    """It can't be made of this video; a sentence why."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A video at one moment."""

    stored: Stored
    revision: int
    source: str  # upload | live
    duration_s: float

    @property
    def id(self) -> str:
        return self.stored.video_id


class Images:
    """Made in child processes, AT_ONCE of them."""

    def __init__(
        self, database: Database, layout: Layout, children: Children, presentations: Presentations, cache: ImageCache
    ) -> None:
        self._database = database
        self._layout = layout
        self._children = children
        self._presentations = presentations
        self.cache = cache
        self._making: dict[str, asyncio.Task[Mapping[str, bytes]]] = {}
        self._failed: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._small: OrderedDict[str, bytes] = OrderedDict()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.made = 0
        self.found = 0  # in the cache
        self.failures = 0
        self.refused = 0  # who was told to come again

    @property
    def waiting(self) -> int:
        """Images that are made or wait for their turn."""
        return len(self._making)

    async def key(self, subject: Subject, order: Order) -> str:
        """The name under which the images are kept: another one when the video or its poster is another."""
        version = str(subject.revision)
        if order.of_poster:
            path = self._layout.video_poster(subject.stored.poster_of or subject.id)
            try:
                version += f"-{(await asyncio.to_thread(path.stat)).st_mtime_ns}"
            except OSError:
                raise NoImageError("The video has no poster.") from None
        return order.key(f"{subject.id}-{version}")

    async def kept(self, subject: Subject, key: str, output: str) -> bytes | None:
        """What was made before."""
        data = await self._presentations.run(self.cache.get, subject.id, _file(key, output))
        self.found += data is not None
        return data

    async def make(self, subject: Subject, order: Order, key: str, output: str) -> bytes:
        """Makes it, or waits for who does. Raises NoImageError, BusyError."""
        return (await self._shared(key, lambda: self._of_video(subject, order, key)))[output]

    async def of_picture(self, picture: bytes, order: Order) -> bytes:
        """Made of a picture in memory. Raises NoImageError, BusyError."""
        key = order.key(sha256(picture).hexdigest())
        if (kept := self._small.get(key)) is not None:
            self._small.move_to_end(key)
            return kept
        made = (await self._shared(key, lambda: self._of_memory(picture, order)))[order.outputs[0]]
        self._small[key] = made
        if len(self._small) > SMALL_KEPT:
            self._small.popitem(last=False)
        return made

    async def _shared(self, key: str, work: Work) -> Mapping[str, bytes]:
        making = self._making.get(key)
        if making is None:
            self._check(key)
            making = self._making[key] = asyncio.ensure_future(self._turned(key, work))
            making.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(making)

    def _check(self, key: str) -> None:
        """Raises NoImageError, BusyError."""
        failed_at, reason = self._failed.get(key, (-FAILED_S, ""))
        if clock.monotonic() - failed_at < FAILED_S:
            raise NoImageError(reason)
        if len(self._making) >= MOST_WAITING:
            self.refused += 1
            raise BusyError

    async def _turned(self, key: str, work: Work) -> Mapping[str, bytes]:
        try:
            async with self._turn:
                made = await work()
        except NoImageError as error:
            self._fail(key, str(error))
            raise
        except (ChildFailed, OSError, ValueError, LookupError) as error:
            _log.warning("no image", key=key, error=str(error))
            self._fail(key, IMPOSSIBLE)
            raise NoImageError(IMPOSSIBLE) from error
        self.made += 1
        return made

    def _fail(self, key: str, reason: str) -> None:
        self.failures += 1
        self._failed[key] = clock.monotonic(), reason
        if len(self._failed) > FAILED_KEPT:
            self._failed.popitem(last=False)

    def _done(self, key: str, making: "asyncio.Task[Mapping[str, bytes]]") -> None:
        self._making.pop(key, None)
        if not making.cancelled():
            making.exception()  # who still waits is told

    async def _of_video(self, subject: Subject, order: Order, key: str) -> Mapping[str, bytes]:
        with ExitStack() as stack:
            where, fds = await self._where(stack, subject, order)
            files = await self._asked(where, fds, order)
        await self._keep(subject, key, files)
        return files

    async def _of_memory(self, picture: bytes, order: Order) -> Mapping[str, bytes]:
        with calls.memory_file("picture", picture) as fd:
            return await self._asked({"kind": "picture", "source": fd}, [fd], order)

    async def _asked(self, where: Mapping[str, Any], fds: Sequence[int], order: Order) -> Mapping[str, bytes]:
        outputs = [output for output in order.outputs if output != "json"]
        made = await calls.images(self._children, where, fds, order.make, outputs)
        if isinstance(made, MediaProblem):
            raise NoImageError(made.detail[:1].upper() + made.detail[1:] + ".")
        told = {name: value for name, value in made.told.items() if name != "event"}
        return {**made.files, "json": json.dumps(told).encode()}

    async def _keep(self, subject: Subject, key: str, files: Mapping[str, bytes]) -> None:
        async with self._database.write() as transaction:
            if await videos.find(transaction, subject.id) is None:
                return  # deleted meanwhile: its folder must not come back
            for output, data in files.items():
                try:
                    await asyncio.to_thread(self.cache.put, subject.id, _file(key, output), data)
                except OSError as error:
                    _log.warning("an image is not kept", video=subject.id, error=str(error))

    async def _where(self, stack: ExitStack, subject: Subject, order: Order) -> tuple[dict[str, Any], list[int]]:
        """Where the video lies, as the child takes it, and the descriptors. Raises OSError, ValueError."""
        if order.of_poster:
            fd = os.open(self._layout.video_poster(subject.stored.poster_of or subject.id), os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            return {"kind": "picture", "source": fd}, [fd]
        stored = subject.stored
        if subject.source == UPLOAD:
            return whereabouts.opened(stack, self._layout, subject.id, stored.source_revision, stored.altered)
        presentation = await self._presentations.get(subject.stored, subject.revision, subject.source)
        return self._segments(stack, subject, order, presentation)

    def _segments(
        self, stack: ExitStack, subject: Subject, order: Order, presentation: Presentation
    ) -> tuple[dict[str, Any], list[int]]:
        if not isinstance(presentation, RecordedVideo):
            raise ValueError("not a recording")
        inits: dict[int, int] = {}  # generation -> its place in the list
        descriptors: list[int] = []
        segments: list[tuple[int, int, float]] = []
        for generation, number, start_s in _chosen(presentation.pictures(), order.make):
            if generation not in inits:
                inits[generation] = len(inits)
                descriptors.append(
                    stack.enter_context(calls.memory_file("init", presentation.init(VIDEO, generation)))
                )
            fd = os.open(self._segment(subject.stored, number), os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            segments.append((fd, inits[generation], start_s))
        where = {"kind": "segments", "inits": descriptors, "segments": segments}
        return where, [*descriptors, *(fd for fd, _, _ in segments)]

    def _segment(self, stored: Stored, number: int) -> Path:
        own = self._layout.clip_edges(stored.video_id, VIDEO).segment(number)
        if number in stored.edges and own.exists():
            return own
        return self._layout.rendition(stored.broadcast_id or "", VIDEO).segment(number)


def _chosen(
    pictures: Sequence[tuple[int, int, float, float]], make: Mapping[str, Any]
) -> Iterator[tuple[int, int, float]]:
    """Of segments (generation, number, start and end in seconds) those that an order needs, (…, start)."""
    if "times" in make:
        times = make["times"]
        spans = [(at_s, at_s) for at_s in times]
    else:
        spans = [(make["at_s"], make["at_s"])] if "at_s" in make else [(make["start_s"], make["end_s"])]
    last_s = pictures[-1][2] if pictures else 0.0
    for generation, number, start_s, end_s in pictures:
        if any(from_s < end_s and (start_s <= to_s or start_s == 0) for from_s, to_s in spans) or (
            start_s == last_s and spans[-1][0] >= end_s
        ):
            yield generation, number, start_s


def _file(key: str, output: str) -> str:
    return f"{key}-{output}"
