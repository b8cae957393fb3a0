"""A process that orders and runs jobs in a folder, and that kills itself where it is told to.

    python -m tests.integration.jobs_program FOLDER [--order KIND=COUNT]… [--die-before-commit | --die-after-commit]
                                          [--database URL] [--stay]

`FOLDER/sluice.db` is the catalogue, `FOLDER/ledger` a line for each step that ran: "<object> <step>". It ends when all
jobs have ended, or at SIGTERM.
"""

import argparse
import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import uvloop

from server import log
from server.catalog import jobs as rows
from server.catalog import keys
from server.catalog.database import Database, Transaction, sqlite_url
from server.catalog.models import DEFAULT_PROJECT, Job
from server.jobs.context import JobContext
from server.jobs.errors import JobFailed
from server.jobs.jobs import Jobs

Then = Callable[[bool], Awaitable[None]]  # whether the step runs for the first time


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Program:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = os.open(folder / "ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def wrote(self, line: str) -> bool:
        """Whether the line was not in the ledger before; it is now."""
        known = line in (self.folder / "ledger").read_text().splitlines()
        os.write(self.ledger, f"{line}\n".encode())
        return not known

    def step(self, job: JobContext, name: str, then: Then | None = None) -> Awaitable[None]:
        async def work() -> None:
            first = self.wrote(f"{job.object_id} {name}")
            if then is not None:
                await then(first)

        return job.step(name, work)

    async def three(self, job: JobContext) -> None:
        """Dies in the second of three steps, the first time."""

        async def second(first: bool) -> None:
            if first:
                die()

        await self.step(job, "one")
        await self.step(job, "two", second)
        await self.step(job, "three")

    async def pair(self, job: JobContext) -> None:
        await self.step(job, "one")
        await self.step(job, "two")

    async def poison(self, job: JobContext) -> None:
        """Kills the server, a little later than it begins: others are running."""

        async def kill(_first: bool) -> None:
            await asyncio.sleep(0.2)
            die()

        await self.step(job, "poison", kill)

    async def brief(self, job: JobContext) -> None:
        """Three steps of 50 ms."""

        async def wait(_first: bool) -> None:
            await asyncio.sleep(0.05)

        for name in ("one", "two", "three"):
            await self.step(job, name, wait)

    async def slow(self, job: JobContext) -> None:
        async def wait(_first: bool) -> None:
            await asyncio.sleep(1.0)

        await self.step(job, "slow", wait)

    async def endless(self, job: JobContext) -> None:
        async def wait(first: bool) -> None:
            if first:
                await asyncio.sleep(3600)

        await self.step(job, "endless", wait)

    async def on_failed(self, _transaction: Transaction, job: Job, failure: JobFailed) -> None:
        self.wrote(f"{job.object_id} failed {failure.code}")


async def main(arguments: argparse.Namespace) -> None:
    program = Program(arguments.folder)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with Database.open(arguments.database or sqlite_url(arguments.folder / "sluice.db")) as database:
        await database.migrate()
        async with database.write() as transaction:
            await keys.default_project(transaction)
        jobs = Jobs(database, {"encode": 2})
        for kind in ("three", "pair", "poison", "brief", "slow", "endless"):
            jobs.register(kind, getattr(program, kind), program.on_failed)
        async with jobs.running():
            (arguments.folder / f"ready-{os.getpid()}").touch()
            await order(database, jobs, arguments)
            while not stopped.is_set() and (arguments.stay or await unfinished(database)):
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), 0.05)


async def order(database: Database, jobs: Jobs, arguments: argparse.Namespace) -> None:
    if not arguments.order:
        return
    async with database.write() as transaction:
        if arguments.die_after_commit:
            transaction.after_commit(die)  # before the one that begins the job
        for kind, count in arguments.order:
            for number in range(int(count)):
                await jobs.enqueue(transaction, DEFAULT_PROJECT, kind, f"{kind}{number}")
        if arguments.die_before_commit:
            die()


async def unfinished(database: Database) -> int:
    async with database.read() as transaction:
        return (await rows.depth(transaction))[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--database", help="another than FOLDER/sluice.db")
    parser.add_argument("--stay", action="store_true", help="until SIGTERM")
    parser.add_argument("--order", action="append", type=lambda text: text.split("="), default=[])
    parser.add_argument("--die-before-commit", action="store_true")
    parser.add_argument("--die-after-commit", action="store_true")
    log.configure("info", "json")
    uvloop.run(main(parser.parse_args()))
