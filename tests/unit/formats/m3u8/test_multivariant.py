import m3u8

from server.formats.m3u8.multivariant import MultivariantPlaylist, Rendition, Variant, rendition_line, variant_line

PLAYLIST = MultivariantPlaylist(
    variants=(
        Variant("r1/v.m3u8", 5_400_000, ("avc1.640028", "mp4a.40.2"), 5_000_000, (1920, 1080), 29.97, "a", "s"),
        Variant("r1/a.m3u8", 140_000, ("mp4a.40.2",), audio="a", closed_captions="NONE"),
    ),
    renditions=(
        Rendition("AUDIO", "a", "main", "r1/a.m3u8", "en", default=True, channels=2),
        Rendition(
            "SUBTITLES",
            "s",
            'Deutsch "einfach"',
            "r1/de.m3u8",
            "de-DE",
            autoselect=True,
            forced=True,
            characteristics=("public.easy-to-read", "public.accessibility.describes-video"),
        ),
    ),
    independent_segments=True,
)
TEXT = """\
#EXTM3U
#EXT-X-VERSION:8
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="main",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="r1/a.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch 'einfach'",LANGUAGE="de-DE",AUTOSELECT=YES,FORCED=YES,\
CHARACTERISTICS="public.easy-to-read,public.accessibility.describes-video",URI="r1/de.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=5400000,AVERAGE-BANDWIDTH=5000000,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,\
FRAME-RATE=29.970,AUDIO="a",SUBTITLES="s"
r1/v.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=140000,CODECS="mp4a.40.2",AUDIO="a",CLOSED-CAPTIONS=NONE
r1/a.m3u8
"""


def test_golden_playlist() -> None:
    assert PLAYLIST.render() == TEXT


def test_the_least_playlist() -> None:
    expected = "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n"
    assert MultivariantPlaylist((Variant("v.m3u8", 1, ()),)).render() == expected


def test_a_rendition_within_the_variants_has_no_uri() -> None:
    assert rendition_line(Rendition("AUDIO", "a", "main")) == '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="main"'


def test_m3u8_reads_the_playlist() -> None:
    read = m3u8.loads(TEXT)
    first = read.playlists[0].stream_info
    assert (first.bandwidth, first.average_bandwidth, first.resolution) == (5_400_000, 5_000_000, (1920, 1080))
    assert (first.codecs, first.frame_rate, first.audio) == ("avc1.640028,mp4a.40.2", 29.97, "a")
    assert [(media.type, media.uri, media.default) for media in read.media] == [
        ("AUDIO", "r1/a.m3u8", "YES"),
        ("SUBTITLES", "r1/de.m3u8", None),
    ]


def test_a_name_cannot_break_the_line() -> None:
    line = rendition_line(Rendition("SUBTITLES", "s", 'a"\n#EXT-X-ENDLIST'))
    assert "\n" not in line
    assert line.count('"') == 4
    assert "\n" not in variant_line(PLAYLIST.variants[0])
