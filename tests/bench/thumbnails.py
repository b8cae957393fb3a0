"""Images on request of a film of ten minutes: how long the first one takes, and one that is there."""

import asyncio
import time
from collections.abc import Sequence

from tests.bench import clips
from tests.bench.bench import Bench
from tests.bench.client import Http
from tests.bench.processes import Meter
from tests.bench.report import quantile
from tests.harness.server import Server
from tests.harness.uploads import ended, post_source

KEY_TARGET_MS, EXACT_TARGET_MS, KEPT_TARGET_MS = 300.0, 900.0, 5.0
STORYBOARD_TARGET_S = 2.0
PICTURES = 20
KEPT_ROUNDS = 10  # a picture that is there takes a millisecond: one of twenty would be chance
PAUSE_S = 1.0  # between requests: a server that makes one each second has its children ready
STEP_S = 13.7  # between pictures: each in another place of its GOP
SETTLE_S = 2.0


async def run(bench: Bench) -> None:
    with bench.server("server", SLUICE_VOD__IMAGES_PER_MINUTE="100000") as server:
        video = await asyncio.to_thread(post_source, server, clips.film())
        await asyncio.to_thread(ended, server, video["videoId"], 120)
        await asyncio.sleep(SETTLE_S)
        root = f"{server.http}/vod/{video['videoId']}"
        times = [number * STEP_S for number in range(PICTURES)]
        nearest = [f"{root}/thumbnail.jpg?time={at_s:.3f}&width=640" for at_s in times]
        exact = [f"{root}/thumbnail.jpg?time={at_s:.3f}&width=640&exact=1" for at_s in times]
        row = [f"{root}/thumbnail.webp?time={at_s:.3f}&width=640" for at_s in times]
        await _pictures(bench, "nearest key frame, p95", nearest, KEY_TARGET_MS, PAUSE_S)
        await _pictures(bench, "exact, p95", exact, EXACT_TARGET_MS, PAUSE_S)
        await _pictures(bench, "nearest key frame, in a row, p95", row, None, 0)
        await _pictures(bench, "kept, p95", nearest * KEPT_ROUNDS, KEPT_TARGET_MS, 0)
        await _storyboard(bench, server, root)
        await _once(bench, "animated preview, GIF of 5 s", f"{root}/animated.gif?start=30&width=320")
        await _once(bench, "animated preview, WebP of 5 s", f"{root}/animated.webp?start=30&width=320")


async def _pictures(
    bench: Bench, name: str, urls: Sequence[str], target_ms: float | None, pause_s: float
) -> None:
    bench.say(name)
    http, meter, taken = Http(), Meter(), []
    for url in urls:
        began = time.monotonic()
        await http.get(url)
        taken.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(pause_s)
    http.close()
    note = f"{len(taken)} of 1080p; median {quantile(taken, 0.5):.1f}"
    bench.add(name, quantile(taken, 0.95), "ms", target=target_ms, other_cores=meter.read().other_cores, note=note)


async def _storyboard(bench: Bench, server: Server, root: str) -> None:
    bench.say("storyboard")
    http, meter, began = Http(), Meter(server.pid), time.monotonic()
    await http.get(f"{root}/storyboard.vtt")
    wall_s, used = time.monotonic() - began, meter.read()
    sheet = await http.get(f"{root}/storyboard.jpg")
    http.close()
    note = f"{wall_s:.2f} s by the clock; {len(sheet.body) >> 10} KiB"
    bench.add("storyboard, CPU", used.server_cpu_s, "s", target=STORYBOARD_TARGET_S, other_cores=used.other_cores,
              note=note)  # fmt: skip


async def _once(bench: Bench, name: str, url: str) -> None:
    http, began = Http(), time.monotonic()
    answer = await http.get(url)
    http.close()
    bench.add(name, time.monotonic() - began, "s", note=f"{len(answer.body) >> 10} KiB")
