"""Videos on a real catalogue and real files; children are fakes that say what a real one would."""

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from server.catalog import events, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, Video
from server.formats.fmp4.movie import read_index
from server.media.child import ChildFailed
from server.media.facts import PictureFacts, SourceFacts
from server.storage.layout import Layout
from tests.harness import catalogue
from tests.harness.mp4 import FakeTrack, mp4

JPEG = b"\xff\xd8a picture\xff\xd9"
MOVIE = mp4(FakeTrack(count=300, sync=range(1, 300, 60)))
INDEX = read_index(lambda offset, size: MOVIE[offset : offset + size], len(MOVIE)).to_bytes()
FACTS = SourceFacts("MP4", 12.5, 400_000, picture=PictureFacts(0, "h264", 320, 180), indexed=True)
FOUND = {"event": "found", **FACTS.to_event()}


@dataclass
class FakeChildren:
    """What the next children say and do; `runs` are the modules that were started."""

    events: Sequence[dict[str, Any]] = ({"event": "indexed"}, FOUND)
    failure: ChildFailed | None = None
    meanwhile: Callable[[], Any] | None = None  # happens while the child runs
    runs: list[str] = field(default_factory=list)
    waiting: int = 0

    async def run(
        self,
        module: str,
        arguments: Mapping[str, Any],
        fds: Sequence[int] = (),
        *,
        on_line: Callable[[dict[str, Any]], None],
        **_: object,
    ) -> None:
        self.runs.append(module.rpartition(".")[2])
        for fd in fds:
            os.fstat(fd)  # open
        for name, fd in arguments.get("outputs", {}).items():
            os.write(fd, JPEG)
            on_line({"event": "made", "kind": arguments["make"]["kind"], "name": name})
        if "picture" in arguments:
            os.write(arguments["picture"], JPEG)
        if "index" in arguments and "picture" not in arguments:
            os.write(arguments["index"], INDEX)
        for event in self.events:
            on_line(dict(event))
        if self.meanwhile:
            await self.meanwhile()
        if self.failure:
            raise self.failure


class Archive:
    """Videos, their files and rows."""

    def __init__(self, database: Database, layout: Layout) -> None:
        self.database = database
        self.layout = layout
        self.children = FakeChildren()
        self.ordered: list[tuple[str, Mapping[str, Any]]] = []

    async def enqueue(
        self, transaction: Transaction, project_id: str, kind: str, object_id: str, arguments: Mapping[str, Any]
    ) -> None:
        self.ordered.append((kind, arguments))

    async def video(self, source: bytes | None = b"an upload", **fields: Any) -> str:
        row = Video(**{"project_id": DEFAULT_PROJECT, "title": "a video", "state": "pre-processing", **fields})
        async with self.database.write() as transaction:
            id = (await videos.add(transaction, row)).id
        self.layout.video(id).mkdir(parents=True)
        if source is not None:
            self.layout.video_source(id).write_bytes(source)
        return id

    async def delete(self, id: str) -> None:
        async with self.database.write() as transaction:
            row = await videos.find(transaction, id)
            assert row
            await videos.remove(transaction, row)
        for path in self.layout.video(id).iterdir():
            path.unlink()
        self.layout.video(id).rmdir()

    async def row(self, id: str) -> Video:
        async with self.database.read() as transaction:
            row = await videos.find(transaction, id)
        assert row
        return row

    async def event_types(self, id: str) -> list[str]:
        async with self.database.read() as transaction:
            return [event.type for event in await events.of_object(transaction, DEFAULT_PROJECT, id)]


@pytest.fixture
def catalogue_url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


@pytest.fixture
async def archive(catalogue_url: str, tmp_path: Path) -> AsyncIterator[Archive]:
    async with Database.open(catalogue_url) as database:
        yield Archive(database, Layout(tmp_path))
