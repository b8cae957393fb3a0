"""Work that goes on behind videos: shown, cancelled, run again."""

from datetime import datetime
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from server import clock, ids
from server.catalog import jobs as rows
from server.catalog.database import Transaction
from server.catalog.models import Job
from server.errors import Problem
from server.jobs.errors import NotAgain
from server.jobs.jobs import Jobs
from server.jobs.priorities import Priority
from server.web.pagination import PageQuery, Pagination, pagination
from server.web.shapes import Answer, Moment
from server.web.typed import Call, Operations

JOBS = web.AppKey("jobs", Jobs)
PRIORITIES = {priority.value: priority.name.lower() for priority in Priority}

State = Literal["waiting", "running", "done", "failed"]

operations = Operations("Jobs")


class JobError(Answer):
    code: str
    detail: str


class JobAnswer(Answer):
    """Work that was ordered. Jobs that ended are kept for 30 days."""

    job_id: str
    kind: str
    object_id: Annotated[str, Field(description="What it is about, such as a video.")]
    state: State
    priority: Annotated[str, Field(description="interactive, short, normal or bulk: which of those that wait is next.")]
    progress: Annotated[float, Field(ge=0, le=1, description="How much of it is done.")]
    message: Annotated[str | None, Field(description="What it is at.")]
    eta: Annotated[float | None, Field(ge=0, description="Seconds until it will have ended, at the rate it goes.")]
    attempts: Annotated[int, Field(description="How often it was begun; more than once after crashes.")]
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    error: JobError | None


class JobList(Answer):
    data: list[JobAnswer]
    pagination: Pagination


class JobQuery(PageQuery):
    sort_by: Literal["createdAt"] | None = None
    object_id: Annotated[str | None, Field(description="Only jobs about this object.", max_length=40)] = None
    state: Annotated[State | None, Field(description="Only jobs in this state.")] = None


@operations.get("/jobs", "List jobs", scope="jobs:read")
async def list_all(call: Call, query: JobQuery) -> JobList:
    """Newest first unless sorted, those that ended in the last 30 days among them."""
    wanted = rows.Filter(query.object_id, query.state)
    async with call.services.database.read() as transaction:
        page = await rows.page(transaction, call.project_id, wanted, query.paging(query.sort_by))
    return JobList(data=[answer(row) for row in page.rows], pagination=pagination(call.request, page))


@operations.get("/jobs/{jobId}", "Show a job", scope="jobs:read")
async def show(call: Call, job_id: str) -> JobAnswer:
    """How far it is, and why it failed if it did."""
    async with call.services.database.read() as transaction:
        return answer(await _find(transaction, call, job_id))


@operations.post("/jobs/{jobId}/cancel", "Cancel a job", scope="jobs:write", command=True, errors=["conflict"])
async def cancel(call: Call, job_id: str) -> JobAnswer:
    """It ends as failed with the code `cancelled`, and what it was about as that means for it."""
    async with call.services.database.read() as transaction:
        row = await _find(transaction, call, job_id)
    if not await call.request.app[JOBS].cancel(row.id):
        raise Problem("conflict", "The job has ended already.")
    return await show(call, job_id)


@operations.post(
    "/jobs/{jobId}/redrive", "Run a failed job again", scope="jobs:write", command=True, errors=["conflict"]
)
async def redrive(call: Call, job_id: str) -> JobAnswer:
    """From its beginning, in its old place among those that wait; what else is missing of the renditions that it makes
    is ordered with it. Where it would have nothing to do, the answer names what to do instead."""
    async with call.services.database.read() as transaction:
        row = await _find(transaction, call, job_id)
    try:
        await call.request.app[JOBS].redrive(row.id)
    except LookupError:
        raise Problem("conflict", "Only a job that has failed can be run again.") from None
    except NotAgain as error:
        raise Problem("conflict", str(error)) from None
    return await show(call, job_id)


def answer(row: Job) -> JobAnswer:
    code, _, detail = (row.error or "").partition(": ")
    return JobAnswer(
        job_id=row.id,
        kind=row.kind,
        object_id=row.object_id,
        state=rows.state(row),
        priority=PRIORITIES.get(row.priority, "normal"),
        progress=row.progress,
        message=row.message,
        eta=_seconds_to(row.ends_at),
        attempts=row.attempts,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=JobError(code=code, detail=detail) if row.error else None,
    )


def _seconds_to(moment: datetime | None) -> float | None:
    return None if moment is None else round(max(0.0, (moment - clock.now()).total_seconds()), 1)


async def _find(transaction: Transaction, call: Call, job_id: str) -> Job:
    try:
        row = await rows.get(transaction, ids.canonical("jo", job_id))
    except ids.InvalidId:
        row = None
    if row is None or row.project_id != call.project_id:
        raise Problem("resource-not-found", name="jobId")
    return row
