"""What nobody goes on with goes: uploads whose time is over, and bytes without a row."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice

from server import clock, log
from server.catalog import faults, upload_sessions, uploads
from server.errors import Problem
from server.storage import sweeper
from server.storage.layout import Layout
from server.uploads.joins import Joins
from server.uploads.partials import Partials
from server.uploads.service import Uploads

EVERY_S = 300.0
MOST_LEFT_OUT = 10_000  # joins at work that a query names; databases take 32,766 values in one
LEFTOVER_S = 3600.0  # staged bytes have no row yet; an hour without a change is no upload

_log = log.get("uploads")


async def recover(service: Uploads) -> None:
    """Finishes what a crash left complete; called once, before requests come. Parts are joined later, as that takes
    longer."""
    async with service.database.read() as transaction:
        rows = await uploads.unfinished(transaction)
    for row in rows:
        if row.parts is not None:
            continue
        try:
            await service.recover(row)
        except (Problem, OSError) as error:
            _log.warning("upload can't be recovered", upload=row.id, reason=str(error))


async def sweep(service: Uploads, partials: Partials, joins: Joins, layout: Layout) -> int:
    """One round; how many uploads' bytes went. What has all its parts is joined rather than expired, unless that is
    given up."""
    await joins.resume()
    at_work = list(islice(joins.ids(), MOST_LEFT_OUT))
    async with service.database.read() as transaction:
        rows = await uploads.expired(transaction, clock.now(), but_for=at_work)
    for row in rows:
        if not joins.has(row.id) and not service.locks.is_held(row.video_id):
            await service.expire(row.id)
    ended = await partials.sweep()
    async with service.database.write() as transaction:
        await upload_sessions.expire(transaction, clock.now())
    before = clock.wall_ms() / 1000 - LEFTOVER_S
    found = await asyncio.to_thread(sweeper.leftovers, layout, before)
    async with service.database.read() as transaction:
        known = {id: await uploads.get(transaction, id) for id in found}
    dead = [id for id, row in known.items() if row is None or row.state not in uploads.OPEN]
    dead = [id for id in dead if not await partials.alive(id)]
    return len(rows) + ended + await asyncio.to_thread(sweeper.sweep, layout, dead)


@asynccontextmanager
async def sweeping(service: Uploads, partials: Partials, joins: Joins, layout: Layout) -> AsyncIterator[None]:
    """Sweeps now and then while the context lasts."""
    task = asyncio.create_task(_sweep_forever(service, partials, joins, layout))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _sweep_forever(service: Uploads, partials: Partials, joins: Joins, layout: Layout) -> None:
    while True:
        try:
            await sweep(service, partials, joins, layout)
        except Exception as error:
            faults.tell(_log, "sweep failed", error)  # the next round may do better
        await asyncio.sleep(EVERY_S)
