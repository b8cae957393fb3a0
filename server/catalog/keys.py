"""API keys, kept as hashes, and the settings the server made for itself."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update

from server import clock
from server.catalog import events, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import DEFAULT_PROJECT, ApiKey, Project, Setting

SORT_COLUMNS = {"createdAt": ApiKey.created_at, "name": ApiKey.name, "lastUsedAt": ApiKey.last_used_at}


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
    limits: Mapping[str, int] | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its secret, which is shown this once."""
    secret = secret or secrets.token_urlsafe(32)
    key = ApiKey(
        project_id=project_id, name=name, hash=hashed(secret), scopes=scopes, expires_at=expires_at,
        limits=dict(limits or {}),
    )  # fmt: skip
    transaction.add(key)
    await transaction.flush()
    await events.record(transaction, project_id, key.id, "key.created", {"keyId": key.id, "name": name})
    return key, secret


async def by_secret(transaction: Transaction, secret: str) -> ApiKey | None:
    """The key that the secret opens, whether it still may or not."""
    found: ApiKey | None = await transaction.scalar(
        select(ApiKey).where(or_(ApiKey.hash == hashed(secret), ApiKey.previous_hash == hashed(secret)))
    )
    return found


async def get(transaction: Transaction, key_id: str) -> ApiKey | None:
    return await transaction.get(ApiKey, key_id)


async def of_project(transaction: Transaction, project_id: str, key_id: str) -> ApiKey | None:
    """One that was not revoked."""
    row = await transaction.get(ApiKey, key_id)
    return row if row is not None and row.project_id == project_id and row.revoked_at is None else None


async def living(transaction: Transaction, key_id: str) -> ApiKey | None:
    """One of whatever project that was not revoked."""
    row = await transaction.get(ApiKey, key_id)
    return row if row is not None and row.revoked_at is None else None


async def all_living(transaction: Transaction) -> list[ApiKey]:
    """Of all projects, the oldest first."""
    rows = select(ApiKey).where(ApiKey.revoked_at.is_(None)).order_by(ApiKey.created_at, ApiKey.id)
    return list(await transaction.scalars(rows))


async def page(transaction: Transaction, project_id: str, paging: Paging) -> Page[ApiKey]:
    """Those that were not revoked, newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(ApiKey).where(ApiKey.project_id == project_id, ApiKey.revoked_at.is_(None))
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, ApiKey.created_at, ApiKey.id)


async def tell_updated(transaction: Transaction, key: ApiKey, changed: list[str]) -> None:
    payload = {"keyId": key.id, "name": key.name, "changed": changed}
    await events.record(transaction, key.project_id, key.id, "key.updated", payload)


async def rotate(transaction: Transaction, key: ApiKey, overlap: timedelta) -> str:
    """A new secret; the old one, and tokens that were had for it, are good for `overlap` more."""
    secret, now = secrets.token_urlsafe(32), clock.now()
    key.previous_hash, key.previous_until = key.hash, now + overlap
    key.hash, key.rotated_at = hashed(secret), now
    payload = {"keyId": key.id, "name": key.name, "previousUntil": key.previous_until.isoformat()}
    await events.record(transaction, key.project_id, key.id, "key.rotated", payload)
    return secret


async def revoke(transaction: Transaction, key: ApiKey) -> None:
    """It opens nothing any more; the row stays for what it has done."""
    key.revoked_at = clock.now()
    await events.record(transaction, key.project_id, key.id, "key.revoked", {"keyId": key.id, "name": key.name})


async def used(transaction: Transaction, moments: Mapping[str, datetime]) -> None:
    """When keys were last used. Not as objects: nobody has to read a key again for that."""
    for key_id, moment in moments.items():
        await transaction.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=moment))


async def count(transaction: Transaction) -> int:
    return await transaction.scalar(select(func.count()).select_from(ApiKey)) or 0


async def count_of_project(transaction: Transaction, project_id: str) -> int:
    """Those that were not revoked."""
    wanted = select(func.count()).select_from(ApiKey).where(
        ApiKey.project_id == project_id, ApiKey.revoked_at.is_(None)
    )
    return await transaction.scalar(wanted) or 0


def usable(key: ApiKey) -> bool:
    """Neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > clock.now())


def ends_at(key: ApiKey, secret: str) -> datetime | None:
    """When this secret of the key opens nothing any more."""
    ends = [key.expires_at]
    if key.hash != hashed(secret):
        ends.append(key.previous_until)
    return min((end for end in ends if end is not None), default=None)


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
