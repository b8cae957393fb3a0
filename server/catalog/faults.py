"""What a fault of the database means: whether it passes by itself, whose it is, and what a log says of it.

    passing
    ├─ away          nobody gets anything done: it restarts, can't be reached, or others keep it busy
    └─ broken off    a statement took longer than it may, or stood in another's way: it may do so each time
"""

import sqlite3
from typing import Any

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from server.catalog.dialects import BROKEN_OFF, PASSING

# What a statement raises where the database does not carry it out, whatever is wrong; a bug of ours has other names.
REFUSALS = (OperationalError, NoConnectionFree)

_SQLITE_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def passing(error: BaseException) -> bool:
    """Whether the same may work later, with nothing changed by who asked."""
    if isinstance(error, NoConnectionFree):
        return True
    if not isinstance(error, OperationalError):
        return False
    cause = error.orig
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_PASSING  # above are details, https://sqlite.org/rescode.html
    return error.connection_invalidated or isinstance(cause, OSError) or getattr(cause, "sqlstate", None) in PASSING


def away(error: BaseException) -> bool:
    """Whether it is the database's state alone, which no statement brings about."""
    return passing(error) and not broken_off(error)


def broken_off(error: BaseException) -> bool:
    """Whether the database ended a statement that it had begun, whose fault it may be each time."""
    return isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) in BROKEN_OFF


def reason(error: BaseException) -> str:
    """A line, of the driver's own words alone."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    said = (cause.strerror if isinstance(cause, OSError) else None) or str(cause).removeprefix(f"{type(cause)}: ")
    return said.splitlines()[0] if said else type(cause).__name__


def tell(log: Any, event: str, error: BaseException, **more: Any) -> None:
    """A line for what passes, where the code is in all of it for what does not."""
    if passing(error):
        log.warning(event, reason=reason(error), **more)
    else:
        log.error(event, exc_info=error, **more)
