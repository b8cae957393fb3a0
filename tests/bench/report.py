"""Figures: one aligned table for each case, and a JSON line for each figure."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HEAD = ("figure", "measured", "unit", "target", "of target", "", "peer", "of peer", "other cores", "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, what the project wants it to be, and what a peer reached in the same run."""

    name: str
    value: float | None
    unit: str
    target: float | None = None
    least: bool = False  # the target is a least, not a most
    peer: float | None = None
    other_cores: float | None = None
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """None where there is nothing to compare."""
        if self.target is None or self.value is None:
            return None
        value = round(self.value, 9)  # sums of clock ticks are not exact
        return value >= self.target if self.least else value <= self.target


def table(figures: Sequence[Figure]) -> str:
    rows = [HEAD, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def _cells(figure: Figure) -> tuple[str, ...]:
    verdict = {True: "ok", False: "MISSED", None: ""}[figure.reached]
    sign = "≥" if figure.least else "≤"
    return (
        figure.name,
        number(figure.value),
        figure.unit,
        f"{sign} {number(figure.target)}" if figure.target is not None else "",
        _ratio(figure.value, figure.target),
        verdict,
        number(figure.peer) if figure.peer is not None else "",
        _ratio(figure.value, figure.peer),
        f"{figure.other_cores:.2f}" if figure.other_cores is not None else "",
        figure.note,
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    left = (0, 2, 5, 9)  # words; the others are numbers
    return [
        cell.ljust(width) if column in left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "-"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def _ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.2f}" if value is not None and base else ""


class Log:
    """Says what is going on, and keeps every figure in a file of JSON lines."""

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        self._path, self._run, self._began = path, run, time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)

    def say(self, text: str) -> None:
        print(f"[{time.strftime('%H:%M:%S')} +{time.monotonic() - self._began:4.0f} s] {text}", flush=True)

    def keep(self, case: str, figure: Figure) -> None:
        row = {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **self._run, "case": case, **asdict(figure)}
        with self._path.open("a") as out:
            out.write(json.dumps({**row, "reached": figure.reached}) + "\n")


def quantile(values: Sequence[float], q: float) -> float:
    """The nearest-rank quantile; of nothing, NaN."""
    ordered = sorted(values)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else math.nan
