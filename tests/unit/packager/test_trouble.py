"""Trouble on the wire, through stream and packager: playlists go on, and stay legal, whatever timestamps do."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import m3u8
import pytest

from server.formats.aac import audio_config
from server.formats.opus import OpusHead, track
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from server.stream.timeline import MPEG_TS_CLOCK, RTMP_CLOCK, PublisherClock
from tests.unit.packager.publishing import AUDIO, START_MS, VIDEO, Broadcast, check

LARGER = VideoConfig("avc1.640028", 90_000, 1920, 1080, b"\0\0\0\x08avc1")
HEVC = VideoConfig("hvc1.1.6.L93.B0", 90_000, 1280, 720, b"\0\0\0\x08hvc1")
AV1 = VideoConfig("av01.0.05M.08", 90_000, 1280, 720, b"\0\0\0\x08av01")
VP9 = VideoConfig("vp09.00.31.08", 90_000, 1280, 720, b"\0\0\0\x08vp09")
MONO = audio_config(bytes.fromhex("1188"))
OPUS = track(OpusHead.of(2))
FLAC = AudioConfig("fLaC", 48_000, 2, 4096, b"\0\0\0\x08fLaC")
AC3 = AudioConfig("ac-3", 48_000, 6, 1536, b"\0\0\0\x08ac-3")
EAC3 = AudioConfig("ec-3", 44_100, 2, 1536, b"\0\0\0\x08ec-3")
FRAMES = {"Opus": b"\xf8sound", "fLaC": b"\xff\xf8\xc9\x18\x00\x00sound"}

FPS = 25


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SegmentStore]:
    with SegmentStore(Layout(tmp_path)) as running:
        yield running


@pytest.fixture
def broadcast(store: SegmentStore) -> Broadcast:
    return Broadcast.on(store)


@dataclass
class Wire:
    """Sends pictures and sound in step; `at_ms` is the wall clock from START_MS, timestamps are bent by the test."""

    broadcast: Broadcast
    video: TrackConfig | None = VIDEO
    audio: AudioConfig | None = AUDIO
    clock: PublisherClock = RTMP_CLOCK
    first: int = 0  # timestamp of the first sample, in ticks
    gop_ms: int = 2000
    at_ms: int = 0
    video_off_ms: int = 0  # what is wrong with the timestamps
    audio_off_ms: int = 0
    frame_ms: int = 1000 // FPS
    keys: bool = True

    def begin(self) -> "Wire":
        self.broadcast.stream.begin(START_MS + self.at_ms, self.clock)
        for config in (self.video, self.audio):
            if config is not None:
                self.broadcast.stream.configure(config, START_MS + self.at_ms)
        return self

    def send(self, seconds: float, *, pictures: bool = True, sound: bool = True) -> "Wire":
        until_ms = self.at_ms + round(seconds * 1000)
        while self.at_ms < until_ms:
            if pictures and self.video is not None:
                self.picture(0, self.keys and self.at_ms % self.gop_ms == 0)
            if sound and self.audio is not None:
                self._sound(self.audio, self.at_ms, self.at_ms + self.frame_ms)
            self.at_ms += self.frame_ms
        return self

    def picture(self, off_ms: int, key: bool, cts_ms: int = 0) -> None:
        stamp = self._stamp(self.at_ms + self.video_off_ms + off_ms)
        cts = cts_ms * self.clock.rate // 1000
        self.broadcast.stream.write_video(stamp, cts, key, b"picture", START_MS + self.at_ms)

    def _sound(self, config: AudioConfig, from_ms: int, to_ms: int) -> None:
        length_ms = config.frame_length * 1000 / config.timescale
        for index in range(int(-(-from_ms // length_ms)), int(-(-to_ms // length_ms))):
            stamp = self._stamp(index * length_ms + self.audio_off_ms)
            data = FRAMES.get(config.codec, b"sound")
            self.broadcast.stream.write_audio(stamp, data, START_MS + self.at_ms)

    def _stamp(self, ms: float) -> int:
        return (self.first + round(ms * self.clock.rate / 1000)) % self.clock.wrap


def finish(broadcast: Broadcast) -> None:
    broadcast.stream.end()
    check(broadcast)


def reaches(broadcast: Broadcast, name: str) -> float:
    """Seconds of media in a rendition, gaps left out."""
    return sum(entry.duration_s for entry in broadcast.packager.renditions[name].window.closed if not entry.gap)


def parts_are_legal(broadcast: Broadcast) -> None:
    """RFC 8216bis 4.4.4.9: none longer than the target; 85 % of it at least, unless independent or the last."""
    for rendition in broadcast.packager.renditions.values():
        playlist = m3u8.loads(rendition.playlist.text().decode())
        target = playlist.part_inf.part_target
        for segment in playlist.segments:
            for index, part in enumerate(segment.parts):
                assert part.duration <= target + 1e-6, f"{rendition.name}: {part.duration} of {target}"
                last = index + 1 == len(segment.parts) and segment.duration
                if not last and part.independent != "YES":
                    assert part.duration >= 0.85 * target - 1e-6, f"{rendition.name}: {part.duration} of {target}"


# --- decode times


@pytest.mark.parametrize("off_ms", [-40, -80, -150], ids=["equal", "back", "further back"])
def test_decode_times_that_stand_or_step_back_are_repaired(broadcast: Broadcast, off_ms: int) -> None:
    wire = Wire(broadcast).begin()
    for _ in range(20):
        wire.send(0.96)
        wire.picture(off_ms, False)
        wire.at_ms += 40
    assert broadcast.stream.statistics.generations == 1
    parts_are_legal(broadcast)
    finish(broadcast)
    assert reaches(broadcast, "video") == pytest.approx(20, abs=0.1)


def test_decode_times_after_presentation_are_kept(broadcast: Broadcast) -> None:
    wire = Wire(broadcast).begin().send(0.2)
    for _ in range(100):
        wire.picture(0, False, cts_ms=-20)
        wire.send(0.04, pictures=False)
    assert broadcast.stream.statistics.generations == 1
    finish(broadcast)


@pytest.mark.parametrize("jump_ms", [-3_600_000, -60_000, -6000, -1000, 4000, 60_000, 3_600_000])
def test_a_jump_of_the_clock_is_a_discontinuity_and_loses_no_time(broadcast: Broadcast, jump_ms: int) -> None:
    wire = Wire(broadcast, first=10_000_000).begin().send(5)
    wire.video_off_ms = wire.audio_off_ms = jump_ms
    wire.send(1).send(6)
    finish(broadcast)
    assert [entry.discontinuity for entry in broadcast.video.window.closed].count(True) == 1
    assert reaches(broadcast, "video") == pytest.approx(11, abs=1.1)  # pictures wait for the key frame at 6 s
    assert reaches(broadcast, "audio") == pytest.approx(reaches(broadcast, "video"), abs=0.3)


@pytest.mark.parametrize("jump_ms", [-3_600_000, -7000, -3000, -500, 500, 3000, 7000, 3_600_000])
def test_a_jump_of_sound_alone_stops_nobody(broadcast: Broadcast, jump_ms: int) -> None:
    wire = Wire(broadcast, first=10_000_000).begin().send(6)
    wire.audio_off_ms = jump_ms
    wire.send(12)
    finish(broadcast)
    assert broadcast.stream.statistics.generations == 1
    assert reaches(broadcast, "video") == pytest.approx(18, abs=0.1)
    missing_s = 3 if jump_ms == -3000 else 0  # late, but of the same clock: the end has not come yet
    assert reaches(broadcast, "audio") == pytest.approx(18 - missing_s, abs=0.6)


@pytest.mark.parametrize("jump_ms", [-7000, -1000, 3500, 7000])
def test_a_jump_of_pictures_alone_stops_nobody(broadcast: Broadcast, jump_ms: int) -> None:
    wire = Wire(broadcast, first=10_000_000).begin().send(6)
    wire.video_off_ms = jump_ms
    wire.send(12)
    finish(broadcast)
    assert broadcast.stream.statistics.generations == 2
    assert reaches(broadcast, "video") == pytest.approx(18, abs=0.2)
    missing_s = 3.5 if jump_ms == 3500 else 0  # sound is that late now
    assert reaches(broadcast, "audio") == pytest.approx(18 - missing_s, abs=0.3)


# --- what stays away


def test_sound_that_never_comes_is_silence(broadcast: Broadcast) -> None:
    Wire(broadcast).begin().send(10, sound=False)
    parts_are_legal(broadcast)
    finish(broadcast)
    assert reaches(broadcast, "audio") == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("config", [AUDIO, MONO, OPUS, FLAC, AC3, EAC3])
def test_sound_only(broadcast: Broadcast, config: AudioConfig) -> None:
    Wire(broadcast, video=None, audio=config).begin().send(10)
    assert list(broadcast.packager.renditions) == ["audio"]
    parts_are_legal(broadcast)
    finish(broadcast)
    assert reaches(broadcast, "audio") == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize("mode", ["ultra-low", "low", "reduced", "standard"])
def test_pictures_that_stop_while_sound_goes_on(store: SegmentStore, mode: str) -> None:
    broadcast = Broadcast.on(store, mode)
    wire = Wire(broadcast).begin().send(6.2)
    before = broadcast.audio.window.end_s
    wire.send(3, pictures=False)
    assert broadcast.audio.window.end_s > before + (1.5 if mode != "standard" else -1)
    wire.send(20, pictures=False)
    assert broadcast.audio.window.end_s == pytest.approx(29, abs=1.5 if mode != "standard" else 3)
    if mode != "standard":
        parts_are_legal(broadcast)
    wire.send(5)
    finish(broadcast)
    assert broadcast.stream.statistics.generations == 1
    assert broadcast.stream.statistics.stand_ins > 100
    assert reaches(broadcast, "audio") == pytest.approx(34.2, abs=0.2)
    assert reaches(broadcast, "video") == pytest.approx(34.2, abs=0.2)


def test_pictures_of_another_clock_after_a_time_without_any(broadcast: Broadcast) -> None:
    wire = Wire(broadcast, first=10_000_000).begin().send(6).send(6, pictures=False)
    wire.video_off_ms = -9_000_000
    wire.send(6)
    finish(broadcast)
    assert broadcast.stream.statistics.generations == 2
    assert reaches(broadcast, "video") == pytest.approx(18, abs=0.5)


def test_pictures_that_were_held_up_take_their_place_again(broadcast: Broadcast) -> None:
    """They come three seconds late, all at once: what stood in for them stays, the rest goes on."""
    wire = Wire(broadcast).begin().send(6).send(3, pictures=False)
    for back_ms in range(3000, 0, -40):
        wire.picture(-back_ms, (wire.at_ms - back_ms) % 2000 == 0)
    wire.send(6)
    finish(broadcast)
    assert broadcast.stream.statistics.generations == 1
    assert reaches(broadcast, "video") == pytest.approx(15, abs=0.1)


def test_a_slow_camera_is_not_taken_for_one_that_stopped(broadcast: Broadcast) -> None:
    wire = Wire(broadcast).begin()
    for second in range(12):
        wire.picture(0, second % 2 == 0)
        wire.send(1, pictures=False)
    assert broadcast.stream.statistics.stand_ins == 0
    finish(broadcast)


def test_without_any_key_frame_the_publisher_is_told_why(broadcast: Broadcast) -> None:
    wire = Wire(broadcast, keys=False).begin().send(14.9)
    assert broadcast.stream.trouble(START_MS + wire.at_ms) is None
    wire.send(0.2)
    reason = broadcast.stream.trouble(START_MS + wire.at_ms)
    assert reason == "no key frame in 15 s: set a key-frame interval of 2 s in the encoder"


def test_pictures_that_stop_before_their_key_frame_are_no_trouble(broadcast: Broadcast) -> None:
    wire = Wire(broadcast, keys=False).begin().send(4).send(20, pictures=False)
    assert broadcast.stream.trouble(START_MS + wire.at_ms) is None
    assert reaches(broadcast, "audio") > 5


def test_a_key_frame_ends_the_trouble(broadcast: Broadcast) -> None:
    wire = Wire(broadcast, keys=False).begin().send(14)
    wire.keys = True
    wire.send(6)
    assert broadcast.stream.trouble(START_MS + wire.at_ms) is None
    finish(broadcast)


# --- key frames far apart


@pytest.mark.parametrize("gop_ms", [1000, 2000, 3000, 4000, 4200, 5000, 7000, 10_000, 10_240, 30_000])
def test_no_segment_is_longer_than_the_target_duration(broadcast: Broadcast, gop_ms: int) -> None:
    Wire(broadcast, gop_ms=gop_ms).begin().send(45)
    independent = gop_ms <= 4200
    assert (b"INDEPENDENT-SEGMENTS" in broadcast.video.playlist.text()) == independent
    parts_are_legal(broadcast)
    finish(broadcast)


def test_irregular_key_frames(broadcast: Broadcast) -> None:
    wire = Wire(broadcast, keys=False).begin()
    for gap_s in (0.4, 6, 1, 1, 9, 0.04, 3, 12, 2, 2):
        wire.picture(0, True)
        wire.at_ms += 40
        wire.send(gap_s)
    parts_are_legal(broadcast)
    finish(broadcast)


# --- configurations that change


@pytest.mark.parametrize("config", [LARGER, HEVC, AV1, VP9, MONO, OPUS, AC3], ids=lambda config: config.codec)
def test_a_changed_configuration_is_a_discontinuity_with_a_new_init_segment(
    broadcast: Broadcast, config: TrackConfig
) -> None:
    wire = Wire(broadcast).begin().send(6)
    if isinstance(config, AudioConfig):
        wire.audio = config
    else:
        wire.video = config
    broadcast.stream.configure(config, START_MS + wire.at_ms)
    wire.send(6)
    for rendition in (broadcast.video, broadcast.audio):
        text = rendition.playlist.text().decode()
        assert text.count('#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="init-1.mp4"\n') == 1
    codecs = m3u8.loads(broadcast.packager.master() or "").playlists[0].stream_info.codecs
    assert config.codec in codecs
    assert config.sample_entry in (broadcast.packager.renditions[config.kind].init(1) or b"")
    finish(broadcast)
    assert reaches(broadcast, "video") == pytest.approx(12, abs=0.1)


# --- clocks that drift


@pytest.mark.parametrize("ppm", [-5000, -500, 500, 5000])
def test_sound_that_drifts_from_the_pictures_stays_with_them(broadcast: Broadcast, ppm: int) -> None:
    wire = Wire(broadcast).begin()
    for second in range(100):
        wire.audio_off_ms = second * ppm // 1000
        wire.send(1)
    finish(broadcast)
    assert reaches(broadcast, "audio") == pytest.approx(100, abs=0.5)
    for video, audio in zip(broadcast.video.window.closed, broadcast.audio.window.closed, strict=True):
        assert abs(video.start / 90_000 - audio.start / 48_000) < 0.025


def test_dates_of_all_renditions_agree_while_they_are_corrected(broadcast: Broadcast) -> None:
    wire = Wire(broadcast).begin()
    for _ in range(100):
        wire.send(1)
        broadcast.packager.anchor(0, START_MS + wire.at_ms % 7)
    for video, audio in zip(broadcast.video.window.closed, broadcast.audio.window.closed, strict=False):
        epochs = [entry.wall_ms - entry.start * 1000 // entry.timescale for entry in (video, audio)]
        assert epochs[0] == epochs[1]


# --- clocks that wrap


@pytest.mark.parametrize("clock", [RTMP_CLOCK, MPEG_TS_CLOCK], ids=["49.7 days", "26.5 hours"])
@pytest.mark.parametrize("before_ms", [1, 3000, 5021])
def test_the_publishers_clock_wraps_without_a_trace(
    broadcast: Broadcast, clock: PublisherClock, before_ms: int
) -> None:
    first = clock.wrap - before_ms * clock.rate // 1000
    Wire(broadcast, clock=clock, first=first).begin().send(10)
    parts_are_legal(broadcast)
    finish(broadcast)
    assert broadcast.stream.statistics.generations == 1
    assert [entry.start for entry in broadcast.video.window.closed] == [at * 90_000 for at in (0, 2, 4, 6, 8)]


def test_ticks_of_90_khz_reach_the_file_as_they_were_sent(broadcast: Broadcast) -> None:
    stream = broadcast.stream
    stream.begin(START_MS, MPEG_TS_CLOCK)
    stream.configure(VIDEO, START_MS)
    for index in range(300):
        at = index * 3003
        stream.write_video(1_000_001 + at, 0, index % 60 == 0, b"picture", START_MS + at // 90)
    assert [entry.start for entry in broadcast.video.window.closed] == [0, 180_180, 360_360, 540_540]
