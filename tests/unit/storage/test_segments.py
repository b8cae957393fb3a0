"""The disk thread: order, batches, and what happens when the disk will not take any more."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.storage.journal import Journal, SegmentEntry, TrackEntry
from server.storage.layout import Layout
from server.storage.segments import RenditionWriter, SegmentStore, StoreFault

TRACK = TrackEntry(0, "video", "avc1.64001f", 90_000, 1_700_000_000_000, 33_300, 1280, 720, 29.97)


@pytest.fixture
def faults() -> list[StoreFault]:
    return []


@pytest.fixture
def store(tmp_path: Path, faults: list[StoreFault]) -> Iterator[SegmentStore]:
    with SegmentStore(Layout(tmp_path), faults.append) as running:
        yield running


@pytest.fixture
def video(store: SegmentStore) -> RenditionWriter:
    return store.rendition("br1", "video")


def entry(msn: int, size: int) -> SegmentEntry:
    return SegmentEntry(msn, msn * 180_000, 180_000, 90_000, 1_700_000_000_000, 0, False, True, size)


def journal(writer: RenditionWriter) -> Journal:
    return Journal.read(writer.folder.journal)


def write(writer: RenditionWriter, msn: int, *parts: bytes) -> SegmentEntry:
    file, closed = writer.open(msn), entry(msn, sum(map(len, parts)))
    for part in parts:
        file.append(part)
    file.close(closed)
    return closed


def flush(store: SegmentStore) -> None:
    store.flush().result(30)


def test_a_segment_is_its_parts_and_a_line(store: SegmentStore, video: RenditionWriter) -> None:
    video.track(TRACK, b"init")
    closed = [write(video, 0, b"abc", b"defg"), write(video, 1, b"hi")]
    flush(store)

    assert video.folder.init(0).read_bytes() == b"init"
    assert video.folder.segment(0).read_bytes() == b"abcdefg"
    assert video.folder.segment(1).read_bytes() == b"hi"
    assert journal(video).tracks == {0: TRACK}
    assert journal(video).segments == closed
    assert (store.queued_bytes, store.queued, store.written_segments, store.written_bytes) == (0, 0, 2, 9)


def test_an_open_segment_lies_under_another_name(store: SegmentStore, video: RenditionWriter) -> None:
    video.track(TRACK, b"init")
    file = video.open(3)
    file.append(b"abc")
    flush(store)
    assert video.folder.open_segment(3).read_bytes() == b"abc"
    assert not video.folder.segment(3).exists()
    assert not file.written

    file.append(b"d")
    file.close(entry(3, 4))
    flush(store)
    assert video.folder.segment(3).read_bytes() == b"abcd"
    assert not video.folder.open_segment(3).exists()
    assert file.written


def test_leaving_writes_all_that_is_queued(tmp_path: Path) -> None:
    with SegmentStore(Layout(tmp_path)) as store:
        writer = store.rendition("br1", "video")
        writer.track(TRACK, b"init")
        for msn in range(50):
            write(writer, msn, bytes(10_000))
    assert len(journal(writer).segments) == 50


async def test_it_is_left_without_blocking_the_loop(tmp_path: Path) -> None:
    async with SegmentStore(Layout(tmp_path)) as store:
        writer = store.rendition("br1", "video")
        writer.track(TRACK, b"init")
        write(writer, 0, b"abc")
    assert writer.folder.segment(0).exists()


def test_a_gap_has_a_line_and_no_file(store: SegmentStore, video: RenditionWriter) -> None:
    gap = SegmentEntry(0, 0, 180_000, 90_000, 0, 0, False, True, 0, gap=True)
    video.gap(gap)
    flush(store)
    assert journal(video).segments == [gap]


def test_a_spared_segment_is_not_discarded(store: SegmentStore, video: RenditionWriter) -> None:
    video.track(TRACK, b"init")
    for msn in range(4):
        write(video, msn, b"abc")
    store.spare(video.broadcast_id, 1, 2)
    for msn in range(4):
        video.discard(msn)
    flush(store)
    assert [video.folder.segment(msn).exists() for msn in range(4)] == [False, True, True, False]
    store.over(video.broadcast_id)
    video.discard(1)
    flush(store)
    assert not video.folder.segment(1).exists()


def test_a_discarded_segment_is_gone(store: SegmentStore, video: RenditionWriter) -> None:
    video.track(TRACK, b"init")
    write(video, 0, b"abc")
    video.discard(0)
    video.discard(0)
    flush(store)
    assert not video.folder.segment(0).exists()


def test_a_broadcast_can_be_removed(store: SegmentStore, video: RenditionWriter) -> None:
    video.track(TRACK, b"init")
    write(video, 0, b"abc")
    flush(store)
    store.remove("br1")
    store.remove("br1")
    assert not store.layout.broadcast("br1").exists()


# --- a disk that won't


def test_a_full_queue_gives_up_whole_segments_and_says_so(tmp_path: Path, faults: list[StoreFault]) -> None:
    store = SegmentStore(Layout(tmp_path), faults.append, max_queued_bytes=100)
    writer = store.rendition("br1", "video")
    writer.track(TRACK, b"init")
    file = writer.open(0)
    file.append(bytes(60))
    file.append(bytes(60))  # nothing is written yet: the thread doesn't run
    file.append(bytes(10))
    file.close(entry(0, 130))
    assert (file.failed, writer.faults, store.faults, store.queued_bytes) == (True, 1, 1, 60)

    with store:
        flush(store)
        write(writer, 1, b"abc")
        flush(store)
    assert [(found.msn, found.gap, found.size) for found in journal(writer).segments] == [(0, True, 0), (1, False, 3)]
    assert not writer.folder.segment(0).exists()
    assert not writer.folder.open_segment(0).exists()
    assert writer.folder.segment(1).read_bytes() == b"abc"
    assert faults == [StoreFault("br1", "video", 0, "the disk is too slow")]
    assert store.queued_bytes == 0


def test_too_many_parts_are_a_full_queue(tmp_path: Path, faults: list[StoreFault]) -> None:
    store = SegmentStore(Layout(tmp_path), faults.append, max_queued=2)
    file = store.rendition("br1", "video").open(0)
    for _ in range(3):
        file.append(b"")
    assert file.failed


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """While its first item is true, writing fails as on a full disk."""
    full, write = [False], os.write

    def refusing(descriptor: int, data: bytes) -> int:
        if full[0] and len(data) > 1:  # a full disk may take a little
            return write(descriptor, data[:1]) if len(data) < 400 else _refuse()
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", refusing)
    yield full
    full[0] = False


def _refuse() -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_costs_the_segments_of_that_time(
    store: SegmentStore, video: RenditionWriter, faults: list[StoreFault], full_disk: list[bool]
) -> None:
    video.track(TRACK, b"init")
    write(video, 0, bytes(500))
    flush(store)
    full_disk[0] = True
    write(video, 1, bytes(500), bytes(500))
    write(video, 2, bytes(500))
    flush(store)
    assert len(journal(video).segments) == 1  # not even a line finds room, nor is it torn
    full_disk[0] = False
    write(video, 3, bytes(500))
    flush(store)

    assert [(found.msn, found.gap) for found in journal(video).segments] == [
        (0, False), (1, True), (2, True), (3, False),
    ]  # fmt: skip
    assert [fault.msn for fault in faults] == [1, 2]
    assert faults[0].reason == "No space left on device"
    assert sorted(path.name for path in video.folder.path.iterdir()) == ["0.m4s", "3.m4s", "init-0.mp4", "journal"]


def test_a_folder_that_cannot_be_made_is_tried_again(
    store: SegmentStore, video: RenditionWriter, faults: list[StoreFault]
) -> None:
    in_the_way = video.folder.path.parent.parent
    in_the_way.write_bytes(b"")
    video.track(TRACK, b"init")
    write(video, 0, b"abc")
    flush(store)
    assert [fault.msn for fault in faults] == [-1, 0]

    in_the_way.unlink()
    write(video, 1, b"abc")  # its close settles what is owed
    write(video, 2, b"abc")
    flush(store)
    assert journal(video).tracks == {0: TRACK}
    assert [found.msn for found in journal(video).segments] == [0, 1, 2]
    assert video.folder.init(0).read_bytes() == b"init"


def test_an_order_that_breaks_does_not_stop_the_thread(store: SegmentStore, video: RenditionWriter) -> None:
    video.track(TRACK, None)  # type: ignore[arg-type]
    video.track(TRACK, b"init")
    write(video, 0, b"abc")
    flush(store)
    assert video.folder.segment(0).exists()
