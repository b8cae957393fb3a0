"""Playback tokens that open nothing any more."""

import hashlib
from datetime import datetime

from sqlalchemy import select

from server.catalog import events, removal
from server.catalog.database import Transaction
from server.catalog.models import RevokedToken


async def add(
    transaction: Transaction,
    project_id: str,
    token_id: str,
    expires_at: datetime,
    alias: str | None = None,
    *,
    told: bool = True,
) -> None:
    """Revokes a token by its `jti`, and the one that is called `alias`; again is no error. The rows may go after
    `expires_at`."""
    if alias is not None and await transaction.get(RevokedToken, alias) is None:
        transaction.add(RevokedToken(jti=alias, project_id=project_id, expires_at=expires_at))
    if await transaction.get(RevokedToken, token_id) is None:
        transaction.add(RevokedToken(jti=token_id, project_id=project_id, expires_at=expires_at))
        await transaction.flush()
        if not told:  # the event of something else says so
            return
        # the `jti` is a name of the token and opens nothing
        payload = {"tokenId": token_id}
        name = "token_" + hashlib.sha256(token_id.encode()).hexdigest()[:20]  # whoever signs may choose a long one
        await events.record(transaction, project_id, name, "playback-token.revoked", payload)


async def all_ids(transaction: Transaction) -> set[str]:
    return set(await transaction.scalars(select(RevokedToken.jti)))


async def sweep(transaction: Transaction, now: datetime) -> bool:
    """Removes some of those that would have expired by themselves; whether there may be more."""
    return await removal.some(transaction, RevokedToken.jti, RevokedToken.expires_at <= now)
