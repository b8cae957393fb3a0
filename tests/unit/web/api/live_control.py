"""A client of an application with real broadcasts behind it, and a publisher that is arithmetic."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from server.catalog.database import Database
from server.catalog.models import Video
from server.config import LiveConfig
from server.errors import Problem
from server.ingest.broadcasts import Broadcasts
from server.ingest.slates import Slates
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from server.web.api import live_stream_control, live_stream_health, live_stream_rehearsals, live_stream_slate
from server.web.api.live_stream_control import BROADCASTS
from server.web.api.live_stream_slate import SLATES
from tests.unit.ingest.conftest import FakeConnection, send
from tests.unit.web.kit import Client, Connect


class FakeSlates:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.made: list[tuple[bytes, tuple[int, int]]] = []
        self.removed: list[str] = []
        self.refuses = False

    async def make(self, live_stream_id: str, media: bytes, size: tuple[int, int]) -> tuple[dict[str, float], int]:
        if self.refuses:
            raise Problem("uploaded-file-invalid-file", "No slate can be made of the file.")
        self.made.append((media, size))
        return {"width": size[0], "height": size[1], "duration": 2.0}, len(media)

    async def remove(self, live_stream_id: str) -> None:
        self.removed.append(live_stream_id)


@dataclass
class Desk:
    """A client, and what it controls."""

    client: Client
    broadcasts: Broadcasts
    slates: FakeSlates

    async def call(self, method: str, path: str, status: int = 200, body: Any = None) -> Any:
        async with self.client.request(method, path, json=body) as response:
            assert response.status == status, await response.text()
            return await response.json() if status != 204 else None

    async def live(self, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.call("POST", "/live-streams", 200, {"name": "A stream", **fields})
        return made

    async def on_air(self, live: dict[str, Any], key: str = "streamKey") -> FakeConnection:
        """Publishes three seconds."""
        connection = FakeConnection()
        send(await self.broadcasts.publish(live[key], connection))
        return connection


@pytest.fixture
async def desk(connect: Connect, database: Database, tmp_path: Path) -> AsyncIterator[Desk]:
    async def record(transaction: Any, broadcast: Any, live: Any, on_air: Any, span: Any) -> str:
        video = Video(project_id=live.project_id, title="recording", broadcast_id=broadcast.id)
        transaction.add(video)
        await transaction.flush()
        return video.id

    async with (
        SegmentStore(Layout(tmp_path / "live")) as store,
        Broadcasts.open(database, store, LiveConfig(), record, lambda _: None) as broadcasts,  # type: ignore[call-arg]
    ):
        slates = FakeSlates()

        def mount(app: web.Application) -> None:
            app[BROADCASTS] = broadcasts
            app[SLATES] = cast(Slates, slates)

        parts = (live_stream_control, live_stream_health, live_stream_rehearsals, live_stream_slate)
        client = await connect(
            {"complete_live_stream": broadcasts.complete},
            operations=[part.operations for part in parts],
            mounts=[mount],
        )
        yield Desk(client, broadcasts, slates)
