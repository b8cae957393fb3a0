"""What was made of an upload before it was whole: whose it is, and what of it is taken over."""

from dataclasses import replace
from pathlib import Path

import pytest

from server.storage import early
from server.storage.early import EarlyShelf, Found
from server.storage.journal import TrackEntry
from server.storage.layout import Layout
from server.storage.renditions import RenditionStore, entry

UP, VI = "up1", "vi1"
TRACK = TrackEntry(0, "video", "avc1.64001f", 90_000, 0, 0, 1280, 720, 30.0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def found(layout: Layout) -> Found:
    """An upload that has become a video's source, with a segment that was made of it before."""
    folder, store = layout.upload_early(UP), RenditionStore(EarlyShelf(layout))
    early.begin(folder)
    data = layout.upload_data(UP)
    data.write_bytes(b"film")
    made = Found(UP, data.stat().st_ino, 4, False, "length", {"container": "MPEG-TS"})
    early.write(folder, made)
    store.describe(UP, 0, "video", b"init", TRACK)
    with store.begin(UP, 0, "video", 0) as run:
        run.add(entry(0, 0, 180_000, 90_000, 0))
    layout.video(VI).mkdir(parents=True)
    data.replace(layout.video_source(VI))
    folder.path.replace(layout.video_early(VI).path)
    return made


def test_what_was_made_is_taken_over_also_twice(layout: Layout, found: Found) -> None:
    for _ in range(2):
        assert early.take(layout, VI, UP, 3) == found
    made = RenditionStore(layout).read(VI, 3, "video")
    assert made is not None
    assert (len(made.segments), made.complete, made.init) == (1, False, b"init")
    early.drop(layout, VI)
    assert not layout.video_early(VI).path.exists()
    assert early.take(layout, VI, UP, 3) is None
    assert RenditionStore(layout).names(VI, 3) == ["video"]


def test_what_is_not_wanted_stays(layout: Layout, found: Found) -> None:
    assert early.take(layout, VI, UP, 1, {"video"}) == found
    assert RenditionStore(layout).names(VI, 1) == []


@pytest.mark.parametrize("what", ["another upload", "another file", "another length", "torn", "no facts"])
def test_what_is_of_other_bytes_is_not(layout: Layout, found: Found, what: str) -> None:
    folder, upload_id = layout.video_early(VI), UP
    match what:
        case "another upload":
            upload_id = "up2"
        case "another file":
            early.write(folder, replace(found, inode=found.inode + 1))
        case "another length":
            layout.video_source(VI).write_bytes(b"films")
        case "torn":
            folder.facts.write_bytes(folder.facts.read_bytes()[:-5])
        case _:
            folder.facts.unlink()
    assert early.take(layout, VI, upload_id, 1) is None
    assert not folder.path.exists()
    assert RenditionStore(layout).names(VI, 1) == []


def test_a_beginning_has_nothing_of_before(layout: Layout, found: Found) -> None:
    folder = layout.video_early(VI)
    early.begin(folder)
    assert list(folder.path.iterdir()) == []
    assert early.read(folder) is None
