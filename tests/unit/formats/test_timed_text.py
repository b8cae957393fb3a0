"""Samples of text in MP4 as cues."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4.box import box
from server.formats.timed_text import text_sample, webvtt_sample


def sample(text: bytes, *styles: tuple[int, int, int]) -> bytes:
    rows = b"".join(pack(">HHHBBI", start, stop, 1, face, 18, 0xFFFFFFFF) for start, stop, face in styles)
    modifiers = box(b"styl", pack(">H", len(styles)), rows) if styles else b""
    return pack(">H", len(text)) + text + modifiers


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (sample(b"Some words"), "Some words"),
        (sample("Größe & <".encode()), "Größe &amp; &lt;"),
        (sample("\ufeffwide".encode("utf-16-be")), "wide"),
        (sample(b"Some words", (5, 10, 2)), "Some <i>words</i>"),
        (sample(b"Some words", (5, 10, 3), (0, 4, 4)), "<u>Some</u> <b><i>words</i></b>"),
        (sample(b"Some words", (5, 10, 0)), "Some words"),
        (sample(b"Some words", (0, 8, 1), (5, 10, 2)), "<b>Some wor</b>ds"),  # one over the other
        (sample(b"Some words", (9, 3, 1), (60, 70, 1)), "Some words<b></b>"),
        (sample(b"a\rb"), "a\nb"),
        (sample(b""), ""),
        (b"", ""),
        (b"\xff\xffcut", "cut"),
        (sample(b"Some words") + b"\0\0\0\x07styl", "Some words"),
        (sample(b"Some words") + box(b"styl", b"\0"), "Some words"),
        (sample(b"Some words") + box(b"styl", b"\xff\xff" + pack(">HHHBBI", 0, 4, 1, 1, 18, 0)), "<b>Some</b> words"),
    ],
)
def test_text(data: bytes, expected: str) -> None:
    assert text_sample(data) == expected


def test_cues_in_boxes() -> None:
    first = box(b"vttc", box(b"iden", b"1"), box(b"sttg", b"line:0"), box(b"payl", "Wörter <i>lean</i>".encode()))
    second = box(b"vttc", box(b"payl", b"more"))
    assert webvtt_sample(first + second) == [("Wörter <i>lean</i>", "line:0"), ("more", "")]
    assert webvtt_sample(box(b"vtte")) == []
    assert webvtt_sample(b"Only text") == [("Only text", "")]


@given(st.binary(max_size=80))
def test_whatever_comes_is_text(data: bytes) -> None:
    text_sample(data)
    webvtt_sample(data)
    webvtt_sample(box(b"vttc", data))
