"""A video as the source of another: what `POST /videos` makes where its `source` is the id of one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from server import ids
from server.catalog.database import Transaction
from server.catalog.models import Video
from server.catalog.versions import NotNow
from server.errors import Problem
from server.vod.edits import Edits, Span, SpanError, span_of
from server.vod.recordings import is_recording
from server.web import validation
from server.web.typed import Call

EDITS = web.AppKey("edits", Edits)


def is_id(source: str | None) -> bool:
    """Whether a source is a video of ours, and no URL."""
    try:
        return bool(source) and bool(ids.canonical("vi", source or ""))
    except ids.InvalidId:
        return False


async def clone(
    transaction: Transaction, call: Call, origin: Video, given: Mapping[str, Any], start_s: float = 0.0,
    end_s: float | None = None,
) -> Video:  # fmt: skip
    """A video of its own that shows what the origin does, or this part of it, with these columns, the title among them,
    in place of the origin's. Raises Problem, 400 and 409."""
    edits = call.request.app[EDITS]
    with conflicts("source"):
        whole = start_s == 0 and end_s is None
        if whole and is_recording(origin):
            return await edits.concat(transaction, [origin], given["title"], given)
        span = Span() if whole else span_of(start_s, end_s, origin.duration_s)
        return await edits.clip(transaction, origin, span, given["title"], given)


@contextmanager
def conflicts(name: str | None = None) -> Iterator[None]:
    """What can't be done, now or at these times, as an answer; `name` is the field that names the videos."""
    try:
        yield
    except NotNow as error:
        raise Problem("conflict", str(error), name=name) from None
    except SpanError as error:
        raise validation.of_attribute(error.name, str(error)) from None
