"""Segments made on request, kept on disk up to a number of bytes."""

import os
from pathlib import Path

import pytest

from server.storage.layout import Layout
from server.storage.renditions import entry
from server.storage.segment_cache import SegmentCache, SegmentKey


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    for name in ("480p", "360p"):
        layout.made("vi1", 1, name).path.mkdir(parents=True)
    return layout


def key(number: int, rendition: str = "480p", video_id: str = "vi1") -> SegmentKey:
    return SegmentKey(video_id, 1, rendition, number)


def make(cache: SegmentCache, number: int, data: bytes = bytes(10), rendition: str = "480p") -> None:
    wanted = key(number, rendition)
    with cache.begin(wanted) as run:
        os.write(run.descriptor, data)
        cache.add(wanted, run, entry(number, number * 180_000, 180_000, 90_000, len(data)))


def files(layout: Layout) -> set[str]:
    return {f"{path.parent.name}/{path.stem}" for path in layout.root.glob("videos/*/r1/*/*.*")}


def test_what_was_made_is_there(layout: Layout) -> None:
    cache = SegmentCache(layout, 100)
    assert (cache.read(key(3)), cache.has(key(3))) == (None, False)

    make(cache, 3, b"a segment")

    assert (cache.read(key(3)), cache.has(key(3)), cache.used) == (b"a segment", True, 9)
    assert cache.read(key(4)) is None


def test_the_one_unused_longest_goes_first(layout: Layout) -> None:
    cache = SegmentCache(layout, 30)
    for number in (7, 0, 5):
        make(cache, number)
    cache.read(key(7))
    make(cache, 1, rendition="360p")

    assert files(layout) == {"480p/7", "480p/5", "360p/1"}
    assert (cache.used, cache.removed, cache.has(key(0))) == (30, 1, False)
    make(cache, 0)
    assert cache.read(key(0)) == bytes(10)


def test_the_last_one_is_kept_however_large(layout: Layout) -> None:
    cache = SegmentCache(layout, 5)
    make(cache, 0)
    make(cache, 1)
    assert files(layout) == {"480p/1"}


def test_after_a_restart_it_is_all_there_but_what_was_being_made(layout: Layout) -> None:
    before = SegmentCache(layout, 100)
    for number in (2, 1):
        make(before, number)
    os.utime(layout.made("vi1", 1, "480p").journal(2), (1, 1))
    with before.begin(key(3)) as run:
        os.write(run.descriptor, b"half a seg")

    after = SegmentCache(layout, 100)
    after.load()

    assert (after.has(key(1)), after.has(key(2)), after.has(key(3)), after.used) == (True, True, False, 20)
    assert after.read(key(3)) is None
    make(after, 3, b"a whole one")
    assert after.read(key(3)) == b"a whole one"
    again = SegmentCache(layout, 25)
    again.load()
    assert not again.has(key(2)), "the oldest"


@pytest.mark.parametrize("fault", ["short", "gone", "torn"])
def test_what_was_damaged_is_made_again(layout: Layout, fault: str) -> None:
    cache, folder = SegmentCache(layout, 100), layout.made("vi1", 1, "480p")
    make(cache, 0)
    if fault == "short":
        os.truncate(folder.run(0), 5)
    elif fault == "gone":
        folder.run(0).unlink()
    else:
        os.truncate(folder.journal(0), 20)

    assert (cache.read(key(0)), cache.has(key(0)), cache.used) == (None, False, 0)
    make(cache, 0, b"again")
    assert cache.read(key(0)) == b"again"


def test_a_deleted_video_is_not_brought_back(layout: Layout) -> None:
    cache = SegmentCache(layout, 100)
    make(cache, 0)
    cache.forget("vi1")
    assert cache.used == 0
    with pytest.raises(FileNotFoundError):
        cache.begin(key(0, video_id="vi2"))
    assert not layout.video("vi2").exists()
