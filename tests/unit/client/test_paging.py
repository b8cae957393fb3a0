"""Lists in pages: whole, and of servers that never come to an end with them."""

from collections.abc import Callable
from typing import Any

import pytest

from server.client import paging
from server.client.paging import Endless


def every(pages: Callable[[int], list[Any]], total: int) -> list[Any]:
    asked: list[int] = []

    def page(number: int) -> dict[str, Any]:
        asked.append(number)
        return {"data": pages(number)}

    found = list(paging.every(page(1), page, lambda _page, _number, given: given >= total))
    assert asked == list(range(1, len(asked) + 1))
    return found


def test_page_after_page() -> None:
    assert every(lambda number: [number, -number], 4) == [1, -1, 2, -2]


def test_a_page_with_nothing_is_the_last() -> None:
    assert every(lambda number: [number] * (number < 3), 1000) == [1, 2]
    assert every(lambda number: [], 1000) == []


def test_who_turns_no_page_is_asked_twice() -> None:
    with pytest.raises(Endless, match="the same page again"):
        every(lambda number: [1, 2], 1000)


def test_who_always_has_another_page_is_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGES_LIMIT", 20)
    with pytest.raises(Endless, match="more than 20 pages"):
        every(lambda number: [number], 1 << 40)
