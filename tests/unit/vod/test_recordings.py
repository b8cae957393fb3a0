"""Recordings as files: whole, or not at all."""

import errno
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from server.catalog.models import Video
from server.packager.presentation import VIDEO
from server.packager.qualities import SOUND
from server.storage.room import NoRoomError, Room
from server.vod.movies import Movies, NoFilmError
from server.vod.recordings import NotKept, Recordings

RECORDED = Video(id="vi1", broadcast_id="br1", source="live", source_revision=1, revision=1)


class Films:
    """What there are files of; `error` comes in the middle of one."""

    def __init__(self, files: Sequence[str], renditions: Sequence[str], error: Exception | None = None) -> None:
        self.files = files
        self.presentation = SimpleNamespace(renditions=renditions)
        self.error = error

    async def get(self, stored: object, revision: int, source: str, quality: str) -> Any:
        if quality not in self.files:
            raise NoFilmError(False)
        return SimpleNamespace(presentation=self.presentation, size=6, name=quality)

    async def body(self, film: Any, start: int, stop: int) -> AsyncIterator[bytes]:
        yield film.name.encode()
        if self.error is not None:
            raise self.error


async def save(films: Films, path: Path, reserve_bytes: int = 0) -> None:
    await Recordings(cast(Movies, films), Room(path.parent, reserve_bytes)).save(RECORDED, path)


@pytest.mark.parametrize(("files", "renditions", "saved"), [
    ((VIDEO, SOUND), (VIDEO, SOUND), VIDEO),
    ((SOUND,), (SOUND,), SOUND),
])  # fmt: skip
async def test_its_pictures_or_its_sound(
    files: Sequence[str], renditions: Sequence[str], saved: str, tmp_path: Path
) -> None:
    await save(Films(files, renditions), tmp_path / "0")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("0", saved)]


async def test_pictures_that_are_no_file_are_not_left_out(tmp_path: Path) -> None:
    with pytest.raises(NotKept, match="the coding of its pictures changes in the middle"):
        await save(Films([SOUND], [VIDEO, SOUND]), tmp_path / "0")


@pytest.mark.parametrize(("error", "raised"), [
    (OSError(errno.ENOSPC, "full"), NoRoomError),
    (FileNotFoundError(), NotKept),
])  # fmt: skip
async def test_what_is_cut_off_leaves_nothing(error: Exception, raised: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(raised):
        await save(Films([VIDEO], [VIDEO], error), tmp_path / "0")
    assert list(tmp_path.iterdir()) == []


async def test_the_reserve_stays_free(tmp_path: Path) -> None:
    with pytest.raises(NoRoomError):
        await save(Films([VIDEO], [VIDEO]), tmp_path / "0", reserve_bytes=1 << 62)
    assert list(tmp_path.iterdir()) == []
