"""What a killed server left is finished up to the last complete part."""

from pathlib import Path

import pytest

from server.formats.fmp4.part import video_part
from server.formats.fmp4.read import read_parts
from server.storage.journal import Journal, SegmentEntry, TrackEntry, line
from server.storage.layout import Layout, RenditionFolder
from server.storage.recovery import recover

TRACK = TrackEntry(0, "video", "avc1.64001f", 90_000, 1_700_000_000_000, 33_300, 1280, 720, 29.97)


def part(start: int, key: bool = False) -> bytes:
    """A tenth of a second."""
    return video_part(1, start, [4500, 4500], [0, 0], [key, False], [b"picture", b"another"])


def segment(msn: int) -> bytes:
    return b"".join(part(msn * 18_000 + offset, not offset) for offset in (0, 9000))


def entry(msn: int, **changed: object) -> SegmentEntry:
    values = {
        "msn": msn, "start": msn * 18_000, "duration": 18_000, "timescale": 90_000,
        "wall_ms": 1_700_000_000_000 + msn * 200, "generation": 0, "discontinuity": False, "independent": True,
        "size": len(segment(msn)),
    }  # fmt: skip
    return SegmentEntry(**{**values, **changed})  # type: ignore[arg-type]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def folder(layout: Layout) -> RenditionFolder:
    """Two closed segments."""
    made = layout.rendition("br1", "video")
    made.path.mkdir(parents=True)
    made.init(0).write_bytes(b"init")
    for msn in (0, 1):
        made.segment(msn).write_bytes(segment(msn))
    made.journal.write_bytes(line(TRACK) + line(entry(0)) + line(entry(1)))
    return made


def check(layout: Layout, folder: RenditionFolder, *expected: SegmentEntry) -> None:
    """What is read back is expected, also the second time, and from the journal."""
    for _ in range(2):
        found = recover(layout, "br1").renditions["video"]
        assert found.segments == list(expected)
    assert Journal.read(folder.journal).segments == list(expected)


def test_what_is_whole_stays_as_it_is(layout: Layout, folder: RenditionFolder) -> None:
    before = folder.journal.read_bytes()
    check(layout, folder, entry(0), entry(1))
    found = recover(layout, "br1").renditions["video"]
    assert found.tracks == {0: TRACK}
    assert found.inits == {0: b"init"}
    assert found.end_ms == 400
    assert folder.journal.read_bytes() == before


@pytest.mark.parametrize("torn", [b"", part(45_000)[:-1], part(45_000)[:9], b"\0" * 100, b"x"])
def test_an_open_segment_is_closed_after_its_last_complete_part(
    layout: Layout, folder: RenditionFolder, torn: bytes
) -> None:
    folder.open_segment(2).write_bytes(part(36_000, key=True) + torn)
    size = len(part(36_000, key=True))
    check(layout, folder, entry(0), entry(1), entry(2, duration=9000, size=size))
    assert folder.segment(2).stat().st_size == size
    assert not folder.open_segment(2).exists()
    assert len(read_parts(folder.segment(2).read_bytes())) == 1


def test_what_is_found_is_dated_by_the_segment_before(layout: Layout, folder: RenditionFolder) -> None:
    """The publisher's clock has drifted since its generation began."""
    late = entry(1, wall_ms=1_700_000_008_200)
    folder.journal.write_bytes(line(TRACK) + line(entry(0)) + line(late))
    folder.open_segment(2).write_bytes(segment(2))
    check(layout, folder, entry(0), late, entry(2, wall_ms=1_700_000_008_400))


def test_an_open_segment_without_a_complete_part_is_gone(layout: Layout, folder: RenditionFolder) -> None:
    folder.open_segment(2).write_bytes(part(36_000)[:50])
    check(layout, folder, entry(0), entry(1))
    assert not folder.open_segment(2).exists()


@pytest.mark.parametrize("kept", [0, 1, 50, -1])
def test_a_torn_line_is_written_again_from_its_file(layout: Layout, folder: RenditionFolder, kept: int) -> None:
    folder.segment(2).write_bytes(segment(2))
    with folder.journal.open("ab") as journal:
        journal.write(line(entry(2))[:kept])
    check(layout, folder, entry(0), entry(1), entry(2))


def test_a_closed_and_an_open_segment_beyond_the_journal(layout: Layout, folder: RenditionFolder) -> None:
    folder.segment(2).write_bytes(segment(2))
    folder.open_segment(3).write_bytes(part(54_000))
    check(
        layout, folder, entry(0), entry(1), entry(2),
        entry(3, duration=9000, size=len(part(54_000)), independent=False),
    )  # fmt: skip


def test_a_segment_of_a_new_generation_follows_a_discontinuity(layout: Layout, folder: RenditionFolder) -> None:
    track = TrackEntry(4, "video", "avc1.640028", 90_000, 1_700_000_009_000, 33_300)
    with folder.journal.open("ab") as journal:
        journal.write(line(track))
    folder.open_segment(2).write_bytes(segment(2))
    check(layout, folder, entry(0), entry(1), entry(2, generation=4, discontinuity=True, wall_ms=1_700_000_009_400))


def test_a_file_shorter_than_its_line_is_a_gap(layout: Layout, folder: RenditionFolder) -> None:
    """What a power cut does to bytes that were never synced."""
    folder.segment(1).write_bytes(segment(1)[:100])
    check(layout, folder, entry(0), entry(1, gap=True, size=0))


    assert recover(layout, "br1").renditions["video"].damaged == 0  # it was counted once, and is known now


def test_a_file_that_is_missing_is_a_gap(layout: Layout, folder: RenditionFolder) -> None:
    folder.segment(1).unlink()
    found = recover(layout, "br1").renditions["video"]
    assert found.damaged == 1
    check(layout, folder, entry(0), entry(1, gap=True, size=0))


def test_a_segment_that_left_the_window_is_no_gap(layout: Layout, folder: RenditionFolder) -> None:
    folder.segment(0).unlink()
    check(layout, folder, entry(0), entry(1))
    assert recover(layout, "br1").renditions["video"].damaged == 0


def test_a_rendition_that_joined_later_begins_with_its_own_number(layout: Layout) -> None:
    folder = layout.rendition("br1", "video")
    folder.path.mkdir(parents=True)
    folder.journal.write_bytes(line(TRACK))
    folder.open_segment(7).write_bytes(segment(7))
    check(layout, folder, entry(7))


def test_a_crash_before_the_first_segment(layout: Layout) -> None:
    folder = layout.rendition("br1", "video")
    folder.path.mkdir(parents=True)
    check(layout, folder)
    assert recover(layout, "br1").renditions["video"].end_ms == 0


def test_a_broadcast_that_never_wrote(layout: Layout) -> None:
    assert recover(layout, "br1").renditions == {}
