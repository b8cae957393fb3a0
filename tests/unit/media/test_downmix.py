"""Six channels as stereo, through the real encoder: as loud as they were, in step, and never clipped."""

import math
from array import array
from io import BytesIO
from pathlib import Path

import av
import pytest

from server.media.orders import Reading, SoundOrder
from tests.harness.media import ffmpeg
from tests.unit.media.test_encoding import Shelf, cuts

SECONDS = 3
LEVEL = 0.1  # of a tone: 20 dB below full scale
CHANNELS = ("FL", "FR", "FC", "LFE", "BL", "BR")
SILENT_DB = -60.0


def source(folder: Path, codec: str, levels: dict[str, float], layout: str = "5.1") -> Path:
    """A tone of 440 Hz in some of the channels."""
    path = folder / "source.mkv"
    tones = "|".join(f"{levels.get(name, 0)}*sin(2*PI*440*t)" for name in CHANNELS)
    tone = f"aevalsrc='{tones}':channel_layout={layout}:sample_rate=48000:duration={SECONDS}"
    ffmpeg("-f", "lavfi", "-i", tone, "-c:a", codec, path)
    return path


def heard(data: bytes) -> tuple[list[float], list[float]]:
    """Samples of both channels."""
    left, right = array("f"), array("f")
    with av.open(BytesIO(data), "r") as opened:
        for frame in opened.decode(audio=0):
            assert frame.format.name == "fltp"
            for samples, plane in zip((left, right), frame.planes, strict=True):
                samples.frombytes(bytes(plane)[: 4 * frame.samples])
    return list(left), list(right)


def level_db(samples: list[float]) -> float:
    """Of a tone, against LEVEL; beginning and end aside."""
    middle = samples[24_000:96_000]
    power = sum(value * value for value in middle) / len(middle)
    return max(SILENT_DB, 10 * math.log10(max(power, 1e-12) / (LEVEL * LEVEL / 2)))


async def mixed(tmp_path: Path, path: Path) -> tuple[list[float], list[float]]:
    shelf = Shelf(tmp_path)
    made = await shelf.sound(path, SoundOrder(Reading("matroska"), cuts(0, 2, SECONDS), "aac", bitrate=192_000))
    assert made.problem is None
    assert shelf.described["aac"].channels == 2
    assert sum(duration for _, _, duration in shelf.of("aac")) / 48_000 == pytest.approx(SECONDS, abs=0.06)
    return heard(shelf.file("aac"))


@pytest.mark.parametrize("codec", ["ac3", "pcm_s16le"])
@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("FL", (0.0, None)),
        ("FC", (-3.0, -3.0)),
        ("BR", (None, -3.0)),
        ("LFE", (None, None)),
    ],
)
async def test_a_tone_is_as_loud_as_it_was(
    tmp_path: Path, codec: str, channel: str, expected: tuple[float | None, float | None]
) -> None:
    sides = await mixed(tmp_path, source(tmp_path, codec, {channel: LEVEL}))
    for samples, wanted in zip(sides, expected, strict=True):
        if wanted is None:
            assert level_db(samples) < -40
        else:
            assert level_db(samples) == pytest.approx(wanted, abs=1.0)


async def test_all_at_once_are_held_below_full_scale(tmp_path: Path) -> None:
    path = source(tmp_path, "pcm_s16le", dict.fromkeys(CHANNELS, 0.9))
    left, right = await mixed(tmp_path, path)
    assert max(map(abs, left + right)) < 1.0
    # a sum of 2.4 times full scale: what comes out is as loud as may be
    assert level_db(left) > 20 * math.log10(0.8 / LEVEL)


async def test_stereo_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "source.mkv"
    tone = f"aevalsrc='0.95*sin(2*PI*440*t)|{LEVEL}*sin(2*PI*440*t)':sample_rate=48000:duration={SECONDS}"
    ffmpeg("-f", "lavfi", "-i", tone, "-c:a", "pcm_s16le", path)
    left, right = await mixed(tmp_path, path)
    assert level_db(left) == pytest.approx(20 * math.log10(0.95 / LEVEL), abs=0.5)
    assert level_db(right) == pytest.approx(0.0, abs=0.5)


async def test_it_is_heard_when_it_was(tmp_path: Path) -> None:
    """The limiter looks ahead: what it holds back for that comes out at its own time."""
    path = tmp_path / "source.mkv"
    tone = "|".join(["if(gte(t,1),0.1*sin(2*PI*440*t),0)"] * 6)
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc='{tone}':channel_layout=5.1:sample_rate=48000:duration={SECONDS}", "-c:a",
           "pcm_s16le", path)  # fmt: skip
    left, _ = await mixed(tmp_path, path)
    onset = next(number for number, value in enumerate(left) if abs(value) > 0.05)
    assert onset / 48_000 == pytest.approx(1.0, abs=0.003)
