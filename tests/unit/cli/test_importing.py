"""Taking a library over from the command line."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from server.cli import importing
from server.client.api import Answer, Api, Unreachable
from server.client.migration.library import Library, Listed, Listing, SourceVideo
from server.client.migration.results import Taken
from server.client.refusals import Refused


class Breaking(Library):
    """A library that goes away after its first video."""

    name = "x"

    def listing(self) -> Listing:
        return Listing(2, self._videos())

    def _videos(self) -> Iterator[Listed]:
        yield Listed("first", "A", {})
        raise Unreachable("gone")

    def video(self, listed: Listed) -> SourceVideo:
        raise Refused(404, {"title": "It was refused."})

    def fetch(self, url: str, headers: Mapping[str, str]) -> Answer:
        return Answer(200, {}, b"")

    def download(self, url: str) -> bytes:
        return b""


def test_how_many_of_each_kind_became_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    importing._show(
        [
            Taken("a", "A", "new", "vi1"), Taken("b", "B", "missing"),
            Taken("c", "C", "known", "vi1", kind="annotation"),
            Taken("d", "D", "failed", "vi1", "It is gone.", kind="material"), Taken("e", "E", "again", kind="playlist"),
        ],
        as_json=False,
    )  # fmt: skip
    shown = capsys.readouterr()
    assert [line.split()[:2] for line in shown.out.splitlines()[1:]] == [
        ["video", "a"], ["video", "b"], ["material", "d"], ["playlist", "e"],
    ]  # fmt: skip
    assert [line.split() for line in shown.err.splitlines()] == [
        ["NEW", "AGAIN", "KNOWN", "SKIPPED", "MISSING", "FAILED"],
        ["videos", "1", "0", "0", "0", "1", "0"],
        ["annotations", "0", "0", "1", "0", "0", "0"],
        ["materials", "0", "0", "0", "0", "0", "1"],
        ["playlists", "0", "1", "0", "0", "0", "0"],
    ]


def test_what_was_taken_is_told_though_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(importing, "_show", lambda found, as_json: shown.extend(found))

    with pytest.raises(Unreachable):
        importing._taken_over(Api("http://a", "k"), Breaking(), False, False)

    assert shown == [Taken("first", "A", "failed", None, "It was refused.")]
