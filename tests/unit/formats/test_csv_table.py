"""Tables as they are saved, and as they are broken."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.csv_table import MAX_CELL_CHARS, CsvError, read


@pytest.mark.parametrize(
    "data",
    [
        b"url,title\nA,B\n",
        b"\xef\xbb\xbfurl,title\r\nA,B\r\n",
        b"url;title\nA;B",
        b"url\ttitle\nA\tB",
        b"\n url , title \n\n A , B \n,\n",
        b'"url","title"\n"A","B"\n',
        "url,title\nA,B\n\u2028,\n".encode(),
    ],
)
def test_the_spellings_of_one_table(data: bytes) -> None:
    table = read(data, 10)
    assert table.columns == ("url", "title")
    assert [row.cells for row in table.rows] == [{"url": "A", "title": "B"}]


def test_rows_know_their_lines() -> None:
    table = read(b'url,title\nA,"two\nlines"\n\nB\n', 10)
    assert [(row.line, dict(row.cells)) for row in table.rows] == [
        (2, {"url": "A", "title": "two\nlines"}),
        (5, {"url": "B"}),
    ]


@pytest.mark.parametrize(
    ("data", "line", "column", "says"),
    [
        (b"", 1, None, "empty"),
        (b"url,title\n", 1, None, "no rows"),
        (b"url,,title\nA,B,C\n", 1, None, "Column 2"),
        (b"url,url\nA,B\n", 1, "url", "two columns"),
        (b"url\nA\nB\nC\nD\n", 5, None, "more than 3 rows"),
        (b"url\nA,B\n", 2, None, "2 cells"),
        (b'url\n"A\n', 2, None, "can't be read"),
        (b'url,b\n"A"x,c\n', 2, None, "can't be read"),
        (b"url\nA\n\xff\n", 3, None, "UTF-8"),
        (b"url\nA\n\0\n", 3, None, "NUL"),
        (b"url\n" + b"A" * (MAX_CELL_CHARS + 1), 2, "url", "characters"),
        (b",".join(b"%d" % n for n in range(201)), 1, None, "columns"),
    ],
)
def test_faults_have_a_line_and_a_column(data: bytes, line: int, column: str | None, says: str) -> None:
    with pytest.raises(CsvError, match=says) as caught:
        read(data, 3)
    assert (caught.value.line, caught.value.column) == (line, column)


@given(st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with suppress(CsvError):
        assert 1 <= len(read(data, 20).rows) <= 20
