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
from tests.unit.formats.encoded import Coded, file, flv_tags, packets


def _frame(key: bool, cts_ms: int, data: bytes, codec: str = "avc1", track: int = 0) -> VideoFrame:
    return VideoFrame(key, cts_ms, memoryview(data), codec, track)


MULTI = b"\x96\x11avc1"  # many tracks of one codec, coded frames, in a key frame's tag


def _sized(track: int, body: bytes) -> bytes:
    return bytes((track,)) + len(body).to_bytes(3, "big") + body


VIDEO: list[tuple[str, bytes, VideoFrame | list[VideoTag]]] = [
    ("key frame", b"\x17\x01\x00\x00\x00data", _frame(True, 0, b"data")),
    ("inter frame", b"\x27\x01\x00\x00\x42data", _frame(False, 66, b"data")),
    ("negative composition time", b"\x27\x01\xff\xff\xdfdata", _frame(False, -33, b"data")),
    ("lowest composition time", b"\x27\x01\x80\x00\x00data", _frame(False, -(1 << 23), b"data")),
    ("disposable inter frame", b"\x37\x01\x00\x00\x01data", [_frame(False, 1, b"data")]),
    ("generated key frame is none", b"\x47\x01\x00\x00\x00data", [_frame(False, 0, b"data")]),
    ("no picture in it", b"\x17\x01\x00\x00\x00", []),
    ("configuration", b"\x17\x00\x00\x00\x00avcC", [VideoConfigRecord("avc1", b"avcC")]),
    ("configuration in an inter frame", b"\x27\x00\x00\x00\x00avcC", [VideoConfigRecord("avc1", b"avcC")]),
    ("end of sequence", b"\x17\x02\x00\x00\x00", [VideoEnd()]),
    ("seek mark", b"\x57\x00", []),
    ("seek mark of another codec", b"\x52\x01", []),
    ("Sorenson H.263", b"\x22abc", [Unsupported("Sorenson H.263")]),
    ("VP6", b"\x14abc", [Unsupported("VP6")]),
    ("HEVC before Enhanced RTMP", b"\x1c\x00\x00\x00\x00hvcC", [VideoConfigRecord("hvc1", b"hvcC")]),
    ("its frame", b"\x2c\x01\x00\x00\x21data", [_frame(False, 33, b"data", "hvc1")]),
    ("AV1 before Enhanced RTMP", b"\x1d\x01\x00\x00\x00data", [_frame(True, 0, b"data", "av01")]),
    ("unknown codec", b"\x1f", [Unsupported("video codec 15")]),
    ("enhanced configuration", b"\x90avc1avcC", [VideoConfigRecord("avc1", b"avcC")]),
    ("enhanced key frame", b"\x91avc1\x00\x00\x21data", [_frame(True, 33, b"data")]),
    ("enhanced inter frame, negative", b"\xa1avc1\xff\xff\xffdata", [_frame(False, -1, b"data")]),
    ("enhanced without composition time", b"\xa3avc1data", [_frame(False, 0, b"data")]),
    ("enhanced, no picture in it", b"\xa3avc1", []),
    ("enhanced end", b"\x92avc1", [VideoEnd()]),
    ("enhanced metadata", b"\x94avc1\x02\x00\x09colorInfo", []),
    ("colours in a command frame", b"\xd4hvc1\x02\x00\x09colorInfo", []),
    ("enhanced seek mark", b"\xd0\x00", []),
    ("enhanced packet type of the future", b"\x98avc1", []),
    ("HEVC", b"\x90hvc1hvcC", [VideoConfigRecord("hvc1", b"hvcC")]),
    ("HEVC with composition time", b"\xa1hvc1\x00\x00\x43data", [_frame(False, 67, b"data", "hvc1")]),
    ("AV1", b"\x90av01av1C", [VideoConfigRecord("av01", b"av1C")]),
    ("AV1 has no composition time", b"\x91av01data", [_frame(True, 0, b"data", "av01")]),
    ("AV1, MPEG-2 TS descriptor", b"\x95av01\x80\x04\x81\x00\x0c\x00", [VideoConfigRecord("av01", b"\x81\0\x0c\0")]),
    ("VP9", b"\xa1vp09data", [_frame(False, 0, b"data", "vp09")]),
    ("VP8", b"\xa1vp08data", [Unsupported("VP8 (vp08)")]),
    ("VVC", b"\x90vvc1data", [Unsupported("VVC (vvc1)")]),
    ("unknown FourCC", b"\x90ab\xff'x", [Unsupported('codec "ab\\\\xff\'"')]),
    ("HEVC, MPEG-2 TS descriptor", b"\x95hvc1data", [Unsupported("MPEG-2 TS descriptor of hvc1")]),
    ("ModEx with nanoseconds", b"\x97\x02\x00\x00\x01\x03avc1data", [_frame(True, 0, b"data")]),
    ("two ModEx packets", b"\xa7\x00x\x07\x01xx\x03avc1data", [_frame(False, 0, b"data")]),
    ("a long ModEx packet", b"\xa7\xff\x01\x00" + bytes(257) + b"\x03avc1data", [_frame(False, 0, b"data")]),
    ("ModEx before multitrack", b"\xa7\x00x\x06\x03avc1\x02data", [_frame(False, 0, b"data", "avc1", 2)]),
    ("one track", b"\x96\x01hvc1\x01\x00\x00\x07data", [_frame(True, 7, b"data", "hvc1", 1)]),
    ("configuration of one track", b"\x96\x00hvc1\x01hvcC", [VideoConfigRecord("hvc1", b"hvcC", 1)]),
    (
        "many tracks",
        MULTI + _sized(0, b"\x00\x00\x01a") + _sized(3, b"\x00\x00\x02bc"),
        [_frame(True, 1, b"a"), _frame(True, 2, b"bc", "avc1", 3)],
    ),
    (
        "many tracks of many codecs",
        b"\xa6\x21av01" + _sized(0, b"a") + b"vp09" + _sized(1, b"b") + b"vp08" + _sized(2, b"c"),
        [_frame(False, 0, b"a", "av01"), _frame(False, 0, b"b", "vp09", 1), Unsupported("VP8 (vp08)", 2)],
    ),
    ("end of one of many", b"\x96\x12avc1" + _sized(2, b""), [VideoEnd(2)]),
]

AUDIO: list[tuple[str, bytes, AudioFrame | list[AudioTag]]] = [
    ("frame", b"\xaf\x01data", AudioFrame(b"data")),
    ("frame, whatever rate and channels it claims", b"\xa2\x01data", AudioFrame(b"data")),
    ("no frame in it", b"\xaf\x01", []),
    ("configuration", b"\xaf\x00\x11\x90", [AudioConfigRecord("mp4a", b"\x11\x90")]),
    ("MP3", b"\x2fdata", [Unsupported("MP3")]),
    ("Speex", b"\xb2", [Unsupported("Speex")]),
    ("unknown format", b"\xc0", [Unsupported("sound format 12")]),
    ("enhanced configuration", b"\x90mp4a\x11\x90", [AudioConfigRecord("mp4a", b"\x11\x90")]),
    ("enhanced frame", b"\x91mp4adata", [AudioFrame(b"data")]),
    ("enhanced, no frame in it", b"\x91mp4a", []),
    ("enhanced end", b"\x92mp4a", []),
    ("channel layout", b"\x94mp4a\x01\x02", []),
    ("Opus", b"\x90OpusOpusHead", [AudioConfigRecord("Opus", b"OpusHead")]),
    ("FLAC", b"\x91fLaCdata", [AudioFrame(b"data", "fLaC")]),
    ("AC-3, without a record", b"\x90ac-3", [AudioConfigRecord("ac-3", b"")]),
    ("E-AC-3", b"\x91ec-3data", [AudioFrame(b"data", "ec-3")]),
    ("MP3 with a FourCC", b"\x90.mp3", [Unsupported("MP3 (.mp3)")]),
    ("ModEx", b"\x97\x02\x00\x00\x01\x01Opusdata", [AudioFrame(b"data", "Opus")]),
    ("one track", b"\x95\x01Opus\x01data", [AudioFrame(b"data", "Opus", 1)]),
    (
        "many tracks of many codecs",
        b"\x95\x20mp4a" + _sized(0, b"\x11\x90") + b"Opus" + _sized(9, b"head"),
        [AudioConfigRecord("mp4a", b"\x11\x90"), AudioConfigRecord("Opus", b"head", 9)],
    ),
]

MALFORMED_VIDEO = [
    (b"", "video tag is empty"),
    (b"\x17", "avc1 tag of 1 bytes"),
    (b"\x1c\x01\x00\x00", "hvc1 tag of 4 bytes"),
    (b"\x17\x00\x00\x00\x00", "avc1 sequence header is empty"),
    (b"\x17\x03\x00\x00\x00data", "avc1 packet type 3"),
    (b"\x90avc", "a tag ends before its FourCC"),
    (b"\x90avc1", "avc1 sequence header is empty"),
    (b"\x91avc1\x00\x00", "avc1 tag ends within its composition time"),
    (b"\x95av01\x81", "not an AV1 video descriptor"),
    (b"\x97", "a tag ends within a ModEx packet"),
    (b"\x97\x02\x00\x00", "a tag ends within a ModEx packet"),
    (b"\x97\xff\xff", "a tag ends within a ModEx packet"),
    (b"\x97" + b"\x00x\x07" * 9, "more than 8 ModEx packets"),
    (b"\x96", "a multitrack tag ends within its header"),
    (b"\x96\x31avc1", "multitrack type 3 of packet type 1"),
    (b"\x96\x06avc1", "multitrack type 0 of packet type 6"),
    (b"\x96\x01av", "a tag ends before its FourCC"),
    (b"\x96\x01avc1", "a multitrack tag ends before a track id"),
    (MULTI + b"\x01\x00", "a multitrack tag ends within track 1"),
    (MULTI + b"\x01\x00\x00\x05data", "a multitrack tag ends within track 1"),
    (MULTI + _sized(1, b"\0\0\0d") * 33, "more than 32 tracks in a tag"),
]
MALFORMED_AUDIO = [
    (b"", "audio tag is empty"),
    (b"\xaf", "AAC tag of 1 byte"),
    (b"\xaf\x00", "mp4a sequence header is empty"),
    (b"\xaf\x02data", "AAC packet type 2"),
    (b"\x91mp", "a tag ends before its FourCC"),
    (b"\x90mp4a", "mp4a sequence header is empty"),
    (b"\x90Opus", "Opus sequence header is empty"),
    (b"\x95\x15mp4a", "multitrack type 1 of packet type 5"),
]


@pytest.mark.parametrize(("payload", "value"), [case[1:] for case in VIDEO], ids=[case[0] for case in VIDEO])
def test_video(payload: bytes, value: VideoFrame | list[VideoTag]) -> None:
    parsed = parse_video(payload)

    assert type(parsed) is type(value)
    assert parsed == value


@pytest.mark.parametrize(("payload", "value"), [case[1:] for case in AUDIO], ids=[case[0] for case in AUDIO])
def test_audio(payload: bytes, value: AudioFrame | list[AudioTag]) -> None:
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


@pytest.mark.parametrize(
    ("track", "codec"),
    [
        (Coded("libx264", (("preset", "ultrafast"), ("bf", "2"))), "avc1"),
        (Coded("libx265", (("preset", "ultrafast"), ("x265-params", "log-level=none:bframes=2"))), "hvc1"),
        (Coded("libsvtav1", (("preset", "12"),)), "av01"),
        (Coded("libvpx-vp9", (("cpu-used", "8"), ("deadline", "realtime"))), "vp09"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pictures_that_libav_packs_come_back(track: Coded, codec: str) -> None:
    flv = file("flv", track)
    tags = [tag for kind, _, body in flv_tags(flv) if kind == 9 for tag in as_list(parse_video(body))]
    frames = [tag for tag in tags if isinstance(tag, VideoFrame)]
    assert [(bytes(frame.data), frame.key) for frame in frames] == packets(flv)
    assert {frame.codec for frame in frames} == {codec}
    assert isinstance(tags[0], VideoConfigRecord)
    assert any(frame.cts_ms for frame in frames) == (codec in ("avc1", "hvc1"))


@pytest.mark.parametrize(
    ("track", "codec"),
    [
        (Coded("aac", format="fltp", rate=48_000), "mp4a"),
        (Coded("libopus", format="flt", rate=48_000), "Opus"),
        (Coded("flac", format="s16", rate=48_000), "fLaC"),
        (Coded("ac3", format="fltp", rate=48_000), "ac-3"),
        (Coded("eac3", format="fltp", rate=48_000), "ec-3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sound_that_libav_packs_comes_back(track: Coded, codec: str) -> None:
    flv = file("flv", track)
    tags = [tag for kind, _, body in flv_tags(flv) if kind == 8 for tag in as_list(parse_audio(body))]
    assert isinstance(tags[0], AudioConfigRecord)
    assert [tag.data for tag in tags[1:] if isinstance(tag, AudioFrame)] == [data for data, _ in packets(flv)]
    assert {tag.codec for tag in tags if isinstance(tag, AudioFrame | AudioConfigRecord)} == {codec}


def as_list(tags: object) -> list[object]:
    return tags if isinstance(tags, list) else [tags]


@settings(deadline=None)
@given(
    st.binary(max_size=24) | st.sampled_from([case[1] for case in (*VIDEO, *AUDIO)]),
    st.integers(0, 30),
    st.integers(0, 255),
)
def test_any_bytes_are_a_value_or_the_documented_error(payload: bytes, at: int, byte: int) -> None:
    changed = payload[:at] + bytes((byte,)) + payload[at + 1 :]
    for parse in (parse_video, parse_audio):
        with suppress(FlvError):
            parse(changed)
