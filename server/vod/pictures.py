"""Pictures that people upload for players, live streams and videos: coded anew in a child, kept, and gone."""

import asyncio
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from server import log
from server.catalog import live_streams, players, posters
from server.catalog.database import Database
from server.errors import Problem
from server.media import calls
from server.media.child import ChildFailed, Children
from server.media.fitting import Box
from server.media.problems import MediaProblem
from server.storage.pictures import PictureStore
from server.vod.orders import thumbnail

LOGO: Mapping[str, Any] = {"kind": "watermark"}  # a PNG in which what can be seen through stays so
POSTER_BOX = Box(1280, 1280)

_log = log.get("vod")


async def coded(children: Children, picture: bytes, make: Mapping[str, Any], output: str) -> calls.Images:
    """An uploaded picture as `make` says. Raises Problem, 400: it is none."""
    try:
        with calls.memory_file("picture", picture) as fd:
            made = await calls.images(children, {"kind": "picture", "source": fd}, [fd], make, [output])
    except ChildFailed as error:
        made = calls.problem_of(error)
    if isinstance(made, MediaProblem):
        sentence = "The file can't be read as a PNG, JPEG or WebP picture."
        raise Problem("uploaded-file-invalid-file", sentence, "file")
    return made


class Pictures:
    """`await sweep()` once at the start, before anything is uploaded."""

    def __init__(self, database: Database, store: PictureStore, children: Children) -> None:
        self._database = database
        self._store = store
        self._children = children

    def path(self, owner_id: str) -> Path:
        return self._store.path(owner_id)

    async def logo(self, picture: bytes) -> bytes:
        """As PNG. Raises Problem."""
        return (await coded(self._children, picture, LOGO, "png")).files["png"]

    async def poster(self, picture: bytes) -> bytes:
        """As JPEG. Raises Problem."""
        return (await coded(self._children, picture, thumbnail("jpg", 0.0, POSTER_BOX).make, "jpg")).files["jpg"]

    async def put(self, owner_id: str, picture: bytes) -> int:
        """Its bytes."""
        await asyncio.to_thread(self._store.put, owner_id, picture)
        return len(picture)

    async def read(self, owner_id: str) -> bytes | None:
        """None: there is none."""
        try:
            return await asyncio.to_thread(self._store.path(owner_id).read_bytes)
        except FileNotFoundError:
            return None

    async def remove(self, owner_id: str) -> None:
        """Whether there is one or not."""
        try:
            await asyncio.to_thread(self._store.remove, owner_id)
        except OSError as error:
            _log.warning("a picture stays", owner=owner_id, error=str(error))

    async def sweep(self) -> None:
        """Files that a crash left without a row that tells of them."""
        known = await self._known()
        for owner in await asyncio.to_thread(self._store.owners):
            if owner not in known:
                await self.remove(owner)

    async def _known(self) -> Set[str]:
        async with self._database.read() as transaction:
            owners = await players.with_logo(transaction) | await live_streams.with_poster(transaction)
            return owners | await posters.uploaded(transaction)
