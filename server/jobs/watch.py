"""Looks after the jobs that run here: writes how far they are, and cuts off one whose row is not ours any more."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from server import clock, log
from server.catalog import faults
from server.catalog import jobs as rows
from server.catalog.database import Database
from server.catalog.models import Job
from server.jobs.progress import Progress
from server.jobs.turns import Turn

EVERY_S = 1.0

_log = log.get("jobs")


@dataclass(slots=True)
class Begun:
    """A job of ours, until it has ended here."""

    job: Job
    turn: Turn
    suspect: bool  # a process died while it ran
    task: asyncio.Task[Any] | None = None  # None: on its way through the engine
    cut: Literal["cancelled", "lost"] | None = None  # from outside; lost: its row is another's, or says an end
    ending: bool = False
    over: bool = False  # its row says how it ended
    progress: Progress = field(default_factory=Progress)


class Watch:
    """Of what is `begun`; it sleeps unless `busy` is set."""

    def __init__(self, database: Database, worker: str, begun: Mapping[str, Begun], busy: asyncio.Event) -> None:
        self._database = database
        self._worker = worker
        self._begun = begun
        self._busy = busy

    async def run(self) -> None:
        while True:
            await self._busy.wait()
            await asyncio.sleep(EVERY_S)
            try:
                await self._write_progress()
                await self._cut_off_lost()
            except faults.REFUSALS as fault:
                _log.warning("can't look after jobs now", reason=faults.reason(fault))
            except Exception as error:  # whatever it is, the next look comes
                _log.error("can't look after jobs", exc_info=error)

    async def _write_progress(self) -> None:
        news = [begun for begun in self._begun.values() if begun.progress.unwritten]
        if not news:
            return
        async with self._database.write() as transaction:
            for begun in news:
                progress = begun.progress
                ends_at = clock.now() + progress.left if progress.left is not None else None
                progress.unwritten = False
                await rows.report(transaction, begun.job.id, progress.fraction, progress.message, ends_at)

    async def _cut_off_lost(self) -> None:
        looked_at = list(self._begun.values())
        async with self._database.read() as transaction:
            held = await rows.held(transaction, self._worker)
        for begun in looked_at:
            if begun.job.id not in held and begun.task and not (begun.ending or begun.cut or begun.task.done()):
                _log.info("a job was taken away", job=begun.job.id)
                begun.cut = "lost"
                begun.task.cancel()
