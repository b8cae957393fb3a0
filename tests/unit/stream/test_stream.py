"""A publisher's samples as readers see them: generations, the clock across them, silence for absent sound."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from server.formats.aac import audio_config
from server.formats.sample import Sample, TrackConfig, VideoConfig
from server.stream.stream import Stream
from server.stream.timeline import Position

VIDEO = VideoConfig("avc1.64001f", 90_000, 1280, 720, b"v")
OTHER_VIDEO = VideoConfig("avc1.64001f", 90_000, 640, 360, b"w")
AUDIO = audio_config(bytes.fromhex("1190"))  # 48 kHz stereo
OTHER_AUDIO = audio_config(bytes.fromhex("1210"))  # 44.1 kHz
NOW = 1_700_000_000_000


@dataclass
class Recorder:
    """A reader that writes everything down."""

    events: list[tuple[object, ...]] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=lambda: {"video": [], "audio": []})

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        self.events.append(("configure", track, generation))

    def anchor(self, generation: int, epoch_ms: int) -> None:
        self.events.append(("anchor", generation, epoch_ms - NOW))

    def write(self, track: str, sample: Sample) -> None:
        self.samples.setdefault(track, []).append(sample)

    def flush(self) -> None:
        self.events.append(("flush",))

    def end(self) -> None:
        self.events.append(("end",))

    def times_ms(self, kind: str) -> list[float]:
        rate = 90 if kind.startswith("video") else 48
        return [sample.dts / rate for sample in self.samples[kind]]

    @property
    def epochs_ms(self) -> list[object]:
        """Wall clock at output time zero, of each generation, after NOW."""
        return [event[2] for event in self.events if event[0] == "anchor"]

    @property
    def silent(self) -> int:
        return sum(sample.data != b"sound" for sample in self.samples["audio"])


@pytest.fixture
def reader() -> Recorder:
    return Recorder()


@pytest.fixture
def stream(reader: Recorder) -> Stream:
    made = Stream("br1")
    made.attach(reader)
    return made


def begin(stream: Stream, *configs: TrackConfig, now: int = NOW) -> None:
    stream.begin(now)
    for config in configs:
        stream.configure(config, now)


def pictures(stream: Stream, first_ms: int, last_ms: int, *, now: int = NOW, key_every_ms: int = 2000) -> None:
    """25 a second, from `first_ms` to before `last_ms`; wall clock and timestamps go together."""
    for at in range(first_ms, last_ms, 40):
        stream.write_video(at, 0, (at - first_ms) % key_every_ms == 0, b"picture", now + at)


def sound(stream: Stream, first_ms: int, last_ms: int, *, now: int = NOW, delay_ms: int = 0) -> None:
    """Frames of 48 kHz; their timestamps are `delay_ms` off."""
    count = 0
    while (at := first_ms + count * 1024 // 48) < last_ms:
        stream.write_audio(at + delay_ms, b"sound", now + at)
        count += 1


def both(stream: Stream, first_ms: int, last_ms: int, *, now: int = NOW, delay_ms: int = 0) -> None:
    for at in range(first_ms, last_ms, 40):
        stream.write_video(at, 0, (at - first_ms) % 2000 == 0, b"picture", now + at)
        sound(stream, at, at + 40, now=now, delay_ms=delay_ms)


# --- beginnings


def test_video_begins_with_its_first_key_frame(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO)
    stream.write_video(500, 0, False, b"", NOW + 500)
    stream.write_video(540, 0, True, b"", NOW + 540)
    stream.write_video(580, 0, False, b"", NOW + 580)

    assert reader.events == [("configure", "video", 0), ("anchor", 0, 540)]
    assert reader.times_ms("video") == [0, 40]
    assert stream.statistics.dropped == 1


def test_samples_without_a_configuration_are_dropped(stream: Stream, reader: Recorder) -> None:
    begin(stream)
    stream.write_video(0, 0, True, b"", NOW)
    stream.write_audio(0, b"", NOW)

    assert reader.events == []
    assert stream.statistics.dropped == 2


def test_sound_is_held_for_the_first_key_frame_and_begins_with_it(stream: Stream, reader: Recorder) -> None:
    begin(stream, AUDIO, VIDEO)
    sound(stream, 0, 400)
    pictures(stream, 200, 600)

    assert reader.times_ms("audio")[0] == pytest.approx(0, abs=11)  # of 19 frames the 10 that begin with the picture
    assert len(reader.samples["audio"]) == 10
    assert reader.silent == 0


def test_sound_that_never_comes_is_silence(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO, AUDIO)
    pictures(stream, 0, 4000)

    assert len(reader.samples["audio"]) == reader.silent
    assert reader.times_ms("audio")[-1] > 3900


def test_sound_alone_begins_after_a_second_and_loses_nothing(stream: Stream, reader: Recorder) -> None:
    begin(stream, AUDIO)
    sound(stream, 0, 990)
    assert reader.samples["audio"] == []
    sound(stream, 1003, 2000)

    assert reader.events == [("configure", "audio", 0), ("anchor", 0, 0)]
    assert reader.times_ms("audio")[0] == 0
    assert len(reader.samples["audio"]) == 94


def test_sound_goes_on_alone_when_no_key_frame_comes(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO, AUDIO)
    sound(stream, 0, 11_000)
    assert len(reader.samples["audio"]) > 500

    pictures(stream, 11_000, 12_000)
    assert [event[0] for event in reader.events[-3:]] == ["configure", "configure", "anchor"]
    assert len(reader.samples["video"]) == 25


def test_video_that_joins_sound_begins_a_generation(stream: Stream, reader: Recorder) -> None:
    begin(stream, AUDIO)
    sound(stream, 0, 3000)
    stream.configure(VIDEO, NOW + 3000)
    both(stream, 3000, 4000)

    assert [event for event in reader.events if event[0] == "configure"] == [
        ("configure", "audio", 0), ("configure", "audio", 1), ("configure", "video", 1),
    ]  # fmt: skip
    assert reader.times_ms("video")[0] == pytest.approx(3000, abs=25)
    assert reader.times_ms("audio") == sorted(reader.times_ms("audio"))


def test_sound_that_joins_video_needs_no_generation(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO)
    pictures(stream, 0, 1000)
    stream.configure(AUDIO, NOW + 1000)
    for at in range(1000, 2000, 40):
        stream.write_video(at, 0, False, b"", NOW + at)
        sound(stream, at, at + 40)

    assert reader.events[-1] == ("configure", "audio", 0)
    assert reader.times_ms("audio")[0] == 1000
    assert reader.silent == 0


# --- generations


def test_the_same_configuration_again_changes_nothing(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO)
    pictures(stream, 0, 400)
    stream.configure(VIDEO, NOW + 400)

    assert [event[0] for event in reader.events] == ["configure", "anchor"]


@pytest.mark.parametrize("changed", [OTHER_VIDEO, OTHER_AUDIO], ids=["video", "audio"])
def test_another_configuration_begins_a_generation_of_all_tracks(
    stream: Stream, reader: Recorder, changed: TrackConfig
) -> None:
    begin(stream, VIDEO, AUDIO)
    both(stream, 0, 1000)
    reader.events.clear()
    stream.configure(changed, NOW + 1000)
    both(stream, 1000, 2000)

    assert reader.events[:2] == [("configure", "video", 1), ("configure", "audio", 1)]
    assert reader.events[2][:2] == ("anchor", 1)
    assert reader.times_ms("video")[25] == pytest.approx(1000, abs=25)


@pytest.mark.parametrize("first_ms", [60_000, 0], ids=["forward", "back"])
def test_a_jump_of_the_clock_begins_a_generation_and_time_goes_on(
    stream: Stream, reader: Recorder, first_ms: int
) -> None:
    begin(stream, VIDEO, AUDIO)
    both(stream, 5000, 7000)
    both(stream, first_ms, first_ms + 2000, now=NOW + 7000 - first_ms)

    assert reader.epochs_ms == [5000, pytest.approx(5000, abs=25)]
    times = reader.times_ms("video")
    assert times == sorted(times)
    assert times[50] == pytest.approx(2000, abs=25)  # no hole for a jump that took no time
    assert len(times) == 100
    assert reader.silent == 0


def test_after_a_jump_pictures_wait_for_a_key_frame(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO)
    pictures(stream, 0, 1000)
    for at in range(50_000, 50_400, 40):
        stream.write_video(at, 0, at == 50_200, b"", NOW + at - 49_000)

    assert len(reader.samples["video"]) == 25 + 5
    assert stream.statistics.dropped == 5


def test_a_publisher_returns_to_the_same_clock_after_the_time_it_was_away(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO, AUDIO)
    both(stream, 0, 2000)
    stream.interrupt()
    begin(stream, VIDEO, AUDIO, now=NOW + 30_000)
    both(stream, 77_000, 79_000, now=NOW + 30_000 - 77_000)

    assert ("flush",) in reader.events
    assert ("anchor", 1, 0) in reader.events  # one epoch for both
    assert reader.times_ms("video")[50] == 30_000
    assert reader.times_ms("audio")[-1] == pytest.approx(32_000, abs=40)


def test_media_ahead_of_the_wall_clock_is_not_overlapped(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO)
    for at in range(0, 10_000, 40):  # ten seconds in one
        stream.write_video(at, 0, at == 0, b"", NOW + at // 10)
    stream.interrupt()
    begin(stream, VIDEO, now=NOW + 2000)
    stream.write_video(0, 0, True, b"", NOW + 2000)

    assert reader.times_ms("video")[-1] == 10_000
    assert reader.events[-1] == ("anchor", 1, -8000)


def test_a_new_publisher_without_an_interruption_takes_over(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO)
    pictures(stream, 0, 400)
    begin(stream, VIDEO, now=NOW + 400)
    assert reader.events[-2:] == [("flush",), ("configure", "video", 1)]


def test_the_end_flushes_and_says_so(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO)
    pictures(stream, 0, 400)
    stream.end()
    assert reader.events[-2:] == [("flush",), ("end",)]


def test_the_32_bit_clock_wraps_without_a_trace(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO, AUDIO)
    for at in range(0, 10_000, 40):
        raw = (1 << 32) - 5000 + at
        stream.write_video(raw % (1 << 32), 0, at % 2000 == 0, b"", NOW + at)
        stream.write_audio(raw % (1 << 32), b"sound", NOW + at)

    assert stream.statistics.generations == 1
    assert reader.times_ms("video") == [float(at) for at in range(0, 10_000, 40)]


def test_an_offset_beyond_reason_is_taken_as_none(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO)
    stream.write_video(0, 8_000_000, True, b"", NOW)
    stream.write_video(40, 80, False, b"", NOW + 40)
    assert [sample.pts for sample in reader.samples["video"]] == [0, 120 * 90]


# --- sound beside pictures


def test_a_hole_in_sound_is_silence(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO, AUDIO)
    both(stream, 0, 1000)
    for at in range(1000, 1800, 40):
        stream.write_video(at, 0, False, b"", NOW + at)
    both(stream, 1800, 3000)

    assert reader.silent == pytest.approx(800 / 21.33, abs=2)
    assert {after.dts - before.dts for before, after in pairwise(reader.samples["audio"])} == {1024}


def test_sound_that_stops_is_silence_without_waiting_for_its_return(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO, AUDIO)
    both(stream, 0, 1000)
    pictures(stream, 1000, 6000)

    assert reader.times_ms("audio")[-1] > 5900
    assert stream.statistics.silent_frames == reader.silent


def test_sound_that_is_always_late_gets_more_time(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO, AUDIO)
    both(stream, 0, 20_000, delay_ms=-2500)

    real = len(reader.samples["audio"]) - reader.silent
    assert real > 15 * 1000 / 21.33  # the first seconds are lost, then it plays
    assert reader.times_ms("audio") == sorted(reader.times_ms("audio"))


def test_sound_of_another_clock_is_laid_along_the_pictures(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO, AUDIO)
    both(stream, 0, 10_000, delay_ms=3_600_000)

    real = len(reader.samples["audio"]) - reader.silent
    assert real > 6 * 1000 / 21.33
    assert reader.times_ms("audio")[-1] < 10_100
    assert stream.statistics.generations == 1


def test_one_stray_timestamp_is_dropped(stream: Stream, reader: Recorder) -> None:
    begin(stream, VIDEO, AUDIO)
    both(stream, 0, 1000)
    stream.write_audio(3_000_000, b"sound", NOW + 1000)
    both(stream, 1000, 2000)

    assert stream.statistics.dropped == 1
    assert reader.silent == 0


def test_the_jump_of_a_clock_of_sound_alone(stream: Stream, reader: Recorder) -> None:
    begin(stream, AUDIO)
    sound(stream, 0, 3000)
    sound(stream, 500_000, 502_000, now=NOW - 497_000)

    assert reader.epochs_ms == [0, pytest.approx(0, abs=25)]
    assert reader.times_ms("audio")[-1] == pytest.approx(4990, abs=40)


# --- readers, position, statistics


def test_a_reader_that_comes_later_is_told_what_is_in_force(stream: Stream) -> None:
    begin(stream, VIDEO, AUDIO)
    pictures(stream, 0, 400)
    late = Recorder()
    stream.attach(late)
    pictures(stream, 400, 480)
    stream.detach(late)
    pictures(stream, 480, 600)

    assert late.events == [("configure", "video", 0), ("configure", "audio", 0), ("anchor", 0, 0)]
    assert len(late.samples["video"]) == 2


def test_a_restart_goes_on_after_what_was_there(stream: Stream, reader: Recorder) -> None:
    stream.restore(Position(generation=3, end_ms=60_000, epoch_ms=NOW))
    begin(stream, VIDEO, now=NOW + 75_000)
    stream.write_video(0, 0, True, b"", NOW + 75_000)

    assert reader.events == [("configure", "video", 4), ("anchor", 4, 0)]
    assert reader.times_ms("video") == [75_000]


def test_the_position_is_where_the_media_ends(stream: Stream) -> None:
    begin(stream, VIDEO)
    pictures(stream, 0, 400)
    assert stream.position == Position(0, 400, NOW)
    stream.interrupt()
    assert stream.position == Position(0, 400, NOW)


def test_rates_are_measured(stream: Stream) -> None:
    begin(stream, VIDEO)
    assert stream.has_video
    pictures(stream, 0, 10_000)

    statistics = stream.statistics
    assert statistics.frame_rate == pytest.approx(25, rel=0.02)
    assert statistics.bitrate == pytest.approx(25 * 7 * 8, rel=0.05)
    assert (statistics.video_frames, statistics.last_video_ms) == (250, NOW + 9960)
