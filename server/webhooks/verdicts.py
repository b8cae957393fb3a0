"""What follows from an attempt: for the delivery, for the later ones of its object, for its endpoint. Pure.

The deliveries of one object to one endpoint stand in a line, by the sequence of their events. Only the first is
tried. It makes room for the next when it is delivered, dead, or has failed for ten minutes; in the last case it is
tried on beside the line, as is what somebody redelivers.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from server.webhooks import retries

State = Literal["pending", "retrying", "delivered", "dead"]

OK = range(200, 300)
GONE = 410  # an endpoint that says it wants no more
SLOWED_AFTER = 5  # failures in a row: from then on an endpoint is tried with one delivery at a time
DISABLE_AFTER = 10  # failures in a row at least, however long they took


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call: its answer's status and head, or why there was none."""

    at: datetime
    latency_ms: int
    status: int | None = None
    head: str = ""  # of the answer: its headers and the beginning of its body
    error: str | None = None  # a sentence
    retry_after_s: int = 0

    @property
    def delivered(self) -> bool:
        return self.status in OK


@dataclass(frozen=True, slots=True)
class Standing:
    """A delivery before the attempt."""

    failures: int = 0  # in a row
    failing_since: datetime | None = None
    in_line: bool = True  # later ones of its object wait for it
    once: bool = False  # it is not tried again


@dataclass(frozen=True, slots=True)
class Verdict:
    """A delivery after it. `due_at` is None where it is not tried again."""

    state: State
    due_at: datetime | None
    failures: int
    failing_since: datetime | None
    in_line: bool
    next_may_go: bool  # the next of its object


def judge(standing: Standing, attempt: Attempt, wait_s: float) -> Verdict:
    """`wait_s` is how long to wait if there is another attempt."""
    if attempt.delivered:
        return Verdict("delivered", None, 0, None, False, standing.in_line)
    since = standing.failing_since or attempt.at
    failures = standing.failures + 1
    if standing.once or retries.is_dead(since, attempt.at):
        return Verdict("dead", None, failures, since, False, standing.in_line)
    passed = standing.in_line and retries.may_pass(since, attempt.at)
    due_at = attempt.at + timedelta(milliseconds=attempt.latency_ms, seconds=wait_s)
    return Verdict("retrying", due_at, failures, since, standing.in_line and not passed, passed)


@dataclass(frozen=True, slots=True)
class Health:
    """An endpoint, as its last attempts show it."""

    failures: int = 0  # in a row
    failing_since: datetime | None = None


def health_after(health: Health, attempt: Attempt) -> Health:
    if attempt.delivered:
        return Health()
    return Health(health.failures + 1, health.failing_since or attempt.at)


def why_disabled(health: Health, attempt: Attempt, disable_after_s: float) -> str | None:
    """The reason, where the endpoint is not to be called any more."""
    if attempt.status == GONE:
        return "The endpoint answered 410 Gone."
    since = health.failing_since
    if since is None or health.failures < DISABLE_AFTER:
        return None
    if attempt.at - since < timedelta(seconds=disable_after_s):
        return None
    return f"Nothing could be delivered since {since.isoformat(timespec='seconds')}."


def places(health: Health, concurrency: int) -> int:
    """How many attempts at once: an endpoint that is away is not called by many at a time."""
    return 1 if health.failures >= SLOWED_AFTER else concurrency
