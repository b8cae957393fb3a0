"""What holders of API keys have allowed programs of others."""

from datetime import datetime

from sqlalchemy import delete, select

from server.catalog import events, listing
from server.catalog.database import Transaction
from server.catalog.keys import hashed
from server.catalog.listing import Page, Paging
from server.catalog.oauth_models import OAuthApp, OAuthGrant

SORT_COLUMNS = {"createdAt": OAuthGrant.created_at}
MOST_SHOWN = 200  # of one key, on a page


async def add(transaction: Transaction, row: OAuthGrant) -> OAuthGrant:
    transaction.add(row)
    await transaction.flush()
    await _tell(transaction, row, "created")
    return row


async def by_code(transaction: Transaction, code: str) -> OAuthGrant | None:
    found: OAuthGrant | None = await transaction.scalar(select(OAuthGrant).where(OAuthGrant.code_hash == hashed(code)))
    return found


async def find(transaction: Transaction, grant_id: str) -> OAuthGrant | None:
    return await transaction.get(OAuthGrant, grant_id)


async def get(transaction: Transaction, project_id: str, grant_id: str) -> OAuthGrant | None:
    row = await find(transaction, grant_id)
    return row if row is not None and row.project_id == project_id else None


async def of_app(transaction: Transaction, app_id: str, most: int, after: str = "") -> list[OAuthGrant]:
    """In the order of their ids, from behind one on."""
    wanted = select(OAuthGrant).where(OAuthGrant.app_id == app_id, OAuthGrant.id > after)
    return list(await transaction.scalars(wanted.order_by(OAuthGrant.id).limit(most)))


async def of_key(transaction: Transaction, key_id: str, now: datetime) -> list[tuple[OAuthGrant, str]]:
    """Those that its holder allowed and that are good, newest first, each with the name of its program."""
    query = (
        select(OAuthGrant, OAuthApp.name)
        .join(OAuthApp, OAuthApp.id == OAuthGrant.app_id)
        .where(OAuthGrant.key_id == key_id, OAuthGrant.expires_at > now)
        .order_by(OAuthGrant.created_at.desc(), OAuthGrant.id)
        .limit(MOST_SHOWN)
    )
    return [(row, name) for row, name in await transaction.execute(query)]


async def page(transaction: Transaction, project_id: str, paging: Paging, now: datetime) -> Page[OAuthGrant]:
    """Those that are good, newest first unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(OAuthGrant).where(OAuthGrant.project_id == project_id, OAuthGrant.expires_at > now)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, OAuthGrant.created_at, OAuthGrant.id)


async def narrow(transaction: Transaction, row: OAuthGrant, scopes: list[str]) -> None:
    """It has these of its scopes left."""
    row.scopes = scopes
    await _tell(transaction, row, "narrowed")


async def remove(transaction: Transaction, row: OAuthGrant, reason: str) -> None:
    await transaction.delete(row)
    await _tell(transaction, row, "revoked", reason=reason)


async def sweep(transaction: Transaction, now: datetime) -> None:
    """Removes those that are good for nothing any more."""
    await transaction.execute(delete(OAuthGrant).where(OAuthGrant.expires_at <= now))


async def _tell(transaction: Transaction, row: OAuthGrant, what: str, **more: str) -> None:
    payload = {"grantId": row.id, "appId": row.app_id, "keyId": row.key_id, "scopes": list(row.scopes), **more}
    await events.record(transaction, row.project_id, row.id, f"oauth-grant.{what}", payload)
