"""How a job ends: in its row, and, if it failed, in the same transaction in what its kind says of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from server import log
from server.catalog import faults
from server.catalog import jobs as rows
from server.catalog.database import Database, Transaction
from server.catalog.models import Job
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.jobs.priorities import Lane, Priority

RETRY_S, MAX_RETRY_S = 1.0, 30.0  # while the database refuses to take it
TOLD_ATTEMPTS = 5  # of what a failed job means, where the database breaks that off: then the job ends without

_log = log.get("jobs")

Run = Callable[[JobContext], Awaitable[None]]
OnFailed = Callable[[Transaction, Job, JobFailed], Awaitable[None]]
OnRedrive = Callable[[Transaction, Job], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """How work of one kind is done, and what is said of it when it failed for good."""

    run: Run
    on_failed: OnFailed | None = None
    lane: Lane = "encode"
    priority: Priority = Priority.NORMAL
    on_redrive: OnRedrive | None = None


class Endings:
    """Ends each job once, however often it is asked to."""

    def __init__(self, database: Database, worker: str, kinds: Mapping[str, Kind]) -> None:
        self._database = database
        self._worker = worker
        self._kinds = kinds

    async def end(self, job_id: str, failure: JobFailed | None) -> None:
        """Of a job that this worker claimed. Tries as often as it takes: while the row doesn't say it, the job has not
        ended. What another worker took over meanwhile ends there."""
        wait_s, broken_off = RETRY_S, 0
        while True:
            try:
                if failure is None:
                    await self._succeed(job_id)
                else:
                    await self.fail(job_id, failure, claimed=True, tell=broken_off < TOLD_ATTEMPTS)
                return
            except faults.REFUSALS as fault:
                broken_off += faults.broken_off(fault)
                _log.warning("the end of a job can't be written yet", job=job_id, reason=faults.reason(fault))
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, MAX_RETRY_S)

    async def fail(self, job_id: str, failure: JobFailed, claimed: bool = False, tell: bool = True) -> bool:
        """Whether it had not ended before; `claimed`: only if it is this worker's; `tell`: its kind's `on_failed`. A
        fault of that does not keep the job alive."""
        try:
            return await self._fail(job_id, failure, claimed, tell)
        except faults.REFUSALS:
            raise
        except Exception:
            _log.exception("what a failed job means could not be written", job=job_id)
            return await self._fail(job_id, failure, claimed, tell=False)

    async def _succeed(self, job_id: str) -> None:
        async with self._database.write() as transaction:
            job = await rows.locked(transaction, job_id)
            if job is not None and job.finished_at is None and job.worker == self._worker:
                await rows.finish(transaction, job)

    async def _fail(self, job_id: str, failure: JobFailed, claimed: bool, tell: bool) -> bool:
        async with self._database.write() as transaction:
            job = await rows.locked(transaction, job_id)
            if job is None or job.finished_at is not None or (claimed and job.worker != self._worker):
                return False
            kind = self._kinds.get(job.kind)
            if tell and kind is not None and kind.on_failed is not None:
                await kind.on_failed(transaction, job, failure)
            await rows.finish(transaction, job, failure.text)
        return True
