"""Calls that taking a library over consists of: made once in effect, and fetched from wherever they lead."""

import secrets
from collections.abc import Callable, Mapping
from urllib.parse import urljoin

from server.client.api import Answer, Unreachable
from server.client.migration.library import Library
from server.client.refusals import Refused

PICTURE_LIMIT = 16 * 1024 * 1024  # bytes, as much as the API takes
REDIRECTS = 5
MOVED = frozenset({301, 302, 303, 307, 308})

Fetch = Callable[[str, Mapping[str, str]], Answer]  # raises Refused, Unreachable


def once() -> dict[str, str]:
    """So that a call that is made again has one effect."""
    return {"Idempotency-Key": f"import-{secrets.token_hex(16)}"}


def downloaded(library: Library, url: str) -> bytes:
    """Of one thing: what can't be reached there does not keep the others. Raises Refused."""
    try:
        return library.download(url)
    except Unreachable as error:
        raise Refused(502, {"title": str(error)}) from None


def picture(library: Library, url: str) -> bytes:
    """Raises Refused."""
    found = downloaded(library, url)
    if not found or len(found) > PICTURE_LIMIT:
        raise Refused(413, {"title": "The picture is empty." if not found else "The picture is too large."})
    return found


def followed(fetch: Fetch, url: str, headers: Mapping[str, str]) -> tuple[Answer, str]:
    """(the answer, where it was found in the end). Raises Refused, also for what can't be reached: it may be elsewhere
    than the library, and says nothing of that."""
    for _ in range(REDIRECTS + 1):
        try:
            return fetch(url, headers), url
        except Refused as refusal:
            told = {name.lower(): value for name, value in refusal.headers.items()}.get("location")
            if refusal.status not in MOVED or not told:
                raise
            url = _moved(url, told)
        except Unreachable as error:
            raise Refused(424, {"title": str(error)}) from None
    raise Refused(424, {"title": "Its address leads from one place to another without end."})


def _moved(url: str, to: str) -> str:
    """Raises Refused."""
    try:
        return urljoin(url, to)
    except ValueError:
        raise Refused(424, {"title": "Its address leads to no URL."}) from None
