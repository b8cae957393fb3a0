"""What a transaction changes, row by row: noted at each flush, told as values before and after."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

NOTED = "noted"  # key of a session's info: the notes, where they are wanted

CREATED, CHANGED, DELETED = "created", "changed", "deleted"
MASK = "***"
# columns, and names within JSON columns, without underscores and in small letters
SECRET = frozenset(
    {
        "backupkey", "fetch", "hash", "jwtsecret", "login", "oldsecret", "passphrase", "password", "previoushash",
        "secret", "secrethash", "securelink", "serverurl", "sourceurl", "srtpassphrase", "streamkey", "token", "wishes",
    }
)  # fmt: skip
SECRET_IDS = frozenset({"upload_tokens"})  # tables whose ids open something
SHOWN_OF_ID = 6  # characters
UNTOLD = frozenset({"updated_at"})


@dataclass(frozen=True, slots=True)
class Change:
    """One row; `before` and `after` hold what changed of it, or all of it where the other one is None: of a new row
    what it has."""

    table: str
    id: str
    project_id: str | None
    action: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(slots=True)
class _Note:
    row: Any
    action: str
    before: dict[str, Any]


Notes = dict[int, _Note]  # by the identity of the row's object


def note(session: Session) -> None:
    """At a flush: what it writes. A row that is written again keeps what it was before the first time."""
    notes: Notes | None = session.info.get(NOTED)
    if notes is None:
        return
    for row in session.new:
        note_added(session, row)
    for row in session.dirty:
        note_changed(session, row)
    for row in session.deleted:
        known = notes.setdefault(id(row), _Note(row, DELETED, {}))
        known.before = {**_values(row), **known.before}
        if known.action == CREATED:
            del notes[id(row)]
        known.action = DELETED


def kept(notes: Notes) -> Notes:
    """As they are now, whatever is noted from here on."""
    return {key: replace(each, before=dict(each.before)) for key, each in notes.items()}


def unread(notes: Notes) -> Iterator[tuple[Any, Set[str]]]:
    """Rows whose values SQLAlchemy has let go, as those of a part that failed, with the columns' names."""
    for each in notes.values():
        state = inspect(each.row)
        if state.persistent and state.expired_attributes:
            yield each.row, state.expired_attributes


def note_added(session: Session, row: Any) -> None:
    notes: Notes | None = session.info.get(NOTED)
    if notes is not None:
        notes[id(row)] = _Note(row, CREATED, {})


def note_changed(session: Session, row: Any) -> None:
    notes: Notes | None = session.info.get(NOTED)
    if notes is not None:
        known = notes.setdefault(id(row), _Note(row, CHANGED, {}))
        if known.action == CHANGED:
            known.before = {**_replaced(row), **known.before}


def told(notes: Notes) -> Iterator[Change]:
    """The changes so far, with secrets masked."""
    for each in notes.values():
        change = _told(each)
        if change.action != CHANGED or change.before != change.after:
            yield change


def _told(noted: _Note) -> Change:
    now = _values(noted.row)
    before = None if noted.action == CREATED else noted.before
    after = None
    if noted.action == CREATED:
        after = {name: value for name, value in now.items() if value is not None}
    elif noted.action == CHANGED:
        after = {name: now.get(name) for name in noted.before}
    table = str(noted.row.__tablename__)
    row_id = str(now[inspect(type(noted.row)).primary_key[0].key])
    return Change(
        table,
        row_id[:SHOWN_OF_ID] + MASK if table in SECRET_IDS else row_id,
        now.get("project_id"),
        noted.action,
        _shown(before, table),
        _shown(after, table),
    )


def _values(row: Any) -> dict[str, Any]:
    """The columns that are loaded; nothing is read for it."""
    state = inspect(row)
    names = (attribute.key for attribute in state.mapper.column_attrs)
    return {name: state.dict[name] for name in names if name in state.dict and name not in UNTOLD}


def _replaced(row: Any) -> dict[str, Any]:
    state = inspect(row)
    passed_over, found = state.unmodified | UNTOLD, {}
    for attribute in state.mapper.column_attrs:
        if attribute.key not in passed_over and (history := state.attrs[attribute.key].history).has_changes():
            found[attribute.key] = history.deleted[0] if history.deleted else None
    return found


def _shown(values: Mapping[str, Any] | None, table: str) -> dict[str, Any] | None:
    if values is None:
        return None
    shown = {name: _masked(name, value) for name, value in values.items()}
    if table in SECRET_IDS and "id" in shown:
        shown["id"] = MASK
    return shown


def _masked(name: str, value: Any) -> Any:
    if value is not None and name.replace("_", "").lower() in SECRET:
        return MASK
    if isinstance(value, Mapping):
        return {str(inner): _masked(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list):
        return [_masked("", each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value
