"""The URL of a request as logs may show it: without what opens anything.

By the route, not by how the URL looks: whatever spelling a router takes, the parameters that are secrets are known by
their names. What no route takes is looked through by `log.mask`.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, unquote_plus

from aiohttp import web

from server.log import MASK, mask

PATH_LIMIT = 300  # characters of a URL that a log line holds
MASKED_LIMIT = 8 << 10  # and that are looked at for what must not stand there: more than aiohttp takes of a line

SECRETS = frozenset({"secret", "key", "token", "uploadToken"})  # parameters of paths
QUERY_SECRETS = frozenset(
    {
        "token", "access_token", "refresh_token", "avh", "streamkey", "stream_key", "key", "api_key", "apikey",
        "secret", "client_secret", "password", "code", "code_verifier", "drmauthtoken", "session_token",
    }
)  # fmt: skip

_NAMES = re.compile(r"\{(\w+)\}")
_LEFT = "/:@!$&'()*+,;=~"  # what a path may hold as it is


def url(request: web.Request) -> str:
    """Path and query, cut to what a line holds."""
    shown, query = path(request), request.raw_path[:MASKED_LIMIT].partition("?")[2]
    return (f"{shown}?{_query(query)}" if query else shown)[:PATH_LIMIT]


def path(request: web.Request) -> str:
    names = request.match_info
    resource = names.route.resource
    if resource is not None and not SECRETS.isdisjoint(names):
        return _filled(resource.canonical, names)[:PATH_LIMIT]
    shown = request.raw_path[:MASKED_LIMIT].partition("?")[0]
    return mask(quote(unquote(shown), safe=_LEFT) if "%" in shown else shown)[:PATH_LIMIT]


def _filled(template: str, names: Mapping[str, str]) -> str:
    return mask(_NAMES.sub(lambda found: _value(found[1], names), template))


def _value(name: str, names: Mapping[str, str]) -> str:
    return MASK if name in SECRETS else quote(names.get(name, ""), safe=_LEFT)


def _query(text: str) -> str:
    return mask("&".join(_pair(each) for each in text.split("&")))


def _pair(text: str) -> str:
    name, _, value = text.partition("=")
    return f"{name}={MASK}" if value and unquote_plus(name).lower() in QUERY_SECRETS else text
