"""Uploads cut by their index: playlists, and segments read back sample by sample."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import m3u8
import pytest

from server.formats.aac import audio_config, silent_frame
from server.formats.fmp4.movie import read_index
from server.formats.fmp4.read import read_samples
from server.formats.sample import AudioConfig, Sample
from server.packager.presentation import NoSuchMediaError, ShortReadError
from server.packager.vod import READ_GAP, IndexedVideo
from tests.harness.mp4 import ASC, FakeTrack, mp4

FPS = 30
VIDEO = FakeTrack(count=600, sync=range(1, 600, 60))  # 20 s, a key frame every 2 s
AUDIO = FakeTrack(kind="audio", count=938, timescale=48000, delta=1024, size=20)  # 20.01 s


class Upload:
    """A file, its presentation, and what a player would get of it."""

    def __init__(self, *tracks: FakeTrack) -> None:
        self.data = mp4(*tracks)
        self.index = read_index(lambda offset, size: self.data[offset : offset + size], len(self.data))
        self.presentation = IndexedVideo(self.index)

    def segment(self, rendition: str, number: int) -> bytes:
        plan = self.presentation.segment(rendition, number)
        segment = plan.build([self.data[offset : offset + size] for offset, size in plan.reads])
        assert len(segment) == plan.size
        assert plan.fill(self.preadv) == segment
        return segment

    def preadv(self, places: Sequence[memoryview], offset: int) -> int:
        start = offset
        assert len(places) <= 1024
        for place in places:
            data = self.data[offset : offset + len(place)]
            place[: len(data)] = data
            offset += len(data)
        return offset - start

    def playlist(self, rendition: str) -> m3u8.M3U8:
        return m3u8.loads(self.presentation.media(rendition))

    def samples(self, rendition: str) -> list[Sample]:
        """Of all segments; their times have to go on from one to the next."""
        found: list[Sample] = []
        for number in range(len(self.playlist(rendition).segments)):
            found += read_samples(self.segment(rendition, number))
        assert all(a.dts <= b.dts for a, b in pairwise(found))
        return found


def starts_s(upload: Upload, rendition: str, timescale: int) -> list[float]:
    """When each segment's first sample is shown."""
    count = len(upload.playlist(rendition).segments)
    return [read_samples(upload.segment(rendition, n))[0].pts / timescale for n in range(count)]


def test_every_sample_once_and_unchanged() -> None:
    upload = Upload(VIDEO, AUDIO)
    video, audio = upload.samples("video"), upload.samples("audio")
    assert [sample.data for sample in video] == VIDEO.samples(0)
    assert [sample.data for sample in audio] == AUDIO.samples(1)
    assert [sample.pts for sample in video] == list(range(600))
    assert [sample.dts for sample in audio] == list(range(0, 938 * 1024, 1024))
    assert [i for i, sample in enumerate(video) if sample.key] == list(range(0, 600, 60))
    assert all(sample.key for sample in audio)


def test_audio_is_cut_where_video_is() -> None:
    upload = Upload(VIDEO, AUDIO)
    assert starts_s(upload, "video", FPS) == [0, 4, 8, 12, 16]
    assert starts_s(upload, "audio", 48000) == pytest.approx([0, 4, 8, 12, 16], abs=0.011)


def test_media_playlists() -> None:
    playlist = Upload(VIDEO, AUDIO).playlist("video")
    assert (playlist.playlist_type, playlist.is_endlist) == ("vod", True)
    assert playlist.is_independent_segments
    assert playlist.target_duration == 4
    assert [segment.duration for segment in playlist.segments] == [4, 4, 4, 4, 4]
    assert [segment.uri for segment in playlist.segments] == [f"{n}.m4s" for n in range(5)]
    assert playlist.segments[0].init_section.uri == "init.mp4"


def test_the_target_duration_is_the_same_in_all_renditions() -> None:
    upload = Upload(VIDEO, FakeTrack(kind="audio", count=1000, timescale=48000, delta=1024))
    longest = max(segment.duration for segment in upload.playlist("audio").segments)
    assert longest > 4.5
    assert upload.playlist("video").target_duration == upload.playlist("audio").target_duration >= round(longest)


def test_the_master_playlist() -> None:
    master = m3u8.loads(Upload(VIDEO, AUDIO).presentation.master("r3/"))
    (variant,), (sound,) = master.playlists, master.media
    assert variant.uri == "r3/video/media.m3u8"
    assert sound.uri == "r3/audio/media.m3u8"
    info = variant.stream_info
    assert info.codecs == "avc1.42c00d,mp4a.40.2"
    assert info.resolution == (320, 240)
    assert info.frame_rate == 30
    assert info.audio == sound.group_id
    assert sound.channels == "2"
    bits = (100 * 30 + 20 * 48000 / 1024) * 8
    assert info.average_bandwidth == pytest.approx(bits, rel=0.01)
    assert info.bandwidth == pytest.approx(bits, rel=0.02)


def test_the_peak_is_the_heaviest_segments() -> None:
    heavy = FakeTrack(count=600, sync=range(1, 600, 60), size=100)
    upload = Upload(heavy)
    sizes = upload.index.video.samples.sizes  # type: ignore[union-attr]
    sizes[130] = 40_000  # in the second segment
    presentation = IndexedVideo(upload.index)
    info = m3u8.loads(presentation.master()).playlists[0].stream_info
    assert info.bandwidth == pytest.approx((119 * 100 + 40_000) * 8 / 4, rel=0.01)
    assert info.average_bandwidth == pytest.approx((599 * 100 + 40_000) * 8 / 20, rel=0.01)


def test_rotated_pictures_swap_their_resolution() -> None:
    master = Upload(FakeTrack(rotation=90)).presentation.master()
    assert "RESOLUTION=240x320" in master


def test_sound_alone() -> None:
    upload = Upload(AUDIO)
    master = m3u8.loads(upload.presentation.master("r1/"))
    assert master.playlists[0].uri == "r1/audio/media.m3u8"
    assert master.playlists[0].stream_info.codecs == "mp4a.40.2"
    assert upload.presentation.renditions == ("audio",)
    assert [sample.data for sample in upload.samples("audio")] == AUDIO.samples(0)
    assert starts_s(upload, "audio", 48000)[:2] == pytest.approx([0, 4], abs=0.02)


def test_init_segments_are_the_tracks_own() -> None:
    presentation = Upload(VIDEO, AUDIO).presentation
    assert b"avcC" in presentation.init("video")
    assert b"esds" in presentation.init("audio")


def test_what_there_is_not() -> None:
    presentation = Upload(VIDEO).presentation
    for ask in (
        lambda: presentation.media("audio"),
        lambda: presentation.init("subtitles"),
        lambda: presentation.init("video", 1),
        lambda: presentation.segment("video", 5),
        lambda: presentation.segment("video", -1),
    ):
        with pytest.raises(NoSuchMediaError):
            ask()


def test_b_frames_start_at_zero_with_signed_offsets() -> None:
    """Decoded I P B B, shown I B B P: the first picture is decoded and shown at 0, in every segment without a gap."""
    pattern = [(1, 2), (1, 4), (1, 1), (1, 1)]
    track = FakeTrack(count=600, sync=range(1, 600, 60), cts=pattern * 150, edits=[(20_000, 2)])
    samples = Upload(track).samples("video")
    assert (samples[0].dts, samples[0].cts) == (0, 0)
    assert min(sample.cts for sample in samples) == -1
    assert [sample.dts for sample in samples] == list(range(600))
    assert min(sample.pts for sample in samples) == 0


def test_pictures_that_reach_back_over_a_cut_are_not_called_independent() -> None:
    """An open GOP: after the key frame comes a picture that is shown before it."""
    closed = FakeTrack(count=600, sync=range(1, 600, 60), cts=[(1, 2), (59, 3)] * 10)
    opened = FakeTrack(count=600, sync=range(1, 600, 60), cts=[(1, 2), (1, 0), (58, 2)] * 10)
    assert "INDEPENDENT" in Upload(closed).presentation.media("video")
    assert "INDEPENDENT" not in Upload(opened).presentation.media("video")
    assert "INDEPENDENT" not in Upload(opened).presentation.master()


def test_run_up_of_the_sound_is_dropped() -> None:
    """AAC's first frame is there for the decoder; the edit list begins after it."""
    track = FakeTrack(kind="audio", count=938, timescale=48000, delta=1024, size=20, edits=[(19_990, 1024)])
    samples = Upload(VIDEO, track).samples("audio")
    assert samples[0].dts == 0
    assert samples[0].data == track.samples(1)[1]


def test_a_frame_that_straddles_the_start_is_dropped_and_sync_kept() -> None:
    track = FakeTrack(kind="audio", count=938, timescale=48000, delta=1024, size=20, edits=[(19_900, 1600)])
    samples = Upload(VIDEO, track).samples("audio")
    assert samples[0].data == track.samples(1)[2]
    assert samples[0].dts == 2048 - 1600


def test_a_late_picture_is_held_from_the_start() -> None:
    track = FakeTrack(count=600, sync=range(1, 600, 60), edits=[(1000, -1), (20_000, 0)])
    upload = Upload(track, AUDIO)
    video, audio = upload.samples("video"), upload.samples("audio")
    assert [sample.pts for sample in video[:3]] == [0, 31, 32]
    assert audio[0].dts == 0
    assert upload.playlist("video").segments[0].duration == 5


def test_pictures_and_sound_that_are_both_late_begin_at_zero() -> None:
    video = FakeTrack(count=600, sync=range(1, 600, 60), edits=[(1000, -1), (20_000, 0)])
    audio = FakeTrack(kind="audio", count=938, timescale=48000, delta=1024, edits=[(1000, -1), (20_000, 0)])
    upload = Upload(video, audio)
    assert [sample.pts for sample in upload.samples("video")[:2]] == [0, 1]
    assert upload.samples("audio")[0].dts == 0


def test_the_end_is_cut_where_the_edit_list_ends() -> None:
    video = FakeTrack(count=600, sync=range(1, 600, 60), edits=[(10_000, 0)])
    audio = FakeTrack(kind="audio", count=938, timescale=48000, delta=1024, edits=[(10_000, 0)])
    upload = Upload(video, audio)
    assert len(upload.samples("video")) == 300
    assert len(upload.samples("audio")) == pytest.approx(10 * 48000 / 1024, abs=1)
    assert upload.presentation.duration_s == pytest.approx(10, abs=0.03)


def test_pictures_that_an_edit_list_hides_take_no_time() -> None:
    """A trim without re-encoding: the film begins at picture 100, its GOP at 60."""
    video = FakeTrack(count=600, sync=range(1, 600, 60), edits=[(16_000, 100)])
    audio = FakeTrack(kind="audio", count=938, timescale=48000, delta=1024, size=20, edits=[(16_000, 160_000)])
    upload = Upload(video, audio)
    shown = upload.samples("video")
    assert [sample.data for sample in shown] == video.samples(0)[60:580]
    config = upload.presentation._cut["video"].config
    times_s = [Fraction(sample.pts, config.timescale) for sample in shown]
    assert times_s[0] == 0
    assert times_s[40] <= Fraction(2, 1000)  # picture 100
    assert len(set(times_s)) == len(times_s)
    assert [float(b - a) for a, b in pairwise(times_s[40:])] == pytest.approx([1 / FPS] * 479)
    # Picture 100 is at 3.333 s, and so is the sound that begins with it.
    first = upload.samples("audio")[0]
    number = AUDIO.samples(1).index(first.data)
    late = Fraction(number * 1024, 48000) - Fraction(100, FPS)
    assert Fraction(first.dts, 48000) - times_s[40] == pytest.approx(float(late), abs=0.002)
    assert config.timescale <= 48_000_000


def test_a_key_frame_just_after_the_start_is_the_first() -> None:
    """Half a picture of nothing is better than a GOP that nobody should see."""
    track = FakeTrack(count=600, delta=2, timescale=60, sync=range(1, 600, 60), edits=[(16_000, 119)])
    assert Upload(track).samples("video")[0].data == track.samples(0)[60]


def test_hidden_b_frames_keep_their_order() -> None:
    pattern = [(1, 2), (1, 4), (1, 1), (1, 1)]
    track = FakeTrack(count=600, sync=range(1, 600, 60), cts=pattern * 150, edits=[(16_000, 72)])
    upload = Upload(track)
    samples = upload.samples("video")
    assert [sample.data for sample in samples[:3]] == track.samples(0)[60:63]
    order = [i for i, _ in sorted(enumerate(samples[:40]), key=lambda item: item[1].pts)]
    original = sorted(range(40), key=lambda i: (60 + i + pattern[i % 4][1]))
    assert order == original
    assert min(sample.pts for sample in samples) == 0


SILENT = silent_frame(audio_config(ASC))


def test_a_hole_in_the_sound_is_filled_with_silence() -> None:
    """Frame 100 lasts 10.24 s: players would stall there."""
    frames = FakeTrack(
        kind="audio", count=400, timescale=48000, deltas=[(100, 1024), (1, 480 * 1024), (299, 1024)], size=20
    )
    upload = Upload(VIDEO, frames)
    samples = upload.samples("audio")
    assert len(samples) == 400 + 479
    assert {b.dts - a.dts for a, b in pairwise(samples)} == {1024}
    assert [sample.data for sample in samples if sample.data != SILENT] == frames.samples(1)
    assert len(upload.playlist("audio").segments) == 5


def test_sound_that_begins_late_is_preceded_by_silence() -> None:
    late = FakeTrack(
        kind="audio", count=700, timescale=48000, delta=1024, size=20, edits=[(5000, -1), (15_000, 0)]
    )
    samples = Upload(VIDEO, late).samples("audio")
    assert samples[0].dts == 0
    assert samples[0].data == SILENT
    first = next(sample for sample in samples if sample.data != SILENT)
    assert first.dts == 5 * 48000


def test_short_holes_stay() -> None:
    uneven = FakeTrack(kind="audio", count=400, timescale=48000, deltas=[(1, 3226), (399, 1024)], size=20)
    samples = Upload(VIDEO, uneven).samples("audio")
    assert len(samples) == 400
    assert samples[1].dts - samples[0].dts == 3226


def test_a_hole_without_end_is_left_alone() -> None:
    endless = FakeTrack(kind="audio", count=20, timescale=8000, deltas=[(20, 1 << 26)], size=20)
    samples = Upload(endless).samples("audio")
    assert len(samples) == 20


def test_sound_longer_than_the_picture_goes_on() -> None:
    long = FakeTrack(kind="audio", count=1876, timescale=48000, delta=1024, size=20)
    upload = Upload(VIDEO, long)
    assert len(upload.samples("audio")) == 1876
    assert len(upload.playlist("audio").segments) == 10
    assert max(segment.duration for segment in upload.playlist("audio").segments) < 6


def test_sound_shorter_than_the_picture_ends() -> None:
    short = FakeTrack(kind="audio", count=300, timescale=48000, delta=1024, size=20)
    upload = Upload(VIDEO, short)
    assert len(upload.samples("audio")) == 300
    assert len(upload.playlist("audio").segments) == 2


def test_reads_are_few() -> None:
    """Small pieces of the other track in between are read and left out."""
    near = Upload(VIDEO, AUDIO).presentation.segment("video", 2)
    assert len(near.reads) == 1
    assert len(near.pieces) == 120
    far = FakeTrack(count=60, size=READ_GAP + 1, sync=[1])
    assert len(Upload(far, AUDIO).presentation.segment("audio", 0).reads) > 10


def test_a_source_that_has_shrunk() -> None:
    upload = Upload(VIDEO)
    plan = upload.presentation.segment("video", 0)
    with pytest.raises(ShortReadError, match="bytes at"):
        plan.build([b"" for _ in plan.reads])
    with pytest.raises(ShortReadError, match="bytes at"):
        plan.fill(lambda places, offset: 5)


def test_more_pieces_than_one_read_takes() -> None:
    tiny = FakeTrack(count=9000, timescale=1000, size=5)
    upload = Upload(tiny, FakeTrack(kind="audio", count=9000, timescale=9000, delta=1024, size=5))
    assert len(upload.presentation.segment("video", 0).pieces) > 2000
    assert len(upload.samples("video")) == 9000


def test_one_picture_and_one_frame() -> None:
    upload = Upload(FakeTrack(count=1), FakeTrack(kind="audio", count=1, timescale=48000, delta=1024))
    assert len(upload.samples("video")) == 1
    assert len(upload.samples("audio")) == 1
    assert isinstance(upload.presentation._cut["audio"].config, AudioConfig)
