"""Where a rendition's bytes are found: in memory while new, in files when older."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.formats.fmp4.read import read_parts
from server.packager.rendition import InMemory, OnDisk
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from tests.unit.packager.publishing import Broadcast


@pytest.fixture
def broadcast(tmp_path: Path) -> Iterator[Broadcast]:
    """Ten segments and a part of the eleventh, all but the newest bytes let go of."""
    with SegmentStore(Layout(tmp_path)) as store:
        made = Broadcast.on(store, dvr_window_s=14)
        publisher = made.publisher().connect()
        for _ in range(10):
            publisher.send(2.0)
            made.written()
        publisher.send(0.5)
        made.written()
        yield made


def test_parts_of_the_open_segment_are_in_memory(broadcast: Broadcast) -> None:
    found = broadcast.video.part(10, 0)
    assert isinstance(found, InMemory)
    (payload,) = found.data
    assert len(read_parts(payload)) == 1
    assert broadcast.video.segment(10) is None  # not closed


def test_a_new_segment_is_its_parts_in_memory(broadcast: Broadcast) -> None:
    found = broadcast.video.segment(9)
    assert isinstance(found, InMemory)
    assert b"".join(found.data) == broadcast.file("video", 9).read_bytes()


def test_an_older_segment_is_its_file(broadcast: Broadcast) -> None:
    assert broadcast.video.segment(4) == OnDisk(broadcast.file("video", 4))


def test_a_part_of_an_older_segment_is_a_piece_of_its_file(broadcast: Broadcast) -> None:
    found = broadcast.video.part(4, 2)
    assert isinstance(found, OnDisk)
    assert found.size is not None
    data = broadcast.file("video", 4).read_bytes()
    assert found.offset == read_parts(data)[2].offset
    assert found.size == read_parts(data)[2].size


@pytest.mark.parametrize(("msn", "part"), [(10, 1), (11, 0), (9, 6), (9, -1), (-1, 0), (10**6, 0)])
def test_parts_that_are_not_there(broadcast: Broadcast, msn: int, part: int) -> None:
    assert broadcast.video.part(msn, part) is None


@pytest.mark.parametrize("msn", [-1, 11, 10**6])
def test_segments_that_are_not_there(broadcast: Broadcast, msn: int) -> None:
    assert broadcast.video.segment(msn) is None


def test_a_recorded_segment_that_left_the_window_is_still_a_file(broadcast: Broadcast) -> None:
    assert broadcast.video.window.first_msn == 3
    found = broadcast.video.segment(0)
    assert isinstance(found, OnDisk)
    assert found.path.exists()


def test_init_segments_are_in_memory(broadcast: Broadcast) -> None:
    assert broadcast.video.init(0) == broadcast.layout.rendition("br1", "video").init(0).read_bytes()
    assert broadcast.video.init(1) is None


def test_how_far_it_is(broadcast: Broadcast) -> None:
    report = broadcast.audio.report()
    assert report is not None
    assert (report.uri, report.last_msn, report.last_part) == ("../audio/media.m3u8", 10, 0)


def test_bit_rates_are_of_segments(broadcast: Broadcast) -> None:
    size = broadcast.file("video", 3).stat().st_size
    assert broadcast.video.average_bitrate == pytest.approx(size * 8 / 2, rel=0.01)
    assert broadcast.video.peak_bitrate == pytest.approx(size * 8 / 2, rel=0.01)


def test_files_that_are_not_recorded_go_a_window_after_they_left(tmp_path: Path) -> None:
    with SegmentStore(Layout(tmp_path)) as store:
        made = Broadcast.on(store, dvr_window_s=12, record=False)
        publisher = made.publisher().connect()
        for _ in range(20):
            publisher.send(2.0)
            made.written()
        kept = sorted(int(path.stem) for path in made.file("video", 0).parent.glob("*.m4s"))
        assert made.video.window.first_msn == 13
        assert kept[0] == 6
