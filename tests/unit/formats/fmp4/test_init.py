import json
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from struct import unpack_from

import av
import pytest

from server.formats.aac import audio_config
from server.formats.avc import video_config
from server.formats.fmp4.box import BoxError, find
from server.formats.fmp4.init import init_segment, sample_entry
from server.formats.fmp4.part import video_part
from server.formats.sample import TrackConfig, VideoConfig
from tests.unit.formats.encoded import TICKS, h264

AUDIO = audio_config(bytes.fromhex("1190"))


def video(**changes: object) -> VideoConfig:
    return replace(video_config(h264().header), **changes)  # type: ignore[arg-type]


def payload(data: bytes, *path: bytes) -> bytes:
    found = find(data, *path)
    assert found is not None, path
    return data[found.start : found.end]


def playable(config: VideoConfig) -> bytes:
    samples = h264().samples
    columns = [sample.cts for sample in samples], [sample.key for sample in samples]
    return init_segment(config) + video_part(1, 0, [TICKS] * len(samples), *columns, [s.data for s in samples])


@pytest.mark.parametrize("config", [video(), AUDIO], ids=["video", "audio"])
def test_one_track_and_its_sample_entry(config: TrackConfig) -> None:
    data = init_segment(config)
    assert payload(data, b"ftyp") == b"iso6\0\0\0\0iso6cmfc"
    stsd = payload(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    assert stsd == b"\0\0\0\0\0\0\0\1" + config.sample_entry
    mdhd = payload(data, b"moov", b"trak", b"mdia", b"mdhd")
    assert unpack_from(">I", mdhd, 12)[0] == config.timescale
    assert unpack_from(">I", payload(data, b"moov", b"mvex", b"trex"), 4)[0] == 1
    handler = payload(data, b"moov", b"trak", b"mdia", b"hdlr")[8:12]
    assert handler == {"video": b"vide", "audio": b"soun"}[config.kind]


@pytest.mark.parametrize(("code", "packed"), [("eng", 0x15C7), ("ENG", 0x15C7), ("", 0x55C4), ("pt-BR", 0x55C4)])
def test_a_language_of_three_letters_is_named(code: str, packed: int) -> None:
    mdhd = payload(init_segment(replace(AUDIO, language=code)), b"moov", b"trak", b"mdia", b"mdhd")
    assert unpack_from(">H", mdhd, 20)[0] == packed


def test_equal_configurations_make_equal_bytes() -> None:
    assert init_segment(video()) == init_segment(video())


def test_the_width_to_show_counts_the_sample_aspect_ratio() -> None:
    tkhd = payload(init_segment(video(width=720, height=576, sar=(64, 45))), b"moov", b"trak", b"tkhd")
    assert unpack_from(">II", tkhd, len(tkhd) - 8) == (1024 << 16, 576 << 16)
    extreme = payload(init_segment(video(sar=(65535, 1))), b"moov", b"trak", b"tkhd")
    assert unpack_from(">I", extreme, len(extreme) - 8) == (0xFFFF << 16,)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_matrix_keeps_the_picture_in_view(rotation: int) -> None:
    """Every corner, turned, lies within the turned rectangle."""
    config = video(width=128, height=96, rotation=rotation)
    tkhd = payload(init_segment(config), b"moov", b"trak", b"tkhd")
    a, b, _, c, d, _, x, y, _ = unpack_from(">9i", tkhd, 40)
    turned = (96, 128) if rotation % 180 else (128, 96)
    corners = {((a * u + c * v + x) >> 16, (b * u + d * v + y) >> 16) for u in (0, 128) for v in (0, 96)}
    assert corners == {(u, v) for u in (0, turned[0]) for v in (0, turned[1])}


@pytest.mark.parametrize(("rotation", "counterclockwise"), [(0, 0), (90, -90), (180, 180), (270, 90)])
def test_libavformat_sees_the_rotation(rotation: int, counterclockwise: int) -> None:
    with av.open(BytesIO(playable(video(rotation=rotation)))) as container:
        frame = next(container.decode(video=0))
    assert frame.rotation % 360 == counterclockwise % 360


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
def test_ffprobe_sees_the_rotation(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(playable(video(rotation=90)))
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", str(tmp_path / "v.mp4")]
    done = subprocess.run(command, capture_output=True, check=True, timeout=20)
    (stream,) = json.loads(done.stdout)["streams"]
    assert [data["rotation"] for data in stream["side_data_list"] if "rotation" in data] == [-90]
    assert done.stderr == b""


def test_libavformat_reads_time_and_aspect() -> None:
    config = replace(video_config(h264(5, 128, 96, "sar=4/3").header), timescale=90_000)
    with av.open(BytesIO(init_segment(config))) as container:
        stream = container.streams.video[0]
        assert (stream.time_base, stream.width, stream.height) == (Fraction(1, 90_000), 128, 96)
        assert stream.sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize("config", [video(), AUDIO], ids=["video", "audio"])
def test_the_sample_entry_is_found_again(config: TrackConfig) -> None:
    assert sample_entry(init_segment(config)) == config.sample_entry


def test_an_init_segment_without_a_sample_entry() -> None:
    with pytest.raises(BoxError, match="without a sample entry"):
        sample_entry(b"")
