"""Encoders: libx264 as it is used, and what those with start codes are made to look like."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
from av.video.frame import VideoFrame

from server.formats import annexb
from server.formats.avc import AvcDecoderConfiguration, has_idr, nal_units, video_config
from server.media import encoders
from server.media.codings import HARDWARE, SOFTWARE
from server.media.encoders import Coded, Encoder, EncoderError, Look, Settings, pixel_format, works
from server.media.ladder import Rung

RUNG = Rung("144p", 256, 144, (1, 1), 300_000, 1, 30.0)


def frames(count: int, rung: Rung = RUNG) -> Sequence[VideoFrame]:
    found = []
    for number in range(count):
        frame = VideoFrame(rung.width, rung.height, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([(number * 7 + at) % 256 for at in range(plane.buffer_size)]))
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90_000)
        found.append(frame)
    return found


def coded(encoder: Encoder, count: int, keys: set[int]) -> list[Coded]:
    """One picture may be held back."""
    out: list[Coded] = []
    for number, frame in enumerate(frames(count, encoder.rung)):
        out += encoder.encode(frame, number in keys)
        assert len(out) >= number
    return [*out, *encoder.finish()]


def test_key_frames_only_where_they_are_asked_for_and_one_picture_held_back() -> None:
    encoder = Encoder(SOFTWARE, RUNG, RUNG.bitrate, Settings())
    units = coded(encoder, 40, {0, 7, 30})
    assert [unit.pts for unit in units] == [unit.dts for unit in units] == [number * 3000 for number in range(40)]
    assert [unit.pts // 3000 for unit in units if unit.key] == [0, 7, 30]
    assert [unit.pts // 3000 for unit in units if has_idr(unit.data)] == [0, 7, 30]


def test_the_record_says_what_the_pictures_are() -> None:
    look = Look(range=1, primaries=9, transfer=16, matrix=9)
    rung = Rung("144p", 192, 144, (4, 3), 300_000, 1, 30.0)
    encoder = Encoder(SOFTWARE, rung, 300_000, Settings(), look)
    config = video_config(encoder.record)
    assert (config.width, config.height, config.sar) == (192, 144, (4, 3))
    assert Look.of(frames(1)[0]) == Look(0, 2, 2, 2)


def test_neither_another_ceiling_nor_another_measured_rate_needs_another_record() -> None:
    settings = Settings()
    records = {
        Encoder(SOFTWARE, replace(RUNG, frame_rate=rate), bitrate, settings).record
        for bitrate in (100_000, 200_000, 300_000)
        for rate in (None, 14.9, 23.9, 30.3)
    }
    assert len(records) == 1


@pytest.mark.parametrize(("width", "height", "rate", "level"), [
    (256, 144, 30.0, "30"), (854, 480, 30.0, "31"), (640, 360, 60.0, "31"), (1280, 720, 30.0, "31"),
    (1280, 720, 60.0, "32"), (1920, 1080, 30.0, "40"), (1920, 1080, 59.94, "42"), (3840, 2160, 30.0, "51"),
    (3840, 2160, 60.0, "52"),
])  # fmt: skip
def test_levels(width: int, height: int, rate: float, level: str) -> None:
    rung = Rung("", width, height, (1, 1), 1_000_000, 1, rate)
    assert encoders._level(rung) == level


def test_lookahead_holds_back() -> None:
    encoder = Encoder(SOFTWARE, RUNG, RUNG.bitrate, Settings(lookahead=10))
    early = [unit for frame in frames(8) for unit in encoder.encode(frame, False)]
    assert early == []
    assert len(list(encoder.finish())) == 8


@pytest.mark.parametrize(("width", "height", "rate", "threads"), [
    (640, 360, 30.0, 1), (854, 480, 60.0, 1), (1280, 720, 30.0, 1), (1280, 720, 60.0, 2), (1920, 1080, 30.0, 2),
    (1920, 1080, 60.0, 4), (3840, 2160, 60.0, 4), (640, 360, None, 1),
])  # fmt: skip
def test_threads_by_the_size_of_the_work(width: int, height: int, rate: float | None, threads: int) -> None:
    assert encoders._threads(Rung("", width, height, (1, 1), 1, 1, rate)) == threads


def test_start_codes_become_lengths_and_parameter_sets_a_record() -> None:
    own = Encoder(SOFTWARE, RUNG, RUNG.bitrate, Settings())
    record = AvcDecoderConfiguration.parse(own.record)
    assert encoders._record(annexb.byte_stream([*record.sps, *record.pps])) == own.record
    (unit,) = coded(own, 1, {0})
    stream = annexb.byte_stream([b"\x09\xf0", *record.sps, *record.pps, *nal_units(unit.data)])
    assert encoders._length_prefixed(stream, encoders._is_avc_parameter) == unit.data


def test_a_baseline_record_says_nothing_of_chroma() -> None:
    record = encoders._record(annexb.byte_stream([b"\x67\x42\xc0\x1e", b"\x68\xce"]))
    assert record == b"\x01\x42\xc0\x1e\xff\xe1\x00\x04\x67\x42\xc0\x1e\x01\x00\x02\x68\xce"


def test_extradata_without_parameter_sets() -> None:
    with pytest.raises(EncoderError, match="no parameter sets"):
        encoders._record(b"")


def test_trying_encoders() -> None:
    assert works(SOFTWARE) is None
    assert works("h264_videotoolbox") == "h264_videotoolbox: libav was built without it"
    assert {pixel_format(name) for name in HARDWARE} == {"nv12"}


def test_a_size_that_no_encoder_takes() -> None:
    with pytest.raises(EncoderError, match="it can't be opened here"):
        Encoder(SOFTWARE, Rung("", 0, 0, (1, 1), 1, 1, 30.0), 1, Settings())
