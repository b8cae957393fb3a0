"""What the pinned dbos is relied on for: documented or not, a new version of it has to keep this."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID, error

from server.catalog.database import Database
from server.jobs import engine as module
from server.jobs.engine import Engine
from server.jobs.errors import JobFailed, StepsChanged
from tests.postgres import Cluster

Body = Callable[[Engine, str], Awaitable[None]]


@asynccontextmanager
async def launched(database: Database, body: Body, worker: str = "wo1") -> AsyncIterator[Engine]:
    engine: Engine

    async def work(job_id: str) -> None:
        await body(engine, job_id)

    engine = Engine(database.engine.url, worker, work)
    async with engine.launched():
        yield engine
        for task in [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
            task.cancel()  # a drain
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not condition():
            await asyncio.sleep(0.002)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path / "sluice.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def pollers() -> list[str]:
    """The threads of dbos that look for work."""
    names = ("queue", "background-jobs", "scheduler")
    return [thread.name for thread in threading.enumerate() if any(name in thread.name for name in names)]


async def test_a_launch_does_not_wait_for_ever_for_one_that_is_stuck(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAUNCH_LIMIT_S", -1.0, raising=False)
    name = cluster.create()
    engine = Engine(sa.make_url(cluster.url(name)), "wo1", lambda _: asyncio.sleep(0))
    with psycopg.connect(cluster.url(name), autocommit=True) as stuck:
        stuck.execute("SELECT pg_advisory_lock(7302, 2)")
        with pytest.raises(RuntimeError, match="does not get on"):
            async with asyncio.timeout(20), engine.launched():
                pass

    async with engine.launched():
        pass
    cluster.drop(name)


async def test_no_thread_polls(database: Database) -> None:
    async def body(engine: Engine, job_id: str) -> None:
        pass

    async with launched(database, body) as engine:
        await until(lambda: not pollers())
        await engine.start("jo1")


async def test_what_was_left_goes_on_when_it_is_started_and_not_before(database: Database) -> None:
    began: list[str] = []

    async def body(engine: Engine, job_id: str) -> None:
        began.append(job_id)
        await asyncio.sleep(3600)

    async with launched(database, body, "wo1") as engine:
        await engine.start("jo1")
        await until(lambda: began == ["jo1"])
    async with launched(database, body, "wo2") as engine:
        await asyncio.sleep(0.3)
        assert began == ["jo1"]
        await engine.start("jo1")
        await until(lambda: began == ["jo1", "jo1"])


async def test_who_ran_it_before_can_record_nothing_more(database: Database, tmp_path: Path) -> None:
    """A verdict that a process is dead may be wrong: it costs work done twice, and mixes nothing up."""
    gates = [asyncio.Event(), asyncio.Event()]
    ran: list[int] = []

    async def body(engine: Engine, job_id: str) -> None:
        number = len(ran)
        ran.append(number)

        async def step() -> int:
            await gates[number].wait()
            return number

        ran.append(await engine.step("one", step) + 10)

    async with launched(database, body) as engine:
        await engine.start("jo1")
        await until(lambda: ran == [0])
        await engine.start("jo1")
        await until(lambda: ran == [0, 1])
        gates[0].set()
        await asyncio.sleep(0.2)
        assert rows(tmp_path, "select output from operation_outputs") == []
        gates[1].set()
        await until(lambda: 11 in ran)

    assert ran == [0, 1, 11]


async def test_an_id_begins_one_workflow(database: Database) -> None:
    began: list[str] = []

    async def body(engine: Engine, job_id: str) -> None:
        began.append(job_id)

    async with launched(database, body) as engine:
        await engine.start("jo1")
        await until(lambda: began == ["jo1"])
        with SetWorkflowID("jo1", workflow_id_reuse_policy="reject"), pytest.raises(error.DBOSWorkflowIDInUseError):
            await DBOS.start_workflow_async(engine._workflow, "jo1")
        with SetWorkflowID("jo1"):
            await DBOS.start_workflow_async(engine._workflow, "jo1")
        await asyncio.sleep(0.05)

    assert began == ["jo1"]


async def test_a_job_that_is_known_and_does_not_run_begins_from_its_first_step(database: Database) -> None:
    steps: list[str] = []

    async def body(engine: Engine, job_id: str) -> None:
        async def step() -> None:
            steps.append(job_id)

        await engine.step("one", step)
        raise OSError("could not write the end")

    async with launched(database, body) as engine:
        await engine.start("jo1")
        await until(lambda: steps == ["jo1"])
        await asyncio.sleep(0.1)
        await engine.start("jo1")
        await until(lambda: steps == ["jo1", "jo1"])
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("kept", [None, 1, "text", [1, {"a": None}], {"b": 1.5}])
async def test_a_finished_step_answers_the_same_after_a_crash(
    database: Database, tmp_path: Path, kept: object
) -> None:
    seen: list[object] = []
    ran: list[int] = []

    async def body(engine: Engine, job_id: str) -> None:
        async def step() -> object:
            ran.append(1)
            return kept

        seen.append(await engine.step("one", step))
        await asyncio.sleep(3600)

    for times in (1, 2):
        async with launched(database, body) as engine:
            await engine.start("jo1")
            await until(lambda times=times: len(seen) == times)

    assert seen == [kept, kept]
    assert ran == [1]
    assert {form for (form,) in rows(tmp_path, "select serialization from operation_outputs")} == {"portable_json"}
    assert rows(tmp_path, "select serialization from workflow_status") == [("portable_json",)]


async def test_a_failed_step_fails_the_same_after_a_crash(database: Database) -> None:
    seen: list[tuple[str, str]] = []

    async def body(engine: Engine, job_id: str) -> None:
        async def step() -> None:
            raise JobFailed("unsupported", "no video in it")

        try:
            await engine.step("one", step)
        except JobFailed as failure:
            seen.append((failure.code, failure.detail))
        await asyncio.sleep(3600)

    for times in (1, 2):
        async with launched(database, body) as engine:
            await engine.start("jo1")
            await until(lambda times=times: len(seen) == times)

    assert seen == [("unsupported", "no video in it")] * 2


async def test_a_step_under_another_name_is_told(database: Database) -> None:
    names = ["one", "another"]
    seen: list[str] = []

    async def body(engine: Engine, job_id: str) -> None:
        async def step() -> None:
            pass

        name = names.pop(0)
        try:
            await engine.step(name, step)
            seen.append("ran")
        except StepsChanged:
            seen.append("changed")
        await asyncio.sleep(3600)

    for times in (1, 2):
        async with launched(database, body) as engine:
            await engine.start("jo1")
            await until(lambda times=times: len(seen) == times)

    assert seen == ["ran", "changed"]


async def test_a_sleep_goes_on_where_a_crash_cut_it_off(database: Database) -> None:
    woke: list[float] = []
    began: list[float] = []
    loop = asyncio.get_running_loop()

    async def body(engine: Engine, job_id: str) -> None:
        began.append(loop.time())
        await engine.sleep(2.0)
        woke.append(loop.time())

    async with launched(database, body) as engine:
        await engine.start("jo1")
        await until(lambda: len(began) == 1)
        await asyncio.sleep(0.3)
    async with launched(database, body) as engine:
        await engine.start("jo1")
        await until(lambda: len(woke) == 1)

    assert len(began) == 2
    assert woke[0] - began[0] > 1.9
    assert woke[0] - began[1] < 1.9, "not two seconds again"


async def test_it_logs_through_our_log_and_keeps_quiet_of_stops(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    began: list[str] = []

    async def body(engine: Engine, job_id: str) -> None:
        began.append(job_id)
        if job_id == "jo-breaks":
            raise OSError("broken")
        await asyncio.sleep(3600)

    async with launched(database, body) as engine:
        assert logging.getLogger("dbos").propagate
        assert all(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("dbos").handlers)
        await engine.start("jo-breaks")
        await engine.start("jo-hangs")
        await until(lambda: len(began) == 2)
        await asyncio.sleep(0.1)

    assert [(record.name, record.levelname) for record in caplog.records] == [("dbos", "ERROR")]
    assert not hasattr(caplog.records[0], "applicationID")
    assert getattr(caplog.records[0], "job", None) == "jo-breaks"
