"""Words and marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.catalog import words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Sea, the sea!", "the sea"),
        ("Crème Brûlée", "creme brulee"),
        ("STRASSE straße", "strasse"),
        ("Ёлка и ЙОД", "елка и иод"),
        ("東京タワー tower", "東 京 タ ワ ー tower"),
        ("a_b-c.mp4", "a b c mp4"),
        ('x" OR *', "x or"),
        ("", ""),
        ("—!?", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_folding(text: str, found: str) -> None:
    assert words.of([text]) == found


def test_marks_tell_values_kinds_and_types_apart() -> None:
    made = {words.mark("t", "a"), words.mark("m", "a"), words.mark("m", "a", "b"), words.mark("m", "ab"),
            words.mark("c", "f", 1.0), words.mark("c", "f", "1.0"), words.mark("c", "f", True)}  # fmt: skip
    assert len(made) == 7
    assert all(mark.isalnum() and mark.isascii() for mark in made)


@given(st.text(max_size=300))
def test_what_is_looked_for_is_found_in_itself(text: str) -> None:
    there = words.of([text]).split(" ")
    assert all(any(word.startswith(wanted) for word in there) for wanted in words.of_search(text))
    assert all(word.isalnum() for word in there if word)


@pytest.mark.parametrize("character", ["\ufdfa", "\ufb03", "\u3300", "\u0390", "a\u0301\u0323", "a"])
def test_what_characters_stand_for_counts_too(character: str) -> None:
    found = words._all(character * 100_000)

    assert 0 < sum(map(len, found)) <= words.TEXT_CHARS


def test_captions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "CAPTIONS_CHARS", 12)
    assert words.of_captions("Hello, hello there") == "hello"
    monkeypatch.setattr(words, "CAPTIONS_CHARS", 30)
    monkeypatch.setattr(words, "SPOKEN_CHARS", 8)
    assert words.joined(["one two", "two three"]) == "one two"
    assert words.joined(["one", "two four"]) == "one two"
    assert words.joined([]) == ""
    assert words.of_captions("one two three") == "one two"


def test_no_more_tracks_are_joined_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "SPOKEN_CHARS", 8)
    tracks = iter(["one", "one", "two three", "four"])
    assert words.joined(tracks) == "one two"
    assert list(tracks) == ["four"]


@pytest.mark.parametrize(("chars", "full"), [(10, False), (11, True)])
def test_what_is_full_takes_no_longest_word(chars: int, full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "SPOKEN_CHARS", 10 + 1 + words.WORD_CHARS)
    assert words.is_full("a" * chars) == full
