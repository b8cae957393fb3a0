"""A real FLV file through stream, packager and disk: every picture and every sound frame comes out as it went in."""

import hashlib
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import m3u8
import pytest

from server.formats import flv
from server.formats.aac import audio_config
from server.formats.avc import video_config
from server.storage.journal import read_journal
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from server.stream.stream import Stream
from tests.harness.media import clip
from tests.unit.packager.publishing import START_MS, Broadcast, check

VIDEO_TAG, AUDIO_TAG = 9, 8


def flv_tags(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, timestamp in milliseconds and body of each tag (Adobe FLV 10.1, E.4.1)."""
    position = 13
    while position + 11 <= len(data):
        size = int.from_bytes(data[position + 1 : position + 4], "big")
        timestamp = int.from_bytes(data[position + 4 : position + 7], "big") | data[position + 7] << 24
        yield data[position], timestamp, data[position + 11 : position + 11 + size]
        position += 11 + size + 4


def publish(
    stream: Stream, data: bytes, *, now_ms: int = START_MS, until_ms: int = 1 << 40, blind: range = range(0)
) -> None:
    """All of a file; without the pictures at the milliseconds of `blind`."""
    stream.begin(now_ms)
    for kind, timestamp, body in flv_tags(data):
        if timestamp > until_ms:
            return
        if kind == VIDEO_TAG and timestamp in blind:
            continue
        if kind in (VIDEO_TAG, AUDIO_TAG):
            tags = flv.parse_video(body) if kind == VIDEO_TAG else flv.parse_audio(body)
            for tag in tags if isinstance(tags, list) else [tags]:
                write(stream, tag, timestamp, now_ms)


def write(stream: Stream, tag: flv.VideoTag | flv.AudioTag, timestamp: int, now_ms: int) -> None:
    match tag:
        case flv.VideoConfigRecord(record=avcc):
            stream.configure(video_config(avcc), now_ms)
        case flv.AudioConfigRecord(record=asc):
            stream.configure(audio_config(asc), now_ms)
        case flv.VideoFrame(key, cts, payload):
            stream.write_video(timestamp, cts, key, payload, now_ms + timestamp)
        case flv.AudioFrame(payload):
            stream.write_audio(timestamp, payload, now_ms + timestamp)


def pictures(file: io.BytesIO | Path) -> list[str]:
    """A hash of each decoded picture."""
    with av.open(file) as container:
        return [digest(frame) for frame in container.decode(video=0)]


def digest(frame: av.VideoFrame) -> str:
    """Of the picture without the padding of its lines."""
    hashed = hashlib.md5()
    for plane in frame.planes:
        data = bytes(plane)
        for row in range(plane.height):
            hashed.update(data[row * plane.line_size : row * plane.line_size + plane.width])
    return hashed.hexdigest()


def sound(file: io.BytesIO | Path) -> list[bytes]:
    with av.open(file) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def track(broadcast: Broadcast, rendition: str, generation: int = 0) -> io.BytesIO:
    """Init segment and segments of a generation, as a player appends them."""
    folder = broadcast.layout.rendition("br1", rendition)
    names = [entry.msn for entry in read_journal(folder.journal) if entry.generation == generation]
    data = [folder.init(generation).read_bytes(), *(folder.segment(msn).read_bytes() for msn in names)]
    return io.BytesIO(b"".join(data))


@pytest.fixture
def broadcast(tmp_path: Path) -> Iterator[Broadcast]:
    with SegmentStore(Layout(tmp_path)) as store:
        yield Broadcast.on(store)


@pytest.mark.parametrize(("fps", "b_frames"), [(30, 0), (25, 2)])
def test_pictures_and_sound_are_those_of_the_file(broadcast: Broadcast, fps: int, b_frames: int) -> None:
    source = clip(7, fps=fps, b_frames=b_frames, extension="flv")
    publish(broadcast.stream, source.read_bytes())
    broadcast.stream.end()
    check(broadcast)

    expected = pictures(source)
    assert len(expected) == 7 * fps
    assert pictures(track(broadcast, "video")) == expected
    came, sent = sound(track(broadcast, "audio")), sound(source)
    assert sent[-len(came) :] == came
    assert len(sent) - len(came) <= 4 * (b_frames > 0) + 1  # what was heard before the first picture was seen
    assert broadcast.packager.irregular_parts == 0


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_key_frame_that_stands_in_is_decoded_again_and_again(broadcast: Broadcast, b_frames: int) -> None:
    source = clip(14, fps=25, b_frames=b_frames, extension="flv")
    publish(broadcast.stream, source.read_bytes(), blind=range(4000, 9000))
    broadcast.stream.end()
    check(broadcast)

    sent, came = pictures(source), pictures(track(broadcast, "video"))
    before = next(index for index, (old, new) in enumerate(zip(sent, came, strict=False)) if old != new)
    assert before >= 4000 // 40 - 3
    stood_in = broadcast.stream.statistics.stand_ins
    assert 20 <= stood_in <= 32
    key_frame = came[before + 3]
    assert came[before : before + stood_in].count(key_frame) >= stood_in - 3
    after = len(came) - before - stood_in
    assert came[-after + 3 :] == sent[-after + 3 :]
    assert after >= 3 * 25


def test_times_are_those_of_the_file(broadcast: Broadcast) -> None:
    source = clip(7, fps=25, b_frames=2, extension="flv")
    publish(broadcast.stream, source.read_bytes())
    broadcast.stream.end()
    broadcast.written()
    with av.open(track(broadcast, "video")) as container:
        shown = sorted(packet.pts for packet in container.demux(video=0) if packet.pts is not None)
    steps = {after - before for before, after in pairwise(shown)}
    assert steps == {3600}
    with av.open(track(broadcast, "audio")) as container:
        heard = [packet.pts for packet in container.demux(audio=0) if packet.pts is not None]
    assert {after - before for before, after in pairwise(heard)} == {1024}


def test_a_file_of_sound_only(broadcast: Broadcast) -> None:
    source = clip(7, video=False, extension="flv")
    publish(broadcast.stream, source.read_bytes())
    broadcast.stream.end()
    check(broadcast)
    assert sound(track(broadcast, "audio")) == sound(source)


def test_a_publisher_that_comes_back_with_another_picture(broadcast: Broadcast) -> None:
    first, second = clip(3, extension="flv"), clip(3, size="160x120", fps=25, extension="flv")
    publish(broadcast.stream, first.read_bytes())
    broadcast.stream.interrupt()
    publish(broadcast.stream, second.read_bytes(), now_ms=START_MS + 10_000)
    broadcast.stream.end()
    check(broadcast)

    assert pictures(track(broadcast, "video", 0)) == pictures(first)
    assert pictures(track(broadcast, "video", 1)) == pictures(second)
    playlist = m3u8.loads(broadcast.video.playlist.text().decode())
    assert [segment.uri for segment in playlist.segments if segment.discontinuity] == ["2.m4s"]
    assert [segment.init_section.uri for segment in playlist.segments] == ["init-0.mp4"] * 2 + ["init-1.mp4"] * 2


def test_a_killed_server_keeps_all_complete_parts(broadcast: Broadcast) -> None:
    source = clip(7, extension="flv")
    publish(broadcast.stream, source.read_bytes(), until_ms=5_900)
    broadcast.written()  # and then the process is gone
    assert broadcast.layout.rendition("br1", "video").open_segment(2).exists()
    broadcast.store.recover("br1")

    kept = pictures(track(broadcast, "video"))
    assert kept == pictures(source)[: len(kept)]
    assert len(kept) == 170  # 17 parts of ten
    came, sent = sound(track(broadcast, "audio")), sound(source)
    first = sent.index(came[0])
    assert first <= 1
    assert came == sent[first : first + len(came)]


def test_every_low_latency_playlist_on_the_way_is_one_that_a_parser_takes(broadcast: Broadcast) -> None:
    data = clip(7, extension="flv").read_bytes()
    seen: list[str] = []

    def look() -> None:
        seen.append(broadcast.video.playlist.text().decode())
        broadcast.video.window.subscribe(look)

    publish(broadcast.stream, data, until_ms=500)
    broadcast.video.window.subscribe(look)
    broadcast.stream.interrupt()
    publish(broadcast.stream, data, now_ms=START_MS + 2000)
    broadcast.stream.end()

    assert len(seen) == len(set(seen)) > 20
    for before, after in pairwise(map(m3u8.loads, seen)):
        assert after.part_inf.part_target == before.part_inf.part_target
        assert after.target_duration == before.target_duration
        uris = [[segment.uri for segment in playlist.segments if segment.uri] for playlist in (before, after)]
        assert uris[1][: len(uris[0])] == uris[0]
        if hint := before.preload_hint:
            parts = [part.uri for segment in after.segments for part in segment.parts]
            assert hint.uri in parts or after.is_endlist
