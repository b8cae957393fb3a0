"""Texts in headers, however they are encoded."""

import time
import timeit
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
        ("=?koi8-r?Q?=C6?= and =?iso-8859-1?Q?=FC?= more", "ф and ü more"),
        ("=?unicode_escape?q?=5Cud800?=", "=?unicode_escape?q?=5Cud800?="),
        ("=?utf-7?q?+2AA-?=", "=?utf-7?q?+2AA-?="),
        ("=?utf-8?q?=ED=A0=80?=", "=?utf-8?q?=ED=A0=80?="),
        ("=?iso-8859-12?q?x?=", "=?iso-8859-12?q?x?="),
        ("€ =?utf-8?q?=C3=9C?=", "€ =?utf-8?q?=C3=9C?="),
        ("=? what", "=? what"),
        ("%41%4", "%41%4"),
        ("Über", "Über"),
        ("", ""),
    ],
)
def test_what_a_header_says(sent: str, text: str) -> None:
    request = make_mocked_request("POST", "/", {"X-Video-Title": sent})
    assert headers.text(request, "X-Video-Title") == text


@pytest.mark.parametrize("unit", ["%41", "=?a?q?", "=?utf-8?q?x?=", "?=", "=?", "=?utf-8?b?"])
@pytest.mark.parametrize("end", ["", "%", "?="])
def test_the_longest_is_read_at_once(unit: str, end: str) -> None:
    sent = unit * ((headers.LIMIT - len(end)) // len(unit)) + end
    request = cast(web.Request, SimpleNamespace(headers={"X-Video-Title": sent}))
    assert min(timeit.repeat(lambda: headers.text(request, "X-Video-Title"), number=1, timer=time.process_time)) < 0.1


@pytest.mark.parametrize(
    "sent", ["a" * 11, "\ud800", "%41" * headers.LIMIT, "%00", b"\xff".decode(errors="surrogateescape")]
)
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
