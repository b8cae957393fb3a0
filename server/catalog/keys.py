"""API keys, kept as hashes, and the settings the server made for itself."""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import func, select

from server import clock
from server.catalog import events
from server.catalog.database import Transaction
from server.catalog.models import DEFAULT_PROJECT, ApiKey, Project, Setting


def hashed(secret: str) -> str:
    """SHA-256 is enough for a secret of 256 random bits: there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def create(
    transaction: Transaction,
    project_id: str,
    name: str,
    scopes: list[str],
    secret: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its secret, which is shown this once."""
    secret = secret or secrets.token_urlsafe(32)
    key = ApiKey(project_id=project_id, name=name, hash=hashed(secret), scopes=scopes, expires_at=expires_at)
    transaction.add(key)
    await transaction.flush()
    await events.record(transaction, project_id, key.id, "key.created", {"keyId": key.id, "name": name})
    return key, secret


async def by_secret(transaction: Transaction, secret: str) -> ApiKey | None:
    """The key that the secret opens, whether it still may or not."""
    found: ApiKey | None = await transaction.scalar(select(ApiKey).where(ApiKey.hash == hashed(secret)))
    return found


async def get(transaction: Transaction, key_id: str) -> ApiKey | None:
    return await transaction.get(ApiKey, key_id)


async def count(transaction: Transaction) -> int:
    return await transaction.scalar(select(func.count()).select_from(ApiKey)) or 0


def usable(key: ApiKey) -> bool:
    """Neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > clock.now())


async def default_project(transaction: Transaction) -> Project:
    """The one project of a server that was not told more; made when missing."""
    project = await transaction.get(Project, DEFAULT_PROJECT)
    if project is None:
        project = Project(id=DEFAULT_PROJECT, name="Default")
        transaction.add(project)
        await transaction.flush()
    return project


async def setting(transaction: Transaction, name: str, make: str) -> str:
    """A value the server keeps for itself; `make` is stored when there is none."""
    row = await transaction.get(Setting, name)
    if row is None:
        row = Setting(name=name, value=make)
        transaction.add(row)
        await transaction.flush()
    return row.value
