"""Work that waits for room on the disk."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.storage.room import NoRoomError
from server.vod import waiting


@dataclass
class Job:
    steps: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    said: list[str | None] = field(default_factory=list)

    async def step(self, name: str, work: Callable[[], Awaitable[Any]], attempts: int) -> Any:
        assert attempts == 2
        self.steps.append(name)
        return await work()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def progress(self, fraction: float, message: str | None = None) -> None:
        self.said.append(message)


def work(refusals: int) -> Callable[[], Awaitable[str]]:
    left = [refusals]

    async def done() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise NoRoomError("600 MiB are wanted, there is room for 3")
        return "made"

    return done


async def test_it_goes_on_once_there_is_room() -> None:
    job = Job()
    assert await waiting.step(cast(JobContext, job), "encode", work(3), 2) == "made"
    assert job.steps == ["encode 0", "encode 1", "encode 2", "encode 3"]
    assert job.slept == [5.0, 10.0, 20.0]
    assert job.said[:2] == ["waits for room on the disk", "goes on"]


async def test_at_once_where_there_is_room() -> None:
    job = Job()
    assert await waiting.step(cast(JobContext, job), "encode", work(0), 2) == "made"
    assert (job.slept, job.said) == ([], [])


async def test_in_the_end_it_fails_and_says_why() -> None:
    job = Job()
    with pytest.raises(JobFailed, match="no room on the disk") as failed:
        await waiting.step(cast(JobContext, job), "encode", work(10_000), 2)
    assert failed.value.code == "storage-full"
    assert 2 * 86400 - 3600 < sum(job.slept) < 2 * 86400 + 3600


async def test_other_faults_are_its_own() -> None:
    async def fails() -> str:
        raise JobFailed("codec", "it is not known here")

    with pytest.raises(JobFailed, match="not known"):
        await waiting.step(cast(JobContext, Job()), "encode", fails, 2)
