"""Recordings listed from their journals: the same segments under the same numbers as live."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import m3u8
import pytest

from server.packager.presentation import NoSuchMediaError
from server.packager.recorded import RecordedRendition, RecordedVideo
from server.storage.journal import SegmentEntry, TrackEntry
from server.storage.layout import Layout
from server.storage.recovery import recover
from server.storage.segments import SegmentStore
from tests.unit.packager.publishing import Broadcast

VIDEO_TRACK = TrackEntry(0, "video", "avc1.64001f", 90_000, 1_700_000_000_000, 30_000, 1280, 720, 30.0)
AUDIO_TRACK = TrackEntry(0, "audio", "mp4a.40.2", 48_000, 1_700_000_000_000, 16_000, channels=2)


def segment(msn: int, seconds: float = 2.0, generation: int = 0, **more: object) -> SegmentEntry:
    entry = SegmentEntry(
        msn=msn, start=msn * 180_000, duration=round(seconds * 90_000), timescale=90_000,
        wall_ms=1_700_000_000_000 + msn * 2000, generation=generation, discontinuity=False, independent=True, size=1000,
    )  # fmt: skip
    return replace(entry, **more)  # type: ignore[arg-type]


def video(*segments: SegmentEntry) -> RecordedRendition:
    tracks = {entry.generation: replace(VIDEO_TRACK, generation=entry.generation) for entry in segments}
    return RecordedRendition(tracks, segments, dict.fromkeys(tracks, b"video init"))


def audio(*segments: SegmentEntry) -> RecordedRendition:
    spoken = [entry for entry in segments if not entry.gap]
    tracks = {entry.generation: replace(AUDIO_TRACK, generation=entry.generation) for entry in spoken}
    return RecordedRendition(tracks, segments, dict.fromkeys(tracks, b"audio init"))


def test_a_length_is_no_longer_than_people_write_it() -> None:
    assert RecordedVideo({"video": video(segment(0, 0.1), segment(1, 0.2))}).duration_s == 0.3


def recoded(rendition: RecordedRendition) -> RecordedRendition:
    """Each time that it begins."""
    return replace(rendition, inits={generation: b"init %d" % generation for generation in rendition.inits})


BROKEN = (segment(0), segment(1, generation=1, discontinuity=True), segment(2, generation=1))


def test_a_playlist_of_segments_as_they_lie() -> None:
    recorded = RecordedVideo({"video": video(segment(0), segment(1, 1.5))})

    assert recorded.renditions == ("video",)
    assert recorded.duration_s == 3.5
    assert recorded.media("video").splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:8",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-MEDIA-SEQUENCE:0",
        '#EXT-X-MAP:URI="init.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z",
        "#EXTINF:2.00000,",
        "0.m4s",
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.000Z",
        "#EXTINF:1.50000,",
        "1.m4s",
        "#EXT-X-ENDLIST",
    ]


def test_a_break_is_a_discontinuity_with_its_own_init() -> None:
    recorded = RecordedVideo({"video": video(*BROKEN)})

    lines = recorded.media("video").splitlines()
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    assert lines[lines.index("#EXT-X-DISCONTINUITY") : lines.index("1.m4s")].count('#EXT-X-MAP:URI="init-1.mp4"') == 1
    assert len([line for line in lines if line.startswith("#EXT-X-MAP")]) == 2
    assert recorded.init("video", 1) == b"video init"


def test_sound_that_joined_later_counts_the_breaks_it_missed() -> None:
    """"matching content in different Renditions MUST have matching discontinuity sequence numbers" (RFC 8216bis)."""
    recorded = RecordedVideo(
        {
            "video": video(*BROKEN),
            "audio": audio(segment(2, generation=1)),
        }
    )

    pictures, sound = m3u8.loads(recorded.media("video")), m3u8.loads(recorded.media("audio"))
    assert (pictures.media_sequence, pictures.discontinuity_sequence) == (0, None)
    assert (sound.media_sequence, sound.discontinuity_sequence) == (2, 1)


def test_sound_that_joined_with_a_break_is_behind_it() -> None:
    recorded = RecordedVideo({"video": video(*BROKEN), "audio": audio(segment(1, generation=1))})

    assert m3u8.loads(recorded.media("audio")).discontinuity_sequence == 1
    assert "#EXT-X-DISCONTINUITY\n" not in recorded.media("audio")


def test_pictures_that_joined_later_begin_with_gaps() -> None:
    later = video(segment(2, generation=1), segment(3, generation=1))
    recorded = RecordedVideo({"360p": later, "video": video(*BROKEN, segment(3, generation=1))})

    parsed = m3u8.loads(recorded.media("360p"))
    assert parsed.media_sequence == 0
    assert [each.gap_tag for each in parsed.segments] == [True, True, None, None]
    assert [each.discontinuity for each in parsed.segments] == [False, True, False, False]
    assert [each.init_section.uri for each in parsed.segments if each.init_section][:1] == ["init-1.mp4"]
    assert "init.mp4" not in recorded.media("360p")
    with pytest.raises(NoSuchMediaError):
        recorded.segment("360p", 1)


def test_a_gap_has_no_bytes_and_names_no_init_of_its_own() -> None:
    """A muted generation has neither segments nor an init segment."""
    recorded = RecordedVideo(
        {
            "video": video(*(segment(n, generation=n, discontinuity=n > 0) for n in range(3))),
            "audio": audio(
                segment(0), segment(1, generation=1, gap=True, size=0, discontinuity=True),
                segment(2, generation=2, discontinuity=True),
            ),
        }
    )  # fmt: skip

    lines = recorded.media("audio").splitlines()
    assert [line for line in lines if line.startswith("#EXT-X-MAP")] == [
        '#EXT-X-MAP:URI="init.mp4"', '#EXT-X-MAP:URI="init-2.mp4"'
    ]  # fmt: skip
    assert "#EXT-X-GAP" in lines[lines.index("0.m4s") : lines.index("1.m4s")]
    assert lines.count("#EXT-X-DISCONTINUITY") == 2
    with pytest.raises(NoSuchMediaError, match="audio has no segment 1"):
        recorded.segment("audio", 1)
    with pytest.raises(NoSuchMediaError, match="audio has no generation 1"):
        recorded.init("audio", 1)


def test_a_plan_is_the_whole_file() -> None:
    plan = RecordedVideo({"video": video(segment(7))}).segment("video", 7)

    assert (plan.source, plan.size, plan.build([bytes(1000)])) == ("video/7", 1000, bytes(1000))


@pytest.mark.parametrize("ask", ["media", "init", "segment"])
def test_there_is_nothing_else(ask: str) -> None:
    recorded = RecordedVideo({"video": video(segment(0))})

    with pytest.raises(NoSuchMediaError):
        getattr(recorded, ask)("audio", *([0] if ask == "segment" else []))
    with pytest.raises(NoSuchMediaError):
        recorded.segment("video", -1)


def test_the_master_tells_the_newest_configuration_and_the_rates() -> None:
    both = {
        "video": video(segment(0, size=250_000), segment(1, size=500_000), segment(2, 0.1, size=30_000)),
        "audio": audio(segment(0, size=32_000), segment(1, size=32_000), segment(2, 0.1, size=1_600)),
    }
    text = RecordedVideo(both).master("r3/")

    variant = m3u8.loads(text).playlists[0]
    assert variant.uri == "r3/video/media.m3u8"
    assert variant.stream_info.bandwidth == 2_000_000 + 128_000  # a runt counts as half the longest
    assert variant.stream_info.average_bandwidth == round(780_000 * 8 / 4.1) + round(65_600 * 8 / 4.1)
    assert variant.stream_info.codecs == "avc1.64001f,mp4a.40.2"
    assert m3u8.loads(text).media[0].uri == "r3/audio/media.m3u8"


def test_segments_that_begin_without_a_key_frame_are_admitted() -> None:
    recorded = RecordedVideo({"video": video(segment(0), segment(1, independent=False))})

    assert "INDEPENDENT-SEGMENTS" not in recorded.media("video")
    assert "INDEPENDENT-SEGMENTS" not in recorded.master()


def test_the_target_duration_is_the_longest_of_all_rounded() -> None:
    recorded = RecordedVideo({"video": video(segment(0, 3.49)), "audio": audio(segment(0, 3.51))})

    assert m3u8.loads(recorded.media("video")).target_duration == 4
    assert m3u8.loads(recorded.media("audio")).target_duration == 4


@pytest.mark.parametrize(
    "renditions", [{}, {"video": RecordedRendition({}, [segment(0)], {})}], ids=["none", "no track"]
)
def test_without_media_there_is_no_recording(renditions: dict[str, RecordedRendition]) -> None:
    with pytest.raises(ValueError, match="holds no media"):
        RecordedVideo(renditions)


def test_a_rendition_whose_configuration_the_disk_refused_is_left_out() -> None:
    recorded = RecordedVideo({"video": video(segment(0)), "audio": RecordedRendition({}, [segment(0)], {})})

    assert recorded.renditions == ("video",)


# --- of a real broadcast


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SegmentStore]:
    with SegmentStore(Layout(tmp_path)) as store:
        yield store


def test_it_lists_what_the_live_playlist_listed(store: SegmentStore) -> None:
    broadcast = Broadcast.on(store)
    broadcast.publisher().connect().send(5)
    broadcast.stream.interrupt()
    broadcast.publisher(timestamp_ms=99, now_ms=1_700_000_060_000).connect().send(4)
    broadcast.stream.end()
    broadcast.written()

    found = recover(store.layout, "br1").renditions
    recorded = RecordedVideo(
        {name: RecordedRendition(each.tracks, each.segments, each.inits) for name, each in found.items()}
    )

    for name in ("video", "audio"):
        live = m3u8.loads(broadcast.packager.renditions[name].playlist.text().decode())
        vod = m3u8.loads(recorded.media(name))
        assert [(one.uri, one.duration, one.discontinuity) for one in vod.segments] == [
            (one.uri, one.duration, one.discontinuity) for one in live.segments
        ]
        assert [one.program_date_time for one in vod.segments] == [one.program_date_time for one in live.segments]
        for one in vod.segments:
            number = int(one.uri.removesuffix(".m4s"))
            assert recorded.segment(name, number).size == broadcast.file(name, number).stat().st_size
    assert recorded.duration_s == pytest.approx(9, abs=0.1)


@pytest.mark.parametrize(
    ("renditions", "file"),
    [
        ({"video": video(segment(0), segment(1))}, True),
        ({"video": video(*BROKEN)}, True),  # who came back with the same encoder
        ({"video": recoded(video(*BROKEN))}, False),
        ({"video": video(segment(0)), "audio": audio(segment(0))}, True),
        ({"video": video(segment(0)), "audio": recoded(audio(*BROKEN))}, False),
        ({"video": recoded(video(*BROKEN)), "audio": audio(segment(0))}, False),
        ({"audio": audio(segment(0))}, True),
    ],
)
def test_what_is_coded_alike_makes_a_file(renditions: dict[str, RecordedRendition], file: bool) -> None:
    recorded = RecordedVideo(renditions)
    assert recorded.makes_a_file is file
    assert recorded.makes_a_file == all(recorded.whole(name) is not None for name in recorded.renditions)
