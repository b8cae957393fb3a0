"""Taking a library over from the command line."""

from collections.abc import Iterator
from typing import Any

import pytest

from server.cli import importing
from server.client.api import Api, Unreachable
from server.client.migration.library import Listing, SourceVideo
from server.client.migration.taking import Taken


class Breaking:
    """A library that goes away after its first video."""

    name = "x"

    def listing(self) -> Listing:
        return Listing(2, self._videos())

    def _videos(self) -> Iterator[SourceVideo]:
        yield SourceVideo("first", "A", "", None, "It was refused.", refused=True)
        raise Unreachable("gone")

    def download(self, url: str) -> bytes:
        return b""


def test_what_was_taken_is_told_though_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(importing, "_show", lambda found, as_json: shown.extend(found))

    with pytest.raises(Unreachable):
        importing._taken_over(Api("http://a", "k"), Breaking(), False, False)

    assert shown == [Taken("first", "A", "failed", None, "It was refused.")]
