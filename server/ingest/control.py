"""What runs beside the broadcasts: the look at their health, and their schedules."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from server.catalog.database import Database
from server.ingest.broadcasts import Broadcasts
from server.ingest.health.episodes import News
from server.ingest.monitor import Monitor
from server.ingest.on_air import OnAir, Stage
from server.ingest.schedules import Schedules

SCHEDULED_END = "the scheduled end"


@asynccontextmanager
async def controlled(database: Database, broadcasts: Broadcasts) -> AsyncIterator[Schedules]:
    """Watches over the broadcasts while the context lasts; the schedules, which are to be told of changes."""

    def stages() -> Iterable[Stage]:
        return (*broadcasts.all(), *broadcasts.rehearsals.all())

    def told(stage: Stage, news: News) -> None:
        if isinstance(stage, OnAir):
            broadcasts.warned(stage, news)

    async def stop(live_stream_id: str) -> bool:
        broadcasts.rehearsals.end(live_stream_id, SCHEDULED_END)
        return await broadcasts.complete(live_stream_id, SCHEDULED_END)

    async def release(live_stream_id: str) -> bool:
        return await broadcasts.begin_scheduled(live_stream_id, even_armed=False)

    schedules = Schedules(database, broadcasts.begin_scheduled, release, stop)
    async with Monitor(stages, told, broadcasts.send_away).running(), schedules.running():
        yield schedules
