"""Webhooks: thousands of deliveries to an endpoint that is slow and comes and goes, another beside it, a kill -9.

Videos are changed over the API until there are as many events as wanted; meanwhile a live stream is changed a few times
a second, which the other endpoint is told. In the middle the server is killed and started again. What came is held
against the feed: nothing is lost, nothing of a video was tried before what came before it was taken.
"""

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.bench.bench import Bench
from tests.harness.endpoint import DROP, Call, Endpoint, listening
from tests.harness.server import Answer, Server

TARGET_P95_S = 1.0
UP_S, DOWN_S = 9.0, 3.0  # the endpoint comes and goes
SLOWEST_S = 0.08  # that it takes to answer
VIDEOS = 200
CHANGERS = 4  # clients that change videos at once
BESIDE_S = 0.25  # between the changes that the other endpoint is told
PATIENCE_S = 900.0  # until the last one has come


@dataclass
class Flapping:
    """Slow, and away now and then: 503, or a connection that breaks."""

    chance: random.Random = field(default_factory=lambda: random.Random(7))
    begun: float = field(default_factory=time.monotonic)
    steady: bool = False  # at the end, so that the end comes

    def status(self, _body: bytes) -> int:
        away = (time.monotonic() - self.begun) % (UP_S + DOWN_S) >= UP_S
        if away and not self.steady:
            return self.chance.choice((503, DROP))
        return 204

    def delay_s(self) -> float:
        return self.chance.uniform(0, SLOWEST_S)


class Changing:
    """Changes that go on over a server that is away for a while."""

    def __init__(self, server: Server, videos: Sequence[str], wanted: int) -> None:
        self._server = server
        self._videos = videos
        self._left = wanted

    async def run(self) -> None:
        await asyncio.gather(*(self._changer(number) for number in range(CHANGERS)))

    async def _changer(self, number: int) -> None:
        while self._left > 0:
            self._left -= 1
            video = self._videos[self._left % len(self._videos)]
            await call(self._server, "PATCH", f"/videos/{video}", {"title": f"{number} {self._left}"})


async def call(server: Server, method: str, path: str, body: Any = None) -> Any:
    """Again and again while the server is away."""
    while True:
        try:
            answer: Answer = await asyncio.to_thread(server.call, method, path, body)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        if answer.status >= 300:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.text[:300]}")
        return answer.json() if answer.body else None


async def run(bench: Bench) -> None:
    flapping = Flapping()
    slow, beside = Endpoint(flapping.status, flapping.delay_s), Endpoint()
    allowed = {
        "SLUICE_WEBHOOKS__ALLOW": '["127.0.0.1"]', "SLUICE_HTTP__WRITES_PER_MINUTE": "1000000",
        "SLUICE_HTTP__READS_PER_MINUTE": "1000000",
    }  # fmt: skip
    with listening(slow), listening(beside), bench.server("webhooks", **allowed) as server:
        await measure(bench, server, flapping, slow, beside)


async def measure(bench: Bench, server: Server, flapping: Flapping, slow: Endpoint, beside: Endpoint) -> None:
    wanted = bench.settings.deliveries
    made = [await call(server, "POST", "/videos", {"title": "A"}) for _ in range(min(VIDEOS, wanted // 5))]
    videos = [video["videoId"] for video in made]
    live = await call(server, "POST", "/live-streams", {"name": "beside"})
    await subscribe(server, slow, "video.updated")
    await subscribe(server, beside, "live-stream.updated")

    began, over = time.monotonic(), asyncio.Event()
    telling = asyncio.create_task(tell_beside(server, live["liveStreamId"], over))
    changing = asyncio.create_task(Changing(server, videos, wanted).run())
    await until_taken(slow, wanted // 2)
    bench.say(f"{len(slow.taken)} taken, kill -9")
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    await changing
    bench.say(f"all {wanted} have happened after {time.monotonic() - began:.0f} s, {len(slow.taken)} taken")
    await until_taken(slow, int(wanted * 0.9))
    flapping.steady = True
    await until_taken(slow, wanted)
    took_s = time.monotonic() - began
    over.set()
    await telling
    judge(bench, slow, beside, await happened(server), took_s)


async def subscribe(server: Server, endpoint: Endpoint, event: str) -> None:
    await call(server, "POST", "/webhooks", {"url": endpoint.url, "events": [event], "format": "native"})


async def tell_beside(server: Server, live_stream: str, over: asyncio.Event) -> None:
    number = 0
    while not over.is_set():
        number += 1
        await call(server, "PATCH", f"/live-streams/{live_stream}", {"name": f"beside {number}"})
        await asyncio.sleep(BESIDE_S)


async def until_taken(endpoint: Endpoint, count: int) -> None:
    """That many different ones; or PATIENCE_S are over, which the figures show."""
    deadline, known, at = time.monotonic() + PATIENCE_S, set(), 0
    while time.monotonic() < deadline:
        new = endpoint.calls[at:]
        at += len(new)
        known |= {id_of(one) for one in new if 200 <= one.status < 300}
        if len(known) >= count:
            return
        await asyncio.sleep(0.1)


async def happened(server: Server) -> set[str]:
    """What the feed says."""
    found: set[str] = set()
    query = ""
    while True:
        page = await call(server, "GET", f"/events?types[]=video.updated&limit=1000{query}")
        found |= {event["id"] for event in page["data"]}
        if not page["hasMore"]:
            return found
        query = f"&after={page['next']}"


def judge(bench: Bench, slow: Endpoint, beside: Endpoint, wanted: set[str], took_s: float) -> None:
    taken = {id_of(call) for call in slow.taken}
    lost, disordered = len(wanted - taken), out_of_order(slow.calls)
    late = sorted(lateness(call) for call in beside.taken)
    attempts = len(slow.calls)
    bench.add("events that happened", len(wanted), "")
    bench.add("lost", lost, "", target=0)
    bench.add("out of order for their object", disordered, "", target=0)
    refused = attempts - len(slow.taken)
    bench.add("attempts", attempts, "", note=f"{refused} refused, {len(slow.taken) - len(taken)} taken twice")
    bench.add("taken by the slow endpoint", len(taken) / took_s, "/s", note=f"{took_s:.0f} s in all")
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        value = late[min(len(late) - 1, int(share * len(late)))] if late else None
        target = TARGET_P95_S if name == "p95" else None
        bench.add(f"the other endpoint hears, {name}", value, "s", target=target, note=f"{len(late)} events")
    if lost or disordered:
        bench.fault(f"{lost} events are lost, {disordered} came out of order")


def out_of_order(calls: Sequence[Call]) -> int:
    """Attempts at an event before the one before it, of the same object, was taken."""
    newest: dict[str, int] = defaultdict(lambda: 1)  # that it was created is not told
    wrong = 0
    for one in calls:
        told = json.loads(one.body)
        wrong += told["sequence"] > newest[told["objectId"]] + 1
        if 200 <= one.status < 300:
            newest[told["objectId"]] = max(newest[told["objectId"]], told["sequence"])
    return wrong


def id_of(one: Call) -> str:
    return one.headers["Sluice-Event-Id"]


def lateness(one: Call) -> float:
    """Seconds from the event to its arrival."""
    return one.at - datetime.fromisoformat(one.json()["createdAt"]).timestamp()
