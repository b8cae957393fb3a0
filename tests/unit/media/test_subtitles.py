"""What becomes of packets of subtitles; that real files are read is seen in integration."""

import pytest

from server.formats import webvtt
from server.media import subtitles
from server.media.subtitles import Track


def track(*packets: tuple[int, int | None, bytes], codec: str = "subrip") -> Track:
    made = Track(codec, -1)
    for packet in packets:
        made.add(*packet)
    return made


def cues(made: Track) -> list[tuple[int, int, str]]:
    return [(cue.start_ms, cue.end_ms, cue.text) for cue in webvtt.read(made.text()).cues]


def test_in_the_order_of_time_and_once() -> None:
    made = track((2000, 500, b"second"), (0, 500, b"first"), (2000, 500, b"second"))
    assert cues(made) == [(0, 500, "first"), (2000, 2500, "second")]


def test_what_does_not_say_how_long_goes_when_the_next_comes() -> None:
    made = track((0, None, b"first"), (1000, None, b"second"))
    assert cues(made) == [(0, 1000, "first"), (1000, 1000 + subtitles.UNTOLD_MS, "second")]


def test_what_is_shown_before_the_beginning_is_cut() -> None:
    assert cues(track((-500, 1000, b"half"), (-500, 300, b"gone"))) == [(0, 500, "half")]


def test_nothing_in_a_text_ends_it() -> None:
    made = track((0, 500, b"one\r\n\r\n\r\n00:00:01.000 --> 00:00:02.000\r\ntwo"), (1000, 500, b" \n \n"))
    assert cues(made) == [(0, 500, "one\n00:00:01.000 --&gt; 00:00:02.000\ntwo")]
    settings = Track("webvtt", -1)
    settings.add(0, 500, b"a", "line:0 -->\n\nb")
    settings.add(1000, 500, b"a", "line:0\n\nalign:left")
    assert [cue.settings for cue in webvtt.read(settings.text()).cues] == ["", "line:0 align:left"]


@pytest.mark.parametrize(("name", "limit"), [("MAX_CUES", 2), ("MAX_CHARACTERS", 8)])
def test_there_is_no_end_to_it(monkeypatch: pytest.MonkeyPatch, name: str, limit: int) -> None:
    monkeypatch.setattr(subtitles, name, limit)
    made = track(*((number * 100, 50, b"text") for number in range(5)))
    assert (len(made.cues), made.cut) == (2, True)


def test_a_long_text_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(track((0, 50, b"x" * 10_000)).cues[0].text) == webvtt.MAX_CUE_CHARACTERS
    assert track((0, 1 << 50, b"x")).cues[0].end_ms == subtitles.MAX_SHOWN_MS
