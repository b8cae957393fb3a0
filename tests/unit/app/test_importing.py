"""The client side of `sluice import`: which server, which key, and what is said of refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.app import importing
from server.app.importing import ImportFailed, Server, import_file, server, unfinished
from server.config import Config, load


def config(tmp_path: Path) -> Config:
    made = load(None)
    return made.model_copy(update={"storage": made.storage.model_copy(update={"path": tmp_path})})


def test_the_server_of_the_settings_with_its_owners_key(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="--key"):
        server(config(tmp_path), None, None)
    (tmp_path / "owner.key").write_text("the key\n")

    assert server(config(tmp_path), None, None) == Server("http://127.0.0.1:8080", "the key")
    assert server(config(tmp_path), "https://video.example", "k") == Server("https://video.example", "k")


def test_what_is_left() -> None:
    states = {"done": 2, "error": 1, "deleted": 1, "aborted": 1, "uploading": 3, "waiting": 2}
    assert unfinished({"total": 10, "states": states}) == 5


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (json.dumps({"title": "No.", "problems": [{"name": "line 2, url", "detail": "Bad."}, {"title": "Worse."}]}),
         "line 2, url: Bad.\nWorse."),
        (json.dumps({"title": "The API key is not valid.", "status": 401}), "The API key is not valid."),
        ("<html>", "The server answered with the status 502."),
        ("[]", "The server answered with the status 502."),
    ],
)  # fmt: skip
def test_refusals_in_sentences(body: str, sentence: str) -> None:
    assert importing._sentences(502, body.encode()) == sentence


def test_a_server_that_restarts_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "a.csv"
    table.write_text("url\nhttps://a.example/b\n")
    said = [{"importId": "im1", "total": 1, "states": {state: 1}} for state in ("pending", "uploading", "done")]
    calls: list[str] = []
    coming: list[Any] = [said[0], ConnectionError("gone"), said[1], ConnectionError("gone"), said[2]]

    def call(self: Server, path: str, body: bytes | None = None) -> Any:
        calls.append(path)
        found = coming.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(Server, "call", call)
    monkeypatch.setattr(importing.time, "sleep", lambda seconds: None)
    moves: list[Any] = []
    found = import_file(Server("http://a", "k"), table, moves.append, moves.append)

    assert found == said[2]
    assert moves == said
    assert calls == ["/videos/import", *["/videos/import/im1"] * 4]


def test_one_that_stays_away_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "a.csv"
    table.write_text("url\nhttps://a.example/b\n")

    def call(self: Server, path: str, body: bytes | None = None) -> Any:
        if body is None:
            raise ConnectionError("it can't be reached")
        return {"importId": "im1", "total": 1, "states": {"pending": 1}}

    monkeypatch.setattr(Server, "call", call)
    monkeypatch.setattr(importing.time, "sleep", lambda seconds: None)
    with pytest.raises(ImportFailed, match="goes on with the import by itself"):
        import_file(Server("http://a", "k"), table, lambda _: None, lambda _: None)
