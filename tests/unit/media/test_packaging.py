"""Real children that copy real files: what is served decodes to what the file holds."""

import os
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from server.media.calls import examine
from server.media.child import Children
from server.media.facts import SourceFacts
from server.media.orders import Described, Segment
from server.media.packaging import Copy, copies_of, package
from server.media.problems import MediaProblem
from tests.harness.media import clip, ffmpeg, frame_hashes


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(1) as running:
        yield running


@dataclass
class Made:
    facts: SourceFacts
    problem: MediaProblem | None = None
    inits: dict[str, Described] = field(default_factory=dict)
    segments: dict[str, list[Segment]] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


async def facts_of(children: Children, path: Path, folder: Path) -> SourceFacts:
    with path.open("rb") as source, (folder / "index").open("w+b") as index:
        found = await examine(children, source.fileno(), index.fileno(), timeout_s=30)
    assert found.facts is not None
    return found.facts


async def packaged(
    children: Children, path: Path, folder: Path, change: Callable[[Copy], Copy] = lambda copy: copy
) -> Made:
    """The renditions of a file, each as one MP4 of init segment and segments."""
    made = Made(await facts_of(children, path, folder))
    copies = [change(copy) for copy in copies_of(made.facts)]
    made.segments = {copy.name: [] for copy in copies}
    outputs = {copy.name: os.open(folder / f"{copy.name}.run", os.O_RDWR | os.O_CREAT | os.O_TRUNC) for copy in copies}
    with path.open("rb") as source:
        made.problem = await package(
            children,
            source.fileno(),
            path.stat().st_size,
            made.facts,
            copies,
            outputs,
            lambda described: made.inits.update({described.rendition: described}),
            lambda segment: made.segments[segment.rendition].append(segment),
        )
    for name, output in outputs.items():
        made.files[name] = folder / f"{name}.mp4"
        made.files[name].write_bytes(made.inits[name].init + os.pread(output, 1 << 30, 0))
        os.close(output)
    return made


def whole(made: Made) -> None:
    """Segments follow on one another in time and in the file."""
    assert made.problem is None
    for name, segments in made.segments.items():
        assert segments[0].start == 0
        assert [each.number for each in segments] == list(range(len(segments)))
        assert all(a.start + a.duration == b.start for a, b in pairwise(segments))
        sizes = len(made.inits[name].init), *(each.size for each in segments)
        assert sum(sizes) == made.files[name].stat().st_size


REMUXED = {
    "mkv": (), "ts": (), "flv": (), "fragmented.mp4": ("-movflags", "frag_keyframe+empty_moov"),
}  # fmt: skip


@pytest.mark.parametrize("extension", REMUXED)
async def test_copies_are_the_source_bit_by_bit(children: Children, tmp_path: Path, extension: str) -> None:
    path, source = tmp_path / f"film.{extension}", clip(10, b_frames=2)
    ffmpeg("-i", source, "-c", "copy", *REMUXED[extension], path)
    made = await packaged(children, path, tmp_path)
    whole(made)
    assert frame_hashes(made.files["video"]) == frame_hashes(source)
    sound = frame_hashes(made.files["audio"], "a")
    assert sound == frame_hashes(source, "a")[-len(sound) :]
    assert len(sound) >= len(frame_hashes(source, "a")) - 2  # the run-up is not served
    assert [round(each.duration / 90_000) for each in made.segments["video"]] == [4, 4, 2]
    shares = [each.duration / made.inits["audio"].timescale for each in made.segments["audio"]]
    assert shares == pytest.approx([4, 4, 2], abs=0.08)


CODECS = {
    "hevc": ("mkv", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-c:a", "ac3"),
             ("hvc1", "ac-3")),
    "hevc in ts": ("ts", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-c:a", "eac3"),
                   ("hvc1", "ec-3")),
    "vp9": ("webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
            ("vp09", "Opus")),
    "flac": ("mkv", ("-c:v", "copy", "-c:a", "flac"), ("avc1", "fLaC")),
}  # fmt: skip


@pytest.mark.parametrize("name", CODECS)
async def test_other_codecs_that_browsers_play(children: Children, tmp_path: Path, name: str) -> None:
    extension, arguments, codecs = CODECS[name]
    path = tmp_path / f"film.{extension}"
    ffmpeg("-i", clip(2), *arguments, path)
    made = await packaged(children, path, tmp_path)
    whole(made)
    assert tuple(made.inits[track].codec.split(".")[0] for track in ("video", "audio")) == codecs
    assert frame_hashes(made.files["video"]) == frame_hashes(path)


async def test_a_second_run_goes_on_where_the_first_ended(children: Children, tmp_path: Path) -> None:
    path = clip(10, extension="mkv")
    first = await packaged(children, path, tmp_path)
    whole_file = first.files["video"].read_bytes()
    second = await packaged(children, path, tmp_path, lambda copy: replace(copy, first=1))
    init = second.inits["video"].init
    assert [each.number for each in second.segments["video"]] == [1, 2]
    assert second.inits == first.inits
    assert whole_file.endswith(second.files["video"].read_bytes()[len(init) :])


async def test_every_language_is_a_rendition(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    languages = ("-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng", "-metadata:s:a:1", "title=Talk")
    ffmpeg("-i", clip(2), "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy", *languages, path)
    made = await packaged(children, path, tmp_path)
    whole(made)
    assert list(made.segments) == ["video", "audio", "audio2"]
    assert [(each.language, each.title) for each in made.facts.sounds] == [("de", ""), ("en", "Talk")]


async def test_a_clock_that_wraps_or_begins_anew(children: Children, tmp_path: Path) -> None:
    """MPEG-TS: 33 bits of 90 kHz run over; and two broadcasts joined byte by byte begin at different times."""
    source, one, two, joined = clip(4), tmp_path / "one.ts", tmp_path / "two.ts", tmp_path / "joined.ts"
    wrap_s = str((1 << 33) / 90_000 - 3.5)
    ffmpeg("-i", source, "-c", "copy", "-output_ts_offset", wrap_s, one)
    made = await packaged(children, one, tmp_path)
    whole(made)
    assert frame_hashes(made.files["video"]) == frame_hashes(source)
    ffmpeg("-i", source, "-c", "copy", "-output_ts_offset", "500", two)
    ffmpeg("-i", source, "-c", "copy", one)
    joined.write_bytes(two.read_bytes() + one.read_bytes())
    made = await packaged(children, joined, tmp_path)
    whole(made)
    assert len(frame_hashes(made.files["video"])) == 240
    assert made.segments["video"][-1].start + made.segments["video"][-1].duration == pytest.approx(8 * 90_000, abs=9000)


async def test_pictures_that_change_their_format(children: Children, tmp_path: Path) -> None:
    small, large, joined = tmp_path / "1.ts", tmp_path / "2.ts", tmp_path / "joined.ts"
    ffmpeg("-i", clip(4), "-c", "copy", small)
    ffmpeg("-i", clip(4, size="640x360"), "-c", "copy", large)
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    made = await packaged(children, joined, tmp_path)
    assert made.problem is not None
    assert made.problem.detail == "it can't be passed through: its pictures change their format"


async def test_rotation_and_pixel_shape_are_the_containers(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    ffmpeg("-i", clip(2), "-c", "copy", "-aspect", "2:1", path)
    made = await packaged(children, path, tmp_path, lambda copy: replace(copy, rotation=90))
    assert made.facts.picture is not None
    assert made.facts.picture.sar == (9, 8)
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=sample_aspect_ratio:stream_side_data=rotation", "-of",
         "csv=p=0", str(made.files["video"])], capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert shown.split()[0].startswith("9:8")
    assert "-90" in shown


async def test_what_can_not_be_copied_says_why(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    ffmpeg("-i", clip(2), "-c:v", "mpeg4", "-c:a", "mp2", path)
    facts = await facts_of(children, path, tmp_path)
    assert copies_of(facts) == ()
    assert facts.picture is not None
    assert facts.picture.unpassable == "browsers do not play mpeg4 in fragmented MP4"
    assert not facts.passable


