"""Tokens that were taken back, by their `jti`: all of them in memory, since every media request asks."""

from datetime import timedelta

from server import clock
from server.catalog import revoked_tokens
from server.catalog.database import Database, Transaction
from server.playback.tokens import MAX_TTL_S, named_by

# A token revoked now ends by itself in MAX_TTL_S at most; a session it opened may live two days longer
# (twice the longest video, 24 h).
KEPT = timedelta(seconds=MAX_TTL_S + 2 * 86400)


class Revocations:
    """`await load()` once at the start; then a container of token ids."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids: set[str] = set()

    def __contains__(self, token_id: object) -> bool:
        return token_id in self._ids

    async def load(self) -> None:
        """Reads what is stored, and drops there what has no more effect."""
        async with self._database.write() as transaction:
            await revoked_tokens.sweep(transaction, clock.now())
            self._ids = await revoked_tokens.all_ids(transaction)

    async def add_within(self, transaction: Transaction, project_id: str, name: str, kept: timedelta) -> None:
        """As `add`, of what else is in tokens and has an event of its own; in force when the transaction commits."""
        await revoked_tokens.add(transaction, project_id, name, clock.now() + kept, told=False)
        transaction.after_commit(lambda: self._ids.add(name))

    async def add(self, project_id: str, token_id: str, kept: timedelta = KEPT) -> None:
        """Takes a token back, which would end by itself within `kept`; in force when this returns."""
        product = named_by(project_id, token_id)  # the same, if it was signed with a key of the project
        async with self._database.write() as transaction:
            await revoked_tokens.add(transaction, project_id, token_id, clock.now() + kept, alias=product)
        self._ids |= {token_id, product}
