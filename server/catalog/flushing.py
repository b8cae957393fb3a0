"""What a session writes, by prepared statements: rows of one class, new ones or changed ones, which is nearly all there
is to write. SQLAlchemy's own way to write one row takes as long as thirty statements of SQLite.

That does the rest: what is deleted; many rows, and rows of several classes, in the order of their foreign keys; custom
values; and rows that are refused.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import Column, Dialect, bindparam, insert, inspect, update
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Mapper, make_transient, make_transient_to_detached
from sqlalchemy.orm.exc import StaleDataError

from server.catalog import changes, indexing
from server.catalog.models import Video
from server.catalog.prepared import Text

if TYPE_CHECKING:
    from server.catalog.database import Transaction
    from server.catalog.direct import Direct
    from server.catalog.models import Base

# what the database, or a type, does not take of a row: SQLAlchemy fails of it in its own way
REFUSED = (IntegrityError, ProgrammingError, StaleDataError, TypeError, ValueError)
FEW = 8  # rows: more are better given to SQLite together
PLANS_KEPT = 256  # a caller may name any columns of a video together

Added = TypeVar("Added", bound="Base")


class Addition(Generic[Added]):
    """Rows that are added and, as objects, not changed afterwards: notes of what happened. They are told of to
    listeners of the commit, and in no audit log."""

    def __init__(self, entity: type[Added]) -> None:
        self._entity = entity

    async def add(self, transaction: "Transaction", *rows: Added) -> None:
        """Also gives them their defaults and their keys."""
        direct = transaction.direct
        if direct is None:
            transaction.add_all(rows)
            await transaction.flush()
            return
        for row in rows:
            await _adding(self._entity, direct.dialect).add(transaction, direct, row)
            transaction.announce_row(row)


async def flush(transaction: "Transaction") -> None:
    """Writes what there is, or leaves it to the session."""
    direct, rows = transaction.direct, [*transaction.new, *transaction.dirty]
    if direct is None or transaction.deleted:
        return
    if len(rows) > FEW or len({type(row) for row in rows}) != 1 or not all(_is_plain(row) for row in rows):
        return
    with suppress(*REFUSED):
        for row in rows:
            await (_add if inspect(row).pending else _change)(transaction, direct, row)


def _is_plain(row: Any) -> bool:
    state = inspect(row)
    keyed = [key.name for key in state.mapper.primary_key] == ["id"]
    return keyed and not state.expired_attributes and (not isinstance(row, Video) or indexing.is_plain(row))


async def _add(transaction: "Transaction", direct: "Direct", row: "Base") -> None:
    if isinstance(row, Video):
        await indexing.place_one(transaction, direct, row)
    await _adding(type(row), direct.dialect).add(transaction, direct, row)
    if isinstance(row, Video):
        await indexing.added(transaction, direct, row)
    changes.note_added(transaction.sync_session, row)
    _settle(transaction, row, added=True)


async def _change(transaction: "Transaction", direct: "Direct", row: "Base") -> None:
    if names := _changed(row):
        await _changing(type(row), names, direct.dialect).change(transaction, direct, row)
        if isinstance(row, Video):
            await indexing.changed(transaction, direct, row)
    changes.note_changed(transaction.sync_session, row)
    _settle(transaction, row, added=False)


def _changed(row: Any) -> frozenset[str]:
    """Names of attributes that have other values than before."""
    state = inspect(row)
    touched = set(state.mapper.column_attrs.keys()) - state.unmodified
    return frozenset(name for name in touched if state.attrs[name].history.has_changes())


def _settle(transaction: "Transaction", row: Any, *, added: bool) -> None:
    """The session has it as if it had read it just now."""
    transaction.announce_row(row)
    make_transient(row)
    make_transient_to_detached(row)
    transaction.add(row)
    _settled(transaction).append((row, added))


def count(transaction: "Transaction") -> int:
    """Of rows that were written here so far."""
    return len(_settled(transaction))


def take_back(transaction: "Transaction", count: int) -> None:
    """What was written here since then is not so any more, of which SQLAlchemy does not know."""
    settled = _settled(transaction)
    for row, added in settled[count:]:
        if added and row in transaction:
            make_transient(row)  # it can be added again
        elif row in transaction:
            transaction.expire(row)
    del settled[count:]


def _settled(transaction: "Transaction") -> list[tuple[Any, bool]]:
    found: list[tuple[Any, bool]] = transaction.info.setdefault("settled", [])
    return found


class _Adding:
    """What is the same each time that a row of a class is added."""

    def __init__(self, entity: type, dialect: Dialect) -> None:
        mapper: Mapper[Any] = inspect(entity)
        table: Any = mapper.local_table
        counted = table.autoincrement_column
        self._counter = None if counted is None else mapper.get_property_by_column(counted).key
        columns = {mapper.get_property_by_column(each).key: each for each in mapper.columns if each is not counted}
        defaults: Mapping[str, Any] = {key: each.default for key, each in columns.items()}
        self._defaults = {key: each.arg if each else None for key, each in defaults.items()}
        self._text = Text(insert(table).values(_bound(columns)), dialect)

    async def add(self, transaction: "Transaction", direct: "Direct", row: Any) -> None:
        """The row has its defaults and its key then."""
        inside = vars(row)
        values = {key: inside.get(key) for key in self._defaults}
        values |= {key: _made(default) for key, default in self._defaults.items() if values[key] is None}
        done = await direct.run(transaction, *self._text.given(values))
        inside.update(values)
        if self._counter is not None:
            inside[self._counter] = done.lastrowid


class _Changing:
    """What is the same each time that these columns of a row are changed."""

    def __init__(self, entity: type, names: frozenset[str], dialect: Dialect) -> None:
        mapper: Mapper[Any] = inspect(entity)
        columns: Mapping[str, Any] = {mapper.get_property_by_column(each).key: each for each in mapper.columns}
        anew = {key: each.onupdate.arg for key, each in columns.items() if each.onupdate and key not in names}
        self._names, self._anew = names, anew
        wanted = {key: columns[key] for key in (*names, *anew)}
        table: Any = mapper.local_table
        self._text = Text(
            update(table).where(table.c.id == bindparam("of_id")).values(_bound(wanted)), dialect
        )

    async def change(self, transaction: "Transaction", direct: "Direct", row: Any) -> None:
        inside = vars(row)
        anew = {key: _made(default) for key, default in self._anew.items()}
        values = {name: inside[name] for name in self._names} | anew
        done = await direct.run(transaction, *self._text.given({**values, "of_id": row.id}))
        if done.rowcount != 1:
            raise StaleDataError("the row is gone")
        inside.update(anew)


_adding = lru_cache(maxsize=PLANS_KEPT)(_Adding)
_changing = lru_cache(maxsize=PLANS_KEPT)(_Changing)


def _bound(columns: Mapping[str, Column[Any]]) -> dict[Any, Any]:
    return {column: bindparam(key, type_=column.type) for key, column in columns.items()}


def _made(default: Any) -> Any:
    return default(None) if callable(default) else default
