"""What a ladder by title takes against one of fixed rates, where pictures are as good: titles of different content.

Good is VMAF (see `vmaf`). Beyond 95 nobody sees a difference; below, ours may be a point worse and not more. Both
ladders are of the same preset, GOPs and sizes; the fixed one is made and looked at once, and kept beside its clip.
"""

import asyncio
import json
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from server.media import title
from server.media.child import Children
from server.media.encoding import encode_pictures
from server.media.orders import TIMESCALE, Described, PictureOrder, Reading, Segment
from server.vod.plan import grid
from tests.bench import clips, ladder, title_clips, vmaf
from tests.bench.bench import Bench

BYTES_TARGET, LOSS_TARGET = 0.8, 1.0
UNSEEN = 95.0  # VMAF
SCORES = "vmaf.json"


@dataclass(frozen=True, slots=True)
class Made:
    """A ladder on disk, by lines."""

    files: Mapping[int, Path]
    scores: Mapping[int, float]

    def size(self, *lines: int) -> int:
        """Bytes, of the renditions of so many lines; of all."""
        return sum(self.files[each].stat().st_size for each in lines or self.files)


@dataclass(frozen=True, slots=True)
class Effort:
    """CPU-seconds."""

    probe_s: float
    encoding_s: float


@dataclass(frozen=True, slots=True)
class Title:
    name: str
    seconds: int
    ours: Made
    fixed: Made
    effort: Effort

    @property
    def ratio(self) -> float:
        return self.ours.size() / self.fixed.size()

    def loss(self, lines: int) -> float:
        """Points that a viewer could see."""
        return min(self.fixed.scores[lines], UNSEEN) - self.ours.scores[lines]


async def run(bench: Bench) -> None:
    found = []
    for name in bench.settings.titles.split(","):
        found.append(await _title(bench, name, int(bench.settings.title_s)))
        _report(bench, found[-1])
    ours, fixed = sum(each.ours.size() for each in found), sum(each.fixed.size() for each in found)
    note = f"{ours / 1e6:.1f} to {fixed / 1e6:.1f} MB"
    bench.add("all titles, bytes against fixed rates", ours / fixed, "x", target=BYTES_TARGET, note=note)
    mean = statistics.mean(each.ratio for each in found)
    bench.add("mean of titles, bytes against fixed rates", mean, "x", target=BYTES_TARGET)
    worst, lines = max(((each, lines) for each in found for lines in ladder.LADDER), key=lambda at: at[0].loss(at[1]))
    note = f"{worst.name} {lines}p"
    bench.add("VMAF lost below 95, worst", worst.loss(lines), "points", target=LOSS_TARGET, note=note)
    probes = [each.effort.probe_s for each in found]
    bench.add("probe of a title, mean", statistics.mean(probes), "CPU s", note=f"most {max(probes):.1f}")


async def _title(bench: Bench, name: str, seconds: int) -> Title:
    clip = await asyncio.to_thread(title_clips.clip, name, seconds)
    bench.say(f"{name}: the ladder by title")
    files, effort = await _ours(clip, bench.folder(name), seconds)
    ours = Made(files, await asyncio.to_thread(vmaf.means, files, clip))
    bench.say(f"{name}: fixed rates")
    return Title(name, seconds, ours, await asyncio.to_thread(_fixed, name, clip, seconds), effort)


async def _ours(clip: Path, folder: Path, seconds: int) -> tuple[Mapping[int, Path], Effort]:
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
    return files, Effort(probed.cpu_s, done.cpu_s)


def _fixed(name: str, clip: Path, seconds: int) -> Made:
    place = clips.made(f"title-{name}-{seconds}-fixed", partial(_make_fixed, clip, seconds))
    scores = {int(lines): score for lines, score in json.loads((place / SCORES).read_text()).items()}
    return Made(_files(place), scores)


def _make_fixed(clip: Path, seconds: int, place: Path) -> None:
    place.mkdir(exist_ok=True)
    ladder.peer(clip, seconds, place)
    (place / SCORES).write_text(json.dumps(vmaf.means(_files(place), clip)))


def _files(place: Path) -> dict[int, Path]:
    return {lines: place / f"{lines}.mp4" for lines in ladder.LADDER}


def _report(bench: Bench, made: Title) -> None:
    kbit = 8 / 1000 / made.seconds
    for lines in ladder.LADDER:
        own, other = made.ours.size(lines), made.fixed.size(lines)
        note = f"{other * kbit:,.0f} kbit/s, VMAF {made.fixed.scores[lines]:.1f}"
        note += f" → {own * kbit:,.0f} kbit/s, {made.ours.scores[lines]:.1f}"
        bench.add(f"{made.name} {lines}p: bytes against a fixed rate", own / other, "x", note=note)
    probe, encoding = made.effort.probe_s, made.effort.encoding_s
    note = f"probe {probe:.1f} CPU s, {probe / encoding:.1%} of the encoding's {encoding:.0f}"
    bench.add(f"{made.name}, all: bytes against fixed rates", made.ratio, "x", note=note)
