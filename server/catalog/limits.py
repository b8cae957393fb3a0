"""What keeps a row from being made."""

from typing import Any

from sqlalchemy import func, select

from server.catalog.database import Transaction


class Taken(ValueError):
    """There is one of the same name."""


class TooMany(ValueError):
    """There would be more than may be; a sentence."""


async def check(transaction: Transaction, column: Any, project_id: str, most: int, things: str) -> None:
    """`column` is the project's of the table. Raises TooMany."""
    if (await transaction.scalar(select(func.count()).where(column == project_id)) or 0) >= most:
        raise TooMany(f"There are {most} {things} at most.")
