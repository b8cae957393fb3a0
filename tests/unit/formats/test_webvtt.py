"""Captions and chapters: what is read, what its sender is told, and that it comes out as it went in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats import subrip, webvtt
from server.formats.webvtt import Cue, TextError, TextTrack

VTT = """WEBVTT - with a title
Kind: captions

NOTE about nothing

STYLE
::cue { color: yellow }

1
00:01.000 --> 00:02.500 line:0 align:start
Hello <b>you</b> &amp; me

01:00:00.000 --> 01:00:01.000
Much
later
"""


def test_a_file_is_read() -> None:
    track = webvtt.read(VTT)
    assert track.blocks == ("STYLE\n::cue { color: yellow }",)
    assert track.cues == (
        Cue(1000, 2500, "Hello <b>you</b> &amp; me", "line:0 align:start", "1"),
        Cue(3_600_000, 3_601_000, "Much\nlater"),
    )


def test_it_is_written_as_it_was_read() -> None:
    track = webvtt.read(VTT)
    assert webvtt.read(webvtt.write(track)) == track


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(end: str) -> None:
    assert webvtt.read("\ufeff" + VTT.replace("\n", end)) == webvtt.read(VTT)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "begins with WEBVTT"),
        ("hello", 1, "begins with WEBVTT"),
        ("WEBVTT\n00:01.000 --> 00:02.000\nA", 1, "empty line"),
        ("WEBVTT\n\nA line\nand another", 4, "times of a cue are expected"),
        ("WEBVTT\n\n1\n00:01,000 --> 00:02,000\nA", 4, "times look like"),
        ("WEBVTT\n\n00:61.000 --> 00:62.000\nA", 3, "times look like"),
        ("WEBVTT\n\n00:02.000 --> 00:01.000\nA", 3, "end after it begins"),
        ("WEBVTT\n\n9999:00:00.000 --> 9999:00:01.000\nA", 3, "1,000 hours"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n" + "A" * 5000, 3, "characters"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(TextError, match=reason) as failed:
        webvtt.read(text)
    assert failed.value.line == line


def test_cues_are_counted() -> None:
    with pytest.raises(TextError, match="50,000 cues"):
        webvtt.read("WEBVTT" + "\n\n00:01.000 --> 00:02.000\nA" * 50_001)


SRT = """1
00:00:01,000 --> 00:00:02,5
Hello <I>you</I> & <font color="red">me</font>

2
00:00:00,500 --> 00:00:01,000 X1:1
{\\an8}On top, 1 < 2

there was an empty line
"""


def test_subrip_becomes_webvtt() -> None:
    track = subrip.read(SRT)
    assert track.cues == (
        Cue(500, 1000, "On top, 1 &lt; 2\nthere was an empty line", "line:0"),
        Cue(1000, 2500, "Hello <i>you</i> &amp; me"),
    )
    assert webvtt.read(webvtt.write(track)) == track


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1\nno times", 2),
        ("1\n00:00:01 --> 00:00:02\nA", 2),
        ("1\n00:00:01,000 --> 00:00:02,000\nA\n\n2\nno times", 6),
        ("1\n00:00:03,000 --> 00:00:02,000\nA", 2),
    ],
)
def test_what_is_no_subrip_is_named_with_its_line(text: str, line: int) -> None:
    with pytest.raises(TextError) as failed:
        subrip.read(text)
    assert failed.value.line == line


@given(st.text(alphabet=st.sampled_from("WEBVT01 -->:.,\n\r&<b>{\\an8}\0é"), max_size=200))
def test_rubbish_is_refused_or_read(text: str) -> None:
    for module in (webvtt, subrip):
        try:
            track = module.read(text)
        except TextError:
            continue
        again = webvtt.read(webvtt.write(track))
        assert [cue.start_ms for cue in again.cues] == [cue.start_ms for cue in track.cues]


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 10**5), st.text("abcé &;<>", min_size=1)), max_size=5))
def test_what_is_written_is_read_again(cues: list[tuple[int, int, str]]) -> None:
    made = [Cue(start, start + long, subrip.payload(text).strip() or "x") for start, long, text in cues]
    track = TextTrack(webvtt.in_order(made))
    assert webvtt.read(webvtt.write(track)) == track


def test_a_segment_of_hls_says_where_it_begins_on_the_media_s_clock() -> None:
    text = webvtt.write(TextTrack((Cue(0, 1000, "a"),), ("STYLE\n::cue { color: red }",)))

    assert webvtt.on_clock(text, 2.5).splitlines()[:3] == [
        "WEBVTT", "X-TIMESTAMP-MAP=MPEGTS:225000,LOCAL:00:00:00.000", "",
    ]  # fmt: skip
    assert "MPEGTS:0," in webvtt.on_clock(text, (1 << 33) / 90_000)
    assert webvtt.on_clock(text, 0.0).endswith(text.removeprefix("WEBVTT"))


def test_a_stretch_has_what_is_shown_in_it() -> None:
    cues = (Cue(0, 1000, "over"), Cue(500, 3000, "still there", "line:0", "1"), Cue(2500, 4000, "to come"))
    found = webvtt.starting(TextTrack(cues, ("STYLE",)), 1000)

    assert found == TextTrack(
        (Cue(0, 2000, "still there", "line:0", "1"), Cue(1500, 3000, "to come")), ("STYLE",)
    )
