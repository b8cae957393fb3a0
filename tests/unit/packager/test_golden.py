"""Every manifest of videos on demand, word for word as it stands in golden/.

When one is meant to change: SLUICE_GOLDEN=write pytest tests/unit/packager/test_golden.py, and look at the difference.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from server.formats.fmp4.movie import read_index
from server.packager.on_demand import OnDemandVideo
from server.packager.presentation import Presentation
from server.packager.texts import TextFacts, text_playlist
from server.packager.vod import IndexedVideo
from server.storage.journal import TrackEntry
from server.storage.renditions import Made, Placed, entry
from tests.harness.mp4 import FakeTrack, mp4

GOLDEN = Path(__file__).parent / "golden"
LENGTH_S = 9
PICTURES = FakeTrack(count=270, sync=range(1, 270, 60), size=2000)  # 9 s, a key frame every 2 s
SOUND = FakeTrack(kind="audio", count=422, timescale=48_000, delta=1024, size=340)


def source(*tracks: FakeTrack) -> IndexedVideo:
    data = mp4(*tracks)
    return IndexedVideo(read_index(lambda offset, size: data[offset : offset + size], len(data)))


def picture(
    width: int, height: int, rate: int, codec: str = "avc1.64001f", shown: int = 5, complete: bool = True
) -> Made:
    """Segments of 2 s, the last one of 1 s; `shown` of them."""
    ticks = [180_000] * 4 + [90_000]
    track = TrackEntry(0, "video", codec, 90_000, 0, 0, width, height, 30.0)
    return _made(track, ticks[:shown], rate, complete)


def sound(
    rate: int, codec: str = "mp4a.40.2", language: str = "", title: str = "", shown: int = 5, complete: bool = True
) -> Made:
    """In whole frames, nearest to the cuts of the pictures."""
    ticks = [94 * 1024, 93 * 1024, 94 * 1024, 94 * 1024, 47 * 1024]
    track = TrackEntry(0, "audio", codec, 48_000, 0, 0, channels=2, language=language, title=title)
    return _made(track, ticks[:shown], rate, complete)


def _made(track: TrackEntry, ticks: list[int], rate: int, complete: bool) -> Made:
    placed, start, offset = [], 0, 0
    for number, duration in enumerate(ticks):
        size = rate * duration // track.timescale // 8 + 100 * (number % 2)
        placed.append(Placed(entry(number, start, duration, track.timescale, size), 0, offset))
        start, offset = start + duration, offset + size
    return Made(track, b"", tuple(placed), complete)


def ladder(shown: int = 5, complete: bool = True) -> dict[str, Made]:
    return {
        "720p": picture(1280, 720, 2_000_000, "avc1.64001f", shown, complete),
        "360p": picture(640, 360, 600_000, "avc1.64001e", shown, complete),
    }


def composed(passed: IndexedVideo | None, made: Mapping[str, Made], whole: bool = True) -> Presentation:
    return OnDemandVideo(passed, made, 2, whole, LENGTH_S)


CASES: Mapping[str, Callable[[], Presentation]] = {
    "source-alone": lambda: source(PICTURES, SOUND),
    "source-without-sound": lambda: source(PICTURES),
    "source-of-sound": lambda: source(SOUND),
    "source-in-two-languages": lambda: source(
        PICTURES,
        FakeTrack(kind="audio", count=422, timescale=48_000, delta=1024, size=340, language="eng"),
        FakeTrack(kind="audio", count=422, timescale=48_000, delta=1024, size=340, language="deu"),
    ),
    "ladder-beside-the-source": lambda: composed(source(PICTURES, SOUND), ladder()),
    "ladder-that-begins": lambda: composed(
        source(PICTURES, SOUND), {"360p": picture(640, 360, 600_000, "avc1.64001e", 2, False)}, whole=False
    ),
    "encoded-that-grows": lambda: composed(
        None, {**ladder(3, False), "audio-aac": sound(128_000, shown=4, complete=False)}, whole=False
    ),
    "encoded": lambda: composed(None, {**ladder(), "audio-aac": sound(128_000)}),
    "encoded-in-two-languages": lambda: composed(
        None,
        {
            **ladder(),
            "audio-aac": sound(128_000, language="en", title="English"),
            "audio2-aac": sound(128_000, language="de", title="Deutsch"),
        },
    ),
    "captioned-source": lambda: source(PICTURES, SOUND),
    "captioned-ladder": lambda: composed(None, {**ladder(), "audio-aac": sound(128_000)}),
    "captioned-sound": lambda: composed(None, {"audio-aac": sound(128_000)}),
    "encoded-sound": lambda: composed(None, {"audio-aac": sound(128_000)}),
    "copied-beside-what-all-play": lambda: composed(
        None,
        {
            "video": picture(1280, 720, 1_500_000, "vp09.00.31.08"),
            "audio": sound(96_000, "opus"),
            **ladder(),
            "audio-aac": sound(128_000),
        },
    ),
    "given-up-in-the-middle": lambda: composed(
        None,
        {
            "720p": picture(1280, 720, 2_000_000, shown=3, complete=False),
            "360p": picture(640, 360, 600_000, "avc1.64001e"),
            "audio-aac": sound(128_000),
        },
    ),
}


CAPTIONS = [TextFacts("text-de/2", "de", "Deutsch", default=True), TextFacts("text-pt-BR/1", "pt-BR", "português")]


def manifests(video: Presentation, texts: Sequence[TextFacts] = ()) -> str:
    parts = {"manifest.m3u8": video.master("r1/", texts)}
    parts |= {f"{name}/media.m3u8": video.media(name) for name in video.renditions}
    parts |= {f"{text.folder}/media.m3u8": text_playlist(video.duration_s) for text in texts}
    parts |= {"manifest.mpd": video.mpd("../hls/r1/", texts)}
    return "\n".join(f"──── {name}\n{text.rstrip()}\n" for name, text in parts.items())


@pytest.mark.parametrize("case", CASES)
def test_manifests(case: str) -> None:
    path, found = GOLDEN / f"{case}.txt", manifests(CASES[case](), CAPTIONS if case.startswith("captioned") else ())
    if os.environ.get("SLUICE_GOLDEN") == "write":
        path.write_text(found)
    assert found == path.read_text()


def test_every_case_is_on_file() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)
