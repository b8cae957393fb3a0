"""Media made once per test run with ffmpeg: small, real, and countable frame by frame."""

import os
import subprocess
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from zlib import crc32

FOLDER = Path(gettempdir()) / "sluice-test-media"


# Pictures of which each second is brighter than the one before, for ten seconds
SECONDS = ("-vf", "geq=lum='16+20*floor(T+0.001)':cb=128:cr=128")


def ffmpeg(*arguments: str | Path, timeout_s: float = 120) -> None:
    """Runs ffmpeg quietly. Raises with what it said when it fails."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@cache
def clip(
    seconds: float = 10,
    *,
    size: str = "320x180",
    fps: int = 30,
    gop_s: float = 2,
    b_frames: int = 0,
    audio: bool = True,
    video: bool = True,
    extension: str = "mp4",
    extra: tuple[str, ...] = (),
) -> Path:
    """An H.264/AAC file with a moving picture and a tone; made when it isn't there yet."""
    tracks = f"{int(audio)}{int(video)}-{crc32(repr(extra).encode()):08x}"
    name = f"{seconds}-{size}-{fps}-{gop_s}-{b_frames}-{tracks}.{extension}"
    path = FOLDER / name
    if path.exists():
        return path
    FOLDER.mkdir(parents=True, exist_ok=True)
    inputs: list[str] = []
    codecs: list[str] = []
    if video:
        inputs += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration={seconds}"]
        codecs += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-b:v", "400k"]
        codecs += ["-g", str(round(gop_s * fps)), "-keyint_min", str(round(gop_s * fps)), "-sc_threshold", "0"]
        codecs += ["-bf", str(b_frames)]
    if audio:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"]
        codecs += ["-c:a", "aac", "-b:a", "96k", "-ac", "2"]
    container = ["-movflags", "+faststart"] if extension == "mp4" else []
    temporary = path.with_name(f"making-{os.getpid()}-{name}")
    ffmpeg(*inputs, *codecs, *extra, *container, temporary)
    temporary.replace(path)
    return path


def frame_hashes(path_or_url: str | Path, stream: str = "v") -> list[str]:
    """The MD5 of each decoded picture ("v") or each coded sound packet ("a") of a file or URL."""
    codec = [] if stream == "v" else ["-c", "copy"]
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(path_or_url), "-map", f"0:{stream}", *codec,
         "-fps_mode", "passthrough", "-f", "framemd5", "-"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    return [row[5].strip() for row in rows]  # what may follow are hashes of side data


def seconds_shown(path_or_url: str | Path) -> list[int]:
    """Of each picture of a clip made with SECONDS, the second that it was made for."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(path_or_url), "-map", "0:v", "-fps_mode", "passthrough",
         "-vf", "scale=2:2", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"],
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [round((luma - 16) / 20) for luma in done.stdout[::6]]


def loudness(path_or_url: str | Path) -> list[float]:
    """How loud the sound is second by second, dBFS: the mean of all samples of each; silence is -91."""
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(path_or_url), "-map", "0:a", "-af",
         "asetnsamples=n=48000:p=0,astats=metadata=1:reset=1,ametadata=print:key=lavfi.astats.Overall.RMS_level:file=-",
         "-ar", "48000", "-f", "null", "-"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    levels = [line.partition("=")[2] for line in done.stdout.splitlines() if "RMS_level=" in line]
    return [max(-91.0, float(level)) for level in levels]


def duration_s(path_or_url: str | Path) -> float:
    """Seconds, as ffprobe sees them."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path_or_url)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return float(done.stdout)


def same_sound(published: list[str], source: list[str]) -> bool:
    """Whether all sound came through but for what was before the first picture: the encoder's run-up."""
    return 0 <= len(source) - len(published) <= 2 and source[len(source) - len(published) :] == published
