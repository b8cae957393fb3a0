"""A short broadcast, made as long as the DVR window."""

from pathlib import Path

from server.storage.journal import Journal, SegmentEntry, TrackEntry, line
from server.storage.layout import Layout
from server.storage.recovery import recover
from tests.bench.long_broadcast import lengthen

TRACK = TrackEntry(0, "video", "avc1.640028", 1000, epoch_ms=1_000_000, part_target=333)


def segment(msn: int, size: int) -> SegmentEntry:
    return SegmentEntry(msn, msn * 2000, 2000, 1000, 1_000_000 + msn * 2000, 0, False, True, size)


def test_segments_are_added_behind_and_the_clock_is_set_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    folder = layout.rendition("br1", "video")
    folder.path.mkdir(parents=True)
    folder.init(0).write_bytes(b"init")
    folder.open_segment(2).write_bytes(b"torn")
    for msn in (0, 1):
        folder.segment(msn).write_bytes(b"x" * (10 + msn))
    folder.journal.write_bytes(b"".join(map(line, [TRACK, segment(0, 10), segment(1, 11)])))

    lengthen(layout, "br1", 50)

    found = recover(layout, "br1").renditions["video"]
    assert [entry.msn for entry in found.segments] == list(range(50))
    assert {entry.size for entry in found.segments[1:]} == {11}
    assert not any(entry.gap for entry in found.segments)
    assert all(after.start == before.end for before, after in zip(found.segments, found.segments[1:], strict=False))
    assert found.segments[-1].wall_ms == 1_000_000 + 2000  # where the last one was
    assert found.tracks[0].epoch_ms == 1_000_000 - 48 * 2000
    assert folder.segment(49).read_bytes() == b"x" * 11
    assert Journal.read(folder.journal).size == folder.journal.stat().st_size
