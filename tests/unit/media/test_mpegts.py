"""Real MPEG-TS by ffmpeg, with every codec that is taken."""

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.formats.mpegts import WRAP
from server.formats.mpegts.psi import ElementaryStream
from server.formats.sample import AudioConfig, TrackConfig
from server.media.mpegts import Configured, Item, Picture, Sound, TsInput, Unsupported
from tests.harness import media
from tests.unit.formats.mpegts.packets import AUDIO, VIDEO, Muxer

CODECS = {
    "aac": ((), "mp4a.40.2", 1024),
    "latm": (("-mpegts_flags", "latm"), "mp4a.40.2", 1024),
    "opus": (("-c:a", "libopus"), "Opus", 960),
    "opus51": (("-c:a", "libopus", "-ac", "6"), "Opus", 960),
    "ac3": (("-c:a", "ac3"), "ac-3", 1536),
    "eac3": (("-c:a", "eac3"), "ec-3", 1536),
    "mp2": (("-c:a", "mp2"), "mp4a.40.2", 1024),
    "mp3": (("-c:a", "libmp3lame"), "mp4a.40.2", 1024),
}


def read(data: bytes, size: int = 13_160) -> tuple[list[Item], TsInput]:
    reader = TsInput()
    items = [item for at in range(0, len(data), size) for item in reader.feed(data[at : at + size])]
    return items + reader.finish(), reader


def ts(*extra: str, seconds: float = 2) -> bytes:
    return media.clip(seconds, b_frames=2, extension="ts", extra=extra).read_bytes()


def configs(items: list[Item]) -> dict[str, TrackConfig]:
    return {item.track: item.config for item in items if isinstance(item, Configured)}


def faults(reader: TsInput) -> int:
    ts, counters = reader.demuxer.counters, reader.counters
    return ts.gaps + ts.damaged + ts.skipped + counters.damaged + counters.broken


@pytest.mark.parametrize("codec", CODECS)
def test_sound_of_each_codec(codec: str) -> None:
    extra, name, frame_length = CODECS[codec]
    items, reader = read(ts(*extra))

    config = configs(items)["audio"]
    assert isinstance(config, AudioConfig)
    assert (config.codec, config.timescale, config.frame_length) == (name, 48_000, frame_length)
    assert config.channels == (6 if codec == "opus51" else 2)
    sounds = [item for item in items if isinstance(item, Sound)]
    assert len(sounds) * frame_length >= 1.9 * 48_000
    steps = {after.timestamp - before.timestamp for before, after in itertools.pairwise(sounds)}
    assert all(abs(step - frame_length * 90 / 48) <= 3 for step in steps)
    assert len([item for item in items if isinstance(item, Configured)]) == 2
    assert faults(reader) == 0


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_pictures_come_whole_and_in_order(codec: str) -> None:
    source = ts("-c:v", codec, *(("-x265-params", "log-level=none") if codec == "libx265" else ()))
    items, reader = read(source)

    pictures = [item for item in items if isinstance(item, Picture)]
    assert len(pictures) == 60
    assert pictures[0].key
    assert [after.timestamp - before.timestamp for before, after in itertools.pairwise(pictures)] == [
        3000
    ] * 59
    shown = sorted(item.timestamp + item.cts for item in pictures)
    assert shown == list(range(shown[0], shown[0] + 60 * 3000, 3000))
    assert faults(reader) == 0


def test_languages_and_several_tracks_of_a_kind() -> None:
    maps = ("-map", "0", "-map", "0", "-map", "1", "-map", "1", "-map", "1", "-c:a:1", "ac3")
    items, _ = read(ts(*maps, "-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=eng"))

    found = configs(items)
    assert set(found) == {"video", "video2", "audio", "audio2", "audio3"}
    assert [found[name].language for name in ("audio", "audio2", "audio3")] == ["deu", "eng", ""]
    assert [found[name].codec for name in ("audio", "audio2", "audio3")] == ["mp4a.40.2", "ac-3", "mp4a.40.2"]


def test_timestamps_start_again_after_26_hours_and_a_half() -> None:
    offset = ts("-output_ts_offset", "95442.1")  # 2^33 ticks are 95443.7 s

    items, reader = read(offset)

    for kind, step in ((Picture, 3000), (Sound, 1920)):
        stamps = [item.timestamp for item in items if isinstance(item, kind)]
        assert max(stamps) > WRAP - 100_000
        assert min(stamps) < 100_000
        assert {(after - before) % WRAP for before, after in itertools.pairwise(stamps)} == {step}
    assert faults(reader) == 0


def test_all_configurations_come_before_the_first_media() -> None:
    items, _ = read(ts(), 1316)

    assert [type(item) for item in items[:3]] == [Configured, Configured, Picture]


def test_a_track_that_stays_silent_is_not_waited_for_long() -> None:
    video = media.clip(2, audio=False, extension="ts").read_bytes()
    silent = Muxer().tables(VIDEO, AUDIO)
    pictures, reader = 0, TsInput()
    reader.feed(silent)  # ffmpeg's own map has the same PID of pictures; that of sound stays unheard of
    ours = b"".join(video[at : at + 188] for at in range(0, len(video), 188) if video[at + 1] & 0x1F == 1)

    for at in range(0, len(ours), 1316):
        items = reader.feed(ours[at : at + 1316])
        if items:
            pictures = len([item for item in items if isinstance(item, Picture)])
            break

    assert 14 <= pictures <= 17


def test_pictures_whose_pid_changes_stay_the_main_ones() -> None:
    data = media.clip(2, audio=False, extension="ts").read_bytes()
    reader = TsInput()
    reader.feed(data)
    moved = bytearray(data)
    for at in range(0, len(data), 188):
        if data[at + 1] & 0x1F == 1:
            moved[at + 1] |= 2
    ours = bytes(moved[at] for at in range(len(moved)))
    ours = b"".join(ours[at : at + 188] for at in range(0, len(ours), 188) if ours[at + 1] & 0x1F == 3)

    items = reader.feed(Muxer().tables(ElementaryStream(0x300, "h264"), version=1) + ours) + reader.finish()

    assert {item.track for item in items if not isinstance(item, Unsupported)} == {"video"}
    assert Counter(type(item) for item in items)[Picture] == 61  # and the one that was under way


def test_new_parameter_sets_are_a_new_configuration() -> None:
    small = media.clip(2, audio=False, extension="ts").read_bytes()
    large = media.clip(2, size="640x360", audio=False, extension="ts").read_bytes()

    items, _ = read(small + large)

    assert [(item.config.width, item.config.height) for item in items if isinstance(item, Configured)] == [  # type: ignore[union-attr]
        (320, 180),
        (640, 360),
    ]


def test_sound_that_joins_later() -> None:
    muxer, reader = Muxer(), TsInput()
    late = ElementaryStream(0x180, "aac", "fra")
    frame = bytes.fromhex("fff14c8001bffc") + b"\x21\x10\x04\x60\x8c\x1c"
    reader.feed(media.clip(2, audio=False, extension="ts").read_bytes())

    reader.feed(muxer.tables(VIDEO, late, version=1))
    items = reader.feed(muxer.unit(late.pid, frame * 3, 900, 0xC0))

    (config,) = [item for item in items if isinstance(item, Configured)]
    assert (config.track, config.config.language) == ("audio", "fra")
    assert [item.timestamp for item in items if isinstance(item, Sound)] == [900, 2820, 4740]


def test_what_is_not_taken_is_said_once() -> None:
    items, reader = read(ts("-c:v", "mpeg2video"))

    assert [item for item in items if isinstance(item, Unsupported)] == [Unsupported("video", "mpeg2video")]
    assert set(configs(items)) == {"audio"}
    assert reader.counters.unread == 60


def test_a_picture_with_a_hole_is_left_out() -> None:
    data = media.clip(2, audio=False, extension="ts").read_bytes()
    pieces = [data[at : at + 188] for at in range(0, len(data), 188)]
    del pieces[100]

    items, reader = read(b"".join(pieces))

    assert len([item for item in items if isinstance(item, Picture)]) == 59
    assert reader.counters.damaged == 1


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(CODECS)), st.data())
def test_damage_anywhere_raises_nothing(codec: str, data: st.DataObject) -> None:
    source = bytearray(ts(*CODECS[codec][0]))
    for at in data.draw(st.lists(st.integers(0, len(source) - 1), min_size=1, max_size=400)):
        source[at] ^= data.draw(st.integers(1, 255))

    items, _ = read(bytes(source))

    assert len(items) < 1000
