from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.formats.flv import (
    AudioConfigRecord,
    AudioFrame,
    AudioTag,
    FlvError,
    Unsupported,
    VideoConfigRecord,
    VideoEnd,
    VideoFrame,
    VideoTag,
    parse_audio,
    parse_video,
)


def _frame(key: bool, cts_ms: int, data: bytes) -> VideoFrame:
    return VideoFrame(key, cts_ms, memoryview(data))


VIDEO: list[tuple[str, bytes, VideoTag | None]] = [
    ("key frame", b"\x17\x01\x00\x00\x00data", _frame(True, 0, b"data")),
    ("inter frame", b"\x27\x01\x00\x00\x42data", _frame(False, 66, b"data")),
    ("negative composition time", b"\x27\x01\xff\xff\xdfdata", _frame(False, -33, b"data")),
    ("lowest composition time", b"\x27\x01\x80\x00\x00data", _frame(False, -(1 << 23), b"data")),
    ("disposable inter frame", b"\x37\x01\x00\x00\x01data", _frame(False, 1, b"data")),
    ("generated key frame is none", b"\x47\x01\x00\x00\x00data", _frame(False, 0, b"data")),
    ("no picture in it", b"\x17\x01\x00\x00\x00", None),
    ("configuration", b"\x17\x00\x00\x00\x00avcC", VideoConfigRecord(b"avcC")),
    ("configuration in an inter frame", b"\x27\x00\x00\x00\x00avcC", VideoConfigRecord(b"avcC")),
    ("end of sequence", b"\x17\x02\x00\x00\x00", VideoEnd()),
    ("seek mark", b"\x57\x00", None),
    ("seek mark of another codec", b"\x52\x01", None),
    ("Sorenson H.263", b"\x22abc", Unsupported("Sorenson H.263")),
    ("VP6", b"\x14abc", Unsupported("VP6")),
    ("HEVC before Enhanced RTMP", b"\x1c\x00\x00\x00\x00", Unsupported("HEVC (codec id 12)")),
    ("unknown codec", b"\x1f", Unsupported("video codec 15")),
    ("enhanced configuration", b"\x90avc1avcC", VideoConfigRecord(b"avcC")),
    ("enhanced key frame", b"\x91avc1\x00\x00\x21data", _frame(True, 33, b"data")),
    ("enhanced inter frame, negative", b"\xa1avc1\xff\xff\xffdata", _frame(False, -1, b"data")),
    ("enhanced without composition time", b"\xa3avc1data", _frame(False, 0, b"data")),
    ("enhanced, no picture in it", b"\xa3avc1", None),
    ("enhanced end", b"\x92avc1", VideoEnd()),
    ("enhanced metadata", b"\x94avc1\x02\x00\x09colorInfo", None),
    ("enhanced seek mark", b"\xd0\x00", None),
    ("enhanced packet type of the future", b"\x98avc1", None),
    ("HEVC", b"\x90hvc1hvcC", Unsupported("HEVC (hvc1)")),
    ("AV1", b"\x90av01av1C", Unsupported("AV1 (av01)")),
    ("VP9", b"\xa1vp09data", Unsupported("VP9 (vp09)")),
    ("unknown FourCC", b"\x90ab\xff'x", Unsupported('codec "ab\\\\xff\'"')),
    ("multitrack", b"\x96\x00avc1", Unsupported("multitrack video")),
    ("ModEx", b"\x97\x02\x00\x00\x00\x01avc1", Unsupported("ModEx packet")),
    ("MPEG-2 TS", b"\x95av01", Unsupported("MPEG-2 TS sequence start")),
]

AUDIO: list[tuple[str, bytes, AudioTag | None]] = [
    ("frame", b"\xaf\x01data", AudioFrame(b"data")),
    ("frame, whatever rate and channels it claims", b"\xa2\x01data", AudioFrame(b"data")),
    ("no frame in it", b"\xaf\x01", None),
    ("configuration", b"\xaf\x00\x11\x90", AudioConfigRecord(b"\x11\x90")),
    ("MP3", b"\x2fdata", Unsupported("MP3")),
    ("Speex", b"\xb2", Unsupported("Speex")),
    ("unknown format", b"\xc0", Unsupported("sound format 12")),
    ("enhanced configuration", b"\x90mp4a\x11\x90", AudioConfigRecord(b"\x11\x90")),
    ("enhanced frame", b"\x91mp4adata", AudioFrame(b"data")),
    ("enhanced, no frame in it", b"\x91mp4a", None),
    ("enhanced end", b"\x92mp4a", None),
    ("channel layout", b"\x94mp4a\x01\x02", None),
    ("Opus", b"\x90OpusOpusHead", Unsupported("Opus")),
    ("FLAC", b"\x91fLaCdata", Unsupported("FLAC (fLaC)")),
    ("multitrack", b"\x95\x00mp4a", Unsupported("multitrack audio")),
    ("ModEx", b"\x97", Unsupported("ModEx packet")),
]

MALFORMED_VIDEO = [
    (b"", "video tag is empty"),
    (b"\x17", "AVC tag of 1 bytes"),
    (b"\x17\x01\x00\x00", "AVC tag of 4 bytes"),
    (b"\x17\x00\x00\x00\x00", "AVC sequence header is empty"),
    (b"\x17\x03\x00\x00\x00data", "AVC packet type 3"),
    (b"\x90avc", "enhanced video tag of 4 bytes"),
    (b"\x90avc1", "AVC sequence header is empty"),
    (b"\x91avc1\x00\x00", "enhanced AVC tag of 7 bytes"),
]
MALFORMED_AUDIO = [
    (b"", "audio tag is empty"),
    (b"\xaf", "AAC tag of 1 byte"),
    (b"\xaf\x00", "AAC sequence header is empty"),
    (b"\xaf\x02data", "AAC packet type 2"),
    (b"\x91mp", "enhanced audio tag of 3 bytes"),
    (b"\x90mp4a", "AAC sequence header is empty"),
]


@pytest.mark.parametrize(("payload", "value"), [case[1:] for case in VIDEO], ids=[case[0] for case in VIDEO])
def test_video(payload: bytes, value: VideoTag | None) -> None:
    parsed = parse_video(payload)

    assert type(parsed) is type(value)
    assert parsed == value


@pytest.mark.parametrize(("payload", "value"), [case[1:] for case in AUDIO], ids=[case[0] for case in AUDIO])
def test_audio(payload: bytes, value: AudioTag | None) -> None:
    parsed = parse_audio(payload)

    assert type(parsed) is type(value)
    assert parsed == value


@pytest.mark.parametrize(("payload", "message"), MALFORMED_VIDEO)
def test_malformed_video(payload: bytes, message: str) -> None:
    with pytest.raises(FlvError) as caught:
        parse_video(payload)

    assert str(caught.value) == message


@pytest.mark.parametrize(("payload", "message"), MALFORMED_AUDIO)
def test_malformed_audio(payload: bytes, message: str) -> None:
    with pytest.raises(FlvError) as caught:
        parse_audio(payload)

    assert str(caught.value) == message


@settings(deadline=None)
@given(
    st.binary(max_size=12) | st.sampled_from([case[1] for case in (*VIDEO, *AUDIO)]),
    st.integers(0, 15),
    st.integers(0, 255),
)
def test_any_bytes_are_a_value_or_the_documented_error(payload: bytes, at: int, byte: int) -> None:
    changed = payload[:at] + bytes((byte,)) + payload[at + 1 :]
    for parse in (parse_video, parse_audio):
        with suppress(FlvError):
            parse(changed)
