"""Warnings and faults of live streams, as answers show them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from server.ingest.health.health import Fault
from server.ingest.health.rules import Warning
from server.web.shapes import Answer, Moment


class HealthWarning(Answer):
    """A stable code, and a sentence for the broadcaster."""

    code: str
    message: str


class HealthFault(Answer):
    """Something that went wrong, and when."""

    at: Moment
    message: str


def warned(found: Iterable[Warning]) -> list[HealthWarning]:
    return [HealthWarning(code=each.code, message=each.message) for each in found]


def faults(found: Iterable[Fault]) -> list[HealthFault]:
    """Newest first."""
    return [HealthFault(at=moment(each.at_ms), message=each.text) for each in reversed(list(found))]


def fraction(number: float | None) -> float | None:
    """No more digits than mean something."""
    return None if number is None else round(number, 2)


def moment(wall_ms: int) -> datetime:
    return datetime.fromtimestamp(wall_ms / 1000, UTC)
