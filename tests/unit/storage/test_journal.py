"""The journal: what was written is read, up to the first line that can't be believed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.sample import AudioConfig, VideoConfig
from server.storage.journal import Journal, SegmentEntry, TrackEntry, line, read_journal

TRACK = TrackEntry(0, "video", "avc1.64001f", 90_000, 1_700_000_000_000, 33_300, 1280, 720, 29.97)


def segment(msn: int, **changed: object) -> SegmentEntry:
    values = {
        "msn": msn, "start": msn * 180_000, "duration": 180_000, "timescale": 90_000,
        "wall_ms": 1_700_000_000_000 + msn * 2000, "generation": 0, "discontinuity": False, "independent": True,
        "size": 1000 + msn,
    }  # fmt: skip
    return SegmentEntry(**{**values, **changed})  # type: ignore[arg-type]


WHOLE = line(TRACK) + b"".join(line(segment(msn)) for msn in range(4))


def test_what_was_written_is_read() -> None:
    journal = Journal.parse(WHOLE)
    assert journal.tracks == {0: TRACK}
    assert journal.segments == [segment(msn) for msn in range(4)]
    assert journal.size == len(WHOLE)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_torn_end_costs_the_torn_line_only(length: int) -> None:
    journal = Journal.parse(WHOLE[:length])
    lines = WHOLE[:length].count(b"\n")
    assert len(journal.tracks) + len(journal.segments) == lines
    assert WHOLE[: journal.size].count(b"\n") == lines


@given(st.binary(max_size=300))
def test_no_bytes_are_an_error(data: bytes) -> None:
    journal = Journal.parse(data)
    assert journal.size <= len(data)


@pytest.mark.parametrize("damage", [b"\0" * 50 + b"\n", b"{}\n", b"[1]\n", b'{"msn":4}\n', b'"x"\n', b"\n"])
def test_lines_after_a_damaged_one_are_not_believed(damage: bytes) -> None:
    journal = Journal.parse(WHOLE + damage + line(segment(4)))
    assert len(journal.segments) == 4
    assert journal.size == len(WHOLE)


def test_a_later_line_replaces_an_earlier_one() -> None:
    gap = segment(2, gap=True, size=0)
    journal = Journal.parse(WHOLE + line(gap))
    assert journal.segments[2] == gap
    assert len(journal.segments) == 4


def test_keys_of_a_later_version_are_passed_over() -> None:
    text = line(segment(0)).replace(b"}\n", b',"colour":"red"}\n')
    assert Journal.parse(text).segments == [segment(0)]


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "journal") == []


def test_times_at_the_edge() -> None:
    assert segment(3).end == 720_000
    assert segment(3).duration_s == 2.0
    assert TRACK.wall_ms(45_000) == 1_700_000_000_500


@pytest.mark.parametrize(
    ("sar", "rotation", "size"),
    [((1, 1), 0, (720, 576)), ((16, 11), 0, (1047, 576)), ((1, 1), 90, (576, 720)), ((1, 1), 180, (720, 576))],
)
def test_a_tracks_picture_is_told_as_it_is_shown(
    sar: tuple[int, int], rotation: int, size: tuple[int, int]
) -> None:
    config = VideoConfig("avc1.64001f", 90_000, 720, 576, b"", sar, rotation)
    track = TrackEntry.of(config, 1, 0, 100, 25.0)
    assert (track.width, track.height) == size


def test_a_track_of_sound() -> None:
    track = TrackEntry.of(AudioConfig("mp4a.40.2", 44_100, 2, 1024, b""), 5, 77, 15_360)
    assert track == TrackEntry(5, "audio", "mp4a.40.2", 44_100, 77, 15_360, channels=2)
