"""Images kept on disk up to a number of bytes."""

import os
from pathlib import Path

import pytest

from server.storage.image_cache import ImageCache
from server.storage.layout import Layout

FIRST, SECOND = "vi1", "vi2"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def names(layout: Layout) -> list[str]:
    return [path.name for path in layout.video_images()]


def test_what_is_put_is_there(layout: Layout) -> None:
    cache = ImageCache(layout, 100)
    cache.put(FIRST, "a", b"old")
    cache.put(FIRST, "a", b"picture")

    assert (cache.get(FIRST, "a"), cache.get(SECOND, "a"), cache.used) == (b"picture", None, 7)


def test_the_one_unused_longest_goes_first(layout: Layout) -> None:
    cache = ImageCache(layout, 30)
    for name in ("a", "b", "c"):
        cache.put(FIRST, name, bytes(10))
    cache.get(FIRST, "a")
    cache.put(SECOND, "d", bytes(10))

    assert sorted(names(layout)) == ["a", "c", "d"]
    assert (cache.used, cache.removed) == (30, 1)


def test_what_is_there_from_before_counts(layout: Layout) -> None:
    before = ImageCache(layout, 100)
    for age, name in enumerate(("new", "old")):
        before.put(FIRST, name, bytes(10))
        os.utime(layout.video_image(FIRST, name), (1000 - age, 1000 - age))
    cache = ImageCache(layout, 15)
    cache.load()

    assert (names(layout), cache.used) == (["new"], 10)


def test_what_went_with_its_video_is_forgotten(layout: Layout) -> None:
    cache = ImageCache(layout, 100)
    cache.put(FIRST, "a", bytes(10))
    layout.video_image(FIRST, "a").unlink()

    assert (cache.get(FIRST, "a"), cache.used) == (None, 0)


def test_one_that_never_fits_does_not_stay(layout: Layout) -> None:
    cache = ImageCache(layout, 5)
    cache.put(FIRST, "a", bytes(10))

    assert (names(layout), cache.used) == ([], 0)
