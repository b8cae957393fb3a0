"""Which HLS streams can be one file, and which pieces that has."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.client.migration import hls_playlists
from server.client.migration.hls_playlists import Chosen, Key, Piece, Sound, Stream, Unusable, chosen, stream

URL = "https://cdn.example/v/master.m3u8"
HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"
END = "#EXT-X-ENDLIST\n"


def segments(*names: str, between: str = "") -> str:
    return between.join(f"#EXTINF:4.0,\n{name}\n" for name in names)


def test_the_best_variant_with_its_sound() -> None:
    found = chosen(
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="low",NAME="x",URI="low.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="high",NAME="fr",LANGUAGE="fr",URI="a/fr.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="high",NAME="en",LANGUAGE="en",DEFAULT=YES,URI="a/en.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="en",URI="s.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=500000,AUDIO="low"\nlow/v.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1280x720,AUDIO="high"\n720.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=5000000,RESOLUTION=1920x1080,AUDIO="high"\n/1080.m3u8\n'
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000000,URI="i.m3u8"\n',
        URL,
    )
    sounds = Sound("https://cdn.example/v/a/en.m3u8", "en"), Sound("https://cdn.example/v/a/fr.m3u8", "fr")
    assert found == Chosen("https://cdn.example/1080.m3u8", sounds, heard=False)


@pytest.mark.parametrize("member", ["", ',URI="v.m3u8"'])
def test_sound_may_be_with_the_pictures(member: str) -> None:
    found = chosen(
        f'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en"{member}\n'
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="fr",URI="fr.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nv.m3u8\n',
        URL,
    )
    assert found == Chosen("https://cdn.example/v/v.m3u8", (Sound("https://cdn.example/v/fr.m3u8", ""),), heard=True)


def test_a_media_playlist_by_itself() -> None:
    text = HEAD + segments("a.ts", "https://other.example/b.ts") + END
    assert chosen(text, URL) == Chosen(None)
    assert stream(text, URL) == Stream(
        None, (Piece("https://cdn.example/v/a.ts"), Piece("https://other.example/b.ts", start_s=4.0))
    )


def test_pieces_may_be_parts_of_files() -> None:
    text = (
        f'{HEAD}#EXT-X-MAP:URI="f.mp4",BYTERANGE="700@0"\n#EXTINF:2,\n#EXT-X-BYTERANGE:1000@700\nf.mp4\n'
        f"#EXTINF:2,\n#EXT-X-BYTERANGE:500\nf.mp4\n#EXTINF:2,\n#EXT-X-BYTERANGE:9@9\ng.mp4\n{END}"
    )
    found = stream(text, URL)
    assert found.init == Piece("https://cdn.example/v/f.mp4", (0, 700))
    assert [one.byte_range for one in found.segments] == [(700, 1000), (1700, 500), (9, 9)]


def test_keys_and_their_vectors() -> None:
    text = (
        f'{HEAD}#EXT-X-MEDIA-SEQUENCE:5\n{segments("a")}#EXT-X-KEY:METHOD=AES-128,URI="k1"\n{segments("b")}'
        f'#EXT-X-KEY:METHOD=AES-128,URI="k2",IV=0x0a\n{segments("c")}#EXT-X-KEY:METHOD=NONE\n{segments("d")}{END}'
    )
    keys = [one.key for one in stream(text, URL).segments]
    first, second = (Key(f"https://cdn.example/v/k{n}", v.to_bytes(16, "big")) for n, v in ((1, 6), (2, 10)))
    assert keys == [None, first, second, None]


KEY = "#EXT-X-KEY:METHOD="


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", hls_playlists.NO_HLS),
        ("<html>", hls_playlists.NO_HLS),
        ("#EXTM3U\n", hls_playlists.NO_HLS),
        (HEAD + END, "is empty"),
        (HEAD + segments("a"), "still being made"),
        (HEAD + segments("a", "b", between="#EXT-X-DISCONTINUITY\n") + END, "discontinuities"),
        (HEAD + "#EXT-X-GAP\n" + segments("a") + END, "missing"),
        (HEAD + segments("a") + '#EXT-X-MAP:URI="i"\n' + segments("b") + END, "changes its init segment"),
        (HEAD + '#EXT-X-MAP:URI="i"\n' + segments("a") + '#EXT-X-MAP:URI="j"\n' + segments("b") + END, "changes"),
        (HEAD + KEY + 'SAMPLE-AES,URI="k"\n' + segments("a") + END, "encrypted with SAMPLE-AES"),
        (HEAD + KEY + 'AES-128,URI="k",KEYFORMAT="com.apple"\n' + segments("a") + END, "encrypted with AES-128"),
        (HEAD + KEY + 'AES-128,URI="k",IV=0xfgh\n' + segments("a") + END, hls_playlists.NO_HLS),
        (HEAD + KEY + 'AES-128,URI="k",IV=0x' + "f" * 40 + "\n" + segments("a") + END, hls_playlists.NO_HLS),
        (HEAD + "#EXTINF:x,\na\n" + END, hls_playlists.NO_HLS),
        (HEAD + "#EXT-X-BYTERANGE:9\n" + segments("a") + END, hls_playlists.NO_HLS),
        (HEAD + "#EXT-X-BYTERANGE:0@1\n" + segments("a") + END, hls_playlists.NO_HLS),
        (HEAD + segments("file:///etc/passwd") + END, "neither http nor https"),
        (HEAD + segments("https://[x/a") + END, hls_playlists.NO_HLS),
        (HEAD + KEY + 'AES-128,URI="data:text/plain,x"\n' + segments("a") + END, "neither http nor https"),
        (HEAD + (KEY + "NONE\n") * (hls_playlists.MAX_KEYS + 1) + segments("a") + END, "too many"),
        (HEAD + "#EXTINF:1,\na\n" * (hls_playlists.MAX_SEGMENTS + 1) + END, "too many"),
    ],
    ids=lambda text: text[:20].strip() if len(text) < 40 else str(len(text)),
)  # fmt: skip
def test_what_can_not_be_one_file_is_told(text: str, sentence: str) -> None:
    with pytest.raises(Unusable, match=sentence.replace("(", r"\(")):
        stream(text, URL)


@pytest.mark.parametrize(
    "line",
    [
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en"',
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nv.m3u8',
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8"',
    ],
)
def test_too_many_variants_are_told_before_they_are_read(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_playlists.m3u8, "loads", lambda _: pytest.fail("it was read"))
    with pytest.raises(Unusable, match="too many"):
        chosen("#EXTM3U\n" + f"{line}\n" * (hls_playlists.MAX_VARIANTS + 1), URL)


LINES = st.sampled_from([
    "#EXTM3U", "#EXTINF:4,", "a.ts", '#EXT-X-MAP:URI="i",BYTERANGE="1@"', "#EXT-X-BYTERANGE:1@2@3", END, KEY,
    KEY + "AES-128,IV=1", "#EXT-X-STREAM-INF:BANDWIDTH=x", "#EXT-X-STREAM-INF:AUDIO=1", "#EXT-X-MEDIA:TYPE=AUDIO",
    "#EXT-X-MEDIA-SEQUENCE:-1", "#EXT-X-PROGRAM-DATE-TIME:1", "#EXT-X-PART:DURATION=1", "#EXT-X-DATERANGE:ID", "\x00",
])  # fmt: skip


@given(st.lists(LINES | st.text(max_size=20), max_size=12))
def test_nothing_else_is_raised(lines: list[str]) -> None:
    for read in (chosen, stream):
        with suppress(Unusable):
            read("#EXTM3U\n" + "\n".join(lines), URL)
