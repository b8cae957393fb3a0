"""The pictures of a source from a moment on: how much is decoded to come to them."""

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


def _keys(path: Path) -> list[int]:
    with av.open(str(path)) as opened:
        stream = opened.streams.video[0]
        base = stream.time_base
        assert base is not None
        keys = [packet.pts for packet in opened.demux(stream) if packet.is_keyframe]
        return [round(pts * base * TIMESCALE) for pts in keys if pts is not None]
