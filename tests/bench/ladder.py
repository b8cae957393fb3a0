"""Four renditions of a film with one decoding, against one ffmpeg that makes the same; one segment in a hurry; and how
soon the lowest rendition of an upload plays."""

import asyncio
import base64
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from server.formats.fmp4.foreign import read_moov
from server.formats.fmp4.movie import movie_index
from server.media.calls import memory_file
from server.media.child import Children
from server.media.encoding import NICE, encode_pictures
from server.media.ladder import Rung, Source, Wish, rungs
from server.media.orders import TIMESCALE, PictureOrder, Reading, Segment
from server.media.warm_encoder import MODULE, WarmEncoder
from server.packager.presentation import VIDEO
from server.packager.vod import IndexedVideo
from server.vod.plan import OnRequest, Plan, at_pictures, grid, order_of
from tests.bench import clips, playlists
from tests.bench.bench import Bench
from tests.bench.client import Http
from tests.bench.processes import Meter
from tests.bench.tus_client import Upload
from tests.harness.server import OWNER_KEY, Server

LADDER = {1080: 5_000_000, 720: 2_800_000, 480: 1_400_000, 360: 800_000}
CPU_TARGET, WALL_TARGET, HURRY_TARGET_S, SOON_TARGET_S = 1.05, 1.0, 1.0, 2.0
HURRY_ROUNDS = 5
SOON_ROUNDS = 3
ASK_EVERY_S, PATIENCE_S = 0.05, 120.0
GOP_S = 2
PASSED = "/video/"  # of the URLs of what is the source's own
RATE = 30
READY_S = 1.0  # until children that are started in advance wait for their order


@dataclass(frozen=True, slots=True)
class Took:
    wall_s: float
    cpu_s: float
    megabytes: float


async def run(bench: Bench) -> None:
    film, seconds = await asyncio.to_thread(clips.film), int(bench.settings.ladder)
    ours, peers = [], []
    for number in range(int(bench.settings.ladder_rounds)):  # in turn, so that what else goes on falls on both
        bench.say(f"round {number + 1}: {seconds} s of film")
        ours.append(await _ours(film, rungs_of(*LADDER), seconds))
        peers.append(await asyncio.to_thread(_peer, film, seconds))
    for name, target in (("cpu_s", CPU_TARGET), ("wall_s", WALL_TARGET)):
        own, other = (statistics.median(getattr(took, name) for took in all_) for all_ in (ours, peers))
        note = f"{own:.1f} to {other:.1f} s"
        bench.add(f"ladder, {name} against one ffmpeg", own / other, "x", target=target, note=note)
    bench.add("ladder, bytes against one ffmpeg", ours[0].megabytes / peers[0].megabytes, "x")
    await _low_rungs(bench, await asyncio.to_thread(clips.film_of, seconds))
    hurry = [await _in_a_hurry(film, 20 + 7 * number) for number in range(HURRY_ROUNDS)]
    note = f"{GOP_S} s of 480p from 1080p, the child's start included; {min(hurry):.2f} at best"
    bench.add("one segment when asked for, median", statistics.median(hurry), "s", target=HURRY_TARGET_S, note=note)
    for name, took in (await _on_request(film)).items():
        median, note = statistics.median(took), f"{GOP_S} s of 480p from 1080p; {min(took):.2f} at best"
        bench.add(f"a segment on request, {name}, median", median, "s", target=HURRY_TARGET_S, note=note)


async def _low_rungs(bench: Bench, film: Path) -> None:
    """As the server does it by itself, with the probe of the title beside it."""
    with bench.server("soon", SLUICE_VOD__RENDITIONS="ladder") as server:
        meter, took = Meter(server.pid), []
        for number in range(SOON_ROUNDS):
            bench.say(f"upload {number + 1}")
            video_id, sent_at = await _sent(server, film)
            took.append(await _first_made(f"{server.http}/vod/{video_id}/hls/manifest.m3u8") - sent_at)
            await asyncio.to_thread(server.api, "DELETE", f"/videos/{video_id}")
        note = f"after the last byte, with its playlist and init segment; {min(took):.2f} at best"
        bench.add(
            "low rung playable, median", statistics.median(took), "s", target=SOON_TARGET_S,
            other_cores=meter.read().other_cores, note=note,
        )  # fmt: skip


async def _sent(server: Server, film: Path) -> tuple[str, float]:
    """The video, and when its last byte was sent."""
    credentials = base64.b64encode(f"{OWNER_KEY}:".encode()).decode()
    with film.open("rb") as file:
        headers = {"Authorization": f"Basic {credentials}"}
        upload = Upload(f"{server.http}/tus", file, film.stat().st_size, headers)
        try:
            await upload.create()
            await upload.send()
            return upload.video_id, upload.connection.body_sent_at or time.monotonic()
        finally:
            upload.connection.close()


async def _first_made(url: str) -> float:
    """When a segment of a rendition that is made, not the source's own, was had."""
    http, until = Http(), time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < until:
            response = await http.request("GET", url)
            master = playlists.parse(response.body.decode(), url) if response.status == 200 else None
            found = [each for each in master.variants if PASSED not in each] if master else []
            if found:
                playlist = await playlists.fetch(http, found[0])
                await http.get(playlist.init or "")
                if not playlists.looks_like_media((await http.get(playlist.segments[0])).body):
                    raise ValueError(f"{playlist.segments[0]} is no segment")
                return time.monotonic()
            await asyncio.sleep(ASK_EVERY_S)
        raise TimeoutError(f"{url} lists nothing that was made")
    finally:
        http.close()


def rungs_of(*heights: int) -> tuple[Rung, ...]:
    wishes = [Wish(height, bitrate=LADDER[height]) for height in heights]
    return rungs(Source(1920, 1080, frame_rate=float(RATE)), wishes)


async def _ours(film: Path, wanted: Sequence[Rung], seconds: int) -> Took:
    cuts = tuple(range(0, seconds * TIMESCALE + 1, GOP_S * TIMESCALE))
    order = PictureOrder(Reading("mov"), tuple(wanted), cuts, 0)
    segments: list[Segment] = []
    began = time.monotonic()
    cpu_s = await _encode(film, order, segments)
    size = sum(segment.size for segment in segments) / 1e6
    return Took(time.monotonic() - began, cpu_s, size)


async def _in_a_hurry(film: Path, start_s: int) -> float:
    """Seconds until one segment is whole that nobody has made."""
    cuts = start_s * TIMESCALE, (start_s + GOP_S) * TIMESCALE
    order = PictureOrder(Reading("mov"), rungs_of(480), cuts, start_s // GOP_S, preset="superfast", threads=2)
    began = time.monotonic()
    await _encode(film, order, [], urgent=True)
    return time.monotonic() - began


async def _on_request(film: Path) -> dict[str, list[float]]:
    """Seconds until a segment is whole, by who makes it. The film is read and cut as the server does it."""
    index, plan = await asyncio.to_thread(_planned, film)
    cold, fresh, sought, following = "no child ready", "a child ready", "a seek", "the next one"
    took: dict[str, list[float]] = {name: [] for name in (cold, fresh, sought, following)}
    for number in range(HURRY_ROUNDS):
        async with Children(2) as children:
            first = 3 + 4 * number
            async with _encoder(children, film, index, plan) as encoder:
                took[cold].append(await _made(encoder, plan, first))
            children.prepare(MODULE)  # as the server has it from its start on
            await asyncio.sleep(READY_S)
            async with _encoder(children, film, index, plan) as encoder:
                for name, segment in ((fresh, first), (sought, first + 8), (following, first + 9)):
                    took[name].append(await _made(encoder, plan, segment))
    return took


def _planned(film: Path) -> tuple[bytes, Plan]:
    """The film's index, and where its segments are cut."""
    with film.open("rb") as file:
        size = film.stat().st_size
        index = movie_index(read_moov(lambda offset, length: os.pread(file.fileno(), length, offset), size), size)
    passed = IndexedVideo(index)
    scale = passed.timescale(VIDEO)
    known = [cut * TIMESCALE // scale for cut in passed.cuts]
    cuts = at_pictures(grid(known[-1], known[1:-1]), passed.picture_times(TIMESCALE))
    reading = Reading("mov", indexed=True, offset=passed.offset(VIDEO))
    return index.to_bytes(), Plan(0.0, cuts, pictures=reading, on_request=OnRequest(0, 23.0))


@asynccontextmanager
async def _encoder(children: Children, film: Path, index: bytes, plan: Plan) -> AsyncIterator[WarmEncoder]:
    saved = os.memfd_create("index")
    os.write(saved, index)
    encoder = WarmEncoder(children, os.open(film, os.O_RDONLY | os.O_CLOEXEC), saved, plan.pictures)
    try:
        yield encoder
    finally:
        encoder.end()
        await encoder.ended()


async def _made(encoder: WarmEncoder, plan: Plan, number: int) -> float:
    order = order_of(plan, number, plan.cuts[number : number + 2], rungs_of(480))
    with memory_file("segment") as output:
        began = time.monotonic()
        answer = await encoder.make(order, {"480p": output})
        took = time.monotonic() - began
    if answer.problem is not None:
        raise RuntimeError(answer.problem.detail)
    return took


async def _encode(film: Path, order: PictureOrder, segments: list[Segment], urgent: bool = False) -> float:
    with ExitStack() as stack:
        source = stack.enter_context(film.open("rb"))
        outputs = {rung.name: stack.enter_context(tempfile.TemporaryFile()).fileno() for rung in order.rungs}
        async with Children(1) as children:
            done = await encode_pictures(
                children, source.fileno(), None, order, outputs, lambda told: None, segments.append, urgent=urgent
            )
    if done.problem is not None:
        raise RuntimeError(done.problem.detail)
    return done.cpu_s


def _peer(film: Path, seconds: int) -> Took:
    with tempfile.TemporaryDirectory() as folder:
        return peer(film, seconds, Path(folder))


def peer(film: Path, seconds: int, folder: Path) -> Took:
    """One process, one decoding, four encoders; as nice as our child is. Leaves a file for each: 1080.mp4 …"""
    began, before = time.monotonic(), os.times()
    nice = ["nice", "-n", str(NICE), "ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*nice, *_command(film, seconds, folder)], check=True, timeout=clips.MAKING_S)
    wall_s, after = time.monotonic() - began, os.times()
    size = sum(path.stat().st_size for path in folder.rglob("*.mp4")) / 1e6
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(wall_s, cpu_s, size)


def _command(film: Path, seconds: int, folder: Path) -> list[str]:
    count = len(LADDER)
    split = f"[0:v]split={count}" + "".join(f"[s{number}]" for number in range(count))
    scaled = [f"[s{number}]scale=-2:{height}[v{number}]" for number, height in enumerate(LADDER)]
    line = ["-t", str(seconds), "-i", str(film), "-filter_complex", ";".join([split, *scaled])]
    for number, (height, rate) in enumerate(LADDER.items()):
        line += ["-map", f"[v{number}]", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
        line += ["-b:v", str(rate), "-maxrate", str(rate * 107 // 100), "-bufsize", str(rate * 3 // 2)]
        line += ["-g", str(GOP_S * RATE), "-keyint_min", str(GOP_S * RATE), "-sc_threshold", "0"]
        line += ["-movflags", "frag_keyframe+empty_moov", "-f", "mp4", f"{folder}/{height}.mp4"]
    return line
