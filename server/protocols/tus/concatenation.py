"""Upload-Concat: `partial`, or `final;` and the URLs of the partial uploads that make it, in order.

Source: tus 1.0.0, Concatenation. Not `concatenation-unfinished`: the partial uploads must be whole before.
"""

import re
from dataclasses import dataclass

from server.errors import Problem

HEADER = "Upload-Concat"
PARTIAL = "partial"
MAX_PARTIALS = 64  # as many URLs as a header line of 8 KiB takes; clients use under ten

# absolute or relative, by whatever name the server is reached: the last two segments tell
_URL = re.compile(r"(?:\S*/)?([A-Za-z0-9_-]{1,64})/([A-Za-z0-9_-]{1,64})")


@dataclass(frozen=True, slots=True)
class Partial:
    """What a partial upload's URL names, and the secret in it."""

    id: str
    secret: str


def parse(header: str) -> tuple[Partial, ...] | None:
    """The partial uploads of a final one; None: it is a partial one itself. Raises Problem (400)."""
    kind, _, rest = header.strip().partition(";")
    if kind.strip().lower() == PARTIAL and not rest:
        return None
    if kind.strip().lower() != "final":
        raise _refused("It must read 'partial' or 'final;' and URLs.")
    found = [_URL.fullmatch(url) for url in rest.split()]
    partials = tuple(Partial(url[1], url[2]) for url in found if url)
    if not partials or len(partials) < len(found):
        raise _refused("The URLs of partial uploads must follow.")
    if len(partials) > MAX_PARTIALS:
        raise _refused(f"At most {MAX_PARTIALS} partial uploads are taken.")
    if len({partial.id for partial in partials}) < len(partials):
        raise _refused("A partial upload may be named once.")
    return partials


def _refused(detail: str) -> Problem:
    return Problem("invalid-attribute", detail=detail, name=HEADER)
