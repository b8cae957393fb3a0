"""What the dialect's uploads say in headers: X-Video-Title and the like.

A header carries ASCII; a text of other characters comes as UTF-8 all the same, per cent encoded, or in the manner of
mail (RFC 2047: `=?UTF-8?B?…?=`).
"""

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Annotated
from urllib.parse import unquote_to_bytes

from aiohttp import web
from pydantic import Field, TypeAdapter, ValidationError

from server.web import validation
from server.web.kinescope.shapes import Body
from server.web.validation import of_attribute

LIMIT = 8000  # characters: as long as a line of a request's head may be
_NOT_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)
# Python knows more by such names: what escapes and compresses, and gives what is no text
_CHARSET = re.compile(r"utf-8|us-ascii|iso-8859-[0-9]{1,2}|windows-125[0-8]|koi8-r", re.ASCII | re.IGNORECASE)


class Trim(Body):
    """The stretch that is left of a file, in seconds."""

    start: Annotated[float, Field(ge=0, le=365 * 86400)] = 0.0
    length: Annotated[float | None, Field(gt=0, le=365 * 86400)] = None

    def column(self) -> dict[str, float | None]:
        """Of the video's row."""
        return {"start": self.start, "end": None if self.length is None else self.start + self.length}


_TRIM: TypeAdapter[Trim] = TypeAdapter(Trim)


def text(request: web.Request, name: str, limit: int = LIMIT) -> str:
    """The header's text; "" without one. Raises Problem, which names it."""
    found = _checked(name, request.headers.get(name, "").strip(), LIMIT)
    found = _checked(name, _decoded(found), limit)
    if "\x00" in found:
        raise of_attribute(name, "This value should not hold a NUL character.")
    return found


def _checked(name: str, found: str, limit: int) -> str:
    """Raises Problem."""
    try:
        found = found.encode(errors="surrogateescape").decode()  # as it came on the wire
    except UnicodeError:
        raise of_attribute(name, "The value is not UTF-8.") from None
    if len(found) > limit:
        raise of_attribute(name, f"This attribute must have at most {limit} characters.")
    return found


def trim(request: web.Request, name: str = "X-Video-Trim") -> Trim | None:
    """Raises Problem."""
    found = request.headers.get(name, "").strip()
    if not found:
        return None
    try:
        return _TRIM.validate_json(found.encode(errors="surrogateescape"))
    except ValidationError as error:
        problem = validation.of_body(error)
        raise of_attribute(name, problem.detail or "This is not a trim.") from None


def _decoded(found: str) -> str:
    """Itself where it is not encoded, or otherwise than is understood."""
    if not found.isascii():
        return found
    if "=?" in found:
        return _of_mail(found)
    if "%" not in found or _NOT_ENCODED.search(found):
        return found
    try:
        return unquote_to_bytes(found).decode()
    except UnicodeDecodeError:
        return found


def _of_mail(found: str) -> str:
    """RFC 2047."""
    end = found.rfind("?=") + 2  # each beginning behind the last end would be looked through to the very end
    if end < 2:
        return found
    try:
        parts = decode_header(found[:end])
        if all(charset is None or _CHARSET.fullmatch(charset) for _, charset in parts):
            return str(make_header(parts)) + found[end:]
    except (HeaderParseError, LookupError, ValueError):
        pass
    return found
