"""A client of an application with real broadcasts behind it, and a publisher that is arithmetic."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.catalog.database import Database
from server.catalog.models import Video
from server.config import LiveConfig
from server.ingest.broadcasts import Broadcasts
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from server.web.api import live_stream_control, live_stream_health
from server.web.api.live_stream_control import BROADCASTS
from tests.unit.ingest.conftest import FakeConnection, send
from tests.unit.web.kit import Client, Connect


@dataclass
class Desk:
    """A client, and what it controls."""

    client: Client
    broadcasts: Broadcasts

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
        yield Desk(
            await connect(
                {"complete_live_stream": broadcasts.complete},
                operations=[live_stream_control.operations, live_stream_health.operations],
                mounts=[lambda app: app.__setitem__(BROADCASTS, broadcasts)],
            ),
            broadcasts,
        )
