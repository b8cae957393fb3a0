"""Glass to glass of the product's own page: a picture's number is noted when it is sent and read off the screen."""

import asyncio
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, TimeoutError

from tests.bench import clips, playlists
from tests.bench.bench import Bench
from tests.bench.client import Http
from tests.bench.flv import Flv
from tests.bench.processes import Meter
from tests.bench.proxy import DelayProxy
from tests.bench.publish import Stream, publishing
from tests.bench.report import quantile
from tests.harness.server import Server
from tests.player.pages import chromium

TARGETS_S = {"low": 1.1, "ultra-low": 0.8}  # median, by latency mode
P95_S = {"low": 1.2}
ROUND_TRIP_S, JITTER_S = 0.08, 0.02
SETTLE_S = 8.0  # from the first picture until the page is where it wants to be
FIRST_PICTURE_S = 30.0
READ_EVERY_S = 5.0
# "back to within 0.5 s of its former latency within 20 s"
AWAY_S, BACK_S, WITHIN_S = 3.0, 20.0, 0.5
STATE_FIELDS = ["phase", "latency", "target", "delay", "rate", "stalls", "errors", "firstFrameMs"]
STATE = "names => Object.fromEntries(names.map(name => [name, window.sluice.player[name]]))"
TAKE = "() => { const taken = { ...benchSeen }; benchSeen.frames = []; return taken; }"
QUALITY = "() => { const q = document.querySelector('video').getVideoPlaybackQuality(); return q.droppedVideoFrames; }"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one page showed."""

    glass_s: list[float]
    stalls: int
    state: dict[str, Any]
    dropped: int


async def run(bench: Bench) -> None:
    flv = Flv(clips.latency())
    for mode in TARGETS_S:
        await _mode(bench, flv, mode)


async def _mode(bench: Bench, flv: Flv, mode: str) -> None:
    """The page beside the server; for the usual mode also its first picture, and over a far line."""
    settings = bench.settings
    with bench.server("server") as server:
        live = server.live_stream(name="Latency", latencyMode=mode)
        path = f"/embed/{live['liveStreamId']}?autoplay&muted"
        async with publishing([server.ingest_url(live)], flv) as [stream], chromium() as browser:
            http = Http()
            await playlists.first_media(http, f"{server.http}/live/{live['liveStreamId']}.m3u8")
            http.close()
            bench.say(f"{mode}: the page for {settings.latency:g} s")
            await _measure(bench, mode, browser, server.http + path, stream, settings.latency, TARGETS_S[mode])
            if mode != "low":
                return
            bench.say(f"{settings.opens} times from the navigation to the first picture")
            await _open(bench, browser, server.http + path)
            parts = urlsplit(server.http)
            proxy = DelayProxy(parts.hostname or "", parts.port or 80, ROUND_TRIP_S, JITTER_S)
            async with proxy.running():
                bench.say(f"the page through a proxy for {settings.proxied:g} s")
                url = f"http://127.0.0.1:{proxy.port}{path}"
                await _measure(bench, "80 ± 20 ms round trip", browser, url, stream, settings.proxied, None)
            if stream.failed:
                bench.fault(stream.failed)
        async with chromium() as browser:
            bench.say(f"an encoder that is away for {AWAY_S:g} s")
            await _reconnect(bench, browser, server, flv)


async def _measure(
    bench: Bench, way: str, browser: Browser, url: str, stream: Stream, seconds: float, target_s: float | None
) -> None:
    context = await browser.new_context(viewport={"width": 640, "height": 360})
    page = await context.new_page()
    await page.add_init_script(path=Path(__file__).with_name("frame_reader.js"))
    await page.goto(url)
    await _first_picture(page)
    await asyncio.sleep(SETTLE_S)
    stream.late_s = 0.0
    meter = Meter()
    seen = await _watch(page, stream, seconds)
    noise = meter.read().other_cores
    await context.close()
    if len(seen.glass_s) < seconds:  # six pictures a second are read
        bench.fault(f"{way}: {len(seen.glass_s)} numbers could be read in {seconds:g} s; {seen.state}")
        return
    details = {"state": seen.state, "read": len(seen.glass_s), "dropped": seen.dropped, "sender_late_s": stream.late_s}

    def add(name: str, value: float, unit: str, **more: Any) -> None:
        bench.add(f"{way}: {name}", value, unit, other_cores=noise, details=details, **more)

    add("glass to glass, median", statistics.median(seen.glass_s), "s", target=target_s,
        note=f"{len(seen.glass_s)} pictures read; sender ≤ {stream.late_s * 1000:.0f} ms late")  # fmt: skip
    add("glass to glass, p95", quantile(seen.glass_s, 0.95), "s", target=P95_S.get(way),
        note=f"max {max(seen.glass_s):.2f}")  # fmt: skip
    add(f"stalls after the start, in {seconds:g} s", seen.stalls, "", target=None if target_s is None else 0,
        note=f"{seen.dropped} pictures dropped; the page counts {seen.state['stalls']} stalls in all")  # fmt: skip
    errors = seen.state["errors"]
    add("errors of hls.js", len(errors), "", note=", ".join(sorted(set(errors))))
    delay = seen.state["delay"]
    add("delay that the badge shows", delay, "s", note=f"at the end; target {seen.state['target']:.2f} s")


async def _reconnect(bench: Bench, browser: Browser, server: Server, flv: Flv) -> None:
    """The encoder goes without a word and comes back in time: seconds until the page is as close as before."""
    live = server.live_stream(name="Reconnect", latencyMode="low", reconnectWindow=60)
    urls = [server.ingest_url(live)]
    async with publishing(urls, flv, politely=False) as [stream]:
        http = Http()
        await playlists.first_media(http, f"{server.http}/live/{live['liveStreamId']}.m3u8")
        http.close()
        page = await browser.new_page(viewport={"width": 640, "height": 360})
        await page.add_init_script(path=Path(__file__).with_name("frame_reader.js"))
        await page.goto(f"{server.http}/embed/{live['liveStreamId']}?autoplay&muted")
        await _first_picture(page)
        await asyncio.sleep(SETTLE_S)
        before = await _watch(page, stream, BACK_S)
    former_s = statistics.median(before.glass_s)
    await asyncio.sleep(AWAY_S)
    async with publishing(urls, flv, politely=False) as [stream]:
        returned_at = time.time()
        await asyncio.sleep(BACK_S)
        taken = await page.evaluate(TAKE)
    seen = [(at - returned_at, at - stream.sent[number]) for number, at in taken["frames"] if number in stream.sent]
    shown = [(at, behind) for at, behind in seen if at > 0 and behind > 0]
    late = [at for at, behind in shown if behind > former_s + WITHIN_S]
    if not shown:
        bench.fault(f"nothing was shown in {BACK_S:g} s after the encoder came back")
        return
    bench.add(
        f"encoder {AWAY_S:g} s away: back within {WITHIN_S:g} s of the former latency after",
        max(late, default=shown[0][0]), "s", target=BACK_S,
        note=f"first picture after {shown[0][0]:.2f} s; {former_s:.2f} s behind before, "
        f"{statistics.median(behind for _, behind in shown[-20:]):.2f} s at the end",
    )  # fmt: skip


async def _first_picture(page: Page) -> float:
    """Milliseconds from the start of the navigation."""
    script = "() => window.sluice?.player.firstFrameMs"
    try:
        handle = await page.wait_for_function(script, timeout=FIRST_PICTURE_S * 1000, polling=100)
    except TimeoutError:
        raise RuntimeError(f"no picture in {FIRST_PICTURE_S:g} s: {await page.evaluate(STATE, STATE_FIELDS)}") from None
    value: float = await handle.json_value()
    return value


async def _watch(page: Page, stream: Stream, seconds: float) -> Seen:
    """Numbers recur with every loop of the file: the sending meant is the last one before the showing."""
    loop_s = stream.flv.duration_ms / 1000
    before = await page.evaluate(TAKE)
    dropped = await page.evaluate(QUALITY)
    glass_s: list[float] = []
    stalls, left = 0, seconds
    while left > 0:
        await asyncio.sleep(min(left, READ_EVERY_S))
        left -= READ_EVERY_S
        taken = await page.evaluate(TAKE)
        stalls = taken["stalls"] - before["stalls"]
        glass_s += [(at - stream.sent[number]) % loop_s for number, at in taken["frames"] if number in stream.sent]
    state = await page.evaluate(STATE, STATE_FIELDS)
    return Seen(glass_s, stalls, state, await page.evaluate(QUALITY) - dropped)


async def _open(bench: Bench, browser: Browser, url: str) -> None:
    """Each in a context of its own: nothing is cached."""
    meter, took_ms = Meter(), []
    for _ in range(bench.settings.opens):
        context = await browser.new_context(viewport={"width": 640, "height": 360})
        page = await context.new_page()
        await page.goto(url)
        took_ms.append(await _first_picture(page))
        await context.close()
    bench.add(
        "navigation to the first picture, median", statistics.median(took_ms) / 1000, "s",
        other_cores=meter.read().other_cores, note=f"{len(took_ms)} opens, max {max(took_ms) / 1000:.2f}",
    )  # fmt: skip
