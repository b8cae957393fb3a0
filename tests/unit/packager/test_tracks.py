"""Broadcasts of several tracks: further pictures and sounds, renditions made of them, tracks that come and go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import m3u8
import pytest

from server.formats.opus import OpusHead, track
from server.formats.sample import AudioConfig, Sample, TrackConfig, VideoConfig
from server.packager.live import LivePackager, LiveSettings
from server.packager.recorded import RecordedRendition, RecordedVideo
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from tests.unit.packager.publishing import AUDIO, START_MS, VIDEO, Broadcast, check, samples_of

SECOND_VIDEO = VideoConfig("avc1.4d401e", 90_000, 640, 360, b"\0\0\0\x08avc1")
FRENCH = replace(AUDIO, language="fr", title="Français")
ENGLISH = replace(AUDIO, language="en", title="English")
OPUS = track(OpusHead.of(2))
AC3 = AudioConfig("ac-3", 48_000, 6, 1536, b"\0\0\0\x08ac-3")
LADDER = VideoConfig("avc1.42c01e", 90_000, 640, 360, b"\0\0\0\x08avc1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SegmentStore]:
    with SegmentStore(Layout(tmp_path)) as running:
        yield running


@pytest.fixture
def broadcast(store: SegmentStore) -> Broadcast:
    return Broadcast.on(store)


@dataclass
class Sender:
    """Sends tracks side by side in the order of time, in milliseconds from START_MS."""

    broadcast: Broadcast
    configs: dict[str, TrackConfig]
    at_ms: int = 0
    key_every_ms: dict[str, int] = field(default_factory=dict)
    shift_ms: dict[str, int] = field(default_factory=dict)  # when a track's pictures are taken, after the others'
    frame_ms: dict[str, int] = field(default_factory=dict)

    def begin(self, *names: str) -> "Sender":
        self.broadcast.stream.begin(START_MS + self.at_ms)
        for name in names or self.configs:
            self.configure(name)
        return self

    def configure(self, name: str) -> None:
        self.broadcast.stream.configure(self.configs[name], START_MS + self.at_ms, name)

    def send(self, seconds: float, *names: str) -> "Sender":
        events = [event for name in names or self.configs for event in self._events(name, round(seconds * 1000))]
        for at_ms, name, key in sorted(events, key=lambda event: event[0]):
            now_ms = START_MS + at_ms
            if isinstance(self.configs[name], VideoConfig):
                self.broadcast.stream.write_video(at_ms, 0, key, b"picture", now_ms, name)
            else:
                packet = b"\xf8sound" if self.configs[name].codec == "Opus" else b"sound"
                self.broadcast.stream.write_audio(at_ms, packet, now_ms, name)
        self.at_ms += round(seconds * 1000)
        return self

    def _events(self, name: str, ms: int) -> list[tuple[int, str, bool]]:
        config, until_ms = self.configs[name], self.at_ms + ms
        if isinstance(config, AudioConfig):
            frame = config.frame_length * 1000 / config.timescale
            first, last = (-(-at // frame) for at in (self.at_ms, until_ms))
            return [(round(count * frame), name, True) for count in range(int(first), int(last))]
        step, shift = self.frame_ms.get(name, 40), self.shift_ms.get(name, 0)
        keys = self.key_every_ms.get(name, 2000)
        times = range(-(-self.at_ms // step) * step, until_ms, step)
        return [(at + shift, name, at % keys == 0) for at in times]


def rendition_starts(broadcast: Broadcast, name: str) -> list[float]:
    return [entry.start / entry.timescale for entry in broadcast.packager.renditions[name].window.closed]


def gaps(broadcast: Broadcast, name: str) -> list[int]:
    return [entry.msn for entry in broadcast.packager.renditions[name].window.closed if entry.gap]


def ladder(first_ms: int, last_ms: int, *, step_ms: int = 40, keys_ms: Sequence[int] | None = None) -> list[Sample]:
    """What a transcoder makes of pictures of 25 a second with a key frame every two seconds."""
    return [
        Sample(at * 90, 0, at % 2000 == 0 if keys_ms is None else at in keys_ms, b"small")
        for at in range(first_ms, last_ms, step_ms)
    ]


def made(broadcast: Broadcast, name: str, samples: Sequence[Sample]) -> None:
    for sample in samples:
        broadcast.packager.write(name, sample)


# --- pictures of the publisher


def test_a_second_camera_has_the_segments_of_the_first(broadcast: Broadcast) -> None:
    Sender(broadcast, {"video": VIDEO, "video2": SECOND_VIDEO, "audio": AUDIO}).begin().send(9.9)
    broadcast.stream.end()
    check(broadcast)
    assert rendition_starts(broadcast, "video2") == rendition_starts(broadcast, "video") == [0, 2, 4, 6, 8]
    parts = {name: [p.duration for p in broadcast.packager.renditions[name].window.parts(3)] for name in
             ("video", "video2")}  # fmt: skip
    assert parts["video"] == parts["video2"]
    assert "INDEPENDENT-SEGMENTS" in broadcast.packager.renditions["video2"].playlist.text().decode()


def test_key_frames_of_its_own_begin_no_segments_and_independence_is_not_claimed(broadcast: Broadcast) -> None:
    sender = Sender(
        broadcast, {"video": VIDEO, "video2": SECOND_VIDEO}, key_every_ms={"video2": 3000}, shift_ms={"video2": 13}
    )
    sender.begin().send(12)
    broadcast.stream.end()
    check(broadcast)
    text = broadcast.packager.renditions["video2"].playlist.text().decode()
    assert "INDEPENDENT-SEGMENTS" not in text
    assert "INDEPENDENT-SEGMENTS" in broadcast.video.playlist.text().decode()
    assert "INDEPENDENT-SEGMENTS" not in (broadcast.packager.master() or "")
    for own, master in zip(rendition_starts(broadcast, "video2"), rendition_starts(broadcast, "video"), strict=True):
        assert 0 <= own - master <= 0.04


def test_a_camera_that_stops_has_gaps_and_stops_nobody(broadcast: Broadcast) -> None:
    sender = Sender(broadcast, {"video": VIDEO, "video2": SECOND_VIDEO, "audio": AUDIO}).begin().send(6)
    sender.send(24, "video", "audio")
    window = broadcast.packager.renditions["video2"].window
    assert broadcast.video.window.next_msn - window.next_msn <= 5
    assert gaps(broadcast, "video2")[0] == 3
    assert "640x360" not in (broadcast.packager.master() or "")
    sender.send(6)
    assert gaps(broadcast, "video2")[-1] < 16
    assert "640x360" in (broadcast.packager.master() or "")
    broadcast.stream.end()
    check(broadcast)


def test_a_camera_that_joins_begins_with_the_segment_of_its_first_key_frame(broadcast: Broadcast) -> None:
    sender = Sender(broadcast, {"video": VIDEO, "video2": SECOND_VIDEO}).begin("video").send(5, "video")
    sender.configure("video2")
    sender.send(6)
    broadcast.stream.end()
    check(broadcast)
    assert broadcast.packager.renditions["video2"].window.first_msn == 3
    assert {entry.generation for entry in broadcast.video.window.closed} == {0}


# --- sounds


def test_every_sound_is_a_rendition_with_language_and_name(broadcast: Broadcast) -> None:
    Sender(broadcast, {"video": VIDEO, "audio": ENGLISH, "audio2": FRENCH, "audio3": AUDIO}).begin().send(7)
    parsed = m3u8.loads(broadcast.packager.master() or "")
    assert [(each.group_id, each.name, each.language, each.default, each.autoselect) for each in parsed.media] == [
        ("audio", "English", "en", "YES", "YES"),
        ("audio", "Français", "fr", None, "YES"),
        ("audio", "Audio", None, None, None),
    ]
    (variant,) = parsed.playlists
    assert variant.stream_info.audio == "audio"
    broadcast.stream.end()
    check(broadcast)
    for name in ("audio", "audio2", "audio3"):
        assert rendition_starts(broadcast, name) == pytest.approx([0, 2, 4, 6], abs=0.012)


def test_sounds_of_other_codecs_are_groups_that_go_with_all_pictures(broadcast: Broadcast) -> None:
    tracks = {"video": VIDEO, "video2": SECOND_VIDEO, "audio": AUDIO, "audio2": AC3, "audio3": OPUS}
    Sender(broadcast, tracks).begin().send(7)
    parsed = m3u8.loads(broadcast.packager.master() or "")
    assert [each.group_id for each in parsed.media] == ["audio", "audio-opus", "audio-ac-3-surround"]
    assert [(each.stream_info.audio, each.stream_info.codecs) for each in parsed.playlists][::2] == [
        ("audio", "avc1.64001f,mp4a.40.2"),
        ("audio-opus", "avc1.64001f,Opus"),
        ("audio-ac-3-surround", "avc1.64001f,ac-3"),
    ]
    broadcast.stream.end()
    check(broadcast)


def test_a_second_sound_that_stops_is_silence_or_where_none_is_known_gaps(broadcast: Broadcast) -> None:
    tracks = {"video": VIDEO, "audio": AUDIO, "audio2": FRENCH, "audio3": AC3}
    sender = Sender(broadcast, tracks).begin().send(4).send(20, "video", "audio")
    assert not gaps(broadcast, "audio2")
    assert gaps(broadcast, "audio3")
    assert "ac-3" not in (broadcast.packager.master() or "")
    sender.send(6)
    broadcast.stream.end()
    check(broadcast)


def test_sounds_without_pictures(broadcast: Broadcast) -> None:
    Sender(broadcast, {"audio": AUDIO, "audio2": FRENCH, "audio3": OPUS}).begin().send(9)
    parsed = m3u8.loads(broadcast.packager.master() or "")
    assert [variant.uri for variant in parsed.playlists] == [
        "li1/br1/audio/media.m3u8", "li1/br1/audio3/media.m3u8",
    ]  # fmt: skip
    assert [each.group_id for each in parsed.media] == ["audio", "audio", "audio-opus"]
    broadcast.stream.end()
    check(broadcast)


# --- renditions made of the broadcast


def test_a_ladder_that_is_seconds_behind_has_the_same_segments(broadcast: Broadcast) -> None:
    broadcast.packager.expect(["360p"])
    sender = Sender(broadcast, {"video": VIDEO, "audio": AUDIO}).begin().send(2.5)
    assert broadcast.packager.master() is None  # players read the multivariant playlist once
    broadcast.packager.configure("360p", LADDER, 0)
    for second in range(20):
        made(broadcast, "360p", ladder(second * 1000, second * 1000 + 1000))
        sender.send(1)
    parsed = m3u8.loads(broadcast.packager.master() or "")
    assert [variant.stream_info.resolution for variant in parsed.playlists] == [(1280, 720), (640, 360)]
    assert rendition_starts(broadcast, "360p") == rendition_starts(broadcast, "video")[:9]
    text = broadcast.packager.renditions["360p"].playlist.text().decode()
    assert "INDEPENDENT-SEGMENTS" in text
    assert 'URI="../video/media.m3u8"' in text


def test_the_end_of_a_broadcast_ends_what_is_behind_at_the_same_number(broadcast: Broadcast) -> None:
    Sender(broadcast, {"video": VIDEO, "audio": AUDIO}).begin().send(7)
    broadcast.packager.configure("360p", LADDER, 0)
    made(broadcast, "360p", ladder(0, 5000))
    broadcast.stream.end()
    check(broadcast)
    assert gaps(broadcast, "360p") == [3]
    assert broadcast.packager.renditions["360p"].playlist.text().endswith(b"#EXT-X-ENDLIST\n")


@pytest.mark.parametrize("name", ["video2", "360p"])
def test_pictures_shown_after_the_masters_last_is_decoded_are_kept(broadcast: Broadcast, name: str) -> None:
    """The master's last picture in order of decoding is shown later than that: its B-frames did not come."""
    tracks = {"video": VIDEO, "video2": SECOND_VIDEO} if name == "video2" else {"video": VIDEO}
    Sender(broadcast, tracks).begin().send(3)
    last = [Sample(at * 90, 0, False, b"last") for at in (3040, 3080)]
    if name == "360p":
        broadcast.packager.configure(name, LADDER, 0)
        made(broadcast, name, ladder(0, 3000))
        broadcast.stream.interrupt()
        made(broadcast, name, last)
    else:
        made(broadcast, name, last)
    broadcast.stream.end()
    check(broadcast)
    assert samples_of(broadcast, name)[-2:] == [b"last", b"last"]


def test_the_rest_of_a_generation_comes_after_the_next_has_begun(broadcast: Broadcast) -> None:
    sender = Sender(broadcast, {"video": VIDEO, "audio": AUDIO}).begin().send(6)
    broadcast.packager.configure("360p", LADDER, 0)
    made(broadcast, "360p", ladder(0, 3000))
    broadcast.stream.interrupt()
    sender.at_ms += 2_000
    sender.begin().send(4)
    made(broadcast, "360p", ladder(3000, 6000))
    broadcast.packager.configure("360p", LADDER, 1)
    made(broadcast, "360p", ladder(8000, 12_000))
    sender.send(2)
    made(broadcast, "360p", ladder(12_000, 14_000))
    broadcast.stream.end()
    check(broadcast)
    assert not gaps(broadcast, "360p")
    assert [entry.generation for entry in broadcast.packager.renditions["360p"].window.closed] == [0, 0, 0, 1, 1, 1]
    assert broadcast.packager.renditions["360p"].playlist.text().count(b"#EXT-X-DISCONTINUITY\n") == 1


def test_a_rendition_that_is_dropped_leaves_the_choice_and_goes_on_with_gaps(broadcast: Broadcast) -> None:
    sender = Sender(broadcast, {"video": VIDEO, "audio": AUDIO}).begin()
    broadcast.packager.configure("360p", LADDER, 0)
    for second in range(5):
        sender.send(1)
        made(broadcast, "360p", ladder(second * 1000, second * 1000 + 1000))
    broadcast.packager.drop("360p")
    assert "640x360" not in (broadcast.packager.master() or "")
    sender.send(8)
    assert broadcast.packager.renditions["360p"].window.next_msn == broadcast.video.window.next_msn
    assert gaps(broadcast, "360p") == [3, 4, 5]
    broadcast.packager.drop("unheard of")
    made(broadcast, "360p", ladder(5000, 6000))
    broadcast.stream.end()
    check(broadcast)


def test_a_ladder_that_cannot_keep_up_has_gaps_where_it_was_too_late(broadcast: Broadcast) -> None:
    sender = Sender(broadcast, {"video": VIDEO, "audio": AUDIO}).begin()
    broadcast.packager.configure("360p", LADDER, 0)
    sender.send(2)
    made(broadcast, "360p", ladder(0, 1500))
    sender.send(18)
    window = broadcast.packager.renditions["360p"].window
    assert broadcast.video.window.next_msn - window.next_msn == 5
    made(broadcast, "360p", ladder(1500, 20_000))
    sender.send(2)
    made(broadcast, "360p", ladder(20_000, 22_000))
    broadcast.stream.end()
    check(broadcast)
    assert gaps(broadcast, "360p") == [1, 2, 3]
    assert len(window.closed) == 11


def test_a_rendition_that_starts_in_mid_broadcast_begins_where_it_is(broadcast: Broadcast) -> None:
    sender = Sender(broadcast, {"video": VIDEO, "audio": AUDIO}).begin().send(11)
    broadcast.packager.configure("360p", LADDER, 0)
    made(broadcast, "360p", ladder(7000, 11_000))  # its pictures begin with the key frame of 8 s
    sender.send(3)
    assert broadcast.packager.renditions["360p"].window.first_msn == 4
    broadcast.stream.end()
    check(broadcast)


def test_a_child_that_starts_again_goes_on_in_the_same_playlist(broadcast: Broadcast) -> None:
    sender = Sender(broadcast, {"video": VIDEO, "audio": AUDIO}).begin()
    broadcast.packager.configure("360p", LADDER, 0)
    sender.send(6)
    made(broadcast, "360p", ladder(0, 3000))
    broadcast.packager.configure("360p", LADDER, 0)
    sender.send(4)
    made(broadcast, "360p", ladder(6000, 10_000))
    sender.send(2)
    made(broadcast, "360p", ladder(10_000, 12_000))
    broadcast.stream.end()
    check(broadcast)
    assert gaps(broadcast, "360p") == [2]


def test_samples_of_unknown_renditions_and_generations_are_left_out(broadcast: Broadcast) -> None:
    Sender(broadcast, {"video": VIDEO}).begin().send(3)
    made(broadcast, "1080p", ladder(0, 1000))
    broadcast.packager.configure("360p", LADDER, 7)
    made(broadcast, "360p", ladder(0, 1000))
    assert list(broadcast.packager.renditions) == ["video"]


def test_lateness_is_that_of_the_publishers_parts(store: SegmentStore) -> None:
    late_ms: list[int] = []
    broadcast = Broadcast.on(store)
    sender = Sender(broadcast, {"video": VIDEO, "audio3": AC3})
    packager = LivePackager(
        "li1", "br1", LiveSettings.of("low"), store, lambda end_ms: late_ms.append(START_MS + sender.at_ms - end_ms)
    )
    broadcast.stream.detach(broadcast.packager)
    broadcast.stream.attach(packager)
    packager.configure("360p", LADDER, 0)
    sender.begin()
    for second in range(10):
        sender.send(1, "video", *(["audio3"] if second < 2 else []))
    made(replace(broadcast, packager=packager), "360p", ladder(0, 2000))
    broadcast.stream.end()
    assert len(late_ms) > 30
    assert all(-1100 <= ms <= 1100 for ms in late_ms)


# --- a restart, and the recording


TRACKS = {"video": VIDEO, "video2": SECOND_VIDEO, "audio": ENGLISH, "audio2": FRENCH}


def test_all_renditions_go_on_after_a_restart(broadcast: Broadcast, store: SegmentStore) -> None:
    Sender(broadcast, TRACKS).begin().send(7)
    broadcast.packager.configure("360p", LADDER, 0)
    made(broadcast, "360p", ladder(0, 5000))
    broadcast.written()
    after = Broadcast.on(store)
    after.packager.restore(store.recover("br1"))
    after.stream.restore(after.packager.position)
    sender = Sender(after, TRACKS, at_ms=20_000).begin().send(4)
    after.packager.configure("360p", LADDER, 1)
    made(after, "360p", ladder(20_000, 24_000))
    sender.send(2)
    after.stream.end()
    check(after)
    assert list(after.packager.renditions.keys()) >= ["360p", "audio", "audio2", "video", "video2"]
    for name in after.packager.renditions:
        assert [entry.generation for entry in after.packager.renditions[name].window.closed][-3:] == [1, 1, 1], name


def test_a_recording_plays_with_all_renditions(broadcast: Broadcast, store: SegmentStore) -> None:
    Sender(broadcast, TRACKS).begin().send(7)
    broadcast.packager.configure("360p", LADDER, 0)
    made(broadcast, "360p", ladder(0, 7000))
    broadcast.stream.end()
    broadcast.written()
    found = store.recover("br1").renditions
    recording = RecordedVideo(
        {name: RecordedRendition(each.tracks, each.segments, each.inits) for name, each in found.items()}
    )
    assert recording.renditions == ("video", "360p", "video2", "audio", "audio2")
    parsed = m3u8.loads(recording.master("r1/"))
    uris = [f"r1/{name}/media.m3u8" for name in recording.renditions[:3]]
    assert [variant.uri for variant in parsed.playlists] == uris
    assert [(each.name, each.language) for each in parsed.media] == [("English", "en"), ("Français", "fr")]
    for name in recording.renditions:
        assert len(m3u8.loads(recording.media(name)).segments) == 4
        assert recording.segment(name, 2).size
