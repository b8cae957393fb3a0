"""The least that an LL-HLS server on aiohttp can do: constant answers of given sizes, no tokens, logs or numbers.

A playlist that is asked for with _HLS_msn waits for the next beat, as a blocking one does for its part.

    python -m tests.bench.constant_peer PLAYLIST_BYTES PART_BYTES BEAT_S        prints the port
"""

import asyncio
import sys

import uvloop
from aiohttp import web

TEXT = '#EXTM3U\n#EXT-X-PART:DURATION=0.5,URI="0.0.m4s"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI="0.1.m4s"\n'


async def serve(playlist_bytes: int, part_bytes: int, beat_s: float) -> None:
    playlist, part = TEXT.encode().ljust(playlist_bytes, b"#"), bytes(part_bytes)
    waiting: list[asyncio.Future[None]] = []

    async def media(request: web.Request) -> web.Response:
        if request.match_info["file"] != "media.m3u8":
            return web.Response(body=part)
        if "_HLS_msn" in request.query:
            beat = asyncio.get_running_loop().create_future()
            waiting.append(beat)
            await beat
        return web.Response(body=playlist)

    app = web.Application()
    app.router.add_get("/{file}", media)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    while True:
        await asyncio.sleep(beat_s)
        for beat in waiting:
            beat.set_result(None)
        waiting.clear()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
