"""Taking a library over from the command line."""

from collections.abc import Iterator
from typing import Any

import pytest

from server.cli import importing
from server.client.api import Api, Unreachable
from server.client.migration.library import Listed, Listing, SourceVideo
from server.client.migration.taking import Taken
from server.client.refusals import Refused


class Breaking:
    """A library that goes away after its first video."""

    name = "x"

    def listing(self) -> Listing:
        return Listing(2, self._videos())

    def _videos(self) -> Iterator[Listed]:
        yield Listed("first", "A", {})
        raise Unreachable("gone")

    def video(self, listed: Listed) -> SourceVideo:
        raise Refused(404, {"title": "It was refused."})

    def download(self, url: str) -> bytes:
        return b""


def test_what_was_taken_is_told_though_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(importing, "_show", lambda found, as_json: shown.extend(found))

    with pytest.raises(Unreachable):
        importing._taken_over(Api("http://a", "k"), Breaking(), False, False)

    assert shown == [Taken("first", "A", "failed", None, "It was refused.")]
