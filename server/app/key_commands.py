"""`sluice keys …`: the keys of the catalogue, beside a running server or without one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from server import clock, ids
from server.app.catalogue import open_known
from server.catalog import keys, projects
from server.catalog.audit import Actor, audited
from server.catalog.database import Database, Transaction
from server.catalog.models import DEFAULT_PROJECT, ApiKey
from server.config import Config
from server.web.scopes import names


async def create(config: Config, name: str, scopes: list[str], project: str | None, days: float | None) -> str:
    """Makes an API key; its secret. Raises ConfigError, ValueError, LookupError."""
    if unknown := sorted(set(scopes) - names()):
        raise ValueError(f"no such scope: {', '.join(unknown)}; there are {', '.join(sorted(names()))}")
    expires_at = clock.now() + timedelta(days=days) if days is not None else None
    async with _acting(config, "keys create") as database, database.write() as transaction:
        await keys.default_project(transaction)
        project_id = await _project(transaction, project)
        return (await keys.create(transaction, project_id, name, scopes, expires_at=expires_at))[1]


async def listed(config: Config) -> list[dict[str, Any]]:
    """Those that were not revoked, the oldest first. Raises ConfigError."""
    async with _database(config) as database, database.read() as transaction:
        return [_described(key) for key in await keys.all_living(transaction)]


async def rotate(config: Config, key_id: str, overlap_s: int) -> str:
    """The new secret. Raises ConfigError, LookupError."""
    async with _acting(config, "keys rotate") as database, database.write() as transaction:
        return await keys.rotate(transaction, await _key(transaction, key_id), timedelta(seconds=overlap_s))


async def revoke(config: Config, key_id: str) -> None:
    """Raises ConfigError, LookupError."""
    async with _acting(config, "keys revoke") as database, database.write() as transaction:
        await keys.revoke(transaction, await _key(transaction, key_id))


@asynccontextmanager
async def _database(config: Config) -> AsyncIterator[Database]:
    async with AsyncExitStack() as stack:
        yield await open_known(config, stack)


@asynccontextmanager
async def _acting(config: Config, command: str) -> AsyncIterator[Database]:
    """For what goes into the audit log."""
    async with _database(config) as database, audited(Actor("command-line", command, DEFAULT_PROJECT)):
        yield database


async def _project(transaction: Transaction, text: str | None) -> str:
    if text is None:
        return DEFAULT_PROJECT
    try:
        row = await projects.get(transaction, ids.canonical("pr", text))
    except ids.InvalidId:
        row = None
    if row is None:
        raise LookupError(f"there is no project {text}")
    return row.id


async def _key(transaction: Transaction, text: str) -> ApiKey:
    try:
        row = await keys.living(transaction, ids.canonical("key_", text))
    except ids.InvalidId:
        row = None
    if row is None:
        raise LookupError(f"there is no API key {text}")
    return row


def _described(key: ApiKey) -> dict[str, Any]:
    return {
        "apiKeyId": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "projectId": key.project_id,
        "lastUsedAt": _text(key.last_used_at),
        "expiresAt": _text(key.expires_at),
    }


def _text(moment: datetime | None) -> str | None:
    return moment.replace(microsecond=0).isoformat() if moment else None
