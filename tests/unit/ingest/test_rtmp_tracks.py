"""Configurations and samples of real tags, as libav packs them, and of broken ones."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats import av1
from server.formats.flv import (
    AudioConfigRecord,
    AudioFrame,
    VideoConfigRecord,
    VideoFrame,
    parse_audio,
    parse_video,
)
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import audio_part, video_part
from server.ingest.rtmp_tracks import MAX_ODD, AudioTrack, MediaError, VideoTrack
from tests.unit.formats.encoded import TICKS, Coded, decode, file, flv_tags

X264 = Coded("libx264", (("preset", "ultrafast"), ("g", "6")))
X265 = Coded("libx265", (("preset", "ultrafast"), ("x265-params", "log-level=none:keyint=6")))
SVT = Coded("libsvtav1", (("preset", "12"), ("svtav1-params", "keyint=6")))
VPX = Coded("libvpx-vp9", (("cpu-used", "8"), ("deadline", "realtime"), ("g", "6")))
VPX_SMALL = Coded("libvpx-vp9", VPX.options, width=64, height=64)
SVT_SMALL = Coded("libsvtav1", SVT.options, width=64, height=64)


def pictures(track: Coded) -> list[VideoConfigRecord | VideoFrame]:
    tags = [parse_video(body) for kind, _, body in flv_tags(file("flv", track)) if kind == 9]
    flat = [each for tag in tags for each in (tag if isinstance(tag, list) else [tag])]
    return [tag for tag in flat if isinstance(tag, VideoConfigRecord | VideoFrame)]


def sound(track: Coded) -> list[AudioConfigRecord | AudioFrame]:
    tags = [parse_audio(body) for kind, _, body in flv_tags(file("flv", track)) if kind == 8]
    flat = [each for tag in tags for each in (tag if isinstance(tag, list) else [tag])]
    return [tag for tag in flat if isinstance(tag, AudioConfigRecord | AudioFrame)]


@pytest.mark.parametrize(
    ("coded", "codec", "plain"),
    [
        (X264, "avc1.42c00a", True),
        (X265, "hvc1.1.6.L30.90", False),
        (SVT, "av01.0.00M.08", False),
        (VPX, "vp09.00.10.08", False),
    ],
    ids=["AVC", "HEVC", "AV1", "VP9"],
)
def test_pictures_become_a_track_that_decodes(coded: Coded, codec: str, plain: bool) -> None:
    track, configs, samples = VideoTrack(), [], []
    for tag in pictures(coded):
        if isinstance(tag, VideoConfigRecord):
            configs += [config for config in [track.configure(tag)] if config]
        else:
            configs += [config for config in [track.changed_by(tag)] if config]
            samples.append((track.data(tag), tag.key))
    (config,) = configs
    assert (config.codec, config.width, config.height, track.plain) == (codec, 128, 96, plain)
    assert track.config == config
    keys, data = [key for _, key in samples], [data for data, _ in samples]
    assert sum(keys) >= 2
    part = video_part(1, 0, [TICKS] * len(data), [0] * len(data), keys, data)
    assert len(decode(init_segment(config) + part)) == len(data)


@pytest.mark.parametrize(
    ("coded", "codec", "length"),
    [
        (Coded("aac", format="fltp", rate=48_000), "mp4a.40.2", 1024),
        (Coded("libopus", format="flt", rate=48_000), "Opus", 960),
        (Coded("libopus", (("frame_duration", "60"),), "flt", rate=48_000), "Opus", 2880),
        (Coded("flac", format="s16", rate=44_100), "fLaC", 4608),
        (Coded("ac3", format="fltp", rate=44_100, layout="5.1"), "ac-3", 1536),
        (Coded("eac3", format="fltp", rate=48_000), "ec-3", 1536),
    ],
    ids=["AAC", "Opus", "Opus of 60 ms", "FLAC", "AC-3", "E-AC-3"],
)
def test_sound_becomes_a_track_that_decodes(coded: Coded, codec: str, length: int) -> None:
    track, configs, frames = AudioTrack(), [], []
    for tag in sound(coded):
        if isinstance(tag, AudioConfigRecord):
            configs += [config for config in [track.configure(tag)] if config]
        else:
            configs += [config for config in [track.changed_by(tag)] if config]
            frames.append(tag.data)
    config = configs[-1]
    assert (config.codec, config.timescale, config.frame_length) == (codec, coded.rate, length)
    assert track.plain == (codec == "mp4a.40.2")
    decoded = decode(init_segment(config) + audio_part(1, 0, length, frames))
    assert sum(frame.samples for frame in decoded) >= length * (len(frames) - 1)


@pytest.mark.parametrize(("first", "second"), [(VPX, VPX_SMALL), (SVT, SVT_SMALL)], ids=["VP9", "AV1"])
def test_a_key_frame_of_another_size_is_a_new_configuration(first: Coded, second: Coded) -> None:
    track = VideoTrack()
    record, *frames = pictures(first)
    assert isinstance(record, VideoConfigRecord)
    track.configure(record)
    for tag in frames:
        assert isinstance(tag, VideoFrame)
        track.changed_by(tag)
    changes = [track.changed_by(tag) for tag in pictures(second) if isinstance(tag, VideoFrame)]
    assert [(config.width, config.height) for config in changes if config] == [(64, 64)]


def test_av1_without_a_header_in_its_record_waits_for_the_key_frame() -> None:
    track = VideoTrack()
    record, first, *_ = pictures(SVT)
    assert isinstance(record, VideoConfigRecord)
    assert isinstance(first, VideoFrame)
    assert track.configure(VideoConfigRecord("av01", record.record[:4])) is None
    assert track.config is None
    config = track.changed_by(first)
    assert config
    assert (config.width, config.height) == (128, 96)
    assert not bytes(track.data(first)).startswith(av1.DELIMITER)


def test_a_record_said_again_changes_nothing() -> None:
    track = VideoTrack()
    record, first, *_ = pictures(VPX)
    assert isinstance(record, VideoConfigRecord)
    assert isinstance(first, VideoFrame)
    track.configure(record)
    config = track.changed_by(first)
    assert config
    assert track.configure(record) == track.config == config


def test_another_codec_takes_the_track_over() -> None:
    track = VideoTrack()
    for coded in (X264, X265, X264):
        record, *_ = pictures(coded)
        assert isinstance(record, VideoConfigRecord)
        config = track.configure(record)
        assert config
        assert config.codec.startswith(record.codec)


def test_hevc_under_the_number_of_avc_is_seen_through() -> None:
    track = VideoTrack()
    record, first, *_ = pictures(X265)
    assert isinstance(record, VideoConfigRecord)
    assert isinstance(first, VideoFrame)
    config = track.configure(VideoConfigRecord("avc1", record.record))
    assert config
    assert config.codec == "hvc1.1.6.L30.90"
    disguised = first._replace(codec="avc1")
    assert track.changed_by(disguised) is None
    assert (track.codec, track.data(disguised)) == ("avc1", first.data)


def test_short_lengths_before_nal_units_are_made_long() -> None:
    track = VideoTrack()
    record, first, *_ = pictures(X264)
    assert isinstance(record, VideoConfigRecord)
    assert isinstance(first, VideoFrame)
    track.configure(VideoConfigRecord("avc1", record.record[:4] + b"\xfd" + record.record[5:]))
    assert not track.plain
    short = VideoFrame(True, 0, memoryview(b"\0\x02\x65\x01\0\x01\x41"))
    assert track.data(short) == b"\0\0\0\x02\x65\x01\0\0\0\x01\x41"
    with pytest.raises(MediaError, match="access unit ends within a NAL unit"):
        track.data(VideoFrame(True, 0, memoryview(b"\0\x09\x65")))


def opus_packet(configuration: int) -> AudioFrame:
    return AudioFrame(bytes((configuration << 3, 1, 2)), "Opus")


def ac3_packet(code: int) -> AudioFrame:
    """A frame of silence of a bit rate by its frame size code."""
    head = bytes.fromhex("0b770000") + bytes((code,)) + bytes.fromhex("4043e1")
    return AudioFrame(head.ljust({8: 256, 20: 768}[code], b"\0"), "ac-3")


def test_frames_of_another_kind_are_dropped_until_they_are_the_rule() -> None:
    track = AudioTrack()
    assert track.configure(AudioConfigRecord("ac-3", b"")) is None
    assert track.changed_by(ac3_packet(20))
    for _ in range(MAX_ODD):
        with pytest.raises(MediaError, match="unlike"):
            track.changed_by(ac3_packet(8))
    changed = track.changed_by(ac3_packet(8))
    assert changed
    assert track.changed_by(ac3_packet(8)) is None
    with pytest.raises(MediaError):
        track.changed_by(ac3_packet(20))
    assert track.changed_by(ac3_packet(8)) is None  # one alone is forgotten
    for _ in range(MAX_ODD):
        with pytest.raises(MediaError):
            track.changed_by(ac3_packet(20))


def test_the_first_frame_corrects_the_guess_at_its_length() -> None:
    track = AudioTrack()
    track.configure(AudioConfigRecord("Opus", b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0"))
    config = track.changed_by(opus_packet(30))
    assert config
    assert config.frame_length == 480
    assert track.config == config
    assert track.changed_by(opus_packet(31)) is None  # each may be as long as it likes


def test_flac_says_its_record_again_at_the_end() -> None:
    coded = Coded("flac", format="s16", rate=48_000)
    records = [tag for tag in sound(coded) if isinstance(tag, AudioConfigRecord)]
    frames = [tag for tag in sound(coded) if isinstance(tag, AudioFrame)]
    assert len({tag.record for tag in records}) == 2
    track = AudioTrack()
    config = track.configure(records[0])
    assert config
    assert track.changed_by(frames[0]) is None
    assert track.configure(records[1]) == config


def test_sound_before_its_record_has_no_configuration() -> None:
    track = AudioTrack()
    assert track.changed_by(opus_packet(31)) is None
    assert track.config is None


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        (VideoConfigRecord("avc1", b"\x01"), "avcC of 1 bytes"),
        (VideoConfigRecord("hvc1", b"\x01"), "hvcC of 1 bytes"),
        (VideoConfigRecord("av01", b"\x01"), "av1C of 1 bytes"),
        (VideoConfigRecord("vp09", b"\x01"), "vpcC of 1 bytes"),
        (AudioConfigRecord("mp4a", b""), "AudioSpecificConfig: needs 5 bits, 0 are left"),
        (AudioConfigRecord("Opus", b"\x01"), "not an OpusHead"),
        (AudioConfigRecord("fLaC", b"\x01"), "STREAMINFO of 1 bytes"),
    ],
)
def test_a_broken_record_is_named(tag: VideoConfigRecord | AudioConfigRecord, message: str) -> None:
    with pytest.raises(MediaError) as caught:
        VideoTrack().configure(tag) if isinstance(tag, VideoConfigRecord) else AudioTrack().configure(tag)
    assert str(caught.value) == message


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=60), st.booleans())
def test_any_bytes_are_taken_or_named(record: bytes, frame: bytes, key: bool) -> None:
    for codec in ("avc1", "hvc1", "av01", "vp09"):
        video = VideoTrack()
        with suppress(MediaError):
            video.configure(VideoConfigRecord(codec, record))
        with suppress(MediaError):
            picture = VideoFrame(key, 0, memoryview(frame), codec)
            video.changed_by(picture)
            video.data(picture)
    for codec in ("mp4a", "Opus", "fLaC", "ac-3", "ec-3"):
        audio = AudioTrack()
        with suppress(MediaError):
            audio.configure(AudioConfigRecord(codec, record))
        with suppress(MediaError):
            audio.changed_by(AudioFrame(frame, codec))
