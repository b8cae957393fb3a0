"""Tables of text that fit a terminal.

What is too wide is cut where a column may be cut, then left out where a row can do without; ids are never cut, as they
are what is typed next. Texts come from others: what would steer the terminal is shown as a sign that it was there.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GAP = "  "
LEAST_WIDTH = 12  # of a column that is cut
ELLIPSIS = "…"
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # which some scripts and signs are written with

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """`cut`: its texts may be cut. `rank`: columns of the highest are the first to be left out; 0 always stays."""

    title: str
    text: Callable[[Row], str]
    cut: bool = False
    rank: int = 0
    right: bool = False


def column(title: str, name: str, **more: Any) -> Column:
    """Of the attribute `name`; dots lead into objects."""
    return Column(title, lambda row: plain(_reach(row, name)), **more)


def moment(title: str, name: str, **more: Any) -> Column:
    return Column(title, lambda row: _when(_reach(row, name)), **more)


def table(rows: Sequence[Row], columns: Sequence[Column], width: int | None) -> list[str]:
    """Lines, the titles first. `width` is the terminal's; None: as wide as it gets."""
    texts = {one.title: [printable(one.text(row)) for row in rows] for one in columns}
    widths = {one.title: max(map(wide, [one.title, *texts[one.title]])) for one in columns}
    if width is not None:
        columns = _fitting(columns, widths, width)
    heads = _line([one.title for one in columns], columns, widths)
    return [heads] + [
        _line([texts[one.title][at] for one in columns], columns, widths) for at in range(len(rows))
    ]


def _fitting(columns: Sequence[Column], widths: dict[str, int], width: int) -> Sequence[Column]:
    """The columns that stay; `widths` of those that are cut become less."""
    columns = list(columns)
    while (over := _total(columns, widths) - width) > 0:
        spare = {one.title: max(0, widths[one.title] - LEAST_WIDTH) for one in columns if one.cut}
        dearest = max(columns, key=lambda one: one.rank)
        if sum(spare.values()) >= over or dearest.rank == 0:
            for title, most in sorted(spare.items(), key=lambda item: -item[1]):
                taken = min(most, over)
                widths[title] -= taken
                over -= taken
            break
        columns.remove(dearest)
    return columns


def _total(columns: Sequence[Column], widths: Mapping[str, int]) -> int:
    return sum(widths[one.title] for one in columns) + len(GAP) * (len(columns) - 1)


def _line(texts: Sequence[str], columns: Sequence[Column], widths: Mapping[str, int]) -> str:
    cells = []
    for text, one in zip(texts, columns, strict=True):
        shown = shortened(text, widths[one.title]) if one.cut else text
        space = " " * max(0, widths[one.title] - wide(shown))
        cells.append(space + shown if one.right else shown + space)
    return GAP.join(cells).rstrip()


def facts(found: Row) -> list[str]:
    """One object as lines of name and value; those of objects within it under dotted names."""
    pairs = list(_flat(found, ""))
    width = max((wide(name) for name, _ in pairs), default=0)
    return [f"{name}{' ' * (width - wide(name))}{GAP}{printable(value)}".rstrip() for name, value in pairs]


def _flat(found: Row, before: str) -> Sequence[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in found.items():
        if isinstance(value, Mapping) and value:
            pairs += _flat(value, f"{before}{name}.")
        else:
            pairs.append((before + name, plain(value)))
    return pairs


def plain(value: Any) -> str:
    """A value as a person writes it."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3f}".rstrip("0").rstrip(".")
        case list():
            return ", ".join(map(plain, value)) or "-"
        case Mapping() if set(value) == {"key", "value"}:
            return f"{value['key']}={value['value']}"
        case Mapping():
            return " ".join(f"{name}={plain(one)}" for name, one in value.items()) or "-"
        case _:
            return str(value)


def printable(text: str) -> str:
    """In one line, without characters that steer terminals or turn the direction of what follows."""
    return "".join(map(_printable, text))


def _printable(one: str) -> str:
    if one in "\n\r\t":
        return " "
    harmless = one in JOINERS or unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co")
    return one if harmless else UNPRINTABLE


def wide(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(map(_wide, text))


def _wide(one: str) -> int:
    if unicodedata.combining(one) or one in JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(one) in "WF" else 1


def shortened(text: str, width: int) -> str:
    if wide(text) <= width:
        return text
    kept, used = [], 1
    for one in text:
        used += wide(one)
        if used > width:
            break
        kept.append(one)
    return "".join(kept) + ELLIPSIS


def size(count: int | float | None) -> str:
    """Bytes, as people say them."""
    if count is None:
        return "-"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def length(seconds: float | None) -> str:
    """1:02:03"""
    if seconds is None:
        return "-"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _when(text: Any) -> str:
    """A date-time of the API in UTC, to the minute."""
    if not isinstance(text, str):
        return "-"
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return text


def _reach(row: Row, name: str) -> Any:
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
