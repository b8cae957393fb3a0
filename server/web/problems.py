"""Problems as answers: the one error shape, whoever raised it.

    {"type", "title", "status", "name"?, "detail"?, "problems"?, "range"?, "requestId"?}

`type` is the api.video documentation URL for the codes of that dialect, and an anchor of our own page for the rest.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from server.errors import ERRORS, Problem

DIALECT_TYPE = "https://docs.api.video/reference/"
OWN_TYPE = "/docs#"
DIALECT_CODES = frozenset(
    {
        "attribute-required",
        "invalid-attribute",
        "invalid-payload",
        "request-invalid-query-parameter",
        "authentication-missing-authorization-header",
        "authentication-invalid-authorization-header-value",
        "authentication-invalid-access-token",
        "authentication-invalid-api-key",
        "authentication-invalid-user-credentials",
        "authentication-invalid-refresh-token",
        "authentication-missing-upload-token",
        "authentication-invalid-upload-token",
        "resource-not-found",
        "unrecognized-request-url",
        "method-not-allowed",
        "too-many-requests",
        "uploaded-file-no-file",
        "uploaded-file-multiple-files",
        "uploaded-file-empty",
        "uploaded-file-too-large",
        "uploaded-file-invalid-file",
        "webhook-limit-reached",
        "video-source-already-uploaded",
        "summary-already-exists",
        "video-content-range-malformed",
    }
)

# aiohttp's own refusals; others of 4xx and 5xx fall to the two at the end
_BY_STATUS = {
    400: "invalid-payload",
    403: "forbidden",
    404: "unrecognized-request-url",
    405: "method-not-allowed",
    412: "precondition-failed",
    413: "payload-too-large",
    415: "unsupported-media-type",
    416: "range-not-satisfiable",
    503: "unavailable",
}
_KEPT_HEADERS = ("Allow", "Content-Range", "Retry-After")


def type_of(code: str) -> str:
    return (DIALECT_TYPE if code in DIALECT_CODES else OWN_TYPE) + code


def body_of(problem: Problem, request_id: str | None = None) -> dict[str, Any]:
    """The JSON object of a problem."""
    row = problem.row
    body: dict[str, Any] = {"type": type_of(problem.code), "title": row.title, "status": row.status}
    if problem.name is not None:
        body["name"] = problem.name
    if problem.detail is not None:
        body["detail"] = problem.detail
    if problem.problems:
        body["problems"] = list(problem.problems)
        if "range" in problem.problems[0]:
            body["range"] = problem.problems[0]["range"]
    if row.status >= 500 and request_id:
        body["requestId"] = request_id  # what to ask the operator about
    return body


def answer(problem: Problem, request_id: str | None = None) -> web.Response:
    headers = {"Cache-Control": "no-store", **problem.headers, "Content-Type": "application/json"}
    return web.Response(
        body=orjson.dumps(body_of(problem, request_id)), status=problem.row.status, headers=headers
    )


def from_http(error: web.HTTPException) -> Problem:
    """What aiohttp refuses by itself, in our words."""
    code = _BY_STATUS.get(error.status, "internal-error" if error.status >= 500 else "invalid-payload")
    kept: Mapping[str, str] = {name: error.headers[name] for name in _KEPT_HEADERS if name in error.headers}
    return Problem(code, headers=kept)


def documented() -> list[tuple[str, int, str]]:
    """(code, status, title) of every problem there is."""
    return [(code, row.status, row.title) for code, row in ERRORS.items()]
