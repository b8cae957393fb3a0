"""Slates of pictures and clips, made in a real child."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.formats.fmp4.movie import read_index
from server.media.calls import slate
from server.media.child import Children
from server.media.problems import MediaProblem
from tests.harness.media import clip, ffmpeg


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(1) as running:
        yield running


async def made(children: Children, path: Path, width: int = 640, height: int = 360) -> tuple[int, list[int], int, int]:
    """How many pictures, which are key frames, and their size."""
    data = await slate(children, path.read_bytes(), width, height)
    assert isinstance(data, bytes), data
    track = read_index(lambda at, size: data[at : at + size], len(data)).video
    assert track
    assert not any(track.samples.cts)
    return len(track.samples), list(track.keys), track.config.width, track.config.height  # type: ignore[union-attr]


@pytest.mark.parametrize("extension", ["png", "jpg"])
async def test_a_picture_is_shown_for_two_seconds(children: Children, tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"picture.{extension}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=301x405", "-frames:v", "1", path)

    assert await made(children, path) == (60, [0], 640, 360)


async def test_a_clip_is_taken_as_it_is(children: Children) -> None:
    pictures, keys, width, height = await made(children, clip(4, fps=25), 320, 180)

    assert 118 <= pictures <= 122
    assert keys == [0, 60]
    assert (width, height) == (320, 180)


@pytest.mark.parametrize("data", [b"", b"no picture", b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n/etc/passwd\n"])
async def test_nothing_can_be_made_of_it(children: Children, data: bytes) -> None:
    found = await slate(children, data, 640, 360)

    assert isinstance(found, MediaProblem)
    assert found.code == "invalid"
    assert found.detail.startswith("no slate can be made of the file (")
    assert "Errno" not in found.detail


async def test_sound_is_no_slate(children: Children) -> None:
    found = await slate(children, clip(1, video=False).read_bytes(), 640, 360)

    assert isinstance(found, MediaProblem)
