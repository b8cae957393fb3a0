"""The client side of `sluice import`: how a table is waited for."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.client import importing
from server.client.api import Answer, Api, Unreachable
from server.client.importing import import_file, unfinished


def test_what_is_left() -> None:
    states = {"done": 2, "error": 1, "deleted": 1, "aborted": 1, "uploading": 3, "waiting": 2}
    assert unfinished({"total": 10, "states": states}) == 5


def test_a_server_that_restarts_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "a.csv"
    table.write_text("url\nhttps://a.example/b\n")
    said = [{"importId": "im1", "total": 1, "states": {state: 1}} for state in ("pending", "uploading", "done")]
    calls: list[str] = []
    coming: list[Any] = [said[0], Unreachable("gone"), said[1], Unreachable("gone"), said[2]]

    def send(self: Api, method: str, path: str, *_: Any, **__: Any) -> Answer:
        calls.append(path)
        found = coming.pop(0)
        if isinstance(found, Exception):
            raise found
        return Answer(200, {}, json.dumps(found).encode())

    monkeypatch.setattr(Api, "send", send)
    monkeypatch.setattr(importing.time, "sleep", lambda seconds: None)
    moves: list[Any] = []
    found = import_file(Api("http://a", "k"), table, moves.append, moves.append)

    assert found == said[2]
    assert moves == said
    assert calls == ["/videos/import", *["/videos/import/im1"] * 4]


def test_one_that_stays_away_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "a.csv"
    table.write_text("url\nhttps://a.example/b\n")

    def send(self: Api, method: str, *_: Any, **__: Any) -> Answer:
        if method == "GET":
            raise Unreachable("it can't be reached")
        return Answer(200, {}, b'{"importId": "im1", "total": 1, "states": {"pending": 1}}')

    monkeypatch.setattr(Api, "send", send)
    monkeypatch.setattr(importing.time, "sleep", lambda seconds: None)
    with pytest.raises(Unreachable, match="goes on with the import by itself"):
        import_file(Api("http://a", "k"), table, lambda _: None, lambda _: None)
