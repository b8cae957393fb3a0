"""Jobs over REST."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from server import clock
from server.catalog import jobs as rows
from server.catalog.database import Database, Transaction
from server.catalog.listing import Paging
from server.catalog.models import DEFAULT_PROJECT, Job, Project
from server.jobs.context import JobContext
from server.jobs.errors import CANCELLED, NotAgain
from server.jobs.jobs import Jobs
from server.jobs.priorities import Priority
from server.web.api import jobs as module
from tests.unit.web.kit import Client, Connect, problem


class Fails:
    """The kind of jobs that are run here."""

    def __init__(self) -> None:
        self.runs = 0
        self.ended = asyncio.Event()

    async def run(self, job: JobContext) -> None:
        self.runs += 1
        self.ended.set()


async def never_again(transaction: Transaction, job: Job) -> None:
    raise NotAgain(f"POST /videos/{job.object_id}/remake makes it anew.")


@pytest.fixture
def work() -> Fails:
    return Fails()


@pytest.fixture
async def jobs(database: Database, work: Fails) -> AsyncIterator[Jobs]:
    """Without a place for any, until one is redriven."""
    jobs = Jobs(database, {"short": 1})
    jobs.register("encode", work.run)
    jobs.register("short", work.run, None, "short", Priority.SHORT)
    jobs.register("ended", work.run, None, "short", Priority.SHORT, never_again)
    async with jobs.running():
        yield jobs


@pytest.fixture
async def client(connect: Connect, jobs: Jobs) -> Client:
    def mount(app: web.Application) -> None:
        app[module.JOBS] = jobs

    return await connect(mounts=[mount])


async def order(database: Database, jobs: Jobs, object_id: str = "vi1", kind: str = "encode") -> str:
    async with database.write() as transaction:
        return await jobs.enqueue(transaction, DEFAULT_PROJECT, kind, object_id)


async def call(client: Client, method: str, path: str, status: int = 200) -> Any:
    async with client.request(method, path) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def test_a_job_is_shown(client: Client, database: Database, jobs: Jobs) -> None:
    job_id = await order(database, jobs)

    shown = await call(client, "GET", f"/jobs/{job_id}")

    assert shown.pop("createdAt")
    assert shown == {
        "jobId": job_id, "kind": "encode", "objectId": "vi1", "state": "waiting", "priority": "normal",
        "progress": 0, "message": None, "eta": None, "attempts": 0, "startedAt": None, "finishedAt": None,
        "error": None,
    }  # fmt: skip
    assert (await call(client, "GET", f"/jobs/{job_id.removeprefix('jo')}"))["jobId"] == job_id


async def test_progress_is_shown(client: Client, database: Database, jobs: Jobs) -> None:
    job_id = await order(database, jobs)
    async with database.write() as transaction:
        await rows.claim(transaction, "wo1", "encode", suspects=True)
        await rows.report(transaction, job_id, 0.25, "rendition 1 of 4", clock.now())

    shown = await call(client, "GET", f"/jobs/{job_id}")

    assert [shown[key] for key in ("state", "progress", "message", "eta", "attempts")] == [
        "running", 0.25, "rendition 1 of 4", 0, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["vi2", "vi1", "vi1"]),
        ("?objectId=vi1", ["vi1", "vi1"]),
        ("?state=failed", ["vi1"]),
        ("?objectId=vi2&state=failed", []),
        ("?state=waiting&sortBy=createdAt", ["vi1", "vi2"]),
        ("?pageSize=1", ["vi2"]),
    ],
)
async def test_jobs_are_listed(
    client: Client, database: Database, jobs: Jobs, query: str, found: list[str]
) -> None:
    for object_id in ("vi1", "vi1", "vi2"):
        job_id = await order(database, jobs, object_id)
        if object_id == "vi1" and not await rows_failed(database):
            await jobs.cancel(job_id)

    listed = await call(client, "GET", f"/jobs{query}")

    assert [job["objectId"] for job in listed["data"]] == found


async def rows_failed(database: Database) -> int:
    async with database.read() as transaction:
        page = await rows.page(transaction, DEFAULT_PROJECT, rows.Filter(state="failed"), Paging())
    return page.total


async def test_a_job_is_cancelled_once(client: Client, database: Database, jobs: Jobs) -> None:
    job_id = await order(database, jobs)

    shown = await call(client, "POST", f"/jobs/{job_id}/cancel")

    assert (shown["state"], shown["error"]["code"]) == ("failed", CANCELLED)
    await call(client, "POST", f"/jobs/{job_id}/cancel", 409)


async def test_a_failed_job_is_run_again(client: Client, database: Database, jobs: Jobs, work: Fails) -> None:
    async with database.write() as transaction:
        job = await rows.add(transaction, DEFAULT_PROJECT, "short", "vi1", lane="short")
        await rows.finish(transaction, job, "unsupported: no video in it")

    shown = await call(client, "POST", f"/jobs/{job.id}/redrive")
    assert shown["error"] is None
    await asyncio.wait_for(work.ended.wait(), 10)

    await call(client, "POST", f"/jobs/{await order(database, jobs)}/redrive", 409)
    assert work.runs == 1


async def test_what_would_do_nothing_is_refused_with_what_to_do(
    client: Client, database: Database, jobs: Jobs, work: Fails
) -> None:
    async with database.write() as transaction:
        job = await rows.add(transaction, DEFAULT_PROJECT, "ended", "vi1", lane="short")
        await rows.finish(transaction, job, "internal-error: it crashed")

    async with client.post(f"/jobs/{job.id}/redrive") as response:
        body = await problem(response, 409, "conflict")
    assert body["detail"] == "POST /videos/vi1/remake makes it anew."
    assert (await call(client, "GET", f"/jobs/{job.id}"))["state"] == "failed"


@pytest.mark.parametrize(("method", "action"), [("GET", ""), ("POST", "/cancel"), ("POST", "/redrive")])
async def test_jobs_of_others_are_not_there(
    client: Client, database: Database, method: str, action: str
) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="prX", name="another"))
        await transaction.flush()
        job: Job = await rows.add(transaction, "prX", "encode", "vi1")

    for id in (job.id, "nonsense"):
        await call(client, method, f"/jobs/{id}{action}", 404)
