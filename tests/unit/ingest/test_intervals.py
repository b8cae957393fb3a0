"""Intervals of recordings: values alone."""

from typing import Any

import pytest

from server.ingest import intervals
from server.ingest.intervals import FOREVER
from server.packager.presentation import Span


def interval(first: int, last: int | None) -> dict[str, Any]:
    begun = intervals.new(first)
    return begun if last is None else intervals.stopped(begun, last)


def test_a_new_one_runs() -> None:
    begun = interval(3, None)
    over = intervals.stopped(begun, 7)

    assert (begun["first"], begun["last"], begun["stoppedAt"], begun["videoId"]) == (3, None, None, None)
    assert (over["first"], over["last"]) == (3, 7)
    assert over["stoppedAt"] >= over["startedAt"]
    assert [intervals.running(each) for each in ([], [over], [begun], [over, begun])] == [False, False, True, True]


@pytest.mark.parametrize(
    ("found", "whole"),
    [([], False), ([(0, None)], True), ([(0, 4)], False), ([(1, None)], False), ([(0, 4), (6, None)], False)],
)
def test_one_video_shows_all_of_it(found: list[tuple[int, int | None]], whole: bool) -> None:
    assert intervals.whole([interval(*each) for each in found]) is whole


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(0, None, None), (3, None, Span(3, 9)), (0, 4, Span(0, 4)), (2, 4, Span(2, 4))],
)
def test_spans(first: int, last: int | None, expected: Span | None) -> None:
    assert intervals.span_of(interval(first, last), 9) == expected


def test_what_is_recorded_is_spared() -> None:
    spared: list[tuple[str, int, int]] = []

    class Store:
        def spare(self, *span: Any) -> None:
            spared.append(span)

    intervals.spare(Store(), "br1", [interval(0, 4), interval(6, None)])  # type: ignore[arg-type]

    assert spared == [("br1", 0, 4), ("br1", 6, FOREVER)]
