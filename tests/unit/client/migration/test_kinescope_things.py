"""What Kinescope has beside videos: as it is documented, and otherwise."""

from typing import Any

import pytest

from server.client.migration.kinescope_things import annotation, entries, material, player, playlist
from server.client.migration.library import SourceAnnotation, SourceMaterial, SourcePlayer, SourcePlaylist

PLAYER = {"id": "p1", "name": "Blue", "settings": {"a": 1}, "ads": [{"url": "u"}], "logo": "https://cdn.example/l.png"}
NOTE = {"id": "a1", "type": "video", "title": "More", "link": "https://a.example", "start_time": 1, "end_time": 2}
FILE = {"id": "m1", "title": "Slides", "filename": "a.pdf", "filetype": "application/pdf", "size": 7}
LIST = {
    "id": "y1", "name": "Watch", "description": "d", "parent_id": "f1", "player_id": "p1", "privacy_type": "custom",
    "privacy_domains": ["a.example"], "tags": ["t"], "settings": {"sort_field": "title", "sort_order": "desc"},
}  # fmt: skip
SORTED = {"sort_field": "custom", "sort_order": "asc", "ignore_interactive_tools": False}


def test_as_they_are_documented() -> None:
    blue = player("p1", PLAYER)
    assert blue == SourcePlayer(
        "p1", "Blue", {}, logo_url="https://cdn.example/l.png", settings={"a": 1}, ads=({"url": "u"},)
    )
    assert annotation(NOTE) == SourceAnnotation("a1", "More", "https://a.example", "video", 1, 2)
    assert material(FILE) == SourceMaterial("m1", "Slides", "a.pdf", "application/pdf", 7)
    assert playlist("y1", LIST, {"f1": ("P", "F")}, {"p1": blue}) == SourcePlaylist(
        "y1", "Watch", "d", ("P", "F"), blue, "custom", ("a.example",), ("t",),
        {**SORTED, "sort_field": "title", "sort_order": "desc"},
    )  # fmt: skip


@pytest.mark.parametrize("odd", [None, 1, "\0", [], {}, [1], {"x": 1}, True, -1, 10**30])
def test_what_is_odd_becomes_what_can_be_kept(odd: Any) -> None:
    blue = player("p1", dict.fromkeys(PLAYER, odd))
    assert isinstance(blue.settings, dict)
    note = annotation(dict.fromkeys(NOTE, odd))
    assert (note.kind, 0 <= note.start_ms < 1 << 53) == ("text", True)
    file = material(dict.fromkeys(FILE, odd))
    assert (file.filename, file.title, file.filetype) == ("file", "file", "application/octet-stream")
    found = playlist("y1", dict.fromkeys(LIST, odd), {}, {})
    assert (found.name, found.privacy_type, found.settings, found.player) == ("y1", "nowhere", SORTED, None)


@pytest.mark.parametrize(
    ("said", "kept"),
    [("a/b.pdf", "b.pdf"), ("c:\\x\\b.pdf", "b.pdf"), (" a ", "a"), ("a/", "file"), ("a" * 300, "a" * 255)],
)
def test_names_of_files(said: str, kept: str) -> None:
    assert material({**FILE, "filename": said}).filename == kept


def test_types_of_files_stay_in_their_header() -> None:
    assert material({**FILE, "filetype": "a/b\r\nX-Video-ID: 1"}).filetype == "application/octet-stream"


def test_videos_are_in_the_order_of_their_positions() -> None:
    rows = [{"id": "a", "position": 2}, {"id": "b", "position": 1}, {"id": 3, "position": 0}]
    assert entries(rows) == ["b", "a"]
    assert entries([{"id": "a", "position": 2}, {"id": "b"}]) == ["a", "b"]
