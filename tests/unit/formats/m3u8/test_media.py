import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import m3u8
import pytest

from server.formats.m3u8.attributes import M3u8Error, parse_attributes
from server.formats.m3u8.media import (
    ByteRange,
    Map,
    MediaPlaylist,
    OpenSegment,
    Part,
    PreloadHint,
    RenditionReport,
    Segment,
    ServerControl,
    map_line,
    open_segment_lines,
    part_line,
    segment_lines,
    tail_lines,
)
from server.formats.m3u8.multivariant import MultivariantPlaylist, Rendition, Variant

T0 = 1_790_000_000_123  # 2026-09-21T14:13:20.123Z


def parts(number: int, count: int) -> tuple[Part, ...]:
    return tuple(Part(f"v/{number}.{at}.m4s", 1 / 3, independent=at == 0) for at in range(count))


LIVE = MediaPlaylist(
    target_duration_s=2,
    media_sequence=40,
    discontinuity_sequence=1,
    server_control=ServerControl(can_block_reload=True, hold_back_s=6, part_hold_back_s=1.0, can_skip_until_s=12),
    part_target_s=1 / 3,
    map=Map("v/init.1.mp4"),
    segments=(
        Segment("v/40.m4s", 2.0, program_date_time_ms=T0),
        Segment("v/41.m4s", 1.0, parts(41, 3), program_date_time_ms=T0 + 2000),
        Segment("v/42.m4s", 2.0, parts(42, 6), Map("v/init.2.mp4"), True, T0 + 9000),
    ),
    open_segment=OpenSegment(parts(43, 2), program_date_time_ms=T0 + 11_000),
    preload_hint=PreloadHint("v/43.2.m4s"),
    rendition_reports=(RenditionReport("a.m3u8", 43, 1),),
)
LIVE_TEXT = """\
#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1,HOLD-BACK=6,CAN-SKIP-UNTIL=12
#EXT-X-PART-INF:PART-TARGET=0.33333
#EXT-X-MEDIA-SEQUENCE:40
#EXT-X-DISCONTINUITY-SEQUENCE:1
#EXT-X-MAP:URI="v/init.1.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:20.123Z
#EXTINF:2.00000,
v/40.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:22.123Z
#EXT-X-PART:DURATION=0.33333,URI="v/41.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI="v/41.1.m4s"
#EXT-X-PART:DURATION=0.33333,URI="v/41.2.m4s"
#EXTINF:1.00000,
v/41.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="v/init.2.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:29.123Z
#EXT-X-PART:DURATION=0.33333,URI="v/42.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI="v/42.1.m4s"
#EXT-X-PART:DURATION=0.33333,URI="v/42.2.m4s"
#EXT-X-PART:DURATION=0.33333,URI="v/42.3.m4s"
#EXT-X-PART:DURATION=0.33333,URI="v/42.4.m4s"
#EXT-X-PART:DURATION=0.33333,URI="v/42.5.m4s"
#EXTINF:2.00000,
v/42.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-09-21T14:13:31.123Z
#EXT-X-PART:DURATION=0.33333,URI="v/43.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33333,URI="v/43.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="v/43.2.m4s"
#EXT-X-RENDITION-REPORT:URI="a.m3u8",LAST-MSN=43,LAST-PART=1
"""

VOD = MediaPlaylist(
    target_duration_s=4,
    playlist_type="VOD",
    independent_segments=True,
    map=Map("v/init.mp4"),
    segments=(Segment("v/0.m4s", 4.0), Segment("v/1.m4s", 3.99998), Segment("v/2.m4s", 0.03333)),
    ended=True,
)
VOD_TEXT = """\
#EXTM3U
#EXT-X-VERSION:8
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-MAP:URI="v/init.mp4"
#EXTINF:4.00000,
v/0.m4s
#EXTINF:3.99998,
v/1.m4s
#EXTINF:0.03333,
v/2.m4s
#EXT-X-ENDLIST
"""

EVENT = MediaPlaylist(
    target_duration_s=4,
    playlist_type="EVENT",
    map=Map("all.mp4", ByteRange(700, 0)),
    segments=(
        Segment("all.mp4", 4.0, byte_range=ByteRange(1000, 700)),
        Segment("lost.mp4", 4.0, gap=True),
    ),
)
EVENT_TEXT = """\
#EXTM3U
#EXT-X-VERSION:8
#EXT-X-TARGETDURATION:4
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-MAP:URI="all.mp4",BYTERANGE="700@0"
#EXTINF:4.00000,
#EXT-X-BYTERANGE:1000@700
all.mp4
#EXT-X-GAP
#EXTINF:4.00000,
lost.mp4
"""

DELTA = replace(LIVE, skipped=2, map=None, segments=LIVE.segments[2:])
GOLDEN = {"live": (LIVE, LIVE_TEXT), "vod": (VOD, VOD_TEXT), "event": (EVENT, EVENT_TEXT)}


@pytest.mark.parametrize(("playlist", "text"), GOLDEN.values(), ids=GOLDEN)
def test_golden_playlists(playlist: MediaPlaylist, text: str) -> None:
    assert playlist.render() == text


def test_a_delta_update_skips_the_oldest_segments() -> None:
    head, tail = LIVE_TEXT.split('#EXT-X-MAP:URI="v/init.1.mp4"\n')
    kept = tail[tail.index("#EXT-X-DISCONTINUITY\n") :]
    assert DELTA.render() == f"{head}#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n{kept}"


def test_kept_blocks_render_the_same_text() -> None:
    assert LIVE.open_segment is not None
    blocks = [*map(segment_lines, LIVE.segments), open_segment_lines(LIVE.open_segment)]
    assert replace(LIVE, segments=(), open_segment=None).render(blocks) == LIVE_TEXT


def test_parts_of_closed_segments_may_be_left_out() -> None:
    text = LIVE.render(parts=False)
    assert "v/42.5.m4s" not in text
    assert "v/43.1.m4s" in text
    assert segment_lines(LIVE.segments[1], parts=False).count("\n") == 3


def test_a_playlist_without_low_latency_is_no_version_9() -> None:
    plain = replace(LIVE, server_control=None, part_target_s=None, open_segment=None, preload_hint=None)
    plain = replace(plain, rendition_reports=())
    text = plain.render(parts=False)
    assert "#EXT-X-VERSION:8\n" in text
    assert "PART" not in text


def test_every_attribute_of_a_part() -> None:
    line = part_line(Part("all.mp4", 0.2, independent=True, gap=True, byte_range=ByteRange(5, 10)))
    assert parse_attributes(line.removeprefix("#EXT-X-PART:")) == {
        "DURATION": "0.20000",
        "URI": "all.mp4",
        "BYTERANGE": "5@10",
        "INDEPENDENT": "YES",
        "GAP": "YES",
    }


def test_an_open_segment_without_parts_or_news_has_no_lines() -> None:
    assert open_segment_lines(OpenSegment()) == ""
    assert tail_lines(MediaPlaylist(2)) == ""


def test_a_hint_of_the_next_init_segment_and_a_report_without_parts() -> None:
    playlist = MediaPlaylist(2, preload_hint=PreloadHint("i.mp4", "MAP"), rendition_reports=(RenditionReport("a", 7),))
    assert tail_lines(playlist) == (
        '#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="i.mp4"\n#EXT-X-RENDITION-REPORT:URI="a",LAST-MSN=7\n'
    )


def test_a_uri_that_cannot_be_quoted_is_refused() -> None:
    with pytest.raises(M3u8Error):
        map_line(Map('a"b'))


@pytest.mark.parametrize(
    ("epoch_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (1_790_000_000_000, "2026-09-21T14:13:20.000Z"),
        (4_102_444_800_001, "2100-01-01T00:00:00.001Z"),
    ],
)
def test_date_times_are_exact(epoch_ms: int, text: str) -> None:
    assert open_segment_lines(OpenSegment(program_date_time_ms=epoch_ms)) == f"#EXT-X-PROGRAM-DATE-TIME:{text}\n"


# --- other people's parsers


def test_m3u8_reads_the_live_playlist() -> None:
    read = m3u8.loads(LIVE_TEXT)
    assert (read.target_duration, read.media_sequence, read.discontinuity_sequence) == (2, 40, 1)
    assert [segment.uri for segment in read.segments if segment.uri] == ["v/40.m4s", "v/41.m4s", "v/42.m4s"]
    assert [len(segment.parts) for segment in read.segments] == [0, 3, 6, 2]
    assert [segment.init_section.uri for segment in read.segments[:3]] == ["v/init.1.mp4"] * 2 + ["v/init.2.mp4"]
    assert [segment.discontinuity for segment in read.segments] == [False, False, True, False]
    assert read.server_control.part_hold_back == 1.0
    assert read.preload_hint.uri == "v/43.2.m4s"
    assert (read.rendition_reports[0].last_msn, read.rendition_reports[0].last_part) == (43, 1)


CLIENTS = Path(__file__).parents[3] / "clients"
STRICT = """
const HLS = require('hls-parser');
HLS.setOptions({strictMode: true});
const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(texts.map(text => {
  const read = HLS.parse(text);
  return read.isMasterPlaylist ? read.variants.length : read.segments.length + (read.skip || 0);
})));
"""


@pytest.mark.skipif(
    shutil.which("node") is None or not (CLIENTS / "node_modules" / "hls-parser").exists(),
    reason="needs node and the packages of tests/clients",
)
def test_hls_parser_accepts_every_playlist_in_strict_mode() -> None:
    master = MultivariantPlaylist(
        (Variant("v.m3u8", 1_000_000, ("avc1.4d400d", "mp4a.40.2"), 800_000, (320, 180), 30.0, "a", "s"),),
        (
            Rendition("AUDIO", "a", "main", "a.m3u8", "en", default=True, channels=2),
            Rendition("SUBTITLES", "s", "Deutsch", "s.m3u8", "de", autoselect=True),
        ),
        independent_segments=True,
    )
    texts = [LIVE_TEXT, DELTA.render(), VOD_TEXT, EVENT_TEXT, master.render()]
    done = subprocess.run(
        ["node", "-e", STRICT], input=json.dumps(texts), cwd=CLIENTS, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [4, 4, 3, 2, 1]
