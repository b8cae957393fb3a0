"""Cross-origin access (Fetch Standard, section 3.2): pages elsewhere call the API, upload and play."""

import re
from collections.abc import Iterable, Mapping, Sequence

from aiohttp import web
from multidict import CIMultiDict

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
MAX_AGE_S = "7200"  # what Chromium caps it at
# what a page may send beside the safelisted: the SDKs' own headers first
ALLOWED = (
    "Authorization",
    "Content-Type",
    "Content-Range",
    "Range",
    "Idempotency-Key",
    "AV-Origin-Client",
    "AV-Origin-App",
    "AV-Origin-Sdk",
    "X-Request-ID",
)
EXPOSED = (
    "Content-Length",
    "Content-Range",
    "Date",
    "ETag",
    "Idempotent-Replayed",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Retry-After",
    "X-Request-ID",
)
_HEADER_LIST = re.compile(r"[\w!#$%&'*+.^`|~, -]{1,1024}", re.ASCII)


# an origin that may read this one answer, whatever the server's list says
ALLOWED_ORIGIN = web.RequestKey("allowed_origin", str)


class Cors:
    """Which origins may read answers. No cookie is ever used, so credentials are never allowed."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = "*" in origins
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._exposed = ", ".join(EXPOSED)

    def expose(self, headers: Iterable[str]) -> None:
        """Lets pages read more answer headers, such as those of an upload protocol."""
        known = self._exposed.split(", ")
        self._exposed = ", ".join(known + [name for name in headers if name not in known])

    def add_to(self, request: web.Request, headers: CIMultiDict[str]) -> None:
        only = request.get(ALLOWED_ORIGIN)
        if only is None:
            allowed = self.headers_for(request.headers.get("Origin"))
        else:
            allowed = {"Access-Control-Allow-Origin": only, "Access-Control-Expose-Headers": self._exposed}
        if self.varies and only is None:
            headers.add("Vary", "Origin")
        headers.update(allowed)
        if allowed and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            self._add_preflight(request, headers)

    @property
    def varies(self) -> bool:
        """Whether answers depend on who asks: then they say `Vary: Origin`."""
        return not self._any

    def headers_for(self, origin: str | None) -> Mapping[str, str]:
        """What lets a page of that origin read the answer; nothing where it may not."""
        if self._any:
            allowed = "*"  # also without Origin: caches keep one answer for all
        elif origin is not None and origin.lower() in self._origins:
            allowed = origin
        else:
            return {}
        if origin is None:
            return {"Access-Control-Allow-Origin": allowed}
        return {"Access-Control-Allow-Origin": allowed, "Access-Control-Expose-Headers": self._exposed}

    def _add_preflight(self, request: web.Request, headers: CIMultiDict[str]) -> None:
        asked = request.headers.get("Access-Control-Request-Headers", "")
        # without cookies a header can do no harm that a client of its own could not do
        headers["Access-Control-Allow-Headers"] = asked if _HEADER_LIST.fullmatch(asked) else ", ".join(ALLOWED)
        headers["Access-Control-Allow-Methods"] = METHODS
        headers["Access-Control-Max-Age"] = MAX_AGE_S
        headers.add("Vary", "Access-Control-Request-Headers")


CORS = web.AppKey("cors", Cors)
