"""Renditions on disk: runs by several writers, what a crash leaves, and what is never rewritten."""

import os
from pathlib import Path

import pytest

from server.storage.journal import TrackEntry
from server.storage.layout import Layout
from server.storage.renditions import DifferentError, RenditionStore, Run, RunBusyError, entry
from server.storage.room import NoRoomError

TRACK = TrackEntry(0, "video", "avc1.64001f", 90_000, 0, 0, 1280, 720, 30.0)
VIDEO = ("vi1", 1, "720p")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def store(layout: Layout) -> RenditionStore:
    found = RenditionStore(layout)
    found.describe(*VIDEO, b"init", TRACK)
    return found


def write(run: Run, *sizes: int) -> None:
    for size in sizes:
        os.write(run.descriptor, bytes([run.next]) * size)
        run.add(entry(run.next, run.next * 180_000, 180_000, 90_000, size))


def listed(store: RenditionStore) -> list[tuple[int, int, int, int]]:
    made = store.read(*VIDEO)
    assert made is not None
    return [(placed.entry.msn, placed.run, placed.offset, placed.entry.size) for placed in made.segments]


def test_what_is_added_is_read(store: RenditionStore) -> None:
    with store.begin(*VIDEO, 0) as run:
        write(run, 5, 7)
    made = store.read(*VIDEO)
    assert made is not None
    assert (made.track, made.init) == (TRACK, b"init")
    assert listed(store) == [(0, 0, 0, 5), (1, 0, 5, 7)]
    assert store.path(*VIDEO, 0).read_bytes() == b"\0" * 5 + b"\1" * 7
    assert store.size("vi1", 1, ["720p", "480p"]) == 12


def test_runs_are_read_as_one_once_nothing_is_missing_between_them(store: RenditionStore) -> None:
    with store.begin(*VIDEO, 0) as first, store.begin(*VIDEO, 2) as second:
        write(second, 3, 3)
        write(first, 5)
        assert listed(store) == [(0, 0, 0, 5)]
        assert store.missing(*VIDEO, 0, 3) == 1
        write(first, 5)
    assert listed(store) == [(0, 0, 0, 5), (1, 0, 5, 5), (2, 2, 0, 3), (3, 2, 3, 3)]
    assert store.missing(*VIDEO, 0, 3) is None


def test_a_crash_loses_the_segment_in_hand(store: RenditionStore, layout: Layout) -> None:
    with store.begin(*VIDEO, 0) as run:
        write(run, 5, 5)
        os.write(run.descriptor, b"half a segm")
    with open(layout.made(*VIDEO).journal(0), "ab") as file:
        file.write(b'{"msn":2,"start"')
    assert store.missing(*VIDEO, 0, 9) == 2
    with store.begin(*VIDEO, 2) as run:
        write(run, 4)
    assert listed(store) == [(0, 0, 0, 5), (1, 0, 5, 5), (2, 2, 0, 4)]


def test_a_run_without_a_whole_segment_is_begun_anew(store: RenditionStore, layout: Layout) -> None:
    with store.begin(*VIDEO, 0) as run:
        os.write(run.descriptor, b"half")
    layout.made(*VIDEO).journal(0).write_bytes(b'{"msn"')
    with store.begin(*VIDEO, 0) as run:
        write(run, 3)
    assert listed(store) == [(0, 0, 0, 3)]
    assert store.path(*VIDEO, 0).read_bytes() == b"\0\0\0"


def test_what_is_there_is_not_rewritten(store: RenditionStore) -> None:
    with store.begin(*VIDEO, 0) as run:
        write(run, 3)
    with pytest.raises(ValueError, match="segment 0 is there already"):
        store.begin(*VIDEO, 0)
    with store.begin(*VIDEO, 1) as run, pytest.raises(ValueError, match="segment 3 comes after 0"):
        run.add(entry(3, 0, 1, 1, 1))
    store.describe(*VIDEO, b"init", TRACK)
    with pytest.raises(DifferentError, match="another init segment"):
        store.describe(*VIDEO, b"other", TRACK)


def test_a_run_has_one_writer(store: RenditionStore) -> None:
    with store.begin(*VIDEO, 0), pytest.raises(RunBusyError):
        store.begin(*VIDEO, 0)


def test_a_file_that_lost_its_end_is_believed_as_far_as_it_goes(store: RenditionStore) -> None:
    with store.begin(*VIDEO, 0) as run:
        write(run, 5, 5)
    os.truncate(store.path(*VIDEO, 0), 7)
    assert listed(store) == [(0, 0, 0, 5)]


def test_nothing_is_read_before_it_is_described_and_after_it_is_removed(store: RenditionStore) -> None:
    assert store.read("vi1", 2, "720p") is None
    assert store.missing("vi1", 2, "720p", 0, 1) == 0
    store.remove("vi1", 1)
    assert store.read(*VIDEO) is None


def test_a_line_of_which_the_disk_takes_a_part_is_none(store: RenditionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with store.begin(*VIDEO, 0) as run:
        write(run, 3)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda descriptor, data: real(descriptor, data[: len(data) // 2]))
            with pytest.raises(NoRoomError):
                run.add(entry(1, 180_000, 180_000, 90_000, 3))
        write(run, 3)
    assert [number for number, *_ in listed(store)] == [0, 1]
