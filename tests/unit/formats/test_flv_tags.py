from io import BytesIO

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats import av1
from server.formats.flv import AudioConfigRecord, AudioFrame, VideoConfigRecord, VideoFrame, parse_audio, parse_video
from server.formats.flv_tags import FlvTagError, audio_tag, fourcc, metadata, sequence_header, video_tag
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig
from server.ingest.rtmp_tracks import AudioTrack, VideoTrack
from tests.unit.formats.encoded import Coded, file, flv_tags, packets

VIDEO = {
    "avc1": Coded("libx264", (("preset", "ultrafast"), ("bf", "2"))),
    "hvc1": Coded("libx265", (("preset", "ultrafast"), ("x265-params", "log-level=none:bframes=2"))),
    "av01": Coded("libsvtav1", (("preset", "12"),)),
    "vp09": Coded("libvpx-vp9", (("cpu-used", "8"), ("deadline", "realtime"))),
}
AUDIO = {
    "mp4a": Coded("aac", format="fltp", rate=48_000),
    "Opus": Coded("libopus", format="flt", rate=48_000, layout="5.1"),
    "fLaC": Coded("flac", format="s16", rate=48_000),
    "ac-3": Coded("ac3", format="fltp", rate=48_000),
    "ec-3": Coded("eac3", format="fltp", rate=48_000),
}


def flat(tags: object) -> list[object]:
    return tags if isinstance(tags, list) else [tags]


def pictures(codec: str) -> tuple[VideoConfig, list[tuple[int, VideoFrame]]]:
    """The track of a file by libav, and its frames as samples with their timestamps."""
    track, frames = VideoTrack(), []
    for kind, timestamp, body in flv_tags(file("flv", VIDEO[codec])):
        for tag in flat(parse_video(body)) if kind == 9 else []:
            if isinstance(tag, VideoConfigRecord):
                track.configure(tag)
            elif isinstance(tag, VideoFrame):
                track.changed_by(tag)
                frames.append((timestamp, tag._replace(data=memoryview(bytes(track.data(tag))))))
    assert track.config
    return track.config, frames


def sound(codec: str) -> tuple[AudioConfig, list[tuple[int, AudioFrame]]]:
    track, frames = AudioTrack(), []
    for kind, timestamp, body in flv_tags(file("flv", AUDIO[codec])):
        for tag in flat(parse_audio(body)) if kind == 8 else []:
            if isinstance(tag, AudioConfigRecord):
                track.configure(tag)
            elif isinstance(tag, AudioFrame):
                track.changed_by(tag)
                frames.append((timestamp, tag))
    assert track.config
    return track.config, frames


def flv_file(tags: list[tuple[int, int, bytes]]) -> bytes:
    """Kind, timestamp and body of each tag."""
    out = b"FLV\x01\x05\0\0\0\x09" + bytes(4)
    for kind, timestamp, body in tags:
        head = bytes((kind,)) + len(body).to_bytes(3, "big") + timestamp.to_bytes(3, "big") + bytes(4)
        out += head + body + (len(head) + len(body)).to_bytes(4, "big")
    return out


@pytest.mark.parametrize("codec", VIDEO)
def test_pictures_are_read_back_by_libav(codec: str) -> None:
    config, frames = pictures(codec)
    tags = [(9, 0, sequence_header(config))]
    tags += [(9, timestamp, video_tag(codec, tag.key, tag.cts_ms, tag.data)) for timestamp, tag in frames]
    written = flv_file(tags)
    assert packets(written) == [(bytes(tag.data), tag.key) for _, tag in frames]
    with av.open(BytesIO(written)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (config.width, config.height)
        assert len(list(container.decode(stream))) == len(frames)


@pytest.mark.parametrize("codec", AUDIO)
def test_sound_is_read_back_by_libav(codec: str) -> None:
    config, frames = sound(codec)
    tags = [(8, 0, sequence_header(config))] + [(8, at, audio_tag(codec, tag.data)) for at, tag in frames]
    written = flv_file(tags)
    assert packets(written) == [(tag.data, True) for _, tag in frames]
    with av.open(BytesIO(written)) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (config.timescale, config.channels)
        assert len(list(container.decode(stream))) >= len(frames) - 1


@pytest.mark.parametrize("track", [0, 1, 7])
@pytest.mark.parametrize("codec", [*VIDEO, *AUDIO])
def test_what_is_written_reads_back(codec: str, track: int) -> None:
    if codec in VIDEO:
        config, frames = pictures(codec)
        (record,) = flat(parse_video(sequence_header(config, track)))
        assert isinstance(record, VideoConfigRecord)
        again = VideoTrack()
        again.configure(record)
        (_, first), *_ = frames
        (frame,) = flat(parse_video(video_tag(codec, first.key, first.cts_ms, first.data, track)))
        assert frame == first._replace(track=track)
        again.changed_by(first)
        assert (again.config, record.track) == (config, track)
        return
    heard, sounds = sound(codec)
    (said,) = flat(parse_audio(sequence_header(heard, track)))
    assert isinstance(said, AudioConfigRecord)
    later = AudioTrack()
    later.configure(said)
    (_, one), *_ = sounds
    assert flat(parse_audio(audio_tag(codec, one.data, track))) == [one._replace(track=track)]
    later.changed_by(one)
    assert (later.config, said.track) == (heard, track)


@given(
    st.sampled_from(list(VIDEO)), st.booleans(), st.integers(-(1 << 23), (1 << 23) - 1),
    st.binary(min_size=1, max_size=9), st.integers(0, 255),
)  # fmt: skip
def test_any_picture_reads_as_it_was_written(codec: str, key: bool, cts_ms: int, data: bytes, track: int) -> None:
    (tag,) = flat(parse_video(video_tag(codec, key, cts_ms, data, track)))
    timed = cts_ms if codec in ("avc1", "hvc1") else 0
    assert tag == VideoFrame(key, timed, memoryview(data), codec, track)


def test_av1_goes_without_delimiters() -> None:
    _, frames = pictures("av01")
    assert not any(bytes(tag.data).startswith(av1.DELIMITER) for _, tag in frames)


def test_metadata_tells_of_the_main_tracks() -> None:
    found = metadata({"video": pictures("avc1")[0], "audio": sound("mp4a")[0], "audio2": sound("Opus")[0]})
    assert found == {
        "width": 128.0, "height": 96.0, "videocodecid": 7.0,
        "audiosamplerate": 48_000.0, "stereo": True, "audiochannels": 2.0, "audiocodecid": 10.0,
    }  # fmt: skip
    assert metadata({"video": pictures("hvc1")[0]})["videocodecid"] == int.from_bytes(b"hvc1", "big")
    assert metadata({}) == {}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (VideoConfig("vp08", 90_000, 8, 8, b"\0\0\0\x08vp08"), "FLV can't carry vp08"),
        (AudioConfig("mp4a.40.2", 48_000, 2, 1024, b"\0\0\0\x08avc1"), "FLV can't carry mp4a.40.2"),
        (AudioConfig("mp4a.40.2", 48_000, 2, 1024, b"\0\0\0\x08mp4a"), "not a sound sample entry"),
        (VideoConfig("avc1.4d400d", 90_000, 8, 8, b"\0\0\0\x56avc1" + bytes(78)), "a sample entry without avcC"),
        (VideoConfig("avc1", 90_000, 8, 8, b"\0\0\0\x5aavc1" + bytes(82)), "box at 86 does not fit the 4 bytes left"),
        (AudioConfig("Opus", 48_000, 2, 960, b"\0\0\0\x2cOpus" + bytes(28) + b"\0\0\0\x08dOps"), "dOps of 0 bytes"),
    ],
)
def test_what_can_not_be_carried_is_named(config: TrackConfig, message: str) -> None:
    with pytest.raises(FlvTagError) as caught:
        sequence_header(config)
    assert str(caught.value) == message


def test_codecs_are_named_by_their_sample_entries() -> None:
    assert [fourcc(pictures(codec)[0]) for codec in VIDEO] == list(VIDEO)
    assert [fourcc(sound(codec)[0]) for codec in AUDIO] == list(AUDIO)
