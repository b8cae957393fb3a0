"""Real children looking at real files, and at files made to hurt."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from struct import pack

import av
import pytest

from server.formats.fmp4.index import MovieIndex
from server.formats.fmp4.movie import read_index
from server.formats.sample import VideoConfig
from server.media.calls import Examination, examine, problem_of
from server.media.child import ChildFailed, Children, Limits
from server.media.containers import Container
from server.media.demux import open_container
from server.media.facts import PictureFacts, SoundFacts
from server.media.problems import MediaProblem
from tests.harness.media import clip, ffmpeg
from tests.harness.mp4 import FakeTrack, mp4

UPRIGHT = pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
CLOCKWISE = pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(1) as running:
        yield running


async def examined(children: Children, content: bytes | Path, tmp_path: Path) -> tuple[Examination, bytes, list[str]]:
    """What is found out, the index file, and what was said in which order."""
    path = content if isinstance(content, Path) else tmp_path / "upload.mp4"
    if isinstance(content, bytes):
        path.write_bytes(content)
    order: list[str] = []
    with path.open("rb") as source, (tmp_path / "index").open("w+b") as index:
        found = await examine(children, source.fileno(), index.fileno(), lambda: order.append("indexed"), 30)
        return found, os.pread(index.fileno(), 1 << 30, 0), order


async def problem(children: Children, content: bytes | Path, tmp_path: Path) -> MediaProblem:
    found, _, _ = await examined(children, content, tmp_path)
    assert found.problem is not None
    return found.problem


def rotated(data: bytes) -> bytes:
    at = data.index(b"tkhd")
    at = data.index(UPRIGHT, at)
    return data[:at] + CLOCKWISE + data[at + 36 :]


async def test_an_mp4_is_indexed_and_described(children: Children, tmp_path: Path) -> None:
    path = clip(4, b_frames=2)
    found, saved, order = await examined(children, path, tmp_path)
    assert order == ["indexed"]
    assert found.indexed
    assert found.problem is None
    data = path.read_bytes()
    assert MovieIndex.from_bytes(saved) == read_index(lambda at, size: data[at : at + size], len(data))
    facts = found.facts
    assert facts is not None
    assert (facts.container, facts.indexed, facts.passable) == ("MP4", True, True)
    assert facts.duration_s == pytest.approx(4, abs=0.05)
    assert facts.bit_rate == pytest.approx(len(data) * 8 / 4, rel=0.05)
    assert facts.picture is not None
    assert facts.picture.bit_rate is not None
    assert facts.picture == PictureFacts(
        stream=0, codec="h264", width=320, height=180, profile="Main", rfc6381="avc1.4d4014", frame_rate=30.0,
        base_rate=30.0, pixel_format="yuv420p", key_interval_s=2.0, bit_rate=facts.picture.bit_rate,
    )  # fmt: skip
    (sound,) = facts.sounds
    assert sound == SoundFacts(
        stream=1, codec="aac", channels=2, sample_rate=48000, layout="stereo", profile="LC", rfc6381="mp4a.40.2",
        default=True, bit_rate=sound.bit_rate,
    )  # fmt: skip
    video, audio = facts.media()["streams"]
    assert [video[name] for name in ("kind", "codec", "frame_rate", "language")] == ["video", "h264", 30.0, "und"]
    assert [audio[name] for name in ("kind", "codec", "sample_rate", "channels")] == ["audio", "aac", 48000, 2]


async def test_rotation_is_kept(children: Children, tmp_path: Path) -> None:
    found, saved, _ = await examined(children, rotated(clip(2).read_bytes()), tmp_path)
    assert found.facts is not None
    assert found.facts.picture is not None
    assert found.facts.picture.rotation == 90
    assert found.facts.picture.shown_size == (180, 320)
    movie = MovieIndex.from_bytes(saved)
    assert movie.video is not None
    assert isinstance(movie.video.config, VideoConfig)
    assert movie.video.config.rotation == 90


async def test_sound_alone(children: Children, tmp_path: Path) -> None:
    found, saved, _ = await examined(children, clip(2, video=False, extension="m4a"), tmp_path)
    assert found.problem is None
    assert MovieIndex.from_bytes(saved).video is None


async def test_other_containers_are_described(children: Children, tmp_path: Path) -> None:
    found, saved, order = await examined(children, clip(2, extension="mkv"), tmp_path)
    assert (found.indexed, found.problem, saved, order) == (False, None, b"", [])
    assert found.facts is not None
    assert (found.facts.container, found.facts.passable, found.facts.indexed) == ("Matroska", True, False)
    assert found.facts.picture is not None
    assert (found.facts.picture.frame_rate, found.facts.picture.rfc6381) == (30, "avc1.42c014")


async def test_fragmented_mp4(children: Children, tmp_path: Path) -> None:
    path = tmp_path / "fragmented.mp4"
    ffmpeg("-i", clip(2), "-c", "copy", "-movflags", "frag_keyframe+empty_moov", path)
    found, _, _ = await examined(children, path, tmp_path)
    assert found.unserved == "found: H.264 video 320×180, AAC audio in MP4; it is fragmented"
    assert found.problem is None
    assert found.facts is not None
    assert found.facts.passable


DISGUISES = {
    "an HLS playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n%s\n#EXT-X-ENDLIST\n",
    "a concat script": b"ffconcat version 1.0\nfile '%s'\n",
    "an XML document": b'<?xml version="1.0"?><MPD><BaseURL>%s</BaseURL></MPD>',
    "a session description": b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\na=%s\r\n",
}


@pytest.mark.parametrize("words", DISGUISES)
async def test_scripts_disguised_as_video(children: Children, tmp_path: Path, words: str) -> None:
    content = DISGUISES[words] % os.fsencode(clip(2))
    assert await problem(children, content, tmp_path) == MediaProblem(
        "not-media", f"found: {words}, not a media file"
    )


@pytest.mark.parametrize(("demuxer", "words"), [("concat", "a concat script"), ("hls", "an HLS playlist")])
def test_no_file_opens_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demuxer: str, words: str) -> None:
    """The second guard: a demuxer that would open another file is refused it, were it ever on the list."""
    (tmp_path / "other.mp4").write_bytes(clip(2).read_bytes())
    script = tmp_path / "script.m3u8"
    script.write_bytes(DISGUISES[words] % b"other.mp4")
    monkeypatch.chdir(tmp_path)
    with av.open(str(script), format=demuxer) as opened:
        assert opened.streams.video  # it works without the guard
    with (
        script.open("rb") as file,
        pytest.raises((av.error.FFmpegError, PermissionError)),
        open_container(file.fileno(), Container(demuxer, demuxer)) as opened,
    ):
        next(opened.demux())


async def test_empty_and_meaningless_files(children: Children, tmp_path: Path) -> None:
    assert await problem(children, b"", tmp_path) == MediaProblem("empty", "the file is empty")
    nothing = MediaProblem("not-media", "found: nothing that is known here as video or audio")
    assert await problem(children, bytes(100_000), tmp_path) == nothing
    assert await problem(children, b"just some words", tmp_path) == nothing


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
async def test_cut_files(children: Children, tmp_path: Path, share: float) -> None:
    data = clip(4).read_bytes()
    answer = await problem(children, data[: int(len(data) * share)], tmp_path)
    assert answer.code == "truncated"
    assert "cut short" in answer.detail


async def test_a_cut_file_with_its_index_at_the_end(children: Children, tmp_path: Path) -> None:
    data = mp4(FakeTrack(), moov_first=False)
    answer = await problem(children, data[:-200], tmp_path)
    assert answer.code == "truncated"
    assert "cut short" in answer.detail


async def test_pictures_that_no_decoder_takes(children: Children, tmp_path: Path) -> None:
    """The index is whole, and said to be; the picture then is not."""
    found, saved, order = await examined(children, mp4(FakeTrack(count=30)), tmp_path)
    assert order == ["indexed"]
    assert MovieIndex.from_bytes(saved).video is not None
    assert found.problem is not None
    assert found.problem.code == "invalid"
    assert "its video can't be decoded" in found.problem.detail


async def test_pictures_larger_than_memory(children: Children, tmp_path: Path) -> None:
    """A Matroska file that claims 20,000 by 20,000 pixels."""
    path = tmp_path / "small.mkv"
    source = "testsrc2=size=320x180:duration=1"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "ffv1", "-level", "3", path)
    data = path.read_bytes()
    for name, side in ((b"\xb0", 320), (b"\xba", 180)):
        length = 2 if side > 255 else 1
        element = name + bytes([0x80 | length]) + side.to_bytes(length, "big")
        assert data.count(element) == 1
        claim = min(20_000, 256**length - 1)
        data = data.replace(element, element[:2] + claim.to_bytes(length, "big"))
    answer = await problem(children, data, tmp_path)
    assert answer.code == "too-large"


async def test_what_takes_too_much_is_the_files_fault(children: Children, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(clip(2, extension="mkv").read_bytes())
    with (tmp_path / "upload").open("rb") as source:
        arguments = {"source": source.fileno(), "index": 2}
        with pytest.raises(ChildFailed) as caught:
            await children.run(
                "server.media.probe", arguments, [source.fileno()], Limits(memory_bytes=60 << 20), timeout_s=30
            )
    assert problem_of(caught.value).code == "invalid"
