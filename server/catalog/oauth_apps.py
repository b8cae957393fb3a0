"""Programs of others that may act for people who allow it."""

import secrets

from sqlalchemy import func, select

from server.catalog import events, listing
from server.catalog.database import Transaction
from server.catalog.keys import hashed
from server.catalog.listing import Page, Paging
from server.catalog.oauth_models import OAuthApp

SORT_COLUMNS = {"createdAt": OAuthApp.created_at, "name": OAuthApp.name}


async def add(transaction: Transaction, row: OAuthApp) -> str | None:
    """A new one; its secret, which is shown this once, where it can keep one."""
    secret = new_secret(row) if row.confidential else None
    transaction.add(row)
    await transaction.flush()
    await _tell(transaction, row, "created")
    return secret


def new_secret(row: OAuthApp) -> str:
    secret = secrets.token_urlsafe(32)
    row.secret_hash = hashed(secret)
    return secret


async def find(transaction: Transaction, app_id: str) -> OAuthApp | None:
    """One of whatever project: for who is asked to let it act."""
    return await transaction.get(OAuthApp, app_id)


async def get(transaction: Transaction, project_id: str, app_id: str) -> OAuthApp | None:
    row = await find(transaction, app_id)
    return row if row is not None and row.project_id == project_id else None


async def count(transaction: Transaction, project_id: str) -> int:
    return await transaction.scalar(select(func.count()).where(OAuthApp.project_id == project_id)) or 0


async def page(transaction: Transaction, project_id: str, paging: Paging) -> Page[OAuthApp]:
    """Newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(OAuthApp).where(OAuthApp.project_id == project_id)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, OAuthApp.created_at, OAuthApp.id)


async def narrowed(transaction: Transaction, row: OAuthApp) -> int:
    """It may have less than before: the epoch whose access tokens may have more than that."""
    row.epoch += 1
    await transaction.flush()
    return row.epoch - 1


async def changed(transaction: Transaction, row: OAuthApp) -> None:
    """Tells of it."""
    await _tell(transaction, row, "updated")


async def rotate(transaction: Transaction, row: OAuthApp) -> str:
    """A new secret; the old one is good no more."""
    secret = new_secret(row)
    await _tell(transaction, row, "rotated")
    return secret


async def remove(transaction: Transaction, row: OAuthApp) -> None:
    """What people allowed it goes with it."""
    await transaction.delete(row)
    await _tell(transaction, row, "deleted")


async def _tell(transaction: Transaction, row: OAuthApp, what: str) -> None:
    await events.record(transaction, row.project_id, row.id, f"oauth-app.{what}", {"appId": row.id, "name": row.name})
