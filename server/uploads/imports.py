"""Many videos ordered as one: the order is kept whole first, then its videos are made some at a time.

One transaction for a thousand videos would keep all other writers waiting for seconds. So the order is committed with
the ids of its videos and a job; whoever ordered makes them at once, and the job makes those that a crash left out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from server.catalog import imports, videos
from server.catalog.database import Database, Transaction
from server.catalog.models import Import, Video
from server.jobs.context import JobContext
from server.jobs.priorities import Priority
from server.outbound.target import Target
from server.uploads.fetching import Fetching

JOB = "import"
MAX_VIDEOS = 1000
BATCH = 10  # videos in one transaction: some 30 ms

# (transaction, project, kind, object): orders work in the transaction of the fact that asks for it
Enqueue = Callable[[Transaction, str, str, str], Awaitable[object]]


def wish(url: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """One video of an order: `columns` of its row, as JSON values."""
    return {"url": url, **columns}


class Imports:
    """Register `run` as the job."""

    def __init__(self, database: Database, fetching: Fetching, enqueue: Enqueue) -> None:
        self._database = database
        self._fetching = fetching
        self._enqueue = enqueue
        self._making = asyncio.Lock()

    async def order(self, project_id: str, digest: str, wishes: Sequence[dict[str, Any]]) -> tuple[Import, bool]:
        """The import, all its videos made; whether the file, told by its digest, is a new one."""
        async with self._database.write() as transaction:
            row = await imports.of_file(transaction, project_id, digest)
            new = row is None
            if row is None:
                row = await imports.add(transaction, project_id, digest, wishes)
                await self._enqueue(transaction, project_id, JOB, row.id)
        await self._make(row.id)
        return row, new

    async def run(self, job: JobContext) -> None:
        """What is made is not made again, so this needs no step."""
        await self._make(job.object_id)

    async def _make(self, import_id: str) -> None:
        async with self._making:
            while await self._make_some(import_id):
                pass

    async def _make_some(self, import_id: str) -> bool:
        """Whether there are more."""
        async with self._database.write() as transaction:
            row = await imports.get(transaction, import_id)
            if row is None or not row.wishes:
                return False
            for id, wanted in zip(row.video_ids[row.made :], row.wishes[:BATCH], strict=False):
                columns = {name: value for name, value in wanted.items() if name != "url"}
                video = await videos.add(transaction, Video(id=id, project_id=row.project_id, **columns))
                await self._fetching.order(transaction, video, Target.parse(wanted["url"]), Priority.BULK)
            row.made += len(row.wishes[:BATCH])
            row.wishes = row.wishes[BATCH:]
            return bool(row.wishes)
