"""The application with what the dialect's operations use of a running server."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from server.catalog.database import Database
from server.storage.layout import Layout
from server.vod.edits import Edits
from server.vod.texts import Texts
from server.web.api import clones, text_tracks
from tests.unit.web.kit import Client, Connect


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


@pytest.fixture
def ordered() -> list[str]:
    """Kinds of jobs."""
    return []


@pytest.fixture
async def api(connect: Connect, database: Database, layout: Layout, ordered: list[str]) -> Client:
    async def enqueue(transaction: Any, project_id: str, kind: str, object_id: str, *_: Any, **__: Any) -> None:
        ordered.append(kind)

    def mount(app: web.Application) -> None:
        app[text_tracks.TEXTS] = Texts(database, layout)
        app[clones.EDITS] = Edits(database, layout, enqueue)

    return await connect(operations=[text_tracks.operations], mounts=[mount])
