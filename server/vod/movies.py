"""Progressive files of videos: the head made once and kept beside the video, the rest read from its segments.

    get   a Film: which renditions, how large, where its bytes are           body   its bytes from..to, in blocks
"""

import asyncio
import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from server import clock, log
from server.formats.fmp4.box import BoxError
from server.packager import progressive
from server.packager.presentation import Piece, Presentation, SegmentPlan, ShortReadError, Stored
from server.packager.progressive import PREFIX_BYTES, Collector, DamagedError, Movie, ProgressiveError, Slice
from server.packager.qualities import qualities
from server.storage.layout import Layout
from server.vod.places import place
from server.vod.presentations import Presentations

KEPT_CHUNKS = 1_000_000  # of films in memory, 25 bytes each: a film of ten hours has 40,000
MOST_WAITING = 32  # for a head to be made; who comes then is told to come again
BLOCK_BYTES = 1 << 20  # read in one hop to a thread
# A moof and the header of its mdat are looked for in so many bytes; ten seconds at 100 pictures take 16 KB.
HEAD_BYTES = 32 << 10
MAX_HEAD_BYTES = 8 << 20
MAX_OPEN = 16  # files while a head is made: a rendition has a run for each of its jobs

_log = log.get("vod")

Identity = tuple[str, str]  # video id, name of the saved head


class Made(NamedTuple):
    movie: Movie
    head_at: int  # of its head, in the saved file


class BusyError(Exception):
    """Too many wait for their films already."""


class NoFilmError(LookupError):
    """There is no such file of the video; while it is `growing`, not yet."""

    def __init__(self, growing: bool) -> None:
        super().__init__("There is no such file of the video.")
        self.growing = growing


@dataclass(frozen=True, slots=True)
class Film:
    """A progressive file of a video at one moment."""

    stored: Stored
    presentation: Presentation
    movie: Movie
    saved: Path
    head_at: int  # of the head, in that
    tag: str  # changes with its bytes

    @property
    def size(self) -> int:
        return self.movie.size


class Movies:
    def __init__(self, layout: Layout, presentations: Presentations) -> None:
        self._layout = layout
        self._presentations = presentations
        self._kept: OrderedDict[Identity, Made] = OrderedDict()
        self._kept_chunks = 0
        self._making: dict[Identity, asyncio.Future[Made]] = {}
        self._turn = asyncio.Semaphore(1)  # a head takes memory while it is made
        self.made = 0  # heads, or read again
        self.refused = 0  # for those that waited

    async def get(self, stored: Stored, revision: int, source: str, quality: str) -> Film:
        """Raises NoFilmError, BusyError, OSError, ValueError."""
        presentation = await self._presentations.get(stored, revision, source)
        wanted = qualities(presentation).get(quality)
        if wanted is None:
            raise NoFilmError(presentation.growing)
        name = f"{revision}-{stored.source_revision}-v{progressive.VERSION}-{'_'.join(wanted)}"
        saved = self._layout.video_movie(stored.video_id, name)
        made = await self._movie((stored.video_id, name), saved, stored, presentation, wanted)
        return Film(stored, presentation, made.movie, saved, made.head_at, name)

    async def body(self, film: Film, start: int, stop: int) -> AsyncIterator[bytes]:
        """The file's bytes start..stop-1. Raises OSError, ShortReadError where they are gone."""
        head_size = film.movie.head_size
        for at in range(start, min(stop, head_size), BLOCK_BYTES):
            size = min(BLOCK_BYTES, min(stop, head_size) - at)
            yield await self._presentations.run(_read, film.saved, film.head_at + at, size)
        if stop > head_size:
            for batch in _batches(film.movie.slices(max(start, head_size), stop)):
                yield await self._presentations.run(self._block, film, batch)

    def _block(self, film: Film, batch: Sequence[Slice]) -> bytes:
        """In a thread."""
        with _Files() as files:
            return b"".join(part for each in batch for part in self._slice(files, film, each))

    def _slice(self, files: "_Files", film: Film, wanted: Slice) -> Iterator[bytes]:
        plan = film.presentation.segment(wanted.rendition, wanted.number)
        if plan.source is None:
            path = self._layout.video_source(film.stored.video_id)
            for part in _parts(plan, wanted.offset, wanted.size):
                yield part if isinstance(part, bytes) else files.read(path, *part)
            return
        path, offset, _ = place(self._layout, film.stored, wanted.rendition, wanted.number, plan)
        yield files.read(path, offset + wanted.offset, wanted.size)

    async def _movie(
        self, identity: Identity, saved: Path, stored: Stored, presentation: Presentation, wanted: Sequence[str]
    ) -> Made:
        """Whoever asks first has it made; the others wait for it."""
        if (kept := self._kept.get(identity)) is not None:
            self._kept.move_to_end(identity)
            if await self._presentations.run(saved.exists):
                return kept
        making = self._making.get(identity)
        if making is None:
            if len(self._making) >= MOST_WAITING:
                self.refused += 1
                raise BusyError
            making = asyncio.ensure_future(self._make(identity, saved, stored, presentation, wanted))
            self._making[identity] = making
            making.add_done_callback(lambda done: self._done(identity, done))
        return await asyncio.shield(making)

    async def _make(
        self, identity: Identity, saved: Path, stored: Stored, presentation: Presentation, wanted: Sequence[str]
    ) -> Made:
        async with self._turn:
            work = partial(_loaded_or_made, self._layout, saved, stored, presentation, wanted)
            made = await self._presentations.run(work)
        self.made += 1
        self._keep(identity, made)
        return made

    @property
    def waiting(self) -> int:
        """Heads that are made or wait for it."""
        return len(self._making)

    def _keep(self, identity: Identity, made: Made) -> None:
        if (known := self._kept.pop(identity, None)) is not None:
            self._kept_chunks -= len(known.movie.ends)
        self._kept[identity] = made
        self._kept_chunks += len(made.movie.ends)
        while self._kept_chunks > KEPT_CHUNKS and len(self._kept) > 1:
            _, known = self._kept.popitem(last=False)
            self._kept_chunks -= len(known.movie.ends)

    def _done(self, identity: Identity, done: "asyncio.Future[Made]") -> None:
        self._making.pop(identity, None)
        if not done.cancelled():
            done.exception()  # who still waits is told; that nobody does is no fault of its own


class _Files:
    """Open while a block is read: most of it lies in one or two."""

    def __init__(self) -> None:
        self._opened: dict[Path, int] = {}

    def __enter__(self) -> "_Files":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._opened.values():
            os.close(descriptor)

    def read(self, path: Path, offset: int, size: int, least: int | None = None) -> bytes:
        """Raises OSError, and ShortReadError where there are fewer than `least` bytes (None: `size`)."""
        if path not in self._opened:
            if len(self._opened) >= MAX_OPEN:
                os.close(self._opened.pop(next(iter(self._opened))))
            self._opened[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        data = os.pread(self._opened[path], size, offset)
        if len(data) < (size if least is None else least):
            raise ShortReadError(f"{len(data)} of {size} bytes at {offset} of {path.name} could be read")
        return data


def _read(path: Path, offset: int, size: int) -> bytes:
    with _Files() as files:
        return files.read(path, offset, size)


def _batches(slices: Iterable[Slice]) -> Iterator[list[Slice]]:
    """Together about as much as is read in one hop."""
    batch: list[Slice] = []
    size = 0
    for each in slices:
        for at in range(0, each.size, BLOCK_BYTES):
            part = each._replace(offset=each.offset + at, size=min(BLOCK_BYTES, each.size - at))
            if batch and size + part.size > BLOCK_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(part)
            size += part.size
    if batch:
        yield batch


def _parts(plan: SegmentPlan, offset: int, size: int) -> Iterator[tuple[int, int] | bytes]:
    """What makes up the bytes of a segment behind its header: places in the source, and bytes that are in none."""
    at = len(plan.header)
    for piece in plan.pieces:
        length = len(piece) if isinstance(piece, bytes) else piece.stop - piece.start
        first, last = max(offset, at), min(offset + size, at + length)
        if first < last and isinstance(piece, bytes):
            yield piece[first - at : last - at]
        elif first < last and isinstance(piece, Piece):
            yield plan.reads[piece.read][0] + piece.start + first - at, last - first
        at += length


# --- making it; in a thread


def _loaded_or_made(
    layout: Layout, saved: Path, stored: Stored, presentation: Presentation, wanted: Sequence[str]
) -> Made:
    """Raises OSError, ValueError."""
    with contextlib.suppress(FileNotFoundError, DamagedError):
        return _loaded(saved)
    began = clock.monotonic()
    with _Files() as files:
        tracks = [_collected(layout, files, stored, presentation, name) for name in wanted]
    movie, head = progressive.movie(tracks)
    told = movie.described()
    _save(saved, told, head)
    _log.debug("the head of a film is made", video=stored.video_id, seconds=round(clock.monotonic() - began, 3))
    return Made(movie, len(told))


def _loaded(saved: Path) -> Made:
    with saved.open("rb") as file:
        start = file.read(PREFIX_BYTES)
        size = progressive.described_size(start)
        movie = Movie.of_bytes(start + file.read(size - len(start)))
        if os.fstat(file.fileno()).st_size != size + movie.head_size:
            raise DamagedError("the saved head of a film is cut short")
    return Made(movie, size)


def _save(saved: Path, *parts: bytes) -> None:
    """Those of other revisions go."""
    saved.parent.mkdir(parents=True, exist_ok=True)
    temporary = saved.with_suffix(f".{threading.get_ident():x}")
    with temporary.open("wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, saved)
    revision = saved.name.partition("-")[0]
    for other in saved.parent.iterdir():
        if other.name.partition("-")[0] != revision:
            other.unlink(missing_ok=True)


def _collected(
    layout: Layout, files: _Files, stored: Stored, presentation: Presentation, rendition: str
) -> Collector:
    whole = presentation.whole(rendition)
    if whole is None:
        raise ProgressiveError("it is not all there")
    collector = Collector(rendition, whole.init)
    for number, shift in whole.segments:
        plan = presentation.segment(rendition, number)
        if plan.header:
            collector.add(number, 0, plan.header, shift)
            continue
        path, offset, size = place(layout, stored, rendition, number, plan)
        for at, head in _moofs(files, path, offset, size):
            collector.add(number, at, head, shift)
    return collector


def _moofs(files: _Files, path: Path, offset: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Each moof of a stored segment, and where in the segment it is."""
    at = 0
    while at < size:
        data = files.read(path, offset + at, min(HEAD_BYTES, size - at))
        length = int.from_bytes(data[:4], "big")
        if length + 16 > len(data):
            if not 8 <= length <= MAX_HEAD_BYTES:
                raise BoxError(f"a moof of {length} bytes")
            data = files.read(path, offset + at, min(length + 16, size - at))
        mdat = int.from_bytes(data[length : length + 4], "big")
        if data[4:8] != b"moof" or data[length + 4 : length + 8] != b"mdat" or mdat < 8:
            raise BoxError("a segment that is no row of moof and mdat")
        yield at, data[:length]
        at += length + mdat
