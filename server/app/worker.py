"""`sluice worker`: takes jobs off a server, on its PostgreSQL and its data folder, and serves nothing.

The server holds the data folder's lock; workers read sources there and write what they make beside it. Whatever one
worker of them leaves when it dies, the others take over.
"""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack

import orjson

from server import log
from server.app.catalogue import open_database
from server.app.core import CHILDREN, make_jobs, places, unusable, usable_codec
from server.app.hooks import open_sender
from server.config import Config, ConfigError
from server.jobs.jobs import Jobs
from server.media.child import Children
from server.storage import data_folder
from server.storage.layout import Layout
from server.vod.posters import Posters

_log = log.get("worker")


async def work(config: Config) -> int:
    """Works until SIGTERM or SIGINT; the exit status."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with AsyncExitStack() as stack:
            jobs = await open_worker(config, stack)
            sys.stdout.write(_line(jobs, sys.stdout.isatty()) + "\n")
            sys.stdout.flush()
            await stop.wait()
            _log.info("stopping")
    except (ConfigError, OSError) as error:
        _log.error("can't work", reason=str(error))
        return 1
    _log.info("stopped")
    return 0


async def open_worker(config: Config, stack: AsyncExitStack) -> Jobs:
    """Takes jobs from now on. Raises ConfigError, OSError."""
    layout = Layout(config.storage.path.resolve())
    try:
        if not layout.lock.exists():
            raise ConfigError(f"storage.path: {layout.root} is no server's data folder; workers share the server's")
        await asyncio.to_thread(data_folder.try_writing, layout.root)
    except OSError as error:
        raise unusable(layout.root, error) from None
    database = await open_database(config, layout, stack)
    children = await stack.enter_async_context(Children(CHILDREN + sum(places(config, helping=True).values())))
    posters, codec = Posters(database, layout, children), await usable_codec(config, children)
    jobs = make_jobs(config, database, layout, children, posters, codec, helping=True)
    await stack.enter_async_context(jobs.running())
    await open_sender(config.webhooks, database, stack)
    return jobs


def _line(jobs: Jobs, terminal: bool) -> str:
    """JSON for programs, a sentence for people."""
    if terminal:
        return f"Sluice's worker {jobs.worker} is at work"
    return orjson.dumps({"event": "ready", "worker": jobs.worker}).decode()
