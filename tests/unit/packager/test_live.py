"""Whole broadcasts of made-up publishers: what viewers are told and what is on disk, whatever happens on the way."""

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import m3u8
import pytest

from server.packager.live import LivePackager
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from server.stream.stream import Stream
from tests.unit.packager.publishing import (
    AUDIO,
    AUDIO_44,
    OTHER_VIDEO,
    START_MS,
    VIDEO,
    Broadcast,
    Publisher,
    check,
    samples_of,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SegmentStore]:
    with SegmentStore(Layout(tmp_path)) as running:
        yield running


@pytest.fixture
def broadcast(store: SegmentStore) -> Broadcast:
    return Broadcast.on(store)


def generations(broadcast: Broadcast, rendition: str = "video") -> list[int]:
    return [entry.generation for entry in broadcast.packager.renditions[rendition].window.closed]


def longest_part_s(playlist: m3u8.M3U8) -> float:
    return max(part.duration for segment in playlist.segments for part in segment.parts)


def gaps(broadcast: Broadcast, rendition: str) -> list[int]:
    return [entry.msn for entry in broadcast.packager.renditions[rendition].window.closed if entry.gap]


# --- one publisher


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("fps", [30, 25, 60, 23.976])
def test_every_sample_is_on_disk_once(broadcast: Broadcast, fps: float, b_frames: int) -> None:
    broadcast.publisher(fps=fps, b_frames=b_frames).connect().send(9.7)
    broadcast.stream.end()
    check(broadcast)

    numbers = [int.from_bytes(data[:4], "big") for data in samples_of(broadcast, "video")]
    assert numbers == list(range(math.ceil(9.7 * fps)))
    frames = [int.from_bytes(data[1:5], "big") for data in samples_of(broadcast, "audio")]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    assert len(frames) >= 9.5 * 48_000 / 1024
    assert broadcast.packager.irregular_parts == 0


def test_sound_begins_with_the_picture_not_before(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher(b_frames=2).connect()  # the first picture is shown 33 ms after the first sound
    publisher.send(4)
    broadcast.stream.end()
    video, audio = (broadcast.packager.renditions[name].window.closed[0] for name in ("video", "audio"))
    assert abs(audio.start / 48_000 - video.start / 90_000) < 0.011


def test_pictures_and_sound_are_cut_together(broadcast: Broadcast) -> None:
    broadcast.publisher().connect().send(20)
    broadcast.stream.end()
    for video, audio in zip(broadcast.video.window.closed, broadcast.audio.window.closed, strict=True):
        assert abs(audio.start / 48_000 - video.start / 90_000) < 0.012


def test_the_date_of_a_segment_is_the_wall_clock_of_its_first_picture(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher(timestamp_ms=987_654).connect().send(6)
    broadcast.stream.interrupt()
    returned = broadcast.publisher(now_ms=publisher.end_ms + 30_000).connect().send(2)
    broadcast.stream.end()

    dates = [entry.wall_ms - START_MS for entry in broadcast.video.window.closed]
    assert dates == [0, 2000, 4000, 36_000]
    assert returned.end_ms - START_MS == 38_000


@pytest.mark.parametrize(("mode", "hold_back"), [("ultra-low", 0.6), ("low", 1.0), ("reduced", 3.0)])
def test_modes(store: SegmentStore, mode: str, hold_back: float) -> None:
    broadcast = Broadcast.on(store, mode)
    broadcast.publisher().connect().send(7)
    for rendition in broadcast.packager.renditions.values():
        playlist = m3u8.loads(rendition.playlist.text().decode())
        assert playlist.server_control.part_hold_back == hold_back
        assert playlist.part_inf.part_target <= hold_back / 2
        assert longest_part_s(playlist) <= playlist.part_inf.part_target


def test_standard_mode_publishes_whole_segments(store: SegmentStore) -> None:
    broadcast = Broadcast.on(store, "standard")
    publisher = broadcast.publisher().connect().send(1.9)
    assert broadcast.video.window.version == 0
    assert broadcast.packager.master() is None
    broadcast.written()
    assert broadcast.layout.rendition("br1", "video").open_segment(0).stat().st_size > 0

    publisher.send(2)
    assert broadcast.video.window.version == 1
    text = broadcast.video.playlist.text().decode()
    assert "PART" not in text
    assert "0.m4s" in text
    assert "LAST-MSN=0\n" in text


def test_a_player_can_start_at_three_parts(broadcast: Broadcast) -> None:
    publisher, ready_ms = broadcast.publisher().connect(), 0
    while broadcast.packager.master() is None:
        publisher.send(0.05)
        ready_ms += 50
    assert ready_ms == pytest.approx(1050, abs=50)
    assert broadcast.packager.master(low_latency=False) is None
    publisher.send(1.1)
    assert broadcast.packager.master(low_latency=False)


def test_the_master(broadcast: Broadcast) -> None:
    broadcast.publisher(size=20_000).connect().send(5)
    parsed = m3u8.loads(broadcast.packager.master() or "")
    (variant,) = parsed.playlists
    assert variant.uri == "li1/br1/video/media.m3u8"
    assert variant.stream_info.codecs == "avc1.64001f,mp4a.40.2"
    assert variant.stream_info.resolution == (1280, 720)
    assert variant.stream_info.frame_rate == pytest.approx(30, abs=0.1)
    assert variant.stream_info.bandwidth == pytest.approx(20_000 * 8 * 30, rel=0.02)
    (media,) = parsed.media
    assert (media.type, media.uri, media.default) == ("AUDIO", "li1/br1/audio/media.m3u8", "YES")
    assert parsed.is_independent_segments


def test_gops_too_long_are_divided_and_independence_is_not_claimed(broadcast: Broadcast) -> None:
    broadcast.publisher(gop_s=8).connect().send(30)
    assert "INDEPENDENT-SEGMENTS" not in broadcast.video.playlist.text().decode()
    assert "INDEPENDENT-SEGMENTS" in broadcast.audio.playlist.text().decode()
    assert "INDEPENDENT-SEGMENTS" not in (broadcast.packager.master() or "")
    assert broadcast.packager.longest_gop_s == 8.0
    broadcast.stream.end()
    check(broadcast)


def test_the_target_duration_of_a_known_gop_keeps_it_whole(store: SegmentStore) -> None:
    broadcast = Broadcast.on(store, target_duration_s=9)
    broadcast.publisher(gop_s=8.5).connect().send(30)
    assert "TARGETDURATION:9\n#EXT-X-INDEPENDENT-SEGMENTS" in broadcast.video.playlist.text().decode()
    assert "TARGETDURATION:9\n" in broadcast.audio.playlist.text().decode()


def test_a_gop_beyond_reason_is_not_followed(broadcast: Broadcast) -> None:
    broadcast.publisher(gop_s=30).connect().send(65)
    assert broadcast.packager.longest_gop_s == 10.0


def test_the_end(broadcast: Broadcast) -> None:
    broadcast.publisher().connect().send(3)
    broadcast.stream.end()
    for rendition in broadcast.packager.renditions.values():
        assert rendition.playlist.text().decode().endswith("1.m4s\n#EXT-X-ENDLIST\n")
    assert broadcast.packager.ended


def test_waiters_are_called_by_each_part(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher().connect().send(0.5)
    called: list[str] = []
    broadcast.video.window.subscribe(lambda: called.append("video"))
    broadcast.audio.window.subscribe(lambda: called.append("audio"))
    publisher.send(0.1)
    assert called == []
    publisher.send(0.15)
    assert sorted(called) == ["audio", "video"]


# --- one track, or one later


def test_video_only(broadcast: Broadcast) -> None:
    broadcast.publisher(audio=False).connect().send(5)
    assert list(broadcast.packager.renditions) == ["video"]
    master = broadcast.packager.master() or ""
    assert 'CODECS="avc1.64001f"' in master
    assert "TYPE=AUDIO" not in master
    broadcast.stream.end()
    check(broadcast)


def test_sound_only(broadcast: Broadcast) -> None:
    broadcast.publisher(video=False).connect().send(10)
    assert list(broadcast.packager.renditions) == ["audio"]
    master = broadcast.packager.master() or ""
    assert 'CODECS="mp4a.40.2"\nli1/br1/audio/media.m3u8' in master
    broadcast.stream.end()
    check(broadcast)
    assert [entry.duration for entry in broadcast.audio.window.closed][:4] == [6 * 16 * 1024] * 4
    assert len(samples_of(broadcast, "audio")) == math.ceil(10 * 48_000 / 1024)


def test_sound_that_joins_begins_with_the_next_segment(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher(audio=False).connect().send(3)
    publisher.audio = True
    broadcast.stream.configure(AUDIO, START_MS + 3000)
    publisher.send(5)
    broadcast.stream.end()
    check(broadcast)

    assert broadcast.audio.window.first_msn == 2
    assert generations(broadcast) == [0] * 4
    assert broadcast.audio.window.closed[0].start / 48_000 == pytest.approx(4, abs=0.011)


def test_sound_that_joins_may_come_later_than_its_pictures(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher(audio=False).connect().send(3)
    publisher.audio = True
    broadcast.stream.configure(AUDIO, START_MS + 3000)
    for at_ms in range(3000, 8000, 100):
        publisher.sent_ms = at_ms
        publisher.send(0.1, mute=True)
        publisher.sent_ms = at_ms - 100
        publisher.send(0.1, blind=True)
    broadcast.stream.end()
    check(broadcast)

    assert broadcast.audio.window.first_msn == 2
    assert broadcast.audio.window.closed[0].start / 48_000 == pytest.approx(4, abs=0.011)


def test_video_that_joins_sound_begins_a_generation(broadcast: Broadcast) -> None:
    publisher = broadcast.publisher(video=False).connect().send(5)
    broadcast.stream.configure(OTHER_VIDEO, START_MS + 5000)
    publisher.video = True
    publisher.send(5)
    broadcast.stream.end()
    check(broadcast)

    assert broadcast.video.window.first_msn == 3
    assert broadcast.video.window.discontinuity_sequence == 1
    assert not broadcast.video.window.closed[0].discontinuity
    assert generations(broadcast, "audio") == [0, 0, 0, 1, 1, 1][: len(generations(broadcast, "audio"))]


def test_a_return_without_video_leaves_gaps_in_it(broadcast: Broadcast) -> None:
    first = broadcast.publisher().connect().send(4)
    broadcast.stream.interrupt()
    second = broadcast.publisher(video=False, now_ms=first.end_ms + 2000).connect().send(6)
    broadcast.stream.interrupt()
    broadcast.publisher(now_ms=second.end_ms + 2000).connect().send(4)
    broadcast.stream.end()
    check(broadcast)

    assert gaps(broadcast, "video") == [2, 3, 4]
    assert gaps(broadcast, "audio") == []
    text = broadcast.video.playlist.text().decode()
    assert "init-1.mp4" not in text
    assert text.count("#EXT-X-GAP") == 3
    assert text.count("#EXT-X-DISCONTINUITY\n") == 2


def test_a_return_without_sound_leaves_gaps_in_it(broadcast: Broadcast) -> None:
    first = broadcast.publisher().connect().send(4)
    broadcast.stream.interrupt()
    broadcast.publisher(audio=False, now_ms=first.end_ms).connect().send(4)
    broadcast.stream.end()
    check(broadcast)
    assert gaps(broadcast, "audio") == [2, 3]


def test_silence_stands_in_for_sound_that_stops(broadcast: Broadcast) -> None:
    broadcast.publisher().connect().send(4).send(6, mute=True).send(4)
    broadcast.stream.end()
    check(broadcast)
    assert gaps(broadcast, "audio") == []
    assert generations(broadcast) == [0] * 7


# --- interruptions


def test_an_interruption_loses_nothing_and_the_return_is_a_discontinuity(broadcast: Broadcast) -> None:
    first = broadcast.publisher().connect().send(3.1)
    broadcast.stream.interrupt()
    assert broadcast.video.window.open is None
    assert broadcast.video.window.has(1, None)
    broadcast.publisher(now_ms=first.end_ms + 5000).connect().send(3.1)
    broadcast.stream.end()
    check(broadcast)

    assert generations(broadcast) == [0, 0, 1, 1]
    assert generations(broadcast, "audio") == [0, 0, 1, 1]
    assert len(samples_of(broadcast, "video")) == 2 * 93
    for name in ("video", "audio"):
        text = broadcast.packager.renditions[name].playlist.text().decode()
        assert text.count('#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="init-1.mp4"\n') == 1


def test_an_interruption_right_after_a_cut_leaves_no_rendition_behind(broadcast: Broadcast) -> None:
    """The picture that begins a segment has come, its sound has not."""
    publisher = broadcast.publisher().connect().send(2.0)
    publisher.send(0.02, mute=True)
    broadcast.stream.interrupt()
    check(broadcast)
    assert broadcast.video.window.next_msn == broadcast.audio.window.next_msn == 2


def test_an_interruption_before_the_first_part(broadcast: Broadcast) -> None:
    broadcast.publisher().connect().send(0.1)
    broadcast.stream.end()
    check(broadcast)
    assert len(samples_of(broadcast, "video")) == 3


def test_a_publisher_that_sent_nothing_leaves_no_trace(broadcast: Broadcast) -> None:
    broadcast.publisher().connect()
    broadcast.stream.interrupt()
    broadcast.publisher().connect().send(3)
    broadcast.stream.end()
    check(broadcast)
    assert generations(broadcast) == [1, 1]
    assert not broadcast.video.window.closed[0].discontinuity


def test_a_changed_rate_of_sound_keeps_its_part_target(broadcast: Broadcast) -> None:
    first = broadcast.publisher().connect().send(4)
    broadcast.stream.interrupt()
    before = broadcast.audio.window.part_target_s
    broadcast.publisher(audio_config=AUDIO_44, now_ms=first.end_ms + 1000).connect().send(4)
    assert broadcast.audio.window.part_target_s == before
    parsed = m3u8.loads(broadcast.audio.playlist.text().decode())
    assert longest_part_s(parsed) <= (before or 0)
    broadcast.stream.end()
    check(broadcast)


def test_the_part_target_stays_through_a_changed_frame_rate(broadcast: Broadcast) -> None:
    first = broadcast.publisher(fps=30).connect().send(4)
    broadcast.stream.interrupt()
    broadcast.publisher(fps=25, now_ms=first.end_ms + 1000).connect().send(6)
    broadcast.stream.end()
    assert broadcast.packager.irregular_parts == 0


@pytest.mark.parametrize("timescale", [15_360, 1_000, 360_000])
def test_the_part_target_stays_through_a_changed_timescale(broadcast: Broadcast, timescale: int) -> None:
    first = broadcast.publisher().connect().send(4)
    broadcast.stream.interrupt()
    other = broadcast.publisher(video_config=replace(VIDEO, timescale=timescale), now_ms=first.end_ms + 1000)
    other.connect().send(5)  # as a slate, whose pictures have a clock of their own
    part_s = broadcast.video.window.part_target_s
    assert part_s
    parsed = m3u8.loads(broadcast.video.playlist.text().decode())
    assert 0.8 * part_s <= longest_part_s(parsed) <= part_s
    broadcast.stream.end()
    assert broadcast.packager.irregular_parts == 0
    check(broadcast)


# --- the disk


def test_live_goes_on_without_the_disk_and_says_so(tmp_path: Path) -> None:
    faults: list[object] = []
    with SegmentStore(Layout(tmp_path), faults.append, max_queued_bytes=1) as store:
        broadcast = Broadcast.on(store)
        publisher = broadcast.publisher().connect().send(5)
        assert broadcast.packager.master()
        assert broadcast.video.segment(0) is not None
        assert broadcast.video.part(2, 1) is not None
        assert broadcast.packager.incomplete
        assert len(faults) >= 4

        publisher.send(20)
        broadcast.written()
        assert broadcast.video.segment(0) is None
        assert broadcast.video.window.closed[0].gap


def test_a_disk_that_works_is_complete(broadcast: Broadcast) -> None:
    broadcast.publisher().connect().send(5)
    broadcast.stream.end()
    assert not broadcast.packager.incomplete


# --- a restart


def restart(broadcast: Broadcast, store: SegmentStore, **settings: object) -> Broadcast:
    """The process is killed: nothing is flushed, what was queued reached the disk."""
    broadcast.written()
    after = Broadcast.on(store, **settings)  # type: ignore[arg-type]
    after.packager.restore(store.recover("br1"))
    after.stream.restore(after.packager.position)
    return after


def test_a_broadcast_goes_on_after_a_restart(broadcast: Broadcast, store: SegmentStore) -> None:
    first = broadcast.publisher().connect().send(7.1)
    lists = {name: rendition.playlist.text() for name, rendition in broadcast.packager.renditions.items()}
    after = restart(broadcast, store)
    assert after.packager.master()
    assert after.video.window.next_msn == after.audio.window.next_msn == 4

    after.publisher(now_ms=first.end_ms + 8000, timestamp_ms=55).connect().send(5)
    after.stream.end()
    check(after)
    assert generations(after) == generations(after, "audio") == [0, 0, 0, 0, 1, 1, 1]
    assert after.video.window.closed[4].wall_ms == START_MS + 15_100
    assert after.video.window.closed[4].start == 15_100 * 90
    for name, before in lists.items():
        text = after.packager.renditions[name].playlist.text().decode()
        assert f"PART-TARGET={m3u8.loads(before.decode()).part_inf.part_target}" in text
        assert 'URI="init-0.mp4"' in text
        assert after.packager.renditions[name].init(0)
    assert len(samples_of(after, "video")) >= 7 * 30 + 5 * 30


def test_the_journal_of_both_lives_is_one(broadcast: Broadcast, store: SegmentStore) -> None:
    first = broadcast.publisher().connect().send(5)
    after = restart(broadcast, store)
    after.publisher(now_ms=first.end_ms + 1000).connect().send(5)
    after.stream.end()
    after.written()
    for name in ("video", "audio"):
        recovered = store.recover("br1").renditions[name]
        assert recovered.segments == list(after.packager.renditions[name].window.closed)
        assert list(recovered.tracks) == [0, 1]


def test_a_rendition_that_is_behind_after_a_restart_has_a_gap(broadcast: Broadcast, store: SegmentStore) -> None:
    broadcast.publisher().connect().send(6.5)
    broadcast.written()
    folder = broadcast.layout.rendition("br1", "audio")
    folder.open_segment(3).unlink()
    after = restart(broadcast, store)
    assert gaps(after, "audio") == [3]
    after.stream.end()
    check(after)


def test_a_restart_shows_the_window_and_counts_what_left_it(broadcast: Broadcast, store: SegmentStore) -> None:
    now = START_MS
    for _ in range(6):
        now = broadcast.publisher(now_ms=now).connect().send(6).end_ms + 1000
        broadcast.stream.interrupt()
    after = restart(broadcast, store, dvr_window_s=12)
    assert after.video.window.first_msn == 11
    assert after.video.window.discontinuity_sequence == 3
    assert [entry.discontinuity for entry in after.video.window.closed][:3] == [False, True, False]
    after.publisher(now_ms=now + 1000).connect().send(4)
    after.stream.end()
    check(after)


def test_a_restart_before_anything_was_written(store: SegmentStore) -> None:
    after = Broadcast.on(store)
    after.packager.restore(store.recover("br1"))
    after.stream.restore(after.packager.position)
    after.publisher().connect().send(3)
    after.stream.end()
    check(after)
    assert after.video.window.closed[0].wall_ms == START_MS


# --- anything


MISHAPS_MS = [50, 150, 700, 2500, 5000, 20_000, -5000, -100]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_publishers_do(tmp_path: Path, seed: int) -> None:
    choice = random.Random(seed)
    with SegmentStore(Layout(tmp_path)) as store:
        broadcast = Broadcast.on(store, choice.choice(["low", "ultra-low", "reduced", "standard"]))
        now = START_MS
        for _ in range(choice.randint(1, 3)):
            publisher = any_publisher(choice, broadcast, now)
            for _ in range(choice.randint(1, 3)):
                publisher.send(choice.choice([0.2, 1, 3, 7.7]), mute=choice.random() < 0.2, blind=choice.random() < 0.1)
                if choice.random() < 0.3:
                    publisher.timestamp_ms += choice.choice(MISHAPS_MS)
                read_all(broadcast.packager)
            broadcast.stream.interrupt()
            check(broadcast)
            now = publisher.end_ms + choice.choice([0, 500, 3000, 30_000])
        broadcast.stream.end()
        check(broadcast)


def any_publisher(choice: random.Random, broadcast: Broadcast, now_ms: int) -> Publisher:
    video = choice.random() < 0.85
    return broadcast.publisher(
        fps=choice.choice([30, 25, 60, 15, 29.97, 10]),
        gop_s=choice.choice([0.5, 1, 2, 3, 4, 8.33]),
        b_frames=choice.choice([0, 2]),
        video=video,
        audio=not video or choice.random() < 0.8,
        timestamp_ms=choice.choice([0, 123_456, (1 << 32) - 3000]),
        audio_delay_ms=choice.choice([0, 0, 300, 2000, -200]),
        audio_config=choice.choice([AUDIO, AUDIO, AUDIO_44]),
        now_ms=now_ms,
    ).connect()


def read_all(packager: LivePackager) -> None:
    packager.master()
    for rendition in packager.renditions.values():
        if rendition.window.started:
            m3u8.loads(rendition.playlist.text().decode())
            rendition.playlist.text(delta=True)


def test_a_reader_of_a_stream_is_what_it_is(store: SegmentStore) -> None:
    """The packager needs nothing of a stream but its calls."""
    stream = Stream("br1")
    broadcast = Broadcast.on(store)
    stream.attach(broadcast.packager)
    stream.detach(broadcast.packager)
    stream.end()
    assert not broadcast.packager.ended
