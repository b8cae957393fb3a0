"""What libav would take for something else is named by our own readers."""

from pathlib import Path

import pytest

from server.formats.fmp4.box import box
from server.formats.fmp4.foreign import Read
from server.formats.mpegts import psi
from server.formats.mpegts.psi import ElementaryStream, ProgramMap
from server.media.foreign import NO_FOREIGN, Foreign, in_mp4
from server.media.foreign_ts import in_mpeg_ts
from server.media.problems import Unreadable
from tests.harness.media import clip, ffmpeg
from tests.harness.mp4 import FakeTrack, mp4


def read_of(data: bytes) -> Read:
    return lambda offset, size: data[offset : offset + size]


def packet(pid: int, section: bytes) -> bytes:
    head = bytes((0x47, 0x40 | pid >> 8, pid & 255, 0x10, 0))
    return (head + section).ljust(188, b"\xff")


def test_mpeg_h_in_a_program_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(psi.STREAM_TYPES, "mpegh_3d_audio", 0x2D)
    streams = ElementaryStream(0x100, "h264"), ElementaryStream(0x101, "mpegh_3d_audio")
    table = psi.write_pmt(ProgramMap(1, 0x100, streams))
    data = packet(0, psi.write_pat([(1, 0x20)])) + packet(0x20, table)
    found = in_mpeg_ts(read_of(data))
    assert found.name_of(0x101, "audio", True) == "MPEG-H"
    assert found.name_of(0x100, "video", True) == ""


@pytest.mark.parametrize("data", [b"", b"\x47" * 188 * 3, bytes(1000), packet(0, b"\0" * 20)], ids=range(4))
def test_rubbish_names_nothing(data: bytes) -> None:
    assert in_mpeg_ts(read_of(data)) == NO_FOREIGN
    assert in_mp4(read_of(data), len(data)) == NO_FOREIGN


def test_an_ordinary_stream_names_nothing(tmp_path: Path) -> None:
    path = tmp_path / "film.ts"
    ffmpeg("-i", clip(1), "-c", "copy", path)
    assert in_mpeg_ts(read_of(path.read_bytes())) == NO_FOREIGN


def test_encrypted_tracks_are_refused() -> None:
    data = mp4(FakeTrack()).replace(b"avc1", b"encv")
    with pytest.raises(Unreadable) as caught:
        in_mp4(read_of(data), len(data))
    assert caught.value.code == "encrypted"


def test_layered_sound_is_one_whole() -> None:
    data = mp4(FakeTrack()).replace(b"avc1", b"iamf")
    assert in_mp4(read_of(data), len(data)).sounds == "IAMF"
    assert in_mp4(read_of(box(b"moov")), 8) == NO_FOREIGN
    assert Foreign(unnamed="MPEG-H").name_of(1, "audio", named=False) == "MPEG-H"
