"""Which files are servable, and what is said of the others."""

import time
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4 import movie
from server.formats.fmp4.box import box, full_box, visual_sample_entry
from server.formats.fmp4.foreign import Mp4Error
from server.formats.fmp4.index import MovieIndex
from server.formats.fmp4.movie import Unservable, movie_index, read_index
from server.formats.fmp4.tracks import MAX_TRACKS
from server.formats.sample import AudioConfig, VideoConfig
from tests.harness.mp4 import AVCC, FakeTrack, audio_entry, moov_of, mp4, numbers, video_entry

VIDEO = FakeTrack(count=90, sync=[1, 31, 61])
AUDIO = FakeTrack(kind="audio", count=140, timescale=48000, delta=1024, size=20)


def index(*tracks: FakeTrack, **how: object) -> MovieIndex:
    data = mp4(*tracks, **how)
    return read_index(lambda offset, size: data[offset : offset + size], len(data))


def test_an_ordinary_file() -> None:
    movie = index(VIDEO, AUDIO)
    assert movie.video is not None
    assert movie.audio is not None
    assert isinstance(movie.video.config, VideoConfig)
    assert isinstance(movie.audio.config, AudioConfig)
    assert (movie.video.config.codec, movie.video.config.timescale) == ("avc1.42c00d", 30)
    assert (movie.video.config.width, movie.video.config.height) == (320, 240)
    assert (movie.audio.config.codec, movie.audio.config.timescale, movie.audio.config.channels) == (
        "mp4a.40.2",
        48000,
        2,
    )
    assert list(movie.video.keys) == [0, 30, 60]
    assert list(movie.audio.keys) == list(range(140))
    assert movie.duration_s == pytest.approx(3.0, abs=0.02)
    assert movie.tracks == (movie.video, movie.audio)


@pytest.mark.parametrize("tracks", [[VIDEO], [AUDIO], [AUDIO, VIDEO]], ids=["video", "audio", "audio first"])
def test_one_kind_alone_and_any_order(tracks: list[FakeTrack]) -> None:
    movie = index(*tracks)
    assert {track.config.kind for track in movie.tracks} == {track.kind for track in tracks}


def test_the_index_at_the_end() -> None:
    assert index(VIDEO, moov_first=False).video is not None


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation(rotation: int) -> None:
    movie = index(FakeTrack(rotation=rotation))
    assert movie.video is not None
    assert isinstance(movie.video.config, VideoConfig)
    assert movie.video.config.rotation == rotation


@pytest.mark.parametrize(
    ("edits", "shift", "end"),
    [
        (None, 0, None),
        ([(3000, 0)], 0, 90),
        ([(3000, 2)], -2, 90),
        ([(0, 2)], -2, None),
        ([(1000, -1), (2000, 0)], 30, 90),
        ([(100, -1), (400, -1), (2000, 5)], 10, 75),
        ([(1000, 3), (500, -1)], -3, 30),
        ([(1001, 0)], 0, 31),  # 30.03 ticks: the picture at 30 begins inside
    ],
)
def test_edit_lists(edits: list[tuple[int, int]] | None, shift: int, end: int | None) -> None:
    movie = index(FakeTrack(count=90, edits=edits))
    assert movie.video is not None
    assert (movie.video.shift, movie.video.end) == (shift, end)
    assert movie.video.shown(7) == 7 + shift


def test_the_containers_pixel_shape_and_colour_are_kept() -> None:
    colour = box(b"colr", b"nclx\0\x01\0\x01\0\x01\x80")
    profile = box(b"colr", b"prof" + bytes(100))
    pasp = box(b"pasp", pack(">II", 4, 3))
    movie = index(FakeTrack(entry=video_entry(AVCC, b"avc1", pasp, colour)))
    assert movie.video is not None
    assert isinstance(movie.video.config, VideoConfig)
    assert movie.video.config.sar == (4, 3)
    assert colour in movie.video.config.sample_entry
    assert box(b"avcC", AVCC) in movie.video.config.sample_entry
    other = index(FakeTrack(entry=video_entry(AVCC, b"avc3", profile, box(b"pasp", bytes(8)))))
    assert other.video is not None
    assert isinstance(other.video.config, VideoConfig)
    assert other.video.config.sar == (1, 1)
    assert profile not in other.video.config.sample_entry
    assert other.video.config.sample_entry[4:8] == b"avc1"


def test_quicktime_sound_with_its_esds_inside_wave() -> None:
    entry = audio_entry()
    wave = box(b"wave", box(b"frma", b"mp4a"), entry[36:])
    quicktime = box(b"mp4a", entry[8:16], b"\0\1", entry[18:36], bytes(16), wave)
    movie = index(FakeTrack(kind="audio", timescale=48000, delta=1024, entry=quicktime))
    assert movie.audio is not None
    assert movie.audio.config.sample_entry == entry


def test_sound_that_counts_in_other_ticks_than_samples() -> None:
    movie = index(FakeTrack(kind="audio", timescale=600, delta=13))
    assert movie.audio is not None
    assert isinstance(movie.audio.config, AudioConfig)
    assert (movie.audio.config.timescale, movie.audio.config.frame_length) == (600, 13)


def test_language() -> None:
    movie = index(FakeTrack(kind="audio", timescale=48000, delta=1024, language="deu"))
    assert movie.audio is not None
    assert movie.audio.language == "deu"


def test_other_tracks_are_passed_over() -> None:
    """Subtitles, empty tracks, disabled pictures of chapters."""
    chapters = FakeTrack(enabled=False, entry=visual_sample_entry(b"jpeg", 320, 240))
    movie = index(FakeTrack(kind="text"), FakeTrack(count=0), chapters, VIDEO, AUDIO, AUDIO)
    assert movie.video is not None
    assert len(movie.video.samples) == 90
    assert movie.audio is not None


def test_a_file_that_enables_no_track_at_all() -> None:
    assert index(FakeTrack(enabled=False)).video is not None


HEVC = visual_sample_entry(b"hvc1", 1920, 1080, box(b"hvcC", bytes(23)))
MP3 = audio_entry().replace(b"\x40\x15", b"\x6b\x15")
TWO_BYTE_LENGTHS = AVCC[:4] + b"\xfd" + AVCC[5:]
HIGH_10 = b"\x01\x6e" + AVCC[2:]

UNSERVABLE = {
    "HEVC": ([FakeTrack(entry=HEVC), AUDIO], "found: HEVC video 1920×1080, AAC audio in MP4; H.264 video and AAC"),
    "PCM": (
        [VIDEO, FakeTrack(kind="audio", entry=box(b"sowt", bytes(28)))],
        "found: H.264 video 320×240, PCM audio in MP4; H.264",
    ),
    "an unknown codec": ([FakeTrack(entry=visual_sample_entry(b"wxyz", 8, 8))], "found: “wxyz” video 8×8 in MP4"),
    "MP3 as MPEG-4 audio": ([FakeTrack(kind="audio", entry=MP3)], "found: MP3 audio in MP4; object type 6b is not AAC"),
    "10-bit": ([FakeTrack(entry=video_entry(HIGH_10))], "browsers do not play H.264 profile 110"),
    "short lengths": ([FakeTrack(entry=video_entry(TWO_BYTE_LENGTHS))], "length fields of 2 bytes"),
    "two descriptions": ([FakeTrack(entries=2)], "changes its format 1 times"),
    "media elsewhere": ([FakeTrack(outside=True)], "the media lies in another file"),
    "a cut in the middle": ([FakeTrack(edits=[(100, 0), (100, 5)])], "puts 2 pieces together"),
    "slow motion": ([FakeTrack(edits=[(100, 0)], rate=0x8000)], "changes the speed"),
    "nothing shown": ([FakeTrack(edits=[(100, 1000)])], "its edit list shows nothing"),
    "rare key frames": ([FakeTrack(count=400, sync=[1, 95])], "key frames are up to 10.2 s apart, more than 10 s"),
    "no key frames": ([FakeTrack(sync=[])], "it has no key frames"),
    "no samples": ([FakeTrack(count=0)], "it holds no samples"),
    "no tracks": ([], "found: an MP4 without video or audio"),
    "subtitles": ([FakeTrack(kind="text")], "found: an MP4 without video or audio"),
    "days": ([FakeTrack(kind="audio", timescale=1, deltas=[(10, 1 << 20)])], "lasts more than 48 hours"),
    "a late start": ([FakeTrack(edits=[(1 << 31, -1), (1000, 0)])], "lasts more than 48 hours"),
    "a late picture": ([FakeTrack(edits=[(20_000, -1), (3000, 0)]), AUDIO], "begins 20 s after the sound"),
}


@pytest.mark.parametrize(("tracks", "words"), UNSERVABLE.values(), ids=UNSERVABLE.keys())
def test_sound_files_that_are_not_for_us(tracks: list[FakeTrack], words: str) -> None:
    with pytest.raises(Unservable) as caught:
        index(*tracks)
    assert caught.value.code == "unsupported"
    assert words in caught.value.detail
    assert caught.value.detail.startswith("found: ")


def test_more_bytes_a_second_than_a_segment_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movie, "MAX_BURST_BYTES", 300 * 100)
    assert index(FakeTrack(count=700)).video is not None
    with pytest.raises(Unservable, match=r"it has more than 0 MiB in 10 s"):
        index(FakeTrack(count=700, size=101))


def test_fragmented_files() -> None:
    with pytest.raises(Unservable, match=r"found: H\.264 video 320×240 in MP4; it is fragmented"):
        index(FakeTrack(count=0), extra=box(b"mvex"))


BROKEN = {
    "no avcC": ([FakeTrack(entry=visual_sample_entry(b"avc1", 8, 8))], "no decoder configuration"),
    "no description": ([FakeTrack(tables={b"stsd": full_box(b"stsd", 0, 0, bytes(4))})], "does not say how"),
    "no stsd": ([FakeTrack(tables={b"stsd": None})], "the stsd box is missing"),
    "a short description": ([FakeTrack(entry=box(b"mp4v", bytes(20)))], "the mp4v box is too short"),
    "a clock of zero": ([FakeTrack(timescale=0)], "zero ticks a second"),
    "a clock of 2^31": ([FakeTrack(timescale=1 << 31)], "clock of 2147483648 ticks"),
    "an edit before the media": ([FakeTrack(edits=[(100, -5)])], "begins before its media"),
    "key frames shown backwards": (
        [FakeTrack(count=6, sync=[1, 2], cts=[(1, 20), (5, 0)])],
        "shown in another order",
    ),
    "pictures shown hours later": ([FakeTrack(count=6, cts=[(6, 1 << 30)])], "long before or after"),
    "a cut file": ([FakeTrack(tables={b"stco": numbers(b"stco", [1 << 30] * 10)})], "cut short"),
}


@pytest.mark.parametrize(("tracks", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_files(tracks: list[FakeTrack], reason: str) -> None:
    with pytest.raises(Mp4Error, match=reason):
        index(*tracks)


def test_a_million_tracks() -> None:
    moov = moov_of(FakeTrack()) + box(b"trak") * 1_000_000
    started = time.process_time()
    with pytest.raises(Mp4Error, match="more than 4096 boxes"):
        movie_index(moov, 1 << 30)
    assert time.process_time() - started < 1


def test_more_tracks_than_any_film_has() -> None:
    with pytest.raises(Mp4Error, match=f"has {MAX_TRACKS + 1} tracks"):
        index(*[FakeTrack(count=1)] * (MAX_TRACKS + 1))


def test_deep_nesting() -> None:
    nested = b""
    for _ in range(5000):
        nested = box(b"moov", nested)
    with pytest.raises(Unservable, match="without video or audio"):
        movie_index(nested[8:], 1 << 20)


def test_pictures_of_20_000_by_20_000() -> None:
    """The size is the stream's own, from its SPS; the container's claim counts for nothing."""
    entry = video_entry()
    claim = entry[:32] + pack(">HH", 20_000, 20_000) + entry[36:]
    movie = index(FakeTrack(entry=claim))
    assert movie.video is not None
    assert isinstance(movie.video.config, VideoConfig)
    assert movie.video.config.width == 320


@given(st.data())
def test_altered_files_are_indexed_refused_or_broken(data: st.DataObject) -> None:
    video = FakeTrack(count=30, size=20, sync=[1, 16], cts=[(15, 1), (15, 2)], edits=[(1000, 1)], per_chunk=4)
    audio = FakeTrack(kind="audio", count=40, size=10, timescale=48000, delta=1024)
    original = bytearray(mp4(video, audio))
    end = original.index(b"mdat")
    for _ in range(data.draw(st.integers(1, 5))):
        original[data.draw(st.integers(0, end))] = data.draw(st.integers(0, 255))
    try:
        movie = read_index(lambda offset, size: bytes(original[offset : offset + size]), len(original))
    except (Mp4Error, Unservable):
        return
    assert MovieIndex.from_bytes(movie.to_bytes()) == movie


@given(st.binary(max_size=300))
def test_any_bytes_are_an_index_or_an_error(moov: bytes) -> None:
    with pytest.raises((Mp4Error, Unservable)):
        movie_index(moov, 1000)
