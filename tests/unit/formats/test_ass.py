"""Lines of SubStation scripts as cues."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.ass import dialogue
from server.formats.webvtt import Cue, TextTrack, read, write

CASES = {
    "Plain": ("Plain", ""),
    r"Two\Nlines\nand\hmore": ("Two\nlines and\u00a0more", ""),
    r"{\i1}Lean{\i0} & <font>": ("<i>Lean</i> &amp; ", ""),
    r"{\b1\i1}Both{\b0} one": ("<b><i>Both</i></b><i> one</i>", ""),
    r"{\u1}Open": ("<u>Open</u>", ""),
    r"{\b700}Heavy{\b}": ("<b>Heavy</b>", ""),
    r"{\an8}Above": ("Above", "line:0"),
    r"{\an2\c&HFFFFFF&\pos(1,2)}Below": ("Below", ""),
    r"{\p1}m 0 0 l 100 0{\p0}after": ("after", ""),
    r"{\p1}m 0 0 l 100 0": ("", ""),
    "Commas, too": ("Commas, too", ""),
    "First\0rest of what was there": ("First", ""),
}


@pytest.mark.parametrize("text", CASES)
def test_text(text: str) -> None:
    assert dialogue(f"3,0,Default,,0,0,0,,{text}".encode()) == CASES[text]


@pytest.mark.parametrize("line", ["", "1,2,3", "no commas"])
def test_what_is_no_dialogue_says_nothing(line: str) -> None:
    assert dialogue(line.encode()) == ("", "")


@given(st.text(max_size=200))
def test_whatever_it_says_is_a_cue(text: str) -> None:
    found, settings = dialogue(f"0,0,,,,,,,{text}".encode("utf-8", "replace"))
    assert found.count("<") == found.count(">")
    lines = "\n".join(line for line in found.split("\n") if line.strip() and "\r" not in line)
    if lines and "-->" not in lines:
        assert read(write(TextTrack((Cue(0, 1, lines, settings),)))).cues
