"""Files that the server fetches by itself: what the dialect calls a video's source."""

from aiohttp import web

from server.outbound.target import BadUrl, Target
from server.uploads.fetching import Fetching
from server.web import validation
from server.web.typed import Call

FETCHING = web.AppKey("fetching", Fetching)


def target(call: Call, url: str, name: str = "source") -> Target:
    """Raises Problem (400) for what can be seen to be no good."""
    try:
        return call.request.app[FETCHING].target(url)
    except BadUrl as error:
        raise validation.of_attribute(name, str(error)) from None
