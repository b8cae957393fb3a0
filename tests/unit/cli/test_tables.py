"""Tables for terminals: what is cut, what is left out, what is never shown as it came."""

from typing import Any

import pytest

from server.cli.tables import column, facts, length, moment, plain, printable, shortened, size, table, wide

COLUMNS = [
    column("ID", "id"),
    column("TITLE", "title", cut=True),
    column("N", "n", right=True, rank=1),
    column("NOTE", "note.text", cut=True, rank=2),
]
ROWS = [
    {"id": "vi1", "title": "A rather long title of a video", "n": 5, "note": {"text": "something said about it"}},
    {"id": "vi22", "title": "Short", "n": 12, "note": None},
]


def test_as_wide_as_it_gets() -> None:
    assert table(ROWS, COLUMNS, None) == [
        "ID    TITLE                            N  NOTE",
        "vi1   A rather long title of a video   5  something said about it",
        "vi22  Short                           12  -",
    ]


def test_long_texts_are_cut_first() -> None:
    assert table(ROWS, COLUMNS, 48) == [
        "ID    TITLE           N  NOTE",
        "vi1   A rather lon…   5  something said about it",
        "vi22  Short          12  -",
    ]


@pytest.mark.parametrize("width", range(20, 70))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = table(ROWS, COLUMNS, width)

    assert all(wide(line) <= width for line in lines)
    assert [line.split()[0] for line in lines] == ["ID", "vi1", "vi22"]
    assert ("NOTE" in lines[0]) == (width >= 6 + 14 + 4 + 12)


def test_ids_are_never_cut() -> None:
    (_, line) = table([{"id": "x" * 30, "title": "t" * 30}], COLUMNS[:2], 20)
    assert line == "x" * 30 + "  " + "t" * 11 + "…"


def test_signs_of_two_columns_count_twice() -> None:
    assert wide("日本") == 4
    assert wide("e\N{COMBINING ACUTE ACCENT}") == 1
    assert shortened("日本語", 5) == "日本…"
    lines = table([{"id": "1", "title": "日本"}, {"id": "2", "title": "abcd"}], [COLUMNS[1], COLUMNS[0]], None)
    assert lines == ["TITLE  ID", "日本   1", "abcd   2"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred", "a\N{REPLACEMENT CHARACTER}[31mred"),
        ("two\nlines\tor\rmore", "two lines or more"),
        ("\u202egnp.exe", "\N{REPLACEMENT CHARACTER}gnp.exe"),
        ("\x9b2J\x07\x00", "\N{REPLACEMENT CHARACTER}2J\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"),
        ("👩\u200d👧 می\u200cخواهم", "👩\u200d👧 می\u200cخواهم"),
    ],
)
def test_a_title_does_not_steer_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert shown in table([{"title": text}], [column("TITLE", "title")], None)[1]
    assert facts({"title": text}) == [f"title  {shown}"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), (True, "yes"), (False, "no"), (3, "3"), (2.5, "2.5"), (4.0, "4"), ([], "-"), ({}, "-"),
        (["a", "b"], "a, b"), ([{"key": "k", "value": "v"}], "k=v"), ([{"a": 1, "b": None}], "a=1 b=-"),
    ],
)  # fmt: skip
def test_values_as_people_write_them(value: Any, text: str) -> None:
    assert plain(value) == text


def test_facts_are_flat() -> None:
    assert facts({"id": "vi1", "links": {"uploadId": None, "deep": {"er": 1}}, "tags": ["a"]}) == [
        "id              vi1",
        "links.uploadId  -",
        "links.deep.er   1",
        "tags            a",
    ]
    assert facts({}) == []


def test_times_lengths_and_sizes() -> None:
    rows = [{"at": "2026-01-31T12:17:47+02:00"}, {"at": None}, {"at": "soon"}]
    assert table(rows, [moment("AT", "at")], None) == ["AT", "2026-01-31 10:17", "-", "soon"]
    assert [length(one) for one in (None, 0, 59.6, 3723)] == ["-", "0:00", "1:00", "1:02:03"]
    assert [size(one) for one in (None, 0, 999, 1000, 2_500_000, 5e14)] == [
        "-", "0 B", "999 B", "1.0 kB", "2.5 MB", "500.0 TB"
    ]  # fmt: skip
