"""The web application on a database of its own, and a client that talks to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import encode_basic_auth
from aiohttp.test_utils import TestClient, TestServer

from server.catalog import keys
from server.catalog.database import Database, sqlite_url
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Video
from server.config import HttpConfig, LiveConfig
from server.playback.assets import Assets
from server.playback.revocations import Revocations
from server.playback.tokens import Tokens
from server.web import application
from server.web.auth import Credentials
from server.web.services import IngestPorts, Services

SECRET = "a secret of at least thirty-two bytes"
OWNER_KEY = "the-owner's-key"

Client = TestClient[Any, Any]


@dataclass
class Fake:
    """What the callbacks were told."""

    videos_deleted: list[Video] = field(default_factory=list)
    live_streams_deleted: list[LiveStream] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)

    async def complete(self, live_stream_id: str) -> None:
        self.completed.append(live_stream_id)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(sqlite_url(tmp_path / "sluice.db")) as database:
        await database.migrate()
        async with database.write() as transaction:
            await keys.default_project(transaction)
            await keys.create(transaction, DEFAULT_PROJECT, "owner", ["*"], OWNER_KEY)
        yield database


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def services(database: Database, fake: Fake) -> Services:
    assets, credentials = Assets(database), Credentials(database, SECRET)
    database.on_commit(assets.forget)
    database.on_commit(credentials.forget)
    return Services(
        database=database,
        http=HttpConfig(),
        live=LiveConfig(),
        credentials=credentials,
        tokens=Tokens(SECRET),
        assets=assets,
        revocations=Revocations(database),
        ingest=IngestPorts(rtmp=1935),
        on_video_deleted=fake.videos_deleted.append,
        on_live_stream_deleted=fake.live_streams_deleted.append,
        complete_live_stream=fake.complete,
    )


Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
async def connect(services: Services) -> AsyncIterator[Connect]:
    """Starts an application, by default with the fixture's services, and gives a client of it."""
    clients: list[Client] = []

    async def start(changed: dict[str, Any] | None = None, key: str | None = OWNER_KEY, **more: Any) -> Client:
        app = application.build(replace(services, **(changed or {})), **more)
        client: Client = TestClient(TestServer(app), headers={"Authorization": encode_basic_auth(key)} if key else {})
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
