"""What is said of refusals."""

from typing import Any

import pytest

from server.client.refusals import Refused, parsed, sentences


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ({"title": "No.", "problems": [{"name": "line 2, url", "detail": "Bad."}, {"title": "Worse."}]},
         ["line 2, url: Bad.", "Worse."]),
        ({"title": "The API key is not valid.", "status": 401}, ["The API key is not valid."]),
        ({"title": "Missing.", "name": "videoId"}, ["videoId: Missing."]),
        ({"title": "No.", "problems": "none"}, ["No."]),
        ({"title": "No.", "problems": [1]}, ["No."]),
        ({"title": "x" * 5000}, ["x" * 2000]),
        ({"error": {"code": 400301, "message": "invalid uuid format", "detail": "id: no uuid"}}, ["id: no uuid"]),
        ({"error": {"code": 401, "message": "unauthorized"}}, ["unauthorized"]),
        ({"error": {}}, ["The server answered with the status 502."]),
        ({}, ["The server answered with the status 502."]),
        (None, ["The server answered with the status 502."]),
        ([], ["The server answered with the status 502."]),
    ],
)  # fmt: skip
def test_refusals_in_sentences(body: Any, lines: list[str]) -> None:
    assert sentences(502, body) == lines
    assert str(Refused(502, body)) == "\n".join(lines)


@pytest.mark.parametrize(("raw", "found"), [(b"", None), (b"<html>", None), (b'{"a": 1}', {"a": 1}), (b"\xff", None)])
def test_json_or_nothing(raw: bytes, found: Any) -> None:
    assert parsed(raw) == found
