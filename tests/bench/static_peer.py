"""aiohttp's own static files on uvloop, without logs, tokens or anything else: the floor of what delivery costs.

    python -m tests.bench.static_peer FOLDER        prints the port
"""

import asyncio
import sys

import uvloop
from aiohttp import web


async def serve(folder: str) -> None:
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
