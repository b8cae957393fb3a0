"""What a ladder by title takes against one of fixed rates, where pictures are as good: titles of different content.

Good is VMAF (libvmaf's v0.6.1, the mean), each rendition scaled up to its source's 1080 lines: what a viewer before a
television sees. Beyond 95 nobody sees a difference; below, ours may be a point worse and not more.
"""

import asyncio
import json
import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from server.media import title
from server.media.child import Children
from server.media.encoding import encode_pictures
from server.media.orders import TIMESCALE, Described, PictureOrder, Reading, Segment
from server.vod.plan import grid
from tests.bench import ladder, title_clips
from tests.bench.bench import Bench

BYTES_TARGET, LOSS_TARGET = 0.8, 1.0
UNSEEN = 95.0  # VMAF
EVERY = 10  # pictures, of which one is looked at
LOOKING_S = 3600
WIDTH, HEIGHT = 1920, 1080


@dataclass(frozen=True, slots=True)
class Made:
    """A ladder on disk, by lines."""

    files: Mapping[int, Path]
    cpu_s: float
    ceilings: Mapping[int, int]
    probe_s: float = 0.0

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


@dataclass(frozen=True, slots=True)
class Title:
    name: str
    ours: Made
    fixed: Made
    scores: Mapping[int, tuple[float, float]]  # ours and that of the fixed ladder, by lines

    @property
    def ratio(self) -> float:
        return self.ours.bytes / self.fixed.bytes

    @property
    def loss(self) -> float:
        """The worst of all renditions, in points that a viewer could see."""
        return max(min(fixed, UNSEEN) - own for own, fixed in self.scores.values())


async def run(bench: Bench) -> None:
    found = []
    for name in bench.settings.titles.split(","):
        found.append(await _title(bench, name, int(bench.settings.title_s)))
        _report(bench, found[-1])
    ours, fixed = sum(each.ours.bytes for each in found), sum(each.fixed.bytes for each in found)
    mean = statistics.mean(each.ratio for each in found)
    note = f"{ours / 1e6:.1f} to {fixed / 1e6:.1f} MB; mean of titles {mean:.2f}"
    bench.add("all titles, bytes against fixed rates", ours / fixed, "x", target=BYTES_TARGET, note=note)
    worst = max(found, key=lambda each: each.loss)
    bench.add("VMAF lost below 95, worst", worst.loss, "points", target=LOSS_TARGET, note=worst.name)
    probes = [each.ours.probe_s for each in found]
    bench.add("probe of a title, mean", statistics.mean(probes), "CPU s", note=f"most {max(probes):.1f}")


async def _title(bench: Bench, name: str, seconds: int) -> Title:
    clip = await asyncio.to_thread(title_clips.clip, name, seconds)
    folder = bench.folder(name)
    bench.say(f"{name}: the ladder by title")
    ours = await _ours(clip, folder, seconds)
    bench.say(f"{name}: fixed rates")
    fixed = await asyncio.to_thread(_fixed, clip, folder, seconds)
    bench.say(f"{name}: VMAF")
    scores = {}
    for lines in ladder.LADDER:
        own, other = [await asyncio.to_thread(vmaf, made.files[lines], clip) for made in (ours, fixed)]
        scores[lines] = own, other
    return Title(name, ours, fixed, scores)


async def _ours(clip: Path, folder: Path, seconds: int) -> Made:
    order = PictureOrder(Reading("mov"), ladder.rungs_of(*ladder.LADDER), grid(seconds * TIMESCALE), 0)
    inits: dict[str, bytes] = {}

    def described(news: Described) -> None:
        inits[news.rendition] = news.init

    with ExitStack() as stack:
        source = stack.enter_context(clip.open("rb")).fileno()
        outputs = {rung.name: stack.enter_context(tempfile.TemporaryFile()) for rung in order.rungs}
        async with Children(1) as children:
            probed = await title.measure(children, source, None, order, seconds * TIMESCALE)
            fitted = title.fitted(order.rungs, probed)
            order = PictureOrder(order.reading, fitted, order.cuts, 0)
            fds = {name: output.fileno() for name, output in outputs.items()}
            segments: list[Segment] = []
            done = await encode_pictures(children, source, None, order, fds, described, segments.append)
        if done.problem is not None:
            raise RuntimeError(done.problem.detail)
        files = {}
        for rung in fitted:
            path = files[rung.height] = folder / f"{rung.name}.mp4"
            outputs[rung.name].seek(0)
            path.write_bytes(inits[rung.name] + outputs[rung.name].read())
    return Made(files, done.cpu_s, {rung.height: rung.bitrate for rung in fitted}, probed.cpu_s)


def _fixed(clip: Path, folder: Path, seconds: int) -> Made:
    place = folder / "fixed"
    place.mkdir()
    took = ladder.peer(clip, seconds, place)
    return Made({lines: place / f"{lines}.mp4" for lines in ladder.LADDER}, took.cpu_s, ladder.LADDER)


def vmaf(path: Path, source: Path) -> float:
    """The mean over the pictures that are looked at."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "vmaf.json"
        graph = (
            f"[0:v]settb=1/30,setpts=N,scale={WIDTH}:{HEIGHT}:flags=bicubic[made];[1:v]settb=1/30,setpts=N[source];"
            f"[made][source]libvmaf=n_subsample={EVERY}:n_threads=2:log_fmt=json:log_path={log}"
        )
        command = [
            "nice", imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-i", str(path),
            "-i", str(source), "-lavfi", graph, "-f", "null", "-",
        ]  # fmt: skip
        subprocess.run(command, check=True, timeout=LOOKING_S)
        return float(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"])


def _report(bench: Bench, title_: Title) -> None:
    scores = ", ".join(
        f"{lines}p {own:.1f}/{fixed:.1f} ≤ {title_.ours.ceilings[lines] / 1000:.0f}k"
        for lines, (own, fixed) in title_.scores.items()
    )
    probe = f"probe {title_.ours.probe_s:.1f} CPU s, {title_.ours.probe_s / title_.ours.cpu_s:.1%} of the encoding"
    bench.add(f"{title_.name}: bytes against fixed rates", title_.ratio, "x", note=f"VMAF {scores}; {probe}")
