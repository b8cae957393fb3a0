"""Lists that come in pages, of servers that may count them wrongly, or turn none."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from server.client.refusals import Refused

PAGES_LIMIT = 100_000  # of one list: ten million things
ENDLESS = "This list has no end: its server gives {}."

Page = TypeVar("Page", bound=Mapping[str, Any])


class Endless(Refused):
    """A list is longer than any is, or goes round."""

    def __init__(self, gives: str) -> None:
        super().__init__(424, {"title": ENDLESS.format(gives)})


def every(first: Page, page: Callable[[int], Page], is_last: Callable[[Page, int, int], bool]) -> Iterator[Any]:
    """What is in a list from its first page on; `page` fetches the others, `is_last` is asked of a page, its number and
    how much was given with it. One that has nothing is the last too. Raises Endless, and what `page` does."""
    found, before, given = first, None, 0
    for number in range(1, PAGES_LIMIT + 1):
        things = found["data"]
        if not things:
            return
        if things == before:
            raise Endless("the same page again and again")
        yield from things
        given += len(things)
        if is_last(found, number, given):
            return
        before, found = things, page(number + 1)
    raise Endless(f"more than {PAGES_LIMIT} pages")
