"""How good pictures look beside their source: VMAF (libvmaf's v0.6.1, the mean), scaled up to 1080 lines by bicubics,
as before a television."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import imageio_ffmpeg

from server.media.encoding import NICE

WIDTH, HEIGHT, RATE = 1920, 1080, 30
# Pictures looked at: every fifth of one second in seven, so that groups of pictures of two are met at all their places.
# What moves is told from the pictures before and after.
EVERY, WINDOW, SPAN = 5, 31, 210
SEEN = f"select='lt(mod(n,{SPAN}),{WINDOW})',settb=1/{RATE},setpts=N"
LOOKING_S = 3600


def means(made: Mapping[int, Path], source: Path) -> dict[int, float]:
    """Of each file, by its lines; all have the pictures of `source`, which is decoded once."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(_command(made, source, Path(folder)), check=True, timeout=LOOKING_S)
        return {lines: _mean(Path(folder) / f"{lines}.json") for lines in made}


def _mean(log: Path) -> float:
    return float(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"])


def _command(made: Mapping[int, Path], source: Path, folder: Path) -> list[str]:
    ffmpeg = ["nice", "-n", str(NICE), imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error"]
    ffmpeg += ["-i", str(source)]
    graph = [f"[0:v]{SEEN},split={len(made)}" + "".join(f"[source{lines}]" for lines in made)]
    inputs: list[str] = []
    outputs: list[str] = []
    for number, (lines, path) in enumerate(made.items(), 1):
        inputs += ["-i", str(path)]
        scaled = f"{SEEN},scale={WIDTH}:{HEIGHT}:flags=bicubic"
        looked = f"libvmaf=n_subsample={EVERY}:n_threads=1:log_fmt=json:log_path={folder / f'{lines}.json'}"
        graph.append(f"[{number}:v]{scaled}[made{lines}];[made{lines}][source{lines}]{looked}[seen{lines}]")
        outputs += ["-map", f"[seen{lines}]", "-f", "null", "-"]
    return [*ffmpeg, *inputs, "-filter_complex", ";".join(graph), *outputs]
