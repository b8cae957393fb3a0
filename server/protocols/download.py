"""Fetching one file over HTTP in as many goes as it takes: what to ask for, and what an answer means.

Source: RFC 9110, sections 8.8 (validators), 13.1.5 (If-Range), 14 (ranges) and 15 (statuses).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

# A date tells two states of a file apart when it lies so far back from the answer's own (section 8.8.2.2).
STRONG_AFTER = timedelta(seconds=1)
MAX_WAIT_S = 600.0  # of what a server asks for by Retry-After

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524})

# code of a video's error -> its title
TITLES: Mapping[str, str] = {
    "source-url-invalid": "The URL of the source can't be used.",
    "source-forbidden-address": "The URL of the source leads to an address that is not called.",
    "source-unreachable": "The source can't be reached.",
    "source-certificate": "The source can't prove who it is.",
    "source-redirects": "The source redirects too often.",
    "source-access-denied": "The source does not give the file out.",
    "source-not-found": "The source has no such file.",
    "source-refused": "The source did not answer with a file.",
    "source-failing": "The source fails to answer.",
    "source-too-slow": "The source takes too long.",
    "source-too-large": "The file is larger than allowed.",
    "source-empty": "The file is empty.",
    "source-not-media": "The URL does not lead to a media file.",
}

_CONTENT_RANGE = re.compile(r"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_UNSATISFIED = re.compile(r"bytes\s+\*/(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Take:
    """The body is the file's from `offset` on; `length` of the whole file, if it is told."""

    offset: int
    length: int | None
    validator: str | None  # what If-Range takes


@dataclass(frozen=True, slots=True)
class Whole:
    """What there is, is all."""


@dataclass(frozen=True, slots=True)
class Restart:
    """What there is can't be gone on with: ask for the file from its beginning."""


@dataclass(frozen=True, slots=True)
class Again:
    """Later, perhaps. `code` is the error if later doesn't come."""

    code: str
    detail: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Never."""

    code: str
    detail: str


Verdict = Take | Whole | Restart | Again | Refused


def request(offset: int, validator: str | None) -> dict[str, str]:
    """Headers that ask for the file from `offset` on, and for all of it if it has changed."""
    if offset == 0 or validator is None:
        return {}
    return {"Range": f"bytes={offset}-", "If-Range": validator}


def judge(status: int, headers: Mapping[str, str], offset: int, validator: str | None) -> Verdict:
    """`offset` and `validator` are those of the request."""
    asked = bool(request(offset, validator))
    if status in (200, 206) and headers.get("Content-Encoding", "identity").lower() != "identity":
        return Refused("source-refused", "The source sends the file compressed, which was not asked for.")
    if status == 200:
        return Take(0, _whole_number(headers.get("Content-Length")), _validator(headers))
    if status == 206:
        return _part(headers, offset, validator) if asked else Refused(*_refused(status))
    if status == 416 and asked:
        found = _UNSATISFIED.fullmatch(headers.get("Content-Range", ""))
        return Whole() if found and int(found[1]) == offset else Restart()
    if status in AGAIN:
        after_s = _whole_number(headers.get("Retry-After"))
        wait_s = None if after_s is None else min(after_s, MAX_WAIT_S)
        return Again("source-failing", f"The source answered with the status {status}.", wait_s)
    return Refused(*_refused(status))


def _part(headers: Mapping[str, str], offset: int, validator: str | None) -> Verdict:
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if found is None or int(found[1]) != offset:
        return Restart()
    etag = headers.get("ETag")
    if etag is not None and validator is not None and '"' in validator and etag != validator:
        return Restart()  # If-Range was passed over
    return Take(offset, None if found[3] == "*" else int(found[3]), validator)


def _refused(status: int) -> tuple[str, str]:
    detail = f"The source answered with the status {status}."
    if status in (401, 403, 407):
        return "source-access-denied", detail
    if status in (404, 410):
        return "source-not-found", detail
    return "source-refused", detail


def _validator(headers: Mapping[str, str]) -> str | None:
    """A strong entity tag, or a date that is as good."""
    etag = headers.get("ETag")
    if etag is not None and re.fullmatch(r'"[\x21\x23-\x7e]{0,512}"', etag):
        return etag
    modified, date = _date(headers.get("Last-Modified")), _date(headers.get("Date"))
    if modified is None or date is None or date - modified < STRONG_AFTER:
        return None
    return headers["Last-Modified"]


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None
