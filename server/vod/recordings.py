"""Recordings of live streams as files, which edits can be made of."""

import asyncio
import os
from pathlib import Path

from server.catalog.models import Video
from server.packager.presentation import VIDEO, Span, Stored
from server.packager.qualities import SOUND
from server.storage.room import FULL, NoRoomError, Room
from server.vod.handing import put_in_place
from server.vod.movies import Film, Movies, NoFilmError

SOURCE = "live"


class NotKept(Exception):
    """The recording can't be had as a file; a sentence why."""


class Recordings:
    def __init__(self, movies: Movies, room: Room) -> None:
        self._movies = movies
        self._room = room

    async def save(self, video: Video, path: Path) -> None:
        """Its own quality, whole, as an MP4. Raises NotKept, NoRoomError, movies.BusyError."""
        part = Span(video.segments["first"], video.segments["last"]) if video.segments else None
        exact = bool(video.segments and video.segments.get("exact"))
        stored = Stored(video.id, video.broadcast_id, part, exact)
        try:
            await self._save(stored, video.revision, path)
        except (OSError, ValueError, LookupError) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise NoRoomError(str(error)) from None
            raise NotKept(f"what was recorded can't be read ({error})") from error

    async def _save(self, stored: Stored, revision: int, path: Path) -> None:
        film = await self._film(stored, revision)
        await asyncio.to_thread(self._room.check, film.size)
        temporary = path.with_suffix(".new")
        output = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            async for block in self._movies.body(film, 0, film.size):
                await asyncio.to_thread(_write, output, block)
            await asyncio.to_thread(os.fsync, output)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(output)
        await asyncio.to_thread(put_in_place, temporary, path)

    async def _film(self, stored: Stored, revision: int) -> Film:
        """Sound alone is all of it only where there are no pictures."""
        try:
            return await self._movies.get(stored, revision, SOURCE, VIDEO)
        except NoFilmError:
            film = await self._movies.get(stored, revision, SOURCE, SOUND)
        if VIDEO in film.presentation.renditions:
            raise NotKept("the coding of its pictures changes in the middle")
        return film


def is_recording(video: Video) -> bool:
    return video.source == SOURCE and video.broadcast_id is not None and video.material_id is None


def _write(output: int, block: bytes) -> None:
    left = memoryview(block)
    while left:
        left = left[os.write(output, left) :]


