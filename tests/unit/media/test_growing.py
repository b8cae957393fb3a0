"""Files that are read while they come: what is not there is waited for, and what comes of it is the same."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from server.media import calls
from server.media.child import ChildFailed, Children
from server.media.growing import FAR_BYTES, Growth, Source
from server.media.orders import Described, Segment
from server.media.packaging import copies_of, package
from tests.harness.media import clip, ffmpeg

TEXT = bytes(range(256)) * 64


@pytest.fixture
def file() -> Iterator[int]:
    fd = os.memfd_create("file")
    os.write(fd, TEXT)
    yield fd
    os.close(fd)


def test_a_whole_file_is_read_as_it_is(file: int) -> None:
    source = Source(file)
    assert (source.size, source.growing) == (len(TEXT), False)
    assert source.read(10, 20) == source.some(10, 20) == TEXT[10:30]
    assert source.read(len(TEXT) - 5, 20) == source.some(len(TEXT) - 5, 20) == TEXT[-5:]


def test_of_a_growing_one_what_is_there_comes_at_once(file: int) -> None:
    with Growth(100, len(TEXT)) as growth:
        source = Source(file, growth.told)
        assert (source.size, source.growing) == (len(TEXT), True)
        assert source.some(90, 50) == TEXT[90:100]
        assert source.read(20, 80) == TEXT[20:100]
        assert source.some(len(TEXT), 10) == b""


@pytest.mark.parametrize("how", [Source.read, Source.some])
def test_the_rest_is_waited_for(file: int, how: Callable[[Source, int, int], bytes]) -> None:
    read: list[bytes] = []
    with Growth(100, len(TEXT)) as growth:
        source = Source(file, growth.told)
        thread = Thread(target=lambda: read.append(how(source, 100, 20)), daemon=True)
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
        for size in (110, 105, 120, 120):
            growth.grew(size)
        thread.join(30)
    assert read[0] == TEXT[100 : 100 + len(read[0])]
    assert len(read[0]) == 20 if how is Source.read else len(read[0]) in (10, 20)


def test_news_that_came_before_the_reader_count(file: int) -> None:
    with Growth(100, len(TEXT)) as growth:
        growth.grew(200)
        source = Source(file, growth.told)
        growth.grew(len(TEXT) + 99)
        assert source.read(0, len(TEXT)) == TEXT
        assert growth.told["size"] == 100


def test_a_jump_far_ahead_while_opening_is_not_waited_for() -> None:
    fd = os.memfd_create("file")
    with Growth(100, FAR_BYTES * 2) as growth:
        source = Source(fd, growth.told)
        source.opening = True
        assert not source.denied
        assert source.some(101 + FAR_BYTES, 10) == b""
        assert source.denied
        assert source.some(101, 10) == b""  # who jumps once jumps again
    growth.grew(200)  # nobody listens any more
    os.close(fd)


# --- real children


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(2) as running:
        yield running


def made(extension: str, folder: Path, *arguments: str) -> Path:
    """Of some megabytes, so that its end is far away."""
    path = folder / f"film.{extension}"
    rate = ("-b:v", "3M", "-minrate", "3M", "-maxrate", "3M", "-bufsize", "1M", "-x264-params", "nal-hrd=cbr")
    source = clip(30, extra=rate)
    ffmpeg("-i", source, "-c", "copy", *arguments, path)
    return path


class Incoming:
    """A copy of a file that comes; beyond what is told there is rubbish."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.data = path.read_bytes()
        self._fd = os.open(folder / "incoming", os.O_RDWR | os.O_CREAT)
        os.pwrite(self._fd, b"\xff" * len(self.data), 0)
        self.size = len(self.data) // 2
        os.pwrite(self._fd, self.data[: self.size], 0)
        self.index = os.memfd_create("index")

    async def examined(self, children: Children) -> calls.Examination:
        with Growth(self.size, len(self.data)) as growth:
            return await calls.examine(children, self._fd, self.index, timeout_s=30, growth=growth)

    async def copied(self, children: Children, found: calls.Examination, folder: Path) -> dict[str, bytes]:
        """The bytes of all segments, the last of them when all has come."""
        assert found.facts is not None
        said: list[Described | Segment] = []
        copies = copies_of(found.facts)
        outputs = {each.name: os.open(folder / each.name, os.O_RDWR | os.O_CREAT) for each in copies}
        with Growth(self.size, len(self.data)) as growth:
            work = asyncio.create_task(
                package(
                    children, self._fd, len(self.data), found.facts, copies, outputs, said.append, said.append, 30,
                    growth,
                )
            )
            while not any(isinstance(each, Segment) for each in said):
                assert not work.done()
                await asyncio.sleep(0.01)
            while self.size < len(self.data):
                step = self.data[self.size : self.size + 500_000]
                os.pwrite(self._fd, step, self.size)
                self.size += len(step)
                growth.grew(self.size)
                await asyncio.sleep(0.005)
            assert await work is None
        for fd in outputs.values():
            os.close(fd)
        return {each.name: (folder / each.name).read_bytes() for each in copies}


@pytest.mark.parametrize(("extension", "open_"), [("mkv", None), ("ts", "length")])
async def test_what_is_made_while_it_comes_is_the_same(
    children: Children, tmp_path: Path, extension: str, open_: str | None
) -> None:
    path = made(extension, tmp_path)
    incoming, whole = Incoming(path, tmp_path), Incoming(path, tmp_path / "..")
    found = await incoming.examined(children)
    with path.open("rb") as source:
        wanted = await calls.examine(children, source.fileno(), whole.index, timeout_s=30)
    assert found.facts is not None
    assert wanted.facts is not None
    assert (found.open, wanted.open) == (open_, None)
    assert copies_of(found.facts) == copies_of(wanted.facts)
    assert found.facts.start_s == wanted.facts.start_s
    assert found.facts.duration_s == (0.0 if open_ else wanted.facts.duration_s)

    (tmp_path / "early").mkdir()
    (tmp_path / "late").mkdir()
    early = await incoming.copied(children, found, tmp_path / "early")
    names = [each.name for each in copies_of(found.facts)]
    late = {name: os.open(tmp_path / "late" / name, os.O_RDWR | os.O_CREAT) for name in names}
    with path.open("rb") as source:
        size = path.stat().st_size
        problem = await package(
            children, source.fileno(), size, wanted.facts, copies_of(wanted.facts), late, lambda _: None,
            lambda _: None,
        )  # fmt: skip
    assert problem is None
    assert early == {name: (tmp_path / "late" / name).read_bytes() for name in late}
    for fd in late.values():
        os.close(fd)


async def test_an_mp4_that_begins_with_its_index_is_known_from_there(children: Children, tmp_path: Path) -> None:
    path = made("mp4", tmp_path, "-movflags", "+faststart")
    incoming = Incoming(path, tmp_path)
    found = await incoming.examined(children)
    again = os.memfd_create("index")
    with path.open("rb") as source:
        wanted = await calls.examine(children, source.fileno(), again, timeout_s=30)
    assert found == wanted
    assert found.indexed
    assert os.pread(incoming.index, 1 << 20, 0) == os.pread(again, 1 << 20, 0)


async def test_what_its_index_does_not_serve_is_left(children: Children, tmp_path: Path) -> None:
    path = made("mp4", tmp_path, "-movflags", "frag_keyframe+empty_moov")
    found = await Incoming(path, tmp_path).examined(children)
    assert (found.indexed, found.facts, found.problem) == (False, None, None)
    assert found.unserved is not None


async def test_who_waits_ends_with_the_parents_word(children: Children, tmp_path: Path) -> None:
    incoming = Incoming(made("mkv", tmp_path), tmp_path)
    incoming.size = 1000
    work = asyncio.create_task(incoming.examined(children))
    await asyncio.sleep(0.5)
    assert not work.done()
    work.cancel()
    with pytest.raises((asyncio.CancelledError, ChildFailed)):
        await work
