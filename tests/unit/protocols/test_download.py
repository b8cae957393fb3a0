"""What is asked of a file's server, and what its answers mean."""

import pytest

from server.protocols.download import TITLES, Again, Refused, Restart, Take, Whole, judge, request

TAG = '"abc"'
DATES = {"Date": "Sat, 21 Nov 2026 10:00:00 GMT", "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}


@pytest.mark.parametrize(
    ("offset", "validator", "headers"),
    [
        (0, None, {}),
        (0, TAG, {}),
        (5, None, {}),  # nothing tells whether it is still the same file
        (5, TAG, {"Range": "bytes=5-", "If-Range": TAG}),
    ],
)
def test_what_is_asked_for(offset: int, validator: str | None, headers: dict[str, str]) -> None:
    assert request(offset, validator) == headers


@pytest.mark.parametrize(
    ("status", "headers", "offset", "verdict"),
    [
        (200, {}, 0, Take(0, None, None)),
        (200, {"Content-Length": "9", "ETag": TAG}, 0, Take(0, 9, TAG)),
        (200, {"Content-Length": "9", "ETag": 'W/"abc"'}, 0, Take(0, 9, None)),
        (200, {"Content-Length": "-9"}, 0, Take(0, None, None)),
        (200, {"Content-Length": "9" * 30}, 0, Take(0, None, None)),
        (200, DATES, 0, Take(0, None, DATES["Last-Modified"])),
        (200, {**DATES, "Last-Modified": DATES["Date"]}, 0, Take(0, None, None)),
        (200, {"Last-Modified": "yesterday", "Date": "today"}, 0, Take(0, None, None)),
        (200, {"ETag": '"new"'}, 5, Take(0, None, '"new"')),  # it has changed
        (206, {"Content-Range": "bytes 5-8/9", "ETag": TAG}, 5, Take(5, 9, TAG)),
        (206, {"Content-Range": "bytes 5-8/*"}, 5, Take(5, None, TAG)),
        (206, {"Content-Range": "bytes 4-8/9"}, 5, Restart()),
        (206, {"Content-Range": "bytes 5-8/9", "ETag": '"new"'}, 5, Restart()),
        (206, {}, 5, Restart()),
        (416, {"Content-Range": "bytes */5"}, 5, Whole()),
        (416, {"Content-Range": "bytes */4"}, 5, Restart()),
        (416, {}, 5, Restart()),
        (200, {"Content-Encoding": "identity"}, 0, Take(0, None, None)),
    ],
)
def test_answers_that_go_on(status, headers, offset, verdict) -> None:
    assert judge(status, headers, offset, TAG if offset else None) == verdict


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (206, {"Content-Range": "bytes 0-8/9"}, "source-refused"),  # was not asked for
        (200, {"Content-Encoding": "gzip"}, "source-refused"),
        (204, {}, "source-refused"),
        (302, {}, "source-refused"),
        (400, {}, "source-refused"),
        (401, {}, "source-access-denied"),
        (403, {}, "source-access-denied"),
        (404, {}, "source-not-found"),
        (410, {}, "source-not-found"),
        (416, {}, "source-refused"),
        (501, {}, "source-refused"),
    ],
)
def test_answers_that_are_final(status, headers, code) -> None:
    found = judge(status, headers, 0, None)
    assert isinstance(found, Refused)
    assert found.code == code
    assert code in TITLES


@pytest.mark.parametrize(
    ("status", "headers", "after_s"),
    [(500, {}, None), (503, {"Retry-After": "7"}, 7), (503, {"Retry-After": "86400"}, 600), (408, {}, None),
     (429, {"Retry-After": "soon"}, None)],
)  # fmt: skip
def test_answers_to_try_again_after(status, headers, after_s) -> None:
    found = judge(status, headers, 0, None)
    assert isinstance(found, Again)
    assert (found.code, found.after_s) == ("source-failing", after_s)
