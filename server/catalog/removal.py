"""Rows whose time is over go some at a time: however many they are, who else wants to write waits for milliseconds."""

from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import InstrumentedAttribute

from server.catalog.database import Transaction

AT_ONCE = 500


async def some(transaction: Transaction, key: InstrumentedAttribute[Any], over: ColumnElement[bool]) -> bool:
    """Removes AT_ONCE of those that are over, told apart by their key; whether there may be more."""
    found = list(await transaction.scalars(select(key).where(over).limit(AT_ONCE)))
    if found:
        removal = delete(key.class_).where(key.in_(found), over)
        await transaction.execute(removal.execution_options(synchronize_session=False))
    return len(found) == AT_ONCE
