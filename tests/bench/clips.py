"""The media that the benchmarks use, made once with ffmpeg and kept in tests/.work/bench-media.

    live.flv       1080p30, 5 Mbit/s at a constant rate, GOPs of 2 s, AAC 128 kbit/s; 60 s, to be looped
    latency.flv    the same at 640x360 and 1 Mbit/s
    film.mp4       1080p30, 5 Mbit/s, with B-frames; 10 minutes, moov first
    film-tail.mp4  the same, moov last

Each picture of the FLV files has its number burnt in as 16 cells along the top, black or white: white, black, 13 bits
with the most significant first, even parity. `frame_reader.js` reads it off the screen.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.harness.media import ffmpeg

FOLDER = Path(__file__).parents[1] / ".work" / "bench-media"
BITS = 13
LIVE_S = 60
FILM_PIECE_S = 20
FILM_S = 600
MAKING_S = 3600  # on a busy machine


def live() -> Path:
    return made("live.flv", lambda path: _encode_live(path, "1920x1080", 5000))


def latency() -> Path:
    return made("latency.flv", lambda path: _encode_live(path, "640x360", 1000))


def film() -> Path:
    return made("film.mp4", _encode_film)


def film_of(seconds: int) -> Path:
    """The first seconds of it."""
    return made(f"film-{seconds}.mp4", lambda path: ffmpeg("-t", str(seconds), "-i", film(), "-c", "copy", path))


def film_tail() -> Path:
    return made("film-tail.mp4", lambda path: ffmpeg("-i", film(), "-c", "copy", path, timeout_s=MAKING_S))


def film_in(extension: str) -> Path:
    """The same in another container."""
    return made(f"film.{extension}", lambda path: ffmpeg("-i", film(), "-c", "copy", path, timeout_s=MAKING_S))


def made(name: str, make: Callable[[Path], None]) -> Path:
    path = FOLDER / name
    if not path.exists():
        print(f"making {path}", flush=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        making = path.with_name(f"making-{name}")
        make(making)
        making.replace(path)
    return path


def _barcode() -> str:
    """An ffmpeg filter graph that burns the picture's number in."""
    cell = "iw/16"
    white = "color=white:t=fill"
    bit = "mod(floor(n/{}),2)"
    parity = "+".join(bit.format(2**index) for index in range(BITS))
    boxes = ["drawbox=x=0:y=0:w=iw:h=ih/12:color=black:t=fill", f"drawbox=x=0:y=0:w={cell}:h=ih/12:{white}"]
    boxes += [
        f"drawbox=x={cell}*{index + 2}:y=0:w={cell}:h=ih/12:{white}:enable='{bit.format(2 ** (BITS - 1 - index))}'"
        for index in range(BITS)
    ]
    boxes.append(f"drawbox=x={cell}*15:y=0:w={cell}:h=ih/12:{white}:enable='mod({parity},2)'")
    return ",".join(boxes)


def _encode_live(path: Path, size: str, kbit: int) -> None:
    """As live encoders send: constant rate, closed GOPs, no B-frames."""
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30:duration={LIVE_S}",
        "-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={LIVE_S}",
        "-vf", f"noise=alls=10:allf=t,{_barcode()},format=yuv420p",
        "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "high",
        "-b:v", f"{kbit}k", "-maxrate", f"{kbit}k", "-minrate", f"{kbit}k", "-bufsize", f"{kbit}k",
        "-x264-params", "nal-hrd=cbr:force-cfr=1:sliced-threads=0",
        "-g", "60", "-keyint_min", "60", "-sc_threshold", "0",
        "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "flv", path, timeout_s=MAKING_S,
    )  # fmt: skip


def _encode_film(path: Path) -> None:
    """A piece, looped: its packets are those of a film, its index as long as one's."""
    with TemporaryDirectory(dir=FOLDER) as folder:
        piece = Path(folder) / "piece.mp4"
        ffmpeg(
            "-f", "lavfi", "-i", f"testsrc2=size=1920x1080:rate=30:duration={FILM_PIECE_S}",
            "-f", "lavfi", "-i", f"anoisesrc=color=pink:sample_rate=48000:duration={FILM_PIECE_S}",
            "-vf", "noise=alls=6:allf=t,format=yuv420p",
            "-c:v", "libx264", "-preset", "veryfast", "-b:v", "5M", "-maxrate", "7M", "-bufsize", "10M", "-g", "60",
            "-c:a", "aac", "-b:a", "160k", "-ac", "2", "-t", str(FILM_PIECE_S), piece, timeout_s=MAKING_S,
        )  # fmt: skip
        loops = str(FILM_S // FILM_PIECE_S - 1)
        ffmpeg("-stream_loop", loops, "-i", piece, "-c", "copy", "-movflags", "+faststart", path, timeout_s=MAKING_S)
