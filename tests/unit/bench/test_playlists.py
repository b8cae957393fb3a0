"""What the benchmarks read off a playlist."""

import pytest

from tests.bench import playlists

MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Audio",URI="x/audio/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.640028,mp4a.40.2",AUDIO="audio"
x/video/media.m3u8
"""

MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-PART-INF:PART-TARGET=0.368
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="init-0.mp4"
#EXTINF:2.00000,
7.m4s
#EXT-X-PART:DURATION=0.33300,URI="8.0.m4s",INDEPENDENT=YES
#EXTINF:2.00000,
8.m4s
#EXT-X-PART:DURATION=0.33300,URI="9.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33300,URI="9.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="9.2.m4s"
"""


def test_a_multivariant_playlist_lists_variants_and_renditions() -> None:
    found = playlists.parse(MASTER, "http://host/live/li.m3u8")

    assert found.variants == ["http://host/live/x/video/media.m3u8"]
    assert found.renditions == ["http://host/live/x/audio/media.m3u8"]
    assert not found.has_media


def test_a_media_playlist_tells_its_edge() -> None:
    found = playlists.parse(MEDIA, "http://host/x/media.m3u8")

    assert found.edge == (9, 2)
    assert found.segments == ["http://host/x/7.m4s", "http://host/x/8.m4s"]
    assert found.init == "http://host/x/init-0.mp4"
    assert (found.target_s, found.part_target_s) == (4.0, 0.368)


def test_skipped_segments_count() -> None:
    text = MEDIA.replace("#EXTINF:2.00000,\n7.m4s\n", "#EXT-X-SKIP:SKIPPED-SEGMENTS=5\n")

    assert playlists.parse(text, "http://host/media.m3u8").edge == (13, 2)


def test_anything_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not a playlist"):
        playlists.parse("<html>", "http://host/")
