"""What several resources have: names, texts, JSON that is kept as it came, and the refusals of what can't be made."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from server.catalog.limits import Taken, TooMany
from server.errors import Problem
from server.web.shapes import Text, Title

JSON_DEPTH = 8  # levels that are kept; settings that people make have three

REFUSED = ("already-taken", "limit-reached")  # of operations that make something within `made`

Row = TypeVar("Row")

Name = Annotated[Title, StringConstraints(max_length=255)]
Note = Annotated[Text, StringConstraints(max_length=5000)]


def _check(value: Any, depth: int = 0) -> None:
    if depth > JSON_DEPTH:
        raise PydanticCustomError("json_depth", "There are more than {depth} levels.", {"depth": JSON_DEPTH})
    if isinstance(value, str) and "\x00" in value:
        raise PydanticCustomError("nul", "This value should not hold a NUL character.")  # PostgreSQL can't keep it
    if isinstance(value, dict):
        for name, each in value.items():
            _check(name, depth)
            _check(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _check(each, depth + 1)


def _kept(value: dict[str, Any]) -> dict[str, Any]:
    _check(value)
    return value


# an object that is kept for its owner and comes back as it was given
Kept = Annotated[dict[str, Any], AfterValidator(_kept), Field(description="Kept, and given back as it was given.")]


def there(row: Row | None, name: str) -> Row:
    """What was looked for by the id `name`. Raises Problem (404)."""
    if row is None:
        raise Problem("resource-not-found", name=name)
    return row


@contextmanager
def made(name: str) -> Iterator[None]:
    """What can't be made since there is such a thing, or too much, is refused. Raises Problem."""
    try:
        yield
    except Taken:
        raise Problem("already-taken", name=name) from None
    except TooMany as error:
        raise Problem("limit-reached", str(error)) from None
