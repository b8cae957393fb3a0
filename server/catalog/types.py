"""Column types that mean the same on SQLite and PostgreSQL.

What SQLite gives is read in one step: a page of videos has hundreds of such values, and SQLAlchemy's way to each of
them is three or four calls long.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

_LONG = 19  # digits: such a number may have more than 64 bits
_DIGIT, _LONG_NUMBER = re.compile("[0-9]"), re.compile(f"[0-9]{{{_LONG}}}")


class Utc(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite, which keeps no zone, gives it back aware all the same."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime can't be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _moment if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _moment(text: str | None) -> datetime | None:
    """Of what SQLAlchemy has written: 2026-01-31 10:17:47.000000, in UTC."""
    return None if text is None else datetime.fromisoformat(text + "+00:00")


class Json(TypeDecorator[Any]):
    """A JSON value: JSONB on PostgreSQL, text on SQLite."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(JSONB() if dialect.name == "postgresql" else JSON())

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _value if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _value(text: Any) -> Any:
    """SQLite keeps a number as one, whatever it was written as."""
    if not isinstance(text, str):
        return text
    if len(text) >= _LONG and _may_be_rounded(text):
        return json.loads(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # it is stricter: lone surrogates, NaN
        return json.loads(text)


def _may_be_rounded(text: str) -> bool:
    """Whether there may be an integer of more than 64 bits: orjson makes a float of it. Of 19 digits in a row one is at
    a 19th place, and few texts have one there."""
    return bool(_DIGIT.search(text[_LONG - 1 :: _LONG]) and _LONG_NUMBER.search(text))


# SQLite only counts up a primary key that is declared INTEGER
Counter = BigInteger().with_variant(Integer, "sqlite")
