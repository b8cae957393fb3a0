"""Posters of real clips, looked at by decoding them again."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest

from server.formats.fmp4.index import MovieIndex
from server.formats.fmp4.movie import read_index
from server.media.calls import poster, segment_poster
from server.media.child import Children
from server.media.pictures import MAX_SIDE, contrast, jpeg
from server.media.problems import MediaProblem
from server.packager.vod import IndexedVideo
from tests.harness.media import clip, ffmpeg
from tests.unit.media.test_probe import rotated


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(1) as running:
        yield running


def index_of(path: Path) -> MovieIndex:
    data = path.read_bytes()
    return read_index(lambda at, size: data[at : at + size], len(data))


async def poster_of(children: Children, path: Path, tmp_path: Path) -> bytes | MediaProblem:
    saved = tmp_path / "index"
    saved.write_bytes(index_of(path).to_bytes())
    with path.open("rb") as source, saved.open("rb") as index:
        return await poster(children, source.fileno(), index.fileno())


def picture(data: bytes | MediaProblem) -> av.VideoFrame:
    assert isinstance(data, bytes)
    with av.open(io.BytesIO(data), format="mjpeg") as opened:
        return next(opened.decode(video=0))


async def test_a_poster(children: Children, tmp_path: Path) -> None:
    shown = picture(await poster_of(children, clip(4), tmp_path))
    assert (shown.width, shown.height) == (320, 180)
    assert contrast(shown) > 30


async def test_black_beginnings_are_passed_over(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "black.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:size=320x180:rate=30:duration=5",
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=5",
        "-filter_complex", "concat", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30", path,
    )  # fmt: skip
    assert contrast(picture(await poster_of(children, path, tmp_path))) > 30


async def test_black_all_over_still_has_a_poster(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "black.mp4"
    source = "color=black:size=320x180:duration=3"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", path)
    assert contrast(picture(await poster_of(children, path, tmp_path))) < 1


async def test_a_rotated_video_stands_upright(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "rotated.mp4"
    path.write_bytes(rotated(clip(2).read_bytes()))
    shown = picture(await poster_of(children, path, tmp_path))
    assert (shown.width, shown.height) == (180, 320)


async def test_sound_has_none(children: Children, tmp_path: Path) -> None:
    answer = await poster_of(children, clip(2, video=False, extension="m4a"), tmp_path)
    assert isinstance(answer, MediaProblem)
    assert answer.code == "invalid"


async def test_a_poster_of_a_segment(children: Children) -> None:
    path = clip(4, b_frames=2)
    data = path.read_bytes()
    presentation = IndexedVideo(index_of(path))
    plan = presentation.segment("video", 0)
    segment = plan.build([data[at : at + size] for at, size in plan.reads])
    shown = picture(await segment_poster(children, presentation.init("video"), segment))
    assert (shown.width, shown.height) == (320, 180)
    broken = await segment_poster(children, presentation.init("video"), b"no segment")
    assert isinstance(broken, MediaProblem)


@pytest.mark.parametrize("encoder", [("libx265", "-preset", "ultrafast"), ("libaom-av1", "-cpu-used", "8")])
async def test_a_poster_of_other_codecs(children: Children, tmp_path: Path, encoder: tuple[str, ...]) -> None:
    path = tmp_path / "fragments.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10:duration=0.5", "-pix_fmt", "yuv420p", "-c:v", *encoder,
           "-movflags", "empty_moov+default_base_moof+frag_keyframe", path)  # fmt: skip
    data = path.read_bytes()
    cut = data.index(b"moof") - 4

    shown = picture(await segment_poster(children, data[:cut], data[cut:]))

    assert (shown.width, shown.height) == (320, 180)


def quarters(width: int = 64, height: int = 32) -> av.VideoFrame:
    """White in the upper left quarter, black elsewhere."""
    frame = av.VideoFrame(width, height, "gray")
    row = b"\xff" * (width // 2) + bytes(frame.planes[0].line_size - width // 2)
    frame.planes[0].update(row * (height // 2) + bytes(len(row) * (height - height // 2)))
    return frame.reformat(format="yuv420p")


@pytest.mark.parametrize(
    ("rotation", "corner"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (270, (0, 1))], ids=["0", "90", "180", "270"]
)
def test_pictures_turn_clockwise(rotation: int, corner: tuple[int, int]) -> None:
    shown = picture(jpeg(quarters(), rotation)).reformat(format="gray")
    size = (64, 32) if rotation in (0, 180) else (32, 64)
    assert (shown.width, shown.height) == size
    plane = bytes(shown.planes[0])
    bright = [
        (x, y)
        for x in (0, 1)
        for y in (0, 1)
        if plane[(shown.height * (1 + 2 * y) // 4) * shown.planes[0].line_size + shown.width * (1 + 2 * x) // 4] > 128
    ]
    assert bright == [corner]


def test_posters_have_square_pixels_and_a_bound() -> None:
    wide = av.VideoFrame(720, 576, "yuv420p")
    shown = picture(jpeg(wide, sar=(64, 45)))
    assert (shown.width, shown.height) == (1024, 576)
    large = picture(jpeg(av.VideoFrame(2160, 3840, "yuv420p")))
    assert (large.width, large.height) == (MAX_SIDE * 9 // 16, MAX_SIDE)


def test_contrast() -> None:
    assert contrast(quarters()) > 80
    flat = av.VideoFrame(64, 32, "gray")
    flat.planes[0].update(b"\x80" * flat.planes[0].buffer_size)
    assert contrast(flat) < 1
