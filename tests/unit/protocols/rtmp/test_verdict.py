"""What a server's status means, and its words."""

import pytest

from server.formats.amf0 import Value
from server.protocols.rtmp.verdict import MAX_WORDS, Verdict, verdict_of, words_of


@pytest.mark.parametrize(
    ("info", "verdict"),
    [
        ({"code": "NetStream.Publish.Start", "level": "status"}, Verdict.STARTED),
        ({"code": "NetStream.Publish.Start", "level": "error"}, Verdict.REFUSED),
        ({"code": "NetStream.Play.UnpublishNotify"}, Verdict.ENDED),
        ({"code": "NetStream.Publish.BadName"}, Verdict.REFUSED),
        ({"code": "NetStream.Play.Reset", "level": "status"}, None),
        ({"code": 7, "level": ["error"]}, None),
        ({"level": "error"}, Verdict.REFUSED),
        ({}, None),
    ],
)
def test_verdicts(info: dict[str, Value], verdict: Verdict | None) -> None:
    assert verdict_of(info) is verdict


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"code": "A.B", "description": "no"}, "A.B: no"),
        ({"code": "A.B", "details": "why"}, "A.B: why"),
        ({"description": "a\nb\x1b[31m"}, "ab[31m"),
        ({"code": 7, "description": None}, "the peer refused without a word"),
        ({"description": "x" * 1000}, "x" * MAX_WORDS),
    ],
)
def test_words(info: dict[str, Value], words: str) -> None:
    assert words_of(info) == words
