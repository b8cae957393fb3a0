"""What a running job is given."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from server import log
from server.catalog import faults
from server.jobs.errors import INTERNAL, JobFailed
from server.jobs.turns import Turn

MAX_INTERVAL_S = 300.0
AWAY_S, MAX_AWAY_S = 1.0, 30.0  # between looks for a database that is away
PATIENCE_S = 86_400.0  # with it, until a step fails for its sake
BROKEN_OFF_ATTEMPTS = 5  # of a step whose statement the database broke off, which may be chance or the statement

_log = log.get("jobs")

Result = TypeVar("Result")


class Durable(Protocol):
    """What the engine remembers of a job over a crash."""

    async def step(self, name: str, work: Callable[[], Awaitable[Result]]) -> Result: ...
    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class JobContext:
    """One run of a job. A run after a crash calls the same steps in the same order, and finished ones answer from
    memory: what is between the steps must depend on nothing but the order and the results of steps."""

    job_id: str
    project_id: str
    object_id: str  # what the job is about
    arguments: Mapping[str, Any]
    attempt: int  # 1, 2, … : how often it was begun
    durable: Durable
    turn: Turn
    reported: Callable[[float, str | None], None] = lambda fraction, message: None

    async def step(
        self,
        name: str,
        work: Callable[[], Awaitable[Result]],
        *,
        attempts: int = 1,
        interval_s: float = 1.0,
        backoff: float = 2.0,
    ) -> Result:
        """A part of the job that is not repeated once it is finished; a crash in the middle of it repeats it.

        The result must be a JSON value, and small: keys, not data (a tuple comes back as a list after a crash). An
        error is tried again `attempts` times in all, after `interval_s`, then `backoff` times that, and so on. That the
        database is away is none, and waited for: the step begins anew as after a crash. That it breaks off a statement
        is one, and gets some attempts at least.
        Raises JobFailed.
        """

        async def tried() -> Result:
            return await _tried(name, work, attempts, interval_s, backoff)

        return await self.durable.step(name, tried)

    def progress(self, fraction: float, message: str | None = None) -> None:
        """How far the job is, 0 to 1, and in words; as often as one likes: what is new is written once a second."""
        self.reported(fraction, message)

    async def sleep(self, seconds: float) -> None:
        """Waits, without a place among the running; a restart in between makes it no longer."""
        self.turn.leave()
        await self.durable.sleep(seconds)
        await self.turn.take()


async def _tried(
    name: str, work: Callable[[], Awaitable[Result]], attempts: int, interval_s: float, backoff: float
) -> Result:
    attempt, away_s, waited_s = 1, AWAY_S, 0.0
    while True:
        try:
            return await work()
        except JobFailed:
            raise
        except Exception as error:
            if faults.away(error) and waited_s < PATIENCE_S:
                _log.warning("a step waits for the database", step=name, reason=faults.reason(error))
                await asyncio.sleep(away_s)
                waited_s, away_s = waited_s + away_s, min(away_s * 2, MAX_AWAY_S)
                continue
            allowed = max(attempts, BROKEN_OFF_ATTEMPTS) if faults.broken_off(error) else attempts
            if attempt >= allowed:
                raise JobFailed(INTERNAL, f"{name}: {type(error).__name__}: {error}") from error
            _log.warning("a step failed, it is tried again", step=name, attempt=attempt, reason=str(error))
        await asyncio.sleep(min(interval_s * backoff ** (attempt - 1), MAX_INTERVAL_S))
        attempt += 1
