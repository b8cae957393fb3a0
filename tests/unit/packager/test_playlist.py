"""The text of live playlists, and what to do with a request that may have to wait."""

import gzip
import re

import m3u8
import pytest

from server.formats.m3u8.media import RenditionReport
from server.packager.playlist import Playlist, Refuse, Serve, Wait, decide
from server.packager.window import Window
from tests.unit.packager.test_window import File, add_segment

PDT = "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:"


def live(parts_s: float | None = 0.5, **options: object) -> tuple[Window, Playlist]:
    window = Window(4, 1800, low_latency=parts_s is not None, **options)  # type: ignore[arg-type]
    window.part_target_s = parts_s
    return window, Playlist(window, 1.0 if parts_s else None, lambda: [RenditionReport("../audio/media.m3u8", 3, 1)])


def text(window: Window, playlist: Playlist, *, delta: bool = False) -> str:
    window.publish()
    return playlist.text(delta=delta).decode()


def test_the_whole_of_a_low_latency_playlist() -> None:
    window, playlist = live()
    for _ in range(3):
        add_segment(window)
    add_segment(window, parts=1, seconds=0.5, close=False)

    assert text(window, playlist) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:9\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1,HOLD-BACK=12,CAN-SKIP-UNTIL=24\n"
        "#EXT-X-PART-INF:PART-TARGET=0.5\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        '#EXT-X-MAP:URI="init-0.mp4"\n'
        f"{PDT}00.000Z\n"
        "#EXTINF:2.00000,\n"
        "0.m4s\n"
        f"{PDT}02.000Z\n"
        '#EXT-X-PART:DURATION=0.50000,URI="1.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.50000,URI="1.1.m4s"\n'
        '#EXT-X-PART:DURATION=0.50000,URI="1.2.m4s"\n'
        '#EXT-X-PART:DURATION=0.50000,URI="1.3.m4s"\n'
        "#EXTINF:2.00000,\n"
        "1.m4s\n"
        f"{PDT}04.000Z\n"
        '#EXT-X-PART:DURATION=0.50000,URI="2.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.50000,URI="2.1.m4s"\n'
        '#EXT-X-PART:DURATION=0.50000,URI="2.2.m4s"\n'
        '#EXT-X-PART:DURATION=0.50000,URI="2.3.m4s"\n'
        "#EXTINF:2.00000,\n"
        "2.m4s\n"
        f"{PDT}06.000Z\n"
        '#EXT-X-PART:DURATION=0.50000,URI="3.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="3.1.m4s"\n'
        '#EXT-X-RENDITION-REPORT:URI="../audio/media.m3u8",LAST-MSN=3,LAST-PART=1\n'
    )


def test_the_whole_of_a_playlist_without_parts() -> None:
    window, playlist = live(None)
    add_segment(window)
    add_segment(window, parts=1, close=False)

    assert text(window, playlist) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:9\n"
        "#EXT-X-TARGETDURATION:4\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=12,CAN-SKIP-UNTIL=24\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        '#EXT-X-MAP:URI="init-0.mp4"\n'
        f"{PDT}00.000Z\n"
        "#EXTINF:2.00000,\n"
        "0.m4s\n"
        '#EXT-X-RENDITION-REPORT:URI="../audio/media.m3u8",LAST-MSN=3,LAST-PART=1\n'
    )


def test_the_end_has_no_parts_and_no_hints() -> None:
    window, playlist = live()
    add_segment(window)
    window.end()
    found = text(window, playlist)
    assert found.endswith("0.m4s\n#EXT-X-ENDLIST\n")
    assert "EXT-X-PART:" not in found
    assert "PRELOAD" not in found


def test_after_a_whole_segment_the_hint_is_the_first_part_of_the_next() -> None:
    window, playlist = live()
    add_segment(window)
    assert '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="1.0.m4s"' in text(window, playlist)


def test_parts_are_listed_of_the_last_two_closed_segments_only() -> None:
    window, playlist = live()
    for _ in range(10):
        add_segment(window)
        listed = {int(msn) for msn in re.findall(r'EXT-X-PART:.*URI="(\d+)\.', text(window, playlist))}
        newest = window.next_msn - 1
        assert listed == {max(0, newest - 1), newest}


def test_parts_of_long_segments_are_listed_within_three_target_durations() -> None:
    window, playlist = live()
    for _ in range(4):
        add_segment(window, seconds=6)
    found = text(window, playlist)
    assert '"2.0.m4s"' in found
    assert '"1.0.m4s"' not in found


def test_a_new_generation_has_a_discontinuity_and_its_init_segment() -> None:
    window, playlist = live(None)
    for generation in (0, 1, 1):
        add_segment(window, generation=generation)
    lines = text(window, playlist).splitlines()
    assert lines.count("#EXT-X-DISCONTINUITY") == 1
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert lines[at + 1] == '#EXT-X-MAP:URI="init-1.mp4"'
    assert lines[at + 2].startswith("#EXT-X-PROGRAM-DATE-TIME")
    assert sum("EXT-X-MAP" in line for line in lines) == 2


def test_a_new_generation_shows_with_its_first_part() -> None:
    window, playlist = live()
    add_segment(window)
    add_segment(window, generation=1, parts=1, close=False)
    found = text(window, playlist)
    assert f'#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="init-1.mp4"\n{PDT}02.000Z\n#EXT-X-PART:' in found


def test_when_the_generations_first_segment_has_left_its_init_segment_heads_the_list() -> None:
    window = Window(4, 12)
    window.part_target_s = 0.5
    playlist = Playlist(window, 1.0)
    for generation in (0, *[1] * 9):
        add_segment(window, generation=generation)
        window.trim()
        found = text(window, playlist)
    lines = found.splitlines()
    assert lines[lines.index("#EXT-X-DISCONTINUITY-SEQUENCE:1") + 1] == '#EXT-X-MAP:URI="init-1.mp4"'
    assert found.count("EXT-X-MAP") == 1
    assert "#EXT-X-DISCONTINUITY\n" not in found


def test_a_gap_is_told_and_names_no_init_segment() -> None:
    window, playlist = live(None)
    window.add_gap(0, 2000, 1000, 0, 0)
    add_segment(window)
    found = text(window, playlist)
    assert "#EXT-X-GAP\n#EXTINF:2.00000,\n0.m4s\n#EXT-X-MAP" in found


def test_a_segment_that_turns_out_to_be_a_gap_is_rewritten() -> None:
    window, playlist = live(None)
    add_segment(window, file=File(written=False, failed=True))
    assert "GAP" not in text(window, playlist)
    for _ in range(8):
        add_segment(window)
        window.trim()
    assert "#EXT-X-GAP\n#EXTINF:2.00000,\n0.m4s" in text(window, playlist)


# --- over time


def grow(window: Window, playlist: Playlist, segments: int, every: int = 1) -> None:
    """Segments come and go; the playlist is asked for now and then."""
    for count in range(segments):
        add_segment(window, generation=count // 40)
        window.trim()
        if count % every == 0:
            text(window, playlist)


@pytest.mark.parametrize("every", [1, 7, 1000])
def test_text_kept_over_time_is_what_would_be_rendered_at_once(every: int) -> None:
    window = Window(4, 60)
    window.part_target_s = 0.5
    kept = Playlist(window, 1.0)
    grow(window, kept, 300, every)
    add_segment(window, parts=2, close=False, generation=7)

    fresh = text(window, Playlist(window, 1.0))
    assert re.sub(r"#EXT-X-MAP.*\n", "", text(window, kept)) == re.sub(r"#EXT-X-MAP.*\n", "", fresh)
    assert len(window.closed) == 30


@pytest.mark.parametrize("segments", [3, 12, 13, 14, 30, 45, 60])
def test_a_delta_update_and_what_was_skipped_make_the_whole(segments: int) -> None:
    window, playlist = live()
    grow(window, playlist, segments)
    full, delta = text(window, playlist), text(window, playlist, delta=True)

    skipped = re.search(r"#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)\n", delta)
    count = int(skipped[1]) if skipped else 0
    assert count == max(0, segments - 12)  # 24 s of 2 s
    assert segments_of(delta) == segments_of(full)[count:]
    assert ("EXT-X-MAP" in delta) == (count == 0 or count < segments // 40 * 40)


def segments_of(playlist: str) -> list[str]:
    """Text of each segment, without what comes before the first."""
    body = playlist[playlist.index("#EXT-X-PROGRAM") :] if "#EXT-X-DISCONTINUITY\n" not in playlist else playlist
    parts = re.split(r"(?<=\d\.m4s\n)(?=#EXT-X-(?:PROGRAM|DISC))", body)
    return [re.sub(r"(?s)^#EXTM3U.*?(?=#EXT-X-(?:PROGRAM|DISCONTINUITY\n))", "", part) for part in parts]


def test_a_version_is_rendered_once_for_everyone() -> None:
    window, playlist = live()
    add_segment(window)
    first = playlist.text()
    assert playlist.text() is first
    assert playlist.text(gzipped=True) is playlist.text(gzipped=True)
    assert playlist.renders == 1
    playlist.text(delta=True)
    assert playlist.renders == 2

    add_segment(window)
    assert playlist.text() is first  # not published
    window.publish()
    assert playlist.text() is not first


def test_the_compressed_text_is_the_text() -> None:
    window, playlist = live()
    grow(window, playlist, 100)
    assert gzip.decompress(playlist.text(gzipped=True)) == playlist.text()
    assert len(playlist.text(gzipped=True)) < len(playlist.text()) / 5


def test_an_independent_parser_reads_it() -> None:
    window, playlist = live()
    grow(window, playlist, 50)
    add_segment(window, parts=2, close=False, generation=1)
    parsed = m3u8.loads(text(window, playlist))

    assert parsed.target_duration == 4
    assert parsed.part_inf.part_target == 0.5
    assert parsed.server_control.part_hold_back == 1.0
    assert [segment.uri for segment in parsed.segments if segment.uri] == [f"{msn}.m4s" for msn in range(50)]
    assert sum(segment.discontinuity for segment in parsed.segments) == 1
    assert parsed.segments[40].init_section.uri == "init-1.mp4"
    assert parsed.preload_hint.uri == "50.2.m4s"


def test_the_hold_back_is_never_less_than_two_part_targets() -> None:
    window, playlist = live(0.8)
    add_segment(window)
    assert "PART-HOLD-BACK=1.6," in text(window, playlist)


# --- decisions


WAIT = Wait(12.0)


@pytest.mark.parametrize(
    ("msn", "part", "decision"),
    [
        (None, None, Serve),
        (None, 0, 400),
        (0, None, Serve),
        (2, None, Serve),
        (2, 3, Serve),
        (2, 4, Serve),  # past the end: part 0 of segment 3, which is there
        (3, None, Wait),
        (3, 0, Serve),
        (3, 1, Serve),
        (3, 2, Wait),
        (3, 7, Wait),  # the advance part limit is 6 at parts of 0.5 s
        (3, 8, 400),
        (4, 0, Wait),
        (4, None, Wait),
        (5, None, Wait),
        (5, 6, Wait),
        (5, 7, 400),
        (6, None, 400),
        (10**9, None, 400),
        (-1, None, 400),
        (3, -1, 400),
    ],
)
def test_what_a_request_gets(msn: int | None, part: int | None, decision: object) -> None:
    window, _ = live()
    for _ in range(3):
        add_segment(window)
    add_segment(window, parts=2, close=False)

    found = decide(window, msn, part)
    if decision is Wait:
        assert found == WAIT
    elif decision is Serve:
        assert found == Serve()
    else:
        assert isinstance(found, Refuse)
        assert found.status == decision


def test_before_the_first_part_requests_wait() -> None:
    window, _ = live()
    assert decide(window, None, None) == WAIT
    assert decide(window, 0, 0) == WAIT


def test_an_ended_playlist_is_served_whatever_was_asked() -> None:
    window, _ = live()
    add_segment(window)
    window.end()
    assert decide(window, 99, 3) == Serve()


def test_long_parts_have_a_limit_of_three() -> None:
    window, _ = live(1.0)
    add_segment(window, parts=2)
    assert decide(window, 1, 3) == WAIT
    assert isinstance(decide(window, 1, 4), Refuse)
