"""Custom fields: what they take, and what they don't."""

from typing import Any

import pytest

from server.catalog import custom_fields, events
from server.catalog.custom_fields import FieldError, NotPossible
from server.catalog.database import Database
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT
from server.catalog.organisation_models import CustomField

GOOD: list[tuple[str, list[Any]]] = [
    ("text", ["", "x", "x" * 500]),
    ("number", [0, -1, 1.5, 10**15]),
    ("boolean", [True, False]),
    ("date", ["2026-01-31", "0001-01-01"]),
    ("choice", ["G"]),
]
BAD: list[tuple[str, list[Any]]] = [
    ("text", [1, True, "x" * 501, "\0"]),
    ("number", ["1", True, float("inf"), float("nan"), 10**400]),
    ("boolean", [0, "true"]),
    ("date", ["2026-02-30", "20260131", "2026-01-31T00:00:00Z", 7, "２０２６-01-31"]),
    ("choice", ["g", "", 1]),
]
READ: list[tuple[str, str, Any]] = [
    ("number", "1.5", 1.5), ("boolean", "true", True), ("date", "2026-01-31", "2026-01-31"), ("choice", "was", "was"),
    ("text", "x", "x"),
]  # fmt: skip


def field(type: str) -> CustomField:
    return CustomField(project_id=DEFAULT_PROJECT, name="f", type=type, choices=["G"])


@pytest.mark.parametrize(("type", "values"), GOOD)
def test_good_values(type: str, values: list[Any]) -> None:
    for value in values:
        assert custom_fields.checked(field(type), value) == value


@pytest.mark.parametrize(("type", "values"), BAD)
def test_bad_values(type: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(FieldError) as raised:
            custom_fields.checked(field(type), value)
        assert (raised.value.name, raised.value.sentence[-1]) == ("f", ".")


@pytest.mark.parametrize(("type", "text", "value"), READ)
def test_values_out_of_queries(type: str, text: str, value: Any) -> None:
    assert custom_fields.read(field(type), text) == value


@pytest.mark.parametrize(("type", "text"), [("number", "x"), ("number", "nan"), ("boolean", "1"), ("date", "today")])
def test_bad_values_out_of_queries(type: str, text: str) -> None:
    with pytest.raises(FieldError):
        custom_fields.read(field(type), text)


async def test_rows(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with database.write() as transaction:
        row = await custom_fields.add(transaction, field("text"))
        with pytest.raises(NotPossible, match="already"):
            await custom_fields.add(transaction, field("number"))
        await custom_fields.change(transaction, row, {"description": "x"})
        assert await custom_fields.get(transaction, "pr2", row.id) is None
        assert (await custom_fields.page(transaction, DEFAULT_PROJECT, Paging())).rows == [row]
        monkeypatch.setattr(custom_fields, "MOST", 1)
        another = field("number")
        another.name = "g"
        with pytest.raises(NotPossible, match="at most"):
            await custom_fields.add(transaction, another)
        await custom_fields.remove(transaction, row)
    async with database.read() as transaction:
        told = [each.type for each in await events.of_object(transaction, DEFAULT_PROJECT, row.id)]
    assert told == ["custom-field.created", "custom-field.updated", "custom-field.deleted"]


async def test_merging(database: Database) -> None:
    async with database.write() as transaction:
        await custom_fields.add(transaction, field("number"))
        known = {"f": 1, "other": "x"}
        merged = custom_fields.merged
        assert await merged(transaction, DEFAULT_PROJECT, known, {"f": 2}) == {"f": 2, "other": "x"}
        assert await merged(transaction, DEFAULT_PROJECT, known, {"f": None}) == {"other": "x"}
        for name, value in (("f", "x"), ("g", 1), ("g", None)):
            with pytest.raises(FieldError):
                await merged(transaction, DEFAULT_PROJECT, known, {name: value})
