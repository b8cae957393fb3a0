"""From tags to tracks: the names of tracks, what is dropped, and when a publisher is told."""

from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.sample import TrackConfig
from server.ingest.rtmp_media import HOLD_BYTES, HOLD_MS, MAX_BROKEN, Rejected, RtmpMedia
from tests.unit.formats.encoded import Coded, file, flv_tags
from tests.unit.protocols.rtmp.client import AAC_CONFIG, AVC_CONFIG, aac, avc

PICTURE = b"\0\0\0\x02\x65\x01"


@dataclass
class FakeSink:
    """A publisher that remembers: configurations and frames by track."""

    configured: list[tuple[str, str]] = field(default_factory=list)
    configs: dict[str, TrackConfig] = field(default_factory=dict)
    frames: dict[str, list[tuple[int, int, bool, bytes]]] = field(default_factory=dict)

    def configure(self, config: TrackConfig, track: str | None = None) -> None:
        name = track or config.kind
        self.configured.append((name, config.codec))
        self.configs[name] = config

    def video(self, timestamp: int, cts: int, key: bool, data: bytes | memoryview, track: str = "video") -> None:
        self.frames.setdefault(track, []).append((timestamp, cts, key, bytes(data)))

    def audio(self, timestamp: int, data: bytes | memoryview, track: str = "audio") -> None:
        self.frames.setdefault(track, []).append((timestamp, 0, True, bytes(data)))


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink()


@pytest.fixture
def media(sink: FakeSink) -> RtmpMedia:
    return RtmpMedia(sink)


def send(media: RtmpMedia, flv: bytes) -> None:
    for kind, timestamp, body in flv_tags(flv):
        if kind == 9:
            media.video(timestamp, body)
        elif kind == 8:
            media.audio(timestamp, body)


def test_avc_and_aac_take_the_short_way(media: RtmpMedia, sink: FakeSink) -> None:
    media.video(0, AVC_CONFIG)
    media.audio(0, AAC_CONFIG)
    media.video(7, avc(PICTURE))
    media.audio(9, aac(b"\x21"))
    assert sink.configured == [("video", "avc1.42c00a"), ("audio", "mp4a.40.2")]
    assert sink.frames == {"video": [(7, 0, False, PICTURE)], "audio": [(9, 0, True, b"\x21")]}
    assert media.dropped == 0


@pytest.mark.parametrize(
    ("pictures", "sound", "codecs"),
    [
        (("libx265", ("x265-params", "log-level=none")), ("ac3", "fltp"), ("hvc1.1.6.L30.90", "ac-3")),
        (("libsvtav1", ("preset", "12")), ("libopus", "flt"), ("av01.0.00M.08", "Opus")),
        (("libvpx-vp9", ("deadline", "realtime")), ("flac", "s16"), ("vp09.00.10.08", "fLaC")),
    ],
    ids=["HEVC and AC-3", "AV1 and Opus", "VP9 and FLAC"],
)
def test_other_codecs_arrive_whole(
    media: RtmpMedia,
    sink: FakeSink,
    pictures: tuple[str, tuple[str, str]],
    sound: tuple[str, str],
    codecs: tuple[str, str],
) -> None:
    flv = file("flv", Coded(pictures[0], (pictures[1],)), Coded(sound[0], format=sound[1], rate=48_000))
    send(media, flv)
    assert set(sink.configured) == {("audio", codecs[1]), ("video", codecs[0])}
    assert len(sink.frames["video"]) == 15
    assert sink.frames["video"][0][2]
    assert len(sink.frames["audio"]) >= 5
    assert media.dropped == 0


def test_hevc_before_enhanced_rtmp(media: RtmpMedia, sink: FakeSink) -> None:
    flv = file("flv", Coded("libx265", (("x265-params", "log-level=none:bframes=0"),)))
    for kind, timestamp, body in flv_tags(flv):
        packet = body[0] & 15
        if kind == 9 and packet in (0, 3):  # sequence start, and frames without a composition time
            plain = bytes((body[0] & 0x70 | 12, min(packet, 1), 0, 0, 0)) + body[5:]
            media.video(timestamp, plain)
    assert sink.configured == [("video", "hvc1.1.6.L30.90")]
    assert len(sink.frames["video"]) == 15


def test_a_new_codec_in_mid_stream_is_configured(media: RtmpMedia, sink: FakeSink) -> None:
    for codec in ("libx264", "libx265", "libx264"):
        options = (("x265-params", "log-level=none"),) if codec == "libx265" else ()
        send(media, file("flv", Coded(codec, options)))
    assert [codec[:4] for _, codec in sink.configured] == ["avc1", "hvc1", "avc1"]
    media.video(0, avc(PICTURE))
    assert sink.frames["video"][-1] == (0, 0, False, PICTURE)
    assert media.dropped == 0


def test_frames_of_another_codec_than_the_record_are_dropped(media: RtmpMedia, sink: FakeSink) -> None:
    media.video(0, AVC_CONFIG)
    media.audio(0, AAC_CONFIG)
    media.video(0, b"\xa3hvc1" + PICTURE)
    media.audio(0, b"\x91Opus\xfc\xff\xfe")
    media.audio(0, b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0")
    media.audio(0, aac(b"\x21"))
    assert sink.frames == {}
    assert media.dropped == 3
    media.audio(1, b"\x91Opus\xfc\xff\xfe")
    assert list(sink.frames) == ["audio"]


def test_frames_without_a_configuration_are_dropped_until_it_comes(media: RtmpMedia, sink: FakeSink) -> None:
    for at_ms in range(MAX_BROKEN - 1):
        media.video(at_ms, avc(PICTURE))
    media.audio(0, aac(b"\x21"))
    media.video(500, AVC_CONFIG)
    media.video(501, avc(PICTURE))
    assert sink.frames == {"video": [(501, 0, False, PICTURE)]}
    assert media.dropped == MAX_BROKEN


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (avc(PICTURE), "the media is malformed: pictures come without a decoder configuration"),
        (b"\x17", "the media is malformed: avc1 tag of 1 bytes"),
        (b"\x90hvc1\x01", "the media is malformed: hvcC of 1 bytes"),
    ],
)
def test_a_publisher_who_sends_nothing_else_is_told(media: RtmpMedia, payload: bytes, reason: str) -> None:
    for _ in range(MAX_BROKEN - 1):
        media.video(0, payload)
    with pytest.raises(Rejected) as rejected:
        media.video(0, payload)
    assert str(rejected.value) == reason
    assert media.dropped == MAX_BROKEN


def test_broken_sound_is_told_too(media: RtmpMedia, sink: FakeSink) -> None:
    media.video(0, AVC_CONFIG)
    for _ in range(MAX_BROKEN - 1):
        media.video(0, avc(PICTURE))
        media.audio(0, aac(b"\x21"))
    with pytest.raises(Rejected, match="sound comes without a decoder configuration"):
        media.audio(0, aac(b"\x21"))
    assert len(sink.frames["video"]) == MAX_BROKEN - 1


def test_now_and_then_a_broken_tag_is_dropped(media: RtmpMedia, sink: FakeSink) -> None:
    media.video(0, AVC_CONFIG)
    media.audio(0, AAC_CONFIG)
    for at_ms in range(3 * MAX_BROKEN):
        media.video(at_ms, b"\x17")
        media.audio(at_ms, b"\xaf")
        media.video(at_ms, avc(PICTURE))
        media.audio(at_ms, aac(b"\x21"))
    assert media.dropped == 6 * MAX_BROKEN
    assert len(sink.frames["video"]) == len(sink.frames["audio"]) == 3 * MAX_BROKEN


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        ("video", b"\x22data", "video codec Sorenson H.263 is not supported; send H.264, HEVC, AV1 or VP9"),
        ("video", b"\x90vvc1data", "video codec VVC (vvc1) is not supported; send H.264, HEVC, AV1 or VP9"),
        ("audio", b"\x2fdata", "audio codec MP3 is not supported; send AAC, Opus, FLAC or AC-3"),
        ("audio", b"\x90.mp3", "audio codec MP3 (.mp3) is not supported; send AAC, Opus, FLAC or AC-3"),
    ],
)
def test_a_codec_that_is_not_taken_is_told_at_once(media: RtmpMedia, kind: str, payload: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as rejected:
        media.video(0, payload) if kind == "video" else media.audio(0, payload)
    assert str(rejected.value) == reason


# --- sound that is known only with its first frame


def ac3_frames() -> list[bytes]:
    flv = file("flv", Coded("ac3", format="fltp", rate=48_000))
    return [body for kind, _, body in flv_tags(flv) if kind == 8 and body[:1] == b"\x91"]


def test_pictures_wait_for_the_sound_that_is_announced(media: RtmpMedia, sink: FakeSink) -> None:
    media.video(0, AVC_CONFIG)
    media.audio(0, b"\x90ac-3")
    media.video(0, avc(PICTURE, key=True))
    media.video(40, avc(PICTURE))
    assert sink.frames == {}
    media.audio(62, ac3_frames()[0])
    assert [name for name, _ in sink.configured] == ["video", "audio"]
    assert [at for at, *_ in sink.frames["video"]] == [0, 40]
    assert [at for at, *_ in sink.frames["audio"]] == [62]
    media.audio(94, b"\x90ac-3")
    media.video(80, avc(PICTURE))
    assert len(sink.frames["video"]) == 3


def test_pictures_do_not_wait_for_ever(media: RtmpMedia, sink: FakeSink) -> None:
    media.video(0, AVC_CONFIG)
    media.audio(0, b"\x90ac-3")
    for at_ms in (0, 500, HOLD_MS):
        media.video(at_ms, avc(PICTURE, key=True))
    assert sink.frames == {}
    media.video(HOLD_MS + 1, avc(PICTURE))
    assert len(sink.frames["video"]) == 4


def test_large_pictures_wait_less(media: RtmpMedia, sink: FakeSink) -> None:
    media.video(0, AVC_CONFIG)
    media.audio(0, b"\x90ac-3")
    media.video(0, avc(bytes(HOLD_BYTES), key=True))
    assert len(sink.frames["video"]) == 1


def test_pictures_under_way_do_not_wait(media: RtmpMedia, sink: FakeSink) -> None:
    media.video(0, AVC_CONFIG)
    media.video(0, avc(PICTURE, key=True))
    media.audio(0, b"\x90ac-3")
    media.video(40, avc(PICTURE))
    assert len(sink.frames["video"]) == 2


# --- several tracks


def one_of(packet: int, track: int, body: bytes, fourcc: bytes = b"avc1") -> bytes:
    """A multitrack tag with one track in it, in a key frame."""
    return b"\x96" + bytes((packet,)) + fourcc + bytes((track,)) + body


def test_tracks_are_named_as_they_appear(media: RtmpMedia, sink: FakeSink) -> None:
    avcc = AVC_CONFIG[5:]
    media.video(0, AVC_CONFIG)
    media.audio(0, AAC_CONFIG)
    for track in (7, 3):
        media.video(0, one_of(0, track, avcc))
        media.video(5, one_of(1, track, b"\0\0\x02" + PICTURE))
        media.audio(0, b"\x95\x00mp4a" + bytes((track,)) + AAC_CONFIG[2:])
        media.audio(5, b"\x95\x01mp4a" + bytes((track,)) + b"\x21")
    media.video(6, avc(PICTURE))
    assert [name for name, _ in sink.configured] == ["video", "audio", "video2", "audio2", "video3", "audio3"]
    assert sink.frames["video3"] == [(5, 2, True, PICTURE)]
    assert sink.frames["audio2"] == [(5, 0, True, b"\x21")]
    assert sink.frames["video"] == [(6, 0, False, PICTURE)]


def test_more_than_eight_are_counted_and_dropped(media: RtmpMedia, sink: FakeSink) -> None:
    for track in range(12):
        media.video(0, one_of(0, track, AVC_CONFIG[5:]))
        media.video(0, one_of(1, track, b"\0\0\0" + PICTURE))
    assert sorted(sink.frames) == ["video", *(f"video{number}" for number in range(2, 9))]
    assert media.dropped == 8
    media.video(1, avc(PICTURE))
    assert len(sink.frames["video"]) == 2


def test_a_broken_track_costs_the_others_nothing(media: RtmpMedia, sink: FakeSink) -> None:
    media.video(0, AVC_CONFIG)
    for at_ms in range(3 * MAX_BROKEN):
        media.video(at_ms, one_of(1, 1, b"\0\0\0" + PICTURE))  # without a configuration
        media.video(at_ms, one_of(1, 2, b"data", b"vp08"))
        media.video(at_ms, avc(PICTURE))
    assert len(sink.frames["video"]) == 3 * MAX_BROKEN
    assert media.dropped == 6 * MAX_BROKEN


def test_many_tracks_in_one_tag(media: RtmpMedia, sink: FakeSink) -> None:
    def sized(track: int, body: bytes) -> bytes:
        return bytes((track,)) + len(body).to_bytes(3, "big") + body

    media.video(0, b"\x96\x10avc1" + sized(0, AVC_CONFIG[5:]) + sized(1, AVC_CONFIG[5:]))
    media.video(0, b"\x96\x13avc1" + sized(0, PICTURE) + sized(1, PICTURE))
    assert sink.frames == {"video": [(0, 0, True, PICTURE)], "video2": [(0, 0, True, PICTURE)]}


def test_names_of_tracks_come_with_the_metadata(media: RtmpMedia, sink: FakeSink) -> None:
    media.metadata(
        {
            "audioTrackIdInfoMap": {
                "1": {"language": "de" * 50, "title": "Kom\nmentar" + "x" * 200},
                "2": {"lang": "fr", "label": 7},
                "3": "not a map",
            },
            "videoTrackIdInfoMap": 3,
        }
    )
    media.video(0, AVC_CONFIG)
    for track in range(4):
        media.audio(0, b"\x95\x00mp4a" + bytes((track,)) + AAC_CONFIG[2:])
    told = {name: (config.language, config.title) for name, config in sink.configs.items()}
    assert told == {
        "video": ("", ""),
        "audio": ("", ""),
        "audio2": (("de" * 50)[:35], "Kommentar" + "x" * 91),
        "audio3": ("fr", ""),
        "audio4": ("", ""),
    }


RECORDS = [AVC_CONFIG, AAC_CONFIG, b"\x90ac-3", b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0"]
HEADS = [b"\x17\x01\0\0\0", b"\x91hvc1\0\0\0", b"\xa3av01", b"\x93vp09", b"\x96\x11avc1", b"\x91Opus", b"\x95\x21"]


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, (1 << 32) - 1),
            st.sampled_from(RECORDS) | st.builds(bytes.__add__, st.sampled_from(HEADS), st.binary(max_size=20)),
        ),
        max_size=20,
    )
)
def test_any_tags_in_any_order_are_taken_or_counted_or_told(tags: list[tuple[bool, int, bytes]]) -> None:
    sink = FakeSink()
    media = RtmpMedia(sink)
    with suppress(Rejected):
        for is_video, timestamp, body in tags:
            media.video(timestamp, body) if is_video else media.audio(timestamp, body)
    assert set(sink.frames) <= set(sink.configs), "frames of a track that was not configured"
