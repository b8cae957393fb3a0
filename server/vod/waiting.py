"""Work that waits for room on the disk, without a place among the running; it goes on by itself when there is some."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from server import log
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.storage.room import NoRoomError

FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
MOST_TRIES = 290  # two days: somebody has looked by then
STORAGE_FULL = "storage-full"
NOTICE, GOES_ON = "waits for room on the disk", "goes on"

Result = TypeVar("Result")

_log = log.get("vod")


async def step(job: JobContext, name: str, work: Callable[[], Awaitable[Result]], attempts: int = 1) -> Result:
    """A step of the job, tried again and again while it raises NoRoomError; what it has written by then stays. Raises
    JobFailed, in the end with STORAGE_FULL."""

    async def tried() -> list[Result]:
        try:
            return [await work()]
        except NoRoomError as error:
            _log.warning("there is no room on the disk", reason=str(error))
            return []

    wait_s = FIRST_WAIT_S
    for number in range(MOST_TRIES):
        if done := await job.step(f"{name} {number}", tried, attempts=attempts):
            return done[0]
        job.progress(0.0, NOTICE)
        await job.sleep(wait_s)
        job.progress(0.0, GOES_ON)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
    raise JobFailed(STORAGE_FULL, "For two days there was no room on the disk. Run it again once there is.")
