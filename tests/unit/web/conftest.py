"""The web application on a database of its own, and a client that talks to it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from server.catalog import keys, live_streams, videos
from server.catalog.database import Database, sqlite_url
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Video
from server.config import HttpConfig, LiveConfig
from server.playback.assets import Assets
from server.playback.revocations import Revocations
from server.playback.tokens import Tokens
from server.web import application
from server.web.auth import Credentials
from server.web.idempotency import Idempotency
from server.web.protocol import Runner
from server.web.services import IngestPorts, Services
from tests.unit.web.cinema import cinema, player, store, viewer  # noqa: F401  # fixtures
from tests.unit.web.kit import OWNER_KEY, SECRET, Client, Connect, Fake, Make


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with the owner's key, to be copied: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("catalogue") / "sluice.db"

    async def make() -> None:
        async with Database.open(sqlite_url(path)) as database:
            await database.migrate()
            async with database.write() as transaction:
                await keys.default_project(transaction)
                await keys.create(transaction, DEFAULT_PROJECT, "owner", ["*"], OWNER_KEY)

    asyncio.run(make())
    return path


@pytest.fixture
async def database(migrated: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copy(migrated, tmp_path / "sluice.db")
    async with Database.open(sqlite_url(tmp_path / "sluice.db")) as database:
        yield database


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def services(database: Database, fake: Fake) -> Services:
    assets, revocations = Assets(database), Revocations(database)
    credentials = Credentials(database, SECRET, revoked=revocations)
    database.on_commit(assets.forget)
    database.on_commit(credentials.forget)
    return Services(
        database=database,
        http=HttpConfig(),
        live=LiveConfig(),
        credentials=credentials,
        tokens=Tokens(SECRET),
        assets=assets,
        revocations=revocations,
        idempotency=Idempotency(database, SECRET),
        ingest=IngestPorts(rtmp=1935),
        remove_video=fake.remove_video,
        on_live_stream_deleted=fake.live_streams_deleted.append,
        complete_live_stream=fake.complete,
    )


@pytest.fixture
async def connect(services: Services) -> AsyncIterator[Connect]:
    """Starts an application, by default with the fixture's services, and gives a client of it."""
    clients: list[Client] = []

    async def start(changed: dict[str, Any] | None = None, key: str | None = OWNER_KEY, **more: Any) -> Client:
        app = application.build(replace(services, **(changed or {})), **more)
        headers = {"Authorization": encode_basic_auth(key)} if key else {}
        client: Client = TestClient(OwnServer(app), headers=headers)
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()


@pytest.fixture
async def client(connect: Connect) -> Client:
    """With the owner's key."""
    return await connect()


@pytest.fixture
async def anonymous(connect: Connect) -> Client:
    return await connect(key=None)


class OwnServer(TestServer):
    """With the runner that the product uses."""

    async def _make_runner(self, **_: Any) -> web.AppRunner:
        return Runner(self.app)


@pytest.fixture
def make_video(database: Database) -> Make:
    async def make(**fields: Any) -> str:
        async with database.write() as transaction:
            row = Video(**{"project_id": DEFAULT_PROJECT, "title": "A video", **fields})
            return (await videos.add(transaction, row)).id

    return make


@pytest.fixture
def make_live(database: Database) -> Make:
    async def make(**fields: Any) -> str:
        async with database.write() as transaction:
            row = LiveStream(
                **{
                    "project_id": DEFAULT_PROJECT,
                    "name": "A stream",
                    "stream_key": live_streams.new_stream_key(),
                    **fields,
                }
            )
            return (await live_streams.add(transaction, row)).id

    return make
