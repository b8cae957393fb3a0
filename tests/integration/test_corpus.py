"""Files that real devices and tools wrote, and broken ones: each is served whole, or refused in words."""

import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av
import pytest
from av.error import FFmpegError

from server.formats.fmp4.index import MovieIndex
from server.media.calls import Examination, examine, poster
from server.media.child import Children
from server.packager.vod import IndexedVideo

FOLDER = Path(__file__).parents[2].parent / "shared" / "media"
FILES = sorted(FOLDER.glob("*__*")) if FOLDER.is_dir() else []

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not FILES, reason=f"the corpus of media files is not at {FOLDER}"),
]

# Files of the corpus that are served as they are; a change here is a change of what users can upload.
SERVED = {
    "mp4__bbb_1ch_8kHz_aac_lc.m4a",
    "mp4__bbb_800x640_768kbps_30fps_avc_non_reference_3b.mp4",
    "mp4__bt601.mp4",
    "mp4__edit_list_positive_shift.mp4",
    "mp4__long_1080p_videoonly_lowbitrate.mp4",
    "mp4__preroll-5s.mp4",
    "mp4__sample_15fps_720p_1s.mp4",
    "mp4__sample_18byte_nclx_colr.mp4",
    "mp4__sample_android_slow_motion.mp4",
    "mp4__sample_empty_track.mp4",
    "mp4__sample_mdat_too_long.mp4",
    "mp4__sample_no_bframes.mp4",
    "mp4__sample_sef_slow_motion.mp4",
    "mp4__sample_sef_super_slow_motion.mp4",
    "mp4__sample_shorter_audio.mp4",
    "mp4__sample_simple.mp4",
    "mp4__sample_srgb.mp4",
    "mp4__sample_unsupported_brands.mp4",
    "mp4__sample_with_chapters.mp4",
    "mp4__sample_with_invalid_nalu.mp4",
    "mp4__sample_with_metadata.mp4",
    "mp4__sample_with_numeric_genre.mp4",
    "mp4__silent-black-10s.mp4",
    "mp4__testvid_1022ms.mp4",
}


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(1) as running:
        yield running


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
async def test_served_or_refused(children: Children, path: Path, tmp_path: Path) -> None:
    with path.open("rb") as source, (tmp_path / "index").open("w+b") as index:
        found = await examine(children, source.fileno(), index.fileno(), timeout_s=20)
        if path.name not in SERVED:
            refused(found)
            return
        assert found.problem is None
        saved = (tmp_path / "index").read_bytes()
        served(path, IndexedVideo(MovieIndex.from_bytes(saved)))
        if MovieIndex.from_bytes(saved).video is not None:
            picture = await poster(children, source.fileno(), index.fileno())
            assert isinstance(picture, bytes)
            assert picture.startswith(b"\xff\xd8")


def refused(found: Examination) -> None:
    assert not found.indexed
    assert (found.problem is None) == (found.facts is not None)
    detail = found.problem.detail if found.problem else found.unserved or "another container"
    assert 10 < len(detail) < 300
    assert "Traceback" not in detail


def served(path: Path, presentation: IndexedVideo) -> None:
    """Every picture of the source comes out of the segments, and every frame of sound out of the decoder."""
    data = path.read_bytes()
    only_keys = presentation.duration_s > 60  # a minute of CPU otherwise
    for rendition in presentation.renditions:
        count = presentation.media(rendition).count("#EXTINF")
        segments = [presentation.init(rendition)]
        for number in range(count):
            plan = presentation.segment(rendition, number)
            segments.append(plan.build([data[offset : offset + size] for offset, size in plan.reads]))
        count = decoded(b"".join(segments), rendition, only_keys)
        if rendition == "video":
            assert count == decoded(data, rendition, only_keys)
        else:
            # The decoder keeps the first frame back; the run-up before the start is not served.
            assert count == pytest.approx(decoded(data, rendition, only_keys), abs=3)


def decoded(data: bytes, kind: str, only_keys: bool) -> int:
    """How many pictures or frames of sound come out of the first stream of its kind that has any."""
    options = {"ignore_editlist": "1"}
    with av.open(io.BytesIO(data), format="mov", options=options) as opened:
        streams = [stream for stream in opened.streams if stream.type == kind]
        stream = next((stream for stream in streams if stream.frames), streams[0])
        if only_keys:
            stream.codec_context.skip_frame = "NONKEY"
        return sum(1 for packet in opened.demux(stream) for _ in frames(packet))


def frames(packet: av.Packet) -> Iterator[object]:
    """Of one packet; one that is broken in the source is broken in the segment too."""
    try:
        yield from packet.decode()
    except FFmpegError:
        return
