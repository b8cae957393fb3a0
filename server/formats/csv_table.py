"""Tables as spreadsheets save them: RFC 4180, with comma, semicolon or tab, in UTF-8, the first row naming columns."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DELIMITERS = ",;\t"
MAX_COLUMNS = 200
MAX_CELL_CHARS = 32_768  # what spreadsheets themselves hold


class CsvError(ValueError):
    """A sentence for the table's author; `line` counts from 1, `column` is a name where there is one."""

    def __init__(self, line: int, sentence: str, column: str | None = None) -> None:
        super().__init__(sentence)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Row:
    line: int  # of the file, where the row begins
    cells: Mapping[str, str]  # by column; those that are empty are not there


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read(data: bytes, max_rows: int) -> Table:
    """Cells without the white space around them; empty rows are passed over. Raises CsvError."""
    lines = list(io.StringIO(_decoded(data), newline=""))
    records = _records(lines)
    header_line, header = next(records, (1, []))
    columns = _columns(header_line, header)
    rows: list[Row] = []
    for line, values in records:
        if len(rows) == max_rows:
            raise CsvError(line, f"The file has more than {max_rows} rows.")
        rows.append(_row(line, columns, values))
    if not rows:
        raise CsvError(header_line, "The file has no rows under its header.")
    return Table(columns, tuple(rows))


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CsvError(line, "The file is not in UTF-8.") from None
    if "\0" in text:
        raise CsvError(text.count("\n", 0, text.index("\0")) + 1, "The file holds a NUL character.")
    return text


def _records(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """(line, values) of the records that are not empty."""
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        for values in reader:
            if any(value.strip() for value in values):
                yield line, [value.strip() for value in values]
            line = reader.line_num + 1
    except csv.Error as error:
        raise CsvError(line, f"The row can't be read: {error}.") from None


def _columns(line: int, header: list[str]) -> tuple[str, ...]:
    if not header:
        raise CsvError(line, "The file is empty.")
    if len(header) > MAX_COLUMNS:
        raise CsvError(line, f"The file has more than {MAX_COLUMNS} columns.")
    for number, name in enumerate(header, 1):
        if not name:
            raise CsvError(line, f"Column {number} has no name.")
        if name in header[: number - 1]:
            raise CsvError(line, "There are two columns of this name.", name)
    return tuple(header)


def _row(line: int, columns: tuple[str, ...], values: list[str]) -> Row:
    if len(values) > len(columns):
        raise CsvError(line, f"The row has {len(values)} cells, the header {len(columns)}.")
    cells = {name: value for name, value in zip(columns, values, strict=False) if value}
    for name, value in cells.items():
        if len(value) > MAX_CELL_CHARS:
            raise CsvError(line, f"The cell has more than {MAX_CELL_CHARS} characters.", name)
    return Row(line, cells)
