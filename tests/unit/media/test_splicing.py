"""Stretches of real files, copied by a real child."""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from server.media.child import Children
from server.media.splicing import Refused, Spliced, Stretch, splice
from tests.harness import media

Times = tuple[Path, float, float | None]


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(1) as children:
        yield children


async def spliced(children: Children, parts: Sequence[Times], to: Path) -> bool | Refused:
    with ExitStack() as stack:
        stretches = []
        for path, start_s, end_s in parts:
            file = stack.enter_context(path.open("rb"))
            stretches.append(Stretch(file.fileno(), path.stat().st_size, start_s, end_s))
        output = stack.enter_context(to.open("wb+"))
        result = await splice(children, stretches, output.fileno())
    return result.exact if isinstance(result, Spliced) else result


@pytest.mark.parametrize("extension", ["mp4", "mkv", "ts", "flv"])
async def test_it_begins_and_ends_with_the_picture(children: Children, tmp_path: Path, extension: str) -> None:
    source = media.clip(8, size="320x180", b_frames=2, extension=extension)
    to = tmp_path / "out.mp4"
    assert await spliced(children, [(source, 2.5, 5.1)], to) is True
    assert media.frame_hashes(to) == media.frame_hashes(source)[75:153]
    assert media.duration_s(to) == pytest.approx(2.6, abs=0.06)


async def test_what_mp4_does_not_hold_begins_with_a_key_frame(children: Children, tmp_path: Path) -> None:
    source = media.clip(6, size="320x180", extension="mkv", extra=("-c:v", "libvpx", "-g", "60", "-c:a", "libvorbis"))
    to = tmp_path / "out.mkv"
    assert await spliced(children, [(source, 2.5, 5.0)], to) is False
    assert media.frame_hashes(to) == media.frame_hashes(source)[60:150]


async def test_sound_alone(children: Children, tmp_path: Path) -> None:
    source = media.clip(6, video=False, extension="m4a")
    to = tmp_path / "out.mp4"
    assert await spliced(children, [(source, 2.0, 4.0)], to) is True
    assert media.duration_s(to) == pytest.approx(2.0, abs=0.05)


async def test_several_in_a_row(children: Children, tmp_path: Path) -> None:
    first, second = (media.clip(length, size="320x180", b_frames=2) for length in (4, 6))
    to = tmp_path / "out.mp4"
    assert await spliced(children, [(first, 0, None), (second, 0, None), (first, 0, None)], to) is True
    hashes = [media.frame_hashes(path) for path in (first, second, first)]
    assert media.frame_hashes(to) == [each for every in hashes for each in every]
    assert media.duration_s(to) == pytest.approx(14, abs=0.1)


async def test_it_says_how_far_it_is_and_when_each_piece_begins(children: Children, tmp_path: Path) -> None:
    path = media.clip(6, size="320x180", b_frames=2)
    told: list[float] = []
    with path.open("rb") as file, (tmp_path / "out.mp4").open("wb+") as output:
        stretches = [Stretch(file.fileno(), path.stat().st_size)] * 2
        made = await splice(children, stretches, output.fileno(), told.append)
    assert isinstance(made, Spliced)
    assert (made.starts_s, made.lead_s) == ((0.0, pytest.approx(6, abs=0.1)), 0.0)
    assert told == sorted(told)
    assert len(told) > 20
    assert told[-1] > 0.9


async def test_what_is_refused(children: Children, tmp_path: Path) -> None:
    first, other, text = media.clip(4, size="320x180"), media.clip(4, size="426x240"), tmp_path / "text"
    text.write_bytes(b"#EXTM3U\n" * 100)
    to = tmp_path / "out.mp4"
    refused = await spliced(children, [(first, 0, None), (other, 0, None)], to)
    assert isinstance(refused, Refused)
    assert (refused.stretch, refused.problem.code) == (1, "different")
    assert "426×240" in refused.problem.detail
    refused = await spliced(children, [(text, 0, None)], to)
    assert isinstance(refused, Refused)
    assert (refused.stretch, refused.problem.code) == (0, "not-media")
    refused = await spliced(children, [(first, 20.0, None)], to)
    assert isinstance(refused, Refused)
