"""A real player (ffmpeg) on uploads cut by their index: the same pictures and sound, bit for bit."""

import os
from pathlib import Path

import pytest

from server.formats.fmp4.movie import read_index
from server.packager.vod import IndexedVideo
from tests.harness.media import clip, duration_s, ffmpeg, frame_hashes


def published(source: Path, folder: Path) -> Path:
    """All files of the presentation as a player fetches them; returns the multivariant playlist."""
    data = source.read_bytes()
    presentation = IndexedVideo(read_index(lambda at, size: data[at : at + size], len(data)))
    for rendition in presentation.renditions:
        place = folder / "r1" / rendition
        place.mkdir(parents=True)
        playlist = presentation.media(rendition)
        (place / "media.m3u8").write_text(playlist)
        (place / "init.mp4").write_bytes(presentation.init(rendition))
        for number in range(playlist.count("#EXTINF")):
            plan = presentation.segment(rendition, number)
            segment = plan.build([data[at : at + size] for at, size in plan.reads])
            (place / f"{number}.m4s").write_bytes(segment)
    (folder / "master.m3u8").write_text(presentation.master("r1/"))
    return folder / "master.m3u8"


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("gop_s", [1, 3, 10])
def test_bit_exact(tmp_path: Path, b_frames: int, gop_s: float) -> None:
    source = clip(12, b_frames=b_frames, gop_s=gop_s)
    master = published(source, tmp_path)
    assert frame_hashes(master, "v") == frame_hashes(source, "v")
    sound = frame_hashes(source, "a")
    # All but the run-up, which an edit list hides in the source.
    assert frame_hashes(master, "a") == sound[1:]
    assert duration_s(master) == pytest.approx(12, abs=0.1)


def test_the_index_at_the_end_and_other_clocks(tmp_path: Path) -> None:
    source = tmp_path / "source.mov"
    ffmpeg("-i", clip(6, b_frames=2), "-c", "copy", "-video_track_timescale", "600", source)
    (tmp_path / "out").mkdir()
    assert frame_hashes(published(source, tmp_path / "out"), "v") == frame_hashes(source, "v")


def test_a_trim_without_re_encoding(tmp_path: Path) -> None:
    """`ffmpeg -ss` with `-c copy` leaves a GOP's beginning in the file and hides it by an edit list."""
    source = tmp_path / "trimmed.mp4"
    ffmpeg("-ss", "3.5", "-i", clip(12, gop_s=3), "-c", "copy", source)
    (tmp_path / "out").mkdir()
    master = published(source, tmp_path / "out")
    wanted = frame_hashes(source, "v")
    served = frame_hashes(master, "v")
    assert len(served) - len(wanted) == 15  # hidden, but needed to decode
    assert served[15:] == wanted
    assert duration_s(master) == pytest.approx(duration_s(source), abs=0.1)


def test_a_long_file_costs_little(tmp_path: Path) -> None:
    """Ten minutes: under a second of CPU for the index and all playlists, even on a busy machine."""
    source = tmp_path / "long.mp4"
    ffmpeg("-stream_loop", "59", "-i", clip(10, b_frames=2), "-c", "copy", source)
    descriptor = os.open(source, os.O_RDONLY)
    try:
        before = os.times()
        size = os.fstat(descriptor).st_size
        index = read_index(lambda at, length: os.pread(descriptor, length, at), size)
        presentation = IndexedVideo(index)
        after = os.times()
        assert after.user + after.system - before.user - before.system < 1
        assert presentation.duration_s == pytest.approx(600, abs=1)
        assert presentation.media("video").count("#EXTINF") == 150
    finally:
        os.close(descriptor)
