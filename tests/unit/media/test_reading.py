"""The pictures of a source from a moment on: how much is decoded to come to them."""

from itertools import islice
from pathlib import Path

import av
import pytest

from server.formats.fmp4.movie import read_index
from server.media.calls import memory_file
from server.media.orders import TIMESCALE, Reading
from server.media.reading import Damage, Source
from tests.harness import media

ODD = ("-video_track_timescale", "12345")  # pictures that are shown at no whole tick of ours


@pytest.mark.parametrize("b_frames", [0, 2])
def test_from_a_key_frame_on_nothing_is_decoded_before_it(b_frames: int) -> None:
    path = media.clip(6, b_frames=b_frames, gop_s=1.5, audio=False, extra=ODD)
    content = path.read_bytes()
    index = read_index(lambda offset, size: content[offset : offset + size], len(content))
    track = index.video
    assert track is not None
    offset = -track.samples.pts(0)
    with path.open("rb") as file, memory_file("index", index.to_bytes()) as saved:
        source = Source(file.fileno(), saved, Reading("mov", indexed=True, offset=offset), Damage())
        cuts = [(track.samples.pts(key) + offset) * TIMESCALE // track.config.timescale for key in track.keys]
        assert len(cuts) == 4
        assert [next(source.since(cut)).pts for cut in cuts] == cuts


def test_from_a_key_frame_on_where_times_are_rounded() -> None:
    path = media.clip(6, gop_s=1.4, audio=False, extension="mkv")
    cuts = _keys(path)
    with path.open("rb") as file:
        source = Source(file.fileno(), None, Reading("matroska"), Damage())
        assert [next(source.since(cut)).pts for cut in cuts] == cuts


def test_what_is_on_show_is_decoded_and_what_nobody_needs_is_not() -> None:
    path = media.clip(6, b_frames=2, gop_s=6, audio=False)
    content = path.read_bytes()
    index = read_index(lambda offset, size: content[offset : offset + size], len(content))
    assert index.video is not None
    offset = -index.video.samples.pts(0)
    with path.open("rb") as file, memory_file("index", index.to_bytes()) as saved:
        source = Source(file.fileno(), saved, Reading("mov", indexed=True, offset=offset), Damage())
        whole = [(each.pts, bytes(each.frame.planes[0])) for each in source.since(0)]
        for between in (0, 1000):  # at a picture, and while one is shown
            wanted = 75 * 3000 + between
            found = [(each.pts, bytes(each.frame.planes[0])) for each in islice(source.since(wanted), 100)]
            before = [each for each in found if each[0] < 75 * 3000]
            assert 0 < len(before) < 75
            assert found[len(before) :] == whole[75 : 75 + len(found) - len(before)]


def _keys(path: Path) -> list[int]:
    with av.open(str(path)) as opened:
        stream = opened.streams.video[0]
        base = stream.time_base
        assert base is not None
        keys = [packet.pts for packet in opened.demux(stream) if packet.is_keyframe]
        return [round(pts * base * TIMESCALE) for pts in keys if pts is not None]
