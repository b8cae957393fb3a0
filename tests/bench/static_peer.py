"""aiohttp's own static files, without logs, tokens or anything else: the floor of what delivery costs.

On asyncio's own loop, which has sendfile, or on uvloop, which has not, but handles small answers faster.

    python -m tests.bench.static_peer FOLDER asyncio|uvloop        prints the port
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
    run = {"asyncio": asyncio.run, "uvloop": uvloop.run}[sys.argv[2]]
    run(serve(sys.argv[1]))
