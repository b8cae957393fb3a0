"""What one player gets of a broadcast: where it begins, its clock, and what happens when it is slow."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from server.formats.amf0 import Value
from server.formats.avc import video_config
from server.formats.flv import AudioConfigRecord, AudioFrame, VideoConfigRecord, VideoFrame, parse_audio, parse_video
from server.formats.flv_tags import AUDIO, VIDEO
from server.formats.hevc import video_config as hevc_config
from server.formats.sample import Sample, VideoConfig
from server.stream import flv_reader
from server.stream.flv_reader import CAUGHT_UP, LEAD_MS, MOST_BEHIND, STALLED_S, FlvReader
from tests.unit.formats.encoded import Coded, child, file, h264, sample_entry
from tests.unit.formats.encoded import aac as encoded_aac
from tests.unit.ingest.conftest import AUDIO as AUDIO_CONFIG

VIDEO_CONFIG = video_config(h264().header)
FRAME = 3000  # 90 kHz, 30 frames a second


@dataclass
class FakePlayer:
    """Remembers what it is sent; `size` bytes are on the way to it."""

    size: int = 0
    told: list[Mapping[str, Value]] = field(default_factory=list)
    sent: list[tuple[int, int, object]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def behind(self) -> int:
        return self.size

    def over(self, reason: str) -> None:
        self.ended.append(reason)

    def metadata(self, properties: Mapping[str, Value]) -> None:
        self.told.append(properties)

    def media(self, kind: int, timestamp_ms: int, payload: bytes) -> None:
        tags = parse_video(payload) if kind == VIDEO else parse_audio(payload)
        self.sent += [(kind, timestamp_ms, tag) for tag in (tags if isinstance(tags, list) else [tags])]

    @property
    def pictures(self) -> list[tuple[int, VideoFrame]]:
        return [(at, tag) for _, at, tag in self.sent if isinstance(tag, VideoFrame)]


@pytest.fixture
def player() -> FakePlayer:
    return FakePlayer()


@pytest.fixture
def reader(player: FakePlayer) -> FlvReader:
    reader = FlvReader(player)
    reader.configure("video", VIDEO_CONFIG, 0)
    reader.configure("audio", AUDIO_CONFIG, 0)
    reader.anchor(0, 0)
    return reader


def picture(index: int, key: bool = False, cts: int = 0) -> Sample:
    return Sample(index * FRAME, cts, key, b"\0\0\0\x01" + bytes((index % 256,)))


def sound(index: int) -> Sample:
    return Sample(index * 1024, 0, True, b"\x21")


def test_it_begins_with_headers_and_a_key_frame(reader: FlvReader, player: FakePlayer) -> None:
    reader.write("audio", sound(0))
    reader.write("video", picture(29))
    assert player.sent == []
    reader.write("video", picture(30, key=True))
    reader.write("audio", sound(47))
    (metadata,) = player.told
    assert (metadata["width"], metadata["audiocodecid"]) == (128.0, 10.0)
    kinds = [type(tag) for _, _, tag in player.sent]
    assert kinds == [VideoConfigRecord, AudioConfigRecord, VideoFrame, AudioFrame]
    assert [at for _, at, _ in player.sent] == [0, 0, LEAD_MS, LEAD_MS + 2]
    assert reader.dropped == 0


def test_composition_offsets_are_turned_round(reader: FlvReader, player: FakePlayer) -> None:
    for index, cts in enumerate([0, 2, -1, -1, 2, -1, -1, 0]):
        reader.write("video", picture(index, key=index == 0, cts=cts * FRAME))
    shown = [at + tag.cts_ms for at, tag in player.pictures]
    assert shown == [LEAD_MS + at for at in (0, 100, 33, 66, 200, 133, 166, 233)]
    times = [at for at, _ in player.pictures]
    assert times == sorted(times)
    assert all(tag.cts_ms >= 0 for _, tag in player.pictures[3:])


def test_other_tracks_are_left_out(reader: FlvReader, player: FakePlayer) -> None:
    reader.configure("video2", VIDEO_CONFIG, 0)
    reader.write("video", picture(0, key=True))
    reader.write("video2", picture(0, key=True))
    assert len(player.pictures) == 1


def test_a_codec_that_flv_can_not_carry_is_left_out(player: FakePlayer) -> None:
    reader = FlvReader(player)
    reader.configure("video", VideoConfig("vp8", 90_000, 8, 8, b"\0\0\0\x08vp08"), 0)
    reader.configure("audio", AUDIO_CONFIG, 0)
    reader.write("video", picture(0, key=True))
    reader.write("audio", sound(0))
    assert [kind for kind, _, _ in player.sent] == [AUDIO, AUDIO]


def test_sound_alone_begins_at_once(player: FakePlayer) -> None:
    reader = FlvReader(player)
    reader.configure("audio", AUDIO_CONFIG, 0)
    reader.write("audio", sound(0))
    assert [type(tag) for _, _, tag in player.sent] == [AudioConfigRecord, AudioFrame]


def test_a_new_configuration_is_sent_before_the_next_key_frame(reader: FlvReader, player: FakePlayer) -> None:
    reader.write("video", picture(0, key=True))
    entry = sample_entry(file("mp4", Coded("libx265", (("x265-params", "log-level=none"),))))
    reader.configure("video", hevc_config(child(entry, b"hvcC")), 1)
    reader.configure("audio", AUDIO_CONFIG, 1)
    reader.write("video", picture(1))
    reader.write("video", picture(2, key=True))
    tags = [tag for _, _, tag in player.sent]
    assert [tag.codec for tag in tags if isinstance(tag, VideoConfigRecord)] == ["avc1", "hvc1"]
    assert [(at, tag.codec) for at, tag in player.pictures] == [(LEAD_MS, "avc1"), (LEAD_MS + 66, "hvc1")]


def test_a_slow_player_is_dropped_to_a_key_frame(reader: FlvReader, player: FakePlayer) -> None:
    reader.write("video", picture(0, key=True))
    player.size = MOST_BEHIND + 1
    reader.write("video", picture(1))
    reader.write("audio", sound(1))
    player.size = CAUGHT_UP + 1
    reader.write("video", picture(30, key=True))  # it has not read enough yet
    player.size = CAUGHT_UP
    reader.write("video", picture(31))
    assert (len(player.pictures), reader.dropped) == (1, 4)
    reader.write("video", picture(60, key=True))
    reader.write("audio", sound(94))
    assert (len(player.pictures), reader.dropped) == (2, 4)
    assert player.ended == []


def test_one_that_reads_nothing_is_let_go(
    reader: FlvReader, player: FakePlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(flv_reader.clock, "monotonic", lambda: now[0])
    reader.write("video", picture(0, key=True))
    player.size = MOST_BEHIND + 1
    for index in range(1, 4):
        reader.write("video", picture(index))
        now[0] += STALLED_S / 2
    assert player.ended == []
    reader.write("video", picture(4))
    assert player.ended == ["it did not read for 20 s"]


def test_after_an_interruption_it_goes_on_with_a_key_frame(reader: FlvReader, player: FakePlayer) -> None:
    reader.write("video", picture(0, key=True))
    reader.flush()
    reader.write("video", picture(1))
    reader.write("video", picture(2, key=True))
    assert [at for at, _ in player.pictures] == [LEAD_MS, LEAD_MS + 66]
    reader.end()
    assert player.ended == ["the broadcast has ended"]


def test_sound_from_long_before_the_first_picture_is_not_before_zero(reader: FlvReader, player: FakePlayer) -> None:
    reader.write("video", picture(90, key=True))
    reader.write("audio", sound(0))
    assert player.sent[-1][:2] == (AUDIO, 0)


def test_real_coded_media_passes_unchanged(reader: FlvReader, player: FakePlayer) -> None:
    for sample in h264().samples:
        reader.write("video", sample)
    assert [bytes(tag.data) for _, tag in player.pictures] == [bytes(sample.data) for sample in h264().samples]
    for sample in encoded_aac().samples:
        reader.write("audio", sample)
    frames = [tag.data for _, _, tag in player.sent if isinstance(tag, AudioFrame)]
    assert frames == [sample.data for sample in encoded_aac().samples]


def test_a_fault_of_ours_ends_one_reader_and_nothing_else(reader: FlvReader, player: FakePlayer) -> None:
    reader.write("video", picture(0, key=True))
    reader.write("video", Sample(FRAME, 90_000 * 10_000, False, b"\0"))  # an offset beyond what a tag can say
    assert player.ended == ["the server failed to send it"]
    reader.write("video", picture(2, key=True))
    assert len(player.pictures) == 1
