"""Texts in headers, however they are encoded."""

from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from server.errors import Problem
from server.web.kinescope import headers


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("Plain title", "Plain title"),
        ("100% true", "100% true"),
        ("50%off", "50%off"),
        ("%D0%A4%D0%B8%D0%BB%D1%8C%D0%BC", "Фильм"),
        ("%FF%FE", "%FF%FE"),
        ("=?UTF-8?B?w5xiZXI=?=", "Über"),
        ("=?UTF-8?Q?=C3=9Cber?=", "Über"),
        ("=?nonsense?B?x?=", "=?nonsense?B?x?="),
        ("Über", "Über"),
        ("", ""),
    ],
)
def test_what_a_header_says(sent: str, text: str) -> None:
    request = make_mocked_request("POST", "/", {"X-Video-Title": sent})
    assert headers.text(request, "X-Video-Title") == text


@pytest.mark.parametrize("sent", ["a" * 11, "%00", b"\xff".decode(errors="surrogateescape")])
def test_what_is_refused(sent: str) -> None:
    request = cast(web.Request, SimpleNamespace(headers={"X-Video-Title": sent}))
    with pytest.raises(Problem) as caught:
        headers.text(request, "X-Video-Title", 10)
    assert caught.value.name == "X-Video-Title"


@pytest.mark.parametrize(
    ("sent", "column"),
    [
        ('{"start": 1, "length": 2}', {"start": 1.0, "end": 3.0}),
        ('{"start": 1.5}', {"start": 1.5, "end": None}),
        ("{}", {"start": 0.0, "end": None}),
    ],
)
def test_trims(sent: str, column: dict[str, float | None]) -> None:
    found = headers.trim(make_mocked_request("POST", "/", {"X-Video-Trim": sent}))
    assert found is not None
    assert found.column() == column


@pytest.mark.parametrize("sent", ["[]", "{", '{"start": -1}', '{"length": 0}', '{"end": 1}', '{"start": 1e999}'])
def test_trims_that_are_none(sent: str) -> None:
    with pytest.raises(Problem) as caught:
        headers.trim(make_mocked_request("POST", "/", {"X-Video-Trim": sent}))
    assert caught.value.name == "X-Video-Trim"


def test_no_trim() -> None:
    assert headers.trim(make_mocked_request("POST", "/", {})) is None
