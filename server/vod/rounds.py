"""What is looked after every now and then, while a block lasts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from server.catalog import faults
from server.log import Logger


@asynccontextmanager
async def rounds(
    look: Callable[[], Awaitable[int]], every_s: float, log: Logger, failed: str, full: int | None = None
) -> AsyncIterator[None]:
    """Calls `look` at once and then every so often; without a pause after a round that did as much as one may, `full`.
    What it raises is logged as `failed`: the next round may do better."""

    async def run() -> None:
        while True:
            try:
                while await look() == full:
                    pass
            except Exception as error:
                faults.tell(log, failed, error)
            await asyncio.sleep(every_s)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
