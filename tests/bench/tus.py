"""tus uploads: throughput and CPU, ours and @tus/server's by turns, each on the same disk."""

import asyncio
import base64
import hashlib
import random
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.bench import Bench
from tests.bench.processes import Meter, Used
from tests.bench.tus_client import Refused, Upload
from tests.harness.server import OWNER_KEY, Server

CPU_TARGET_S = 2.4  # a GiB
MIB = 1 << 20
PATCH_MIB = 8
CASES = tuple((parallel, chunk) for parallel in (1, 8) for chunk in (0, PATCH_MIB))
BROKEN_AFTER = 0.4
RESUME_PATIENCE_S = 60.0
RETRY_S = 0.2
CLIENTS = Path(__file__).parents[1] / "clients" / "node_modules"
PEER = Path(__file__).with_name("tus_peer.mjs")


@dataclass(frozen=True, slots=True)
class Target:
    """A tus server; `forget` removes what an upload became."""

    name: str
    pid: int
    endpoint: str
    store: Path
    headers: dict[str, str]
    forget: Callable[[Upload], None] | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    mib_per_s: float
    cpu_s: float  # a GiB, of the server's own process
    tree_cpu_s: float  # a GiB, with its child processes, which may look at the files already
    used: Used
    note: str = ""


@dataclass(slots=True)
class Runs:
    """Of one case on one server."""

    all: list[Ran] = field(default_factory=list)

    def median(self, name: str) -> float:
        return statistics.median(getattr(ran, name) for ran in self.all)

    @property
    def noise(self) -> float:
        return max(ran.used.other_cores for ran in self.all)


async def run(bench: Bench) -> None:
    mib = bench.settings.tus_mib
    with ExitStack() as stack:
        source = bench.folder("source") / "file"
        stack.callback(shutil.rmtree, source.parent, ignore_errors=True)
        _make(source, mib)
        digest = _digest(source, 0, mib * MIB)
        targets = [_ours(stack.enter_context(bench.server("sluice")))]
        if CLIENTS.is_dir() and shutil.which("node"):
            targets.append(stack.enter_context(_peer(bench.folder("peer"))))
        else:
            bench.say("tests/clients is not installed, so there is no peer (make tests/clients/node_modules/.ready)")
        cases = [(*case, f"{case[0]} × {f'{case[1]} MiB PATCHes' if case[1] else 'one PATCH'}") for case in CASES]
        for parallel, chunk, name in cases:
            runs = {target.name: Runs() for target in targets}
            for _ in range(bench.settings.tus_runs):
                for target in targets:
                    bench.say(f"{mib} MiB as {name} to {target.name}")
                    runs[target.name].all.append(await _upload(bench, target, source, parallel, chunk))
            _report(bench, name, runs)
        runs = {target.name: Runs() for target in targets}
        for target in targets:
            bench.say(f"{mib} MiB to {target.name}, reset and resumed")
            runs[target.name].all.append(await _resumed(bench, target, source, digest))
        _report(bench, "reset and resumed", runs)


def _ours(server: Server) -> Target:
    credentials = base64.b64encode(f"{OWNER_KEY}:".encode()).decode()

    def forget(upload: Upload) -> None:
        server.call("DELETE", f"/videos/{upload.video_id}")

    return Target(
        "Sluice", server.pid, f"{server.http}/tus", server.data, {"Authorization": f"Basic {credentials}"}, forget
    )


@contextmanager
def _peer(folder: Path) -> Iterator[Target]:
    process = subprocess.Popen(["node", str(PEER), str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        port = int(process.stdout.readline())
        yield Target("@tus/server", process.pid, f"http://127.0.0.1:{port}/files", folder, {})
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


async def _upload(bench: Bench, target: Target, source: Path, parallel: int, chunk_mib: int) -> Ran:
    size = source.stat().st_size // parallel
    with ExitStack() as stack:
        files = [stack.enter_context(source.open("rb")) for _ in range(parallel)]
        uploads = [Upload(target.endpoint, file, size, target.headers) for file in files]
        meter, began = Meter(target.pid), time.monotonic()

        async def one(upload: Upload) -> None:
            await upload.create()
            await upload.send(0, chunk_mib * MIB)

        await asyncio.gather(*map(one, uploads))
        ran = _ran(meter, began, size * parallel)
        _check_stored(bench, target, size, parallel, _digest(source, 0, size))
        await _clean_up(target, uploads)
    return ran


async def _resumed(bench: Bench, target: Target, source: Path, digest: str) -> Ran:
    size = source.stat().st_size
    with source.open("rb") as file:
        upload = Upload(target.endpoint, file, size, target.headers)
        meter, began = Meter(target.pid), time.monotonic()
        await upload.create()
        await upload.send_and_break(int(size * BROKEN_AFTER))
        kept, tries = await _resume(upload)
        ran = _ran(meter, began, size, f"kept {kept / MIB:.0f} MiB of {size * BROKEN_AFTER / MIB:.0f}, {tries} tries")
        _check_stored(bench, target, size, 1, digest)
        await _clean_up(target, [upload])
    return ran


async def _resume(upload: Upload) -> tuple[int, int]:
    """A server may hold on to the broken request for a while; what was kept, and how often it was tried."""
    deadline, tries = time.monotonic() + RESUME_PATIENCE_S, 0
    while True:
        tries += 1
        try:
            offset = await upload.offset()
            await upload.send(offset)
            return offset, tries
        except (Refused, ConnectionError):
            upload.connection.close()
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_S)


def _ran(meter: Meter, began: float, size: int, note: str = "") -> Ran:
    wall_s, used, gib = time.monotonic() - began, meter.read(), size / (1 << 30)
    return Ran(size / MIB / wall_s, used.server_own_cpu_s / gib, used.server_cpu_s / gib, used, note)


def _report(bench: Bench, name: str, runs: dict[str, Runs]) -> None:
    ours, peer = runs["Sluice"], runs.get("@tus/server")
    peer_mib, peer_cpu = (peer.median("mib_per_s"), peer.median("cpu_s")) if peer else (None, None)
    noise = max(each.noise for each in runs.values())
    details = {who: [[ran.mib_per_s, ran.cpu_s, ran.tree_cpu_s] for ran in each.all] for who, each in runs.items()}
    said = "; ".join(f"{who}: {each.all[0].note}" for who, each in runs.items() if each.all[0].note)
    bench.add(f"{name}: throughput", ours.median("mib_per_s"), "MiB/s", target=peer_mib, least=True, peer=peer_mib,
              other_cores=noise, details=details, note=said)  # fmt: skip
    bench.add(f"{name}: CPU a GiB", ours.median("cpu_s"), "s", target=CPU_TARGET_S, peer=peer_cpu, other_cores=noise,
              details=details, note=f"{ours.median('tree_cpu_s'):.2f} with the probes of the files")  # fmt: skip


async def _clean_up(target: Target, uploads: list[Upload]) -> None:
    for upload in uploads:
        if target.forget:
            await asyncio.to_thread(target.forget, upload)
        else:
            await upload.delete()
        upload.connection.close()


def _check_stored(bench: Bench, target: Target, size: int, count: int, digest: str) -> None:
    """Stored bytes must be those that were sent."""
    paths = [path for path in target.store.rglob("*") if path.is_file() and path.stat().st_size == size]
    if len(paths) != count or any(_digest(path, 0, size) != digest for path in paths):
        bench.fault(f"{target.name} stored {len(paths)} of {count} files, or other bytes than were sent")


def _digest(path: Path, offset: int, size: int) -> str:
    digest = hashlib.blake2b()
    with path.open("rb") as file:
        file.seek(offset)
        while size > 0 and (block := file.read(min(size, MIB))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _make(path: Path, mib: int) -> None:
    """Random enough that a mixed-up block shows, cheap enough to make at once."""
    block = bytearray(random.Random(7).randbytes(MIB))
    with path.open("wb") as out:
        for index in range(mib):
            block[:8] = index.to_bytes(8, "big")
            out.write(block)
