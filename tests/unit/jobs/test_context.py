"""What a job is given: steps that are tried again, sleeps without a place. The engine is a fake that forgets."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from server.jobs import context
from server.jobs.context import JobContext, Result
from server.jobs.errors import INTERNAL, MAX_TEXT, JobFailed
from server.jobs.turns import Turns


class Forgetful:
    """Runs every step."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.steps: list[str] = []
        self.places: Turns | None = None

    async def step(self, name: str, work: Callable[[], Awaitable[Result]]) -> Result:
        self.steps.append(name)
        return await work()

    async def sleep(self, seconds: float) -> None:
        assert self.places is not None
        assert self.places.free, "a sleeper holds no place"
        self.slept.append(seconds)


@pytest.fixture
def engine() -> Forgetful:
    return Forgetful()


@pytest.fixture
def job(engine: Forgetful) -> JobContext:
    engine.places = Turns(1, lambda: None)
    return JobContext("jo1", "pr1", "vi1", {}, 1, engine, engine.places.turn())


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(context.asyncio, "sleep", wait)
    return waited


def failing(times: int, error: Exception) -> Callable[[], Awaitable[str]]:
    calls: list[Any] = []

    async def work() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return f"call {len(calls)}"

    return work


async def test_a_step_answers_with_its_result(job: JobContext, engine: Forgetful) -> None:
    assert await job.step("one", failing(0, OSError())) == "call 1"
    assert engine.steps == ["one"]


async def test_a_step_that_fails_is_tried_again_after_longer_and_longer(job: JobContext, waits: list[float]) -> None:
    assert await job.step("one", failing(3, OSError("busy")), attempts=4, interval_s=2) == "call 4"
    assert waits == [2, 4, 8]


async def test_waits_between_attempts_have_a_limit(job: JobContext, waits: list[float]) -> None:
    await job.step("one", failing(3, OSError("busy")), attempts=4, interval_s=200, backoff=3)

    assert waits == [200, context.MAX_INTERVAL_S, context.MAX_INTERVAL_S]


async def test_the_last_attempts_error_is_the_jobs(job: JobContext, waits: list[float]) -> None:
    error = OSError("busy")

    with pytest.raises(JobFailed, match="one: OSError: busy") as raised:
        await job.step("one", failing(2, error), attempts=2)

    assert raised.value.code == INTERNAL
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [
    OperationalError("CONNECT", None, ConnectionRefusedError(111, "Connection refused")),
    OperationalError("COMMIT", None, RuntimeError("gone"), connection_invalidated=True),
])  # fmt: skip
async def test_a_database_that_is_away_is_waited_for(job: JobContext, waits: list[float], error: Exception) -> None:
    assert await job.step("one", failing(7, error)) == "call 8"

    assert waits == [1, 2, 4, 8, 16, context.MAX_AWAY_S, context.MAX_AWAY_S]


async def test_a_database_that_stays_away_is_the_jobs_end(job: JobContext, waits: list[float]) -> None:
    with pytest.raises(JobFailed, match="one: OperationalError"):
        await job.step("one", failing(10_000, OperationalError("CONNECT", None, OSError("away"))))

    assert context.PATIENCE_S <= sum(waits) < context.PATIENCE_S + context.MAX_AWAY_S


class BrokenOff(Exception):
    """As asyncpg says it of a statement that took longer than `statement_timeout`."""

    sqlstate = "57014"


@pytest.mark.parametrize(("attempts", "tried"), [(1, context.BROKEN_OFF_ATTEMPTS), (9, 9)])
async def test_a_statement_that_always_takes_too_long_fails_the_step(
    job: JobContext, waits: list[float], attempts: int, tried: int
) -> None:
    error = OperationalError("SELECT", None, BrokenOff("canceling statement due to statement timeout"))

    with pytest.raises(JobFailed, match="due to statement timeout"):
        await job.step("one", failing(10_000, error), attempts=attempts)

    assert len(waits) == tried - 1


async def test_a_statement_that_took_too_long_once_is_tried_again(job: JobContext, waits: list[float]) -> None:
    assert await job.step("one", failing(1, OperationalError("SELECT", None, BrokenOff()))) == "call 2"


async def test_a_failure_for_good_is_not_tried_again(job: JobContext, waits: list[float]) -> None:
    with pytest.raises(JobFailed) as raised:
        await job.step("one", failing(1, JobFailed("unsupported", "no video in it")), attempts=9)

    assert raised.value.text == "unsupported: no video in it"
    assert waits == []


async def test_a_sleeper_gives_its_place_up_and_takes_one_again(job: JobContext, engine: Forgetful) -> None:
    await job.turn.take()

    await job.sleep(5)

    assert engine.slept == [5]
    assert engine.places is not None
    assert not engine.places.free


def test_what_an_error_says_has_a_limit() -> None:
    assert len(JobFailed("x", "y" * 10_000).detail) == MAX_TEXT
