"""Custom fields: what a project wants to know of its videos, with a type, to filter and sort lists by."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import delete, func, select, update

from server.catalog import dialects, events, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Video
from server.catalog.organisation_models import CustomField, CustomValue

TYPES = ("text", "number", "boolean", "date", "choice")
MOST = 50  # of a project: each is a row beside each video that has it
MOST_CHOICES = 200
TEXT_CHARS = 500  # what an index takes, on each database
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)
BOUNDS = ("gt", "gte", "lt", "lte")
RANGED = ("number", "date")

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SENTENCES = {
    "text": f"This is a text of at most {TEXT_CHARS} characters.",
    "number": "This is a number.",
    "boolean": "This is true or false.",
    "date": "This is a date such as 2026-01-31.",
    "choice": "This is one of its choices.",
}
SORT_COLUMNS = {"name": CustomField.name, "createdAt": CustomField.created_at}


class FieldError(Exception):
    """A field that is not there, or a value that it does not take; its name and a sentence."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(name, sentence)
        self.name, self.sentence = name, sentence


class NotPossible(Exception):
    """The field can't be made; a sentence why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Of one field: its value, or bounds of it by the names of BOUNDS."""

    field: CustomField
    value: Any = None
    bounds: Mapping[str, Any] | None = None


async def add(transaction: Transaction, field: CustomField) -> CustomField:
    """A new field and its event. Raises NotPossible."""
    known = await of_project(transaction, field.project_id)
    if field.name in known:
        raise NotPossible("There is a field of this name already.")
    if len(known) >= MOST:
        raise NotPossible(f"A project has {MOST} custom fields at most.")
    transaction.add(field)
    await transaction.flush()
    await _tell(transaction, field, "created")
    return field


async def get(transaction: Transaction, project_id: str, field_id: str) -> CustomField | None:
    row = await transaction.get(CustomField, field_id)
    return row if row is not None and row.project_id == project_id else None


async def of_project(transaction: Transaction, project_id: str) -> dict[str, CustomField]:
    """By their names."""
    rows = await transaction.scalars(select(CustomField).where(CustomField.project_id == project_id))
    return {row.name: row for row in rows}


async def page(transaction: Transaction, project_id: str, paging: Paging) -> Page[CustomField]:
    """By their names unless told otherwise."""
    query = select(CustomField).where(CustomField.project_id == project_id)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, CustomField.name, CustomField.id)


async def change(transaction: Transaction, field: CustomField, columns: Mapping[str, Any]) -> None:
    """Values that videos have stay, also those that are no choice any more."""
    for name, value in columns.items():
        setattr(field, name, value)
    await _tell(transaction, field, "updated")


async def remove(transaction: Transaction, field: CustomField) -> None:
    """With its values. Marks of them stay behind, which nobody asks for any more, and words, which searches still find:
    to tell them from a video's others takes longer than those who want to write may wait."""
    having = select(CustomValue.video_id).where(CustomValue.field_id == field.id)
    rest = dialects.without_key(transaction.get_bind().dialect.name, Video.custom, field.name)
    values = {"custom": rest, "updated_at": Video.updated_at}
    options = {"synchronize_session": False}
    await transaction.execute(update(Video).where(Video.id.in_(having)).values(values), execution_options=options)
    await transaction.execute(delete(CustomValue).where(CustomValue.field_id == field.id))
    await transaction.delete(field)
    await _tell(transaction, field, "deleted")


async def counts(transaction: Transaction, field_ids: Sequence[str]) -> Mapping[str, int]:
    """How many videos have a value of each."""
    rows = await transaction.execute(
        select(CustomValue.field_id, func.count())
        .where(CustomValue.field_id.in_(field_ids))
        .group_by(CustomValue.field_id)
    )
    known = {row[0]: row[1] for row in rows}
    return {each: known.get(each, 0) for each in field_ids}


async def merged(
    transaction: Transaction, project_id: str, known: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """What a video has, with what is given; None takes a value away. Raises FieldError."""
    fields = await of_project(transaction, project_id) if given else {}
    found = dict(known)
    for name, value in given.items():
        if name not in fields:
            raise FieldError(name, "There is no such custom field.")
        if value is None:
            found.pop(name, None)
        else:
            found[name] = checked(fields[name], value)
    return found


def checked(field: CustomField, value: Any) -> Any:
    """As rows keep it. Raises FieldError."""
    if not _takes(field, value):
        raise FieldError(field.name, _SENTENCES[field.type])
    return value


def read(field: CustomField, text: str) -> Any:
    """A value out of a query string. Raises FieldError."""
    value: Any = text
    if field.type == "number":
        try:
            value = float(text)
        except ValueError:
            value = None
    elif field.type == "boolean":
        value = {"true": True, "false": False}.get(text)
    elif field.type == "choice":  # one that was a choice may still be looked for
        return text
    return checked(field, value)


def _takes(field: CustomField, value: Any) -> bool:
    match field.type:
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
        case "boolean":
            return isinstance(value, bool)
        case "date":
            return isinstance(value, str) and _is_date(value)
        case "choice":
            return value in field.choices
        case _:
            return isinstance(value, str) and len(value) <= TEXT_CHARS and "\x00" not in value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


async def _tell(transaction: Transaction, field: CustomField, what: str) -> None:
    payload = {"customFieldId": field.id, "name": field.name, "type": field.type}
    await events.record(transaction, field.project_id, field.id, f"custom-field.{what}", payload)
