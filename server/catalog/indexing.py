"""What videos are found by, written in the flush that changes them, whoever does.

Bulk statements pass it by: those who change videos by one see to it themselves.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, bindparam, delete, insert, inspect, select, update
from sqlalchemy.orm import Session

from server import clock
from server.catalog import words
from server.catalog.models import Video
from server.catalog.organisation_models import CustomField, CustomValue, VideoWords
from server.catalog.prepared import Prepared, PreparedWrite

if TYPE_CHECKING:
    from server.catalog.database import Transaction
    from server.catalog.direct import Direct

INDEXED = ("title", "description", "tags", "meta", "custom", "folder_id", "discarded_at")
POSITION_BITS = 11  # below the microsecond: the order of creation is kept, and imported dates may be alike
_IN_VALUES = ("custom", "discarded_at")
_PLAINLY = {"synchronize_session": False}  # these rows are nobody's objects
_WORDS: Table = VideoWords.metadata.tables[VideoWords.__tablename__]
_ADD = insert(_WORDS)
_CHANGE = update(_WORDS).where(_WORDS.c.video_id == bindparam("of_video"))
_USED: Prepared[int] = Prepared(select(VideoWords.position).where(VideoWords.position == bindparam("position")))
_ADD_ONE = PreparedWrite(_ADD.values({each: bindparam(each.key) for each in _WORDS.c}))
_CHANGE_ONE = PreparedWrite(_CHANGE.values({_WORDS.c.words: bindparam("words"), _WORDS.c.marks: bindparam("marks")}))
_TEXT = ("text", "date", "choice")  # types of fields whose values are texts


def place(session: Session) -> None:
    """Before a flush: videos that it adds get their positions."""
    taken: set[int] = set()
    for row in session.new:
        if isinstance(row, Video) and row.version_of is None and row.position is None:
            row.created_at = vars(row).get("created_at") or clock.now()
            row.position = _free_position(session, row.created_at, taken)
            taken.add(row.position)


def index(session: Session) -> None:
    """At a flush: the videos that it writes."""
    for row in session.new:
        if isinstance(row, Video) and row.version_of is None:
            _write(session, row, new=True)
    for row in session.dirty:
        if isinstance(row, Video) and row.version_of is None and _is_changed(row):
            _write(session, row, new=False)


def is_plain(row: Video) -> bool:
    """Whether it is found by its words alone, before and now."""
    return not row.custom and (inspect(row).pending or not _is_changed(row, _IN_VALUES))


async def place_one(transaction: "Transaction", direct: "Direct", row: Video) -> None:
    """As `place` does."""
    if row.version_of is None and row.position is None:
        row.created_at = vars(row).get("created_at") or clock.now()
        while row.position is None:
            found = position_of(row.created_at, secrets.randbits(POSITION_BITS))
            if not await _USED.written(transaction, direct, position=found):
                row.position = found


async def added(transaction: "Transaction", direct: "Direct", row: Video) -> None:
    """As `index` does, of a plain one."""
    if row.version_of is None:
        columns = {"position": row.position, "video_id": row.id, "project_id": row.project_id, **_entry(row, {})}
        await _ADD_ONE.make(transaction, direct, **columns, spoken="")


async def changed(transaction: "Transaction", direct: "Direct", row: Video) -> None:
    """As `index` does, of a plain one."""
    if row.version_of is None and _is_changed(row):
        await _CHANGE_ONE.make(transaction, direct, of_video=row.id, **_entry(row, {}))


def position_of(created_at: datetime, low: int) -> int:
    """`low` tells those of one moment apart."""
    micros = int(created_at.timestamp() * 1_000_000)
    return (micros << POSITION_BITS) + low


def entry(
    project_id: str,
    folder_id: str | None,
    discarded: bool,
    texts: Iterable[str],
    tags: Sequence[Any],
    meta: Sequence[Mapping[str, Any]],
    values: Mapping[str, Any],
) -> dict[str, str]:
    """Columns of VideoWords; `values` are custom ones by the ids of their fields."""
    pairs = [(str(each.get("key", "")), str(each.get("value", ""))) for each in meta]
    told = [*texts, *map(str, tags), *(text for pair in pairs for text in pair)]
    told += [value for value in values.values() if isinstance(value, str)]
    marks = [
        scope(project_id, discarded),
        mark_of_folder(folder_id),
        *(words.mark("t", tag) for tag in tags),
        *(words.mark("m", *pair) for pair in pairs),
        *(mark_of(field_id, value) for field_id, value in values.items()),
        *map(mark_of_having, values),
    ]
    return {"words": words.of(told), "marks": " ".join(dict.fromkeys(marks))}


def mark_of(field_id: str, value: Any) -> str:
    """The mark of a custom value; 1 and 1.0 are one number, 0 and -0 are."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = float(value) + 0.0
    return words.mark("c", field_id, value)


def mark_of_having(field_id: str) -> str:
    """The mark of those that have a value of the field, whichever."""
    return words.mark("h", field_id)


def mark_of_folder(folder_id: str | None) -> str:
    """None: the top."""
    return words.mark("f", folder_id)


def scope(project_id: str, discarded: bool) -> str:
    """The mark of all that one list is of."""
    return words.mark("p", project_id, discarded)


def _is_changed(row: Video, names: Iterable[str] = INDEXED) -> bool:
    state = inspect(row)
    return any(state.attrs[name].history.has_changes() for name in names)


def _entry(row: Video, values: Mapping[str, Any]) -> dict[str, str]:
    texts, discarded = (row.title, row.description), row.discarded_at is not None
    return entry(row.project_id, row.folder_id, discarded, texts, row.tags, row.meta, values)


def _write(session: Session, row: Video, new: bool) -> None:
    custom = _custom(session, row)
    columns = _entry(row, {field.id: value for field, value in custom})
    position = row.position
    if new:
        ids = {"position": position, "video_id": row.id, "project_id": row.project_id}
        session.execute(_ADD, {**ids, **columns})
    else:
        session.execute(_CHANGE, {"of_video": row.id, **columns})
    if not new and _is_changed(row, _IN_VALUES):
        session.execute(delete(CustomValue).where(CustomValue.video_id == row.id), execution_options=_PLAINLY)
        new = True
    if new and custom:
        session.execute(insert(CustomValue), [_value(row, position, *each) for each in custom])


def _free_position(session: Session, created_at: datetime, taken: Collection[int]) -> int:
    while True:
        found = position_of(created_at, secrets.randbits(POSITION_BITS))
        used = select(VideoWords.position).where(VideoWords.position == found)
        with session.no_autoflush:
            if found not in taken and session.scalar(used) is None:
                return found


def _custom(session: Session, row: Video) -> list[tuple[CustomField, Any]]:
    """The video's values of fields that there are."""
    if not row.custom:
        return []
    fields = select(CustomField).where(CustomField.project_id == row.project_id, CustomField.name.in_(row.custom))
    return [(field, row.custom[field.name]) for field in session.scalars(fields)]


def _value(row: Video, position: int | None, field: CustomField, value: Any) -> dict[str, Any]:
    ids = {"video_id": row.id, "field_id": field.id, "project_id": row.project_id, "position": position}
    text, number = (value, None) if field.type in _TEXT else (None, float(value))
    return {**ids, "listed": row.discarded_at is None, "text": text, "number": number}
