"""What a crash leaves of orders: files lie beside a video before its row is there, and go after its file is made."""

import asyncio
import shutil
from pathlib import Path

from server import clock, log
from server.catalog import videos
from server.catalog.database import Database
from server.storage.layout import Layout

AT_ONCE = 500  # ids of a query
YOUNG_S = 3600.0  # a folder without a row: a job that goes on, or another process, may be about to commit it
KEPT = ("pre-processing", "error")  # the file is being made, or its job may be run again

_log = log.get("vod")


async def sweep(database: Database, layout: Layout) -> int:
    """Once at the start, before anything is ordered; how many folders were cleared."""
    cleared = 0
    found = await asyncio.to_thread(layout.edited)
    for at in range(0, len(found), AT_ONCE):
        ids = found[at : at + AT_ONCE]
        async with database.read() as transaction:
            states = await videos.states(transaction, ids)
        for id in ids:
            cleared += await asyncio.to_thread(_clear, layout, id, states.get(id))
    if cleared:
        _log.info("leftovers of edits are deleted", count=cleared)
    return cleared


def _clear(layout: Layout, video_id: str, state: str | None) -> bool:
    """Blocks. A video without a row goes with its folder, once nobody can be about to make the row."""
    folder = layout.video(video_id) if state is None else layout.video_inputs(video_id)
    if state in KEPT or not folder.exists() or (state is None and _is_young(folder)):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _is_young(folder: Path) -> bool:
    return clock.now().timestamp() - folder.stat().st_mtime < YOUNG_S
