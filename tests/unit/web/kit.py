"""What tests of the web layer share: names, types, a fake of what the callbacks reach."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from server.catalog import videos
from server.catalog.database import Transaction
from server.catalog.models import LiveStream, Video
from server.playback.door import Door, Restrictions
from server.playback.signing_keys import SigningKeys
from server.playback.tokens import Tokens
from server.web.services import Services

SECRET = "a secret of at least thirty-two bytes"
OWNER_KEY = "the-owner's-key"

Client = TestClient[Any, Any]
Connect = Callable[..., Awaitable[Client]]
Make = Callable[..., Awaitable[str]]  # fields of a row -> its id

DIALECT = "https://docs.api.video/reference/"


@dataclass
class Fake:
    """What the callbacks were told."""

    videos_deleted: list[Video] = field(default_factory=list)
    live_streams_deleted: list[LiveStream] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)

    async def remove_video(self, transaction: Transaction, video: Video) -> None:
        self.videos_deleted.append(video)
        await videos.remove(transaction, video)

    async def complete(self, live_stream_id: str) -> None:
        self.completed.append(live_stream_id)


def door(services: Services) -> Door:
    """What guards watching, as the server has it."""
    keys, restrictions = SigningKeys(services.database), Restrictions(services.database)
    services.database.on_commit(keys.forget)
    services.database.on_commit(restrictions.forget)
    return Door(Tokens(SECRET, keys=keys.find), services.revocations, keys, restrictions)


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def problem(response: ClientResponse, status: int, code: str, name: str | None = None) -> dict[str, Any]:
    """Asserts that the answer is the problem, in the one shape; its JSON."""
    body: dict[str, Any] = await response.json()
    assert response.headers["Content-Type"] == "application/json"
    assert response.status == status == body["status"], body
    assert body["type"].endswith(code), body
    assert body["type"].startswith((DIALECT, "/docs#"))
    assert body["title"].endswith(".")
    assert body.get("name") == name, body
    assert set(body) <= {"type", "title", "status", "name", "detail", "problems", "range", "requestId"}
    assert response.headers["X-Request-ID"]
    return body
