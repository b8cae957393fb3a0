"""Uploads on a real catalogue and real files; the job is a row."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.catalog import jobs, uploads, videos
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Job, Upload, Video
from server.protocols.tus.commands import Append, Create
from server.protocols.tus.metadata import describe
from server.storage.layout import Layout
from server.storage.upload_files import UploadFiles
from server.uploads import expiry
from server.uploads.joins import Joins
from server.uploads.partials import Partials
from server.uploads.placement import Sender
from server.uploads.service import Opened, Uploads
from server.uploads.source import SourceUploads
from tests.harness import catalogue

MAX_BYTES = 1000
OWNER = Sender(DEFAULT_PROJECT)


async def chunks(*texts: bytes) -> AsyncIterator[bytes]:
    for text in texts:
        yield text


class House:
    """One server's uploads; another one on the same folder is what comes after a crash."""

    def __init__(self, database: Database, files: UploadFiles, layout: Layout) -> None:
        self.database = database
        self.layout = layout
        self.files = files
        self.service = Uploads(database, files, jobs.add, MAX_BYTES, 86400)
        self.sources = SourceUploads(self.service)
        self.joins = Joins(self.service, self.sources)
        self.partials = Partials(self.service, self.joins)

    async def sweep(self) -> int:
        return await expiry.sweep(self.service, self.partials, self.joins, self.layout)

    async def recover(self) -> None:
        """As a server that starts does, to the end of what it takes up."""
        await expiry.recover(self.service)
        await asyncio.gather(*await self.joins.resume(), return_exceptions=True)

    async def create(self, length: int | None = 10, sender: Sender = OWNER, **pairs: str) -> Opened:
        return await self.service.create(sender, Create(length, pairs, describe(pairs)))

    async def append(self, opened: Opened, offset: int, *texts: bytes, length: int | None = None):
        return await self.service.append(
            opened.id, opened.secret, Append(offset, length, sum(map(len, texts))), chunks(*texts)
        )

    async def head(self, opened: Opened):
        return (await self.service.head(opened.id, opened.secret))[0]

    async def send(self, video_id, text, piece=None, sender=OWNER, filename="a.mp4") -> Video:
        staged = await self.sources.stage(sender, filename, len(text), chunks(text))
        return await self.sources.bind(sender, staged, video_id, piece)

    async def video(self, video_id: str) -> Video:
        async with self.database.read() as transaction:
            video = await videos.find(transaction, video_id)
        assert video is not None
        return video

    async def row(self, upload_id: str) -> Upload | None:
        async with self.database.read() as transaction:
            return await uploads.get(transaction, upload_id)

    async def jobs(self) -> list[Job]:
        async with self.database.read() as transaction:
            return await jobs.of_project(transaction, DEFAULT_PROJECT)

    async def new_video(self, state: str = "pending", **values: object) -> str:
        async with self.database.write() as transaction:
            video = Video(project_id=DEFAULT_PROJECT, title="T", state=state, **values)
            await videos.add(transaction, video)
        return video.id

    def source(self, video_id: str) -> bytes:
        return self.layout.video_source(video_id).read_bytes()

    def stored(self) -> list[str]:
        """Ids of uploads that have bytes."""
        return sorted(path.name for path in self.layout.uploads.iterdir())


@pytest.fixture
def catalogue_url(tmp_path: Path) -> str:
    return catalogue.copy(tmp_path)


@pytest.fixture
async def database(catalogue_url: str) -> AsyncIterator[Database]:
    async with Database.open(catalogue_url) as database:
        yield database


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[UploadFiles]:
    async with UploadFiles.open(Layout(tmp_path), 0) as files:
        yield files


@pytest.fixture
def house(database: Database, files: UploadFiles, tmp_path: Path) -> House:
    return House(database, files, Layout(tmp_path))


@pytest.fixture
def reopened(database: Database, files: UploadFiles, tmp_path: Path) -> House:
    """The server after a restart: nothing is remembered but what is on disk."""
    return House(database, files, Layout(tmp_path))
