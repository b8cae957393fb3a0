"""Problems in the dialect's shape: {"error": {"code", "message", "detail"}}, under the status that they have anyway.

The codes are the dialect's where it has one for the case; others are made like its own, of the status said twice.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from server.errors import ERRORS, Problem

PREFIXES = ("/v1/", "/v2/")
PATHS = frozenset({"/v1", "/v2", "/additional-material"})  # the last one is of the dialect's uploading host

# our code, or ours and the name of what is at fault -> the dialect's code and message
_ROWS: Mapping[str | tuple[str, str], tuple[int, str]] = {
    "authentication-missing-authorization-header": (100101, "authorization header not found"),
    "authentication-invalid-authorization-header-value": (100102, "unauthorized"),
    "authentication-invalid-access-token": (100102, "unauthorized"),
    "authentication-invalid-api-key": (100102, "unauthorized"),
    "authentication-missing-upload-token": (100102, "unauthorized"),
    "authentication-invalid-upload-token": (100102, "unauthorized"),
    "forbidden": (100103, "access denied"),
    "too-many-requests": (100106, "limit reached"),
    "webhook-limit-reached": (100106, "limit reached"),
    "uploaded-file-no-file": (1, "no body in request"),
    "uploaded-file-empty": (1, "no body in request"),
    "invalid-payload": (400101, "json syntax error"),
    "conflict": (400201, "has already been taken"),
    "already-taken": (400201, "has already been taken"),
    "limit-reached": (100106, "limit reached"),
    ("request-invalid-query-parameter", "order"): (400216, "not allowed order field"),
    "invalid-id": (400301, "invalid uuid format"),
    "attribute-required": (402402, "validation error"),
    "invalid-attribute": (402402, "validation error"),
    "resource-not-found": (404404, "no such entity"),
    "internal-error": (500500, "internal server error"),
}
_HUMPS = re.compile(r"(?<=[a-z0-9])([A-Z])")
UNEXPECTED = (400400, "unexpected value")  # of any other 400


def spoken(path: str) -> bool:
    """Whether who asks for this path expects the dialect."""
    return path.startswith(PREFIXES) or path in PATHS


def row_of(problem: Problem) -> tuple[int, str]:
    """Code and message."""
    named = _ROWS.get((problem.code, problem.name or "")) or _ROWS.get(problem.code)
    if named:
        return named
    status = problem.row.status
    return UNEXPECTED if status == 400 else (status * 1001, problem.row.title.removesuffix(".").lower())


def body_of(problem: Problem, request_id: str | None = None) -> dict[str, Any]:
    """The JSON object of a problem."""
    code, message = row_of(problem)
    return {"error": {"code": code, "message": message, "detail": _detail(problem, request_id)}}


def answer(problem: Problem, request_id: str | None = None) -> web.Response:
    headers = {"Cache-Control": "no-store", **problem.headers, "Content-Type": "application/json"}
    return web.Response(
        body=orjson.dumps(body_of(problem, request_id)), status=problem.row.status, headers=headers
    )


def _detail(problem: Problem, request_id: str | None) -> str:
    """Names every attribute at fault."""
    if problem.row.status >= 500 and request_id and problem.detail is None:
        return f"The operator can look for the request {request_id}."
    if problem.problems:
        return " ".join(f"{_name(each['name'])}: {each.get('detail') or each['title']}" for each in problem.problems)
    sentence = problem.detail or problem.row.title
    return f"{_name(problem.name)}: {sentence}" if problem.name else sentence


def _name(name: str) -> str:
    """What is below both dialects names attributes as ours does; headers keep their names."""
    return name if "-" in name else _HUMPS.sub(r"_\1", name).lower()


def in_document(document: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document of ours with the dialect's errors in place of ours."""
    components = document["components"]
    del components["schemas"]["ProblemEntry"]
    components["schemas"]["Problem"] = {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "detail"],
                "properties": {
                    "code": {"type": "integer", "description": "Names the kind of problem."},
                    "message": {"type": "string"},
                    "detail": {"type": "string", "description": "With the names of the attributes at fault."},
                },
            }
        },
    }
    components["examples"] = {code: {"value": body_of(Problem(code))} for code in ERRORS}
    return document
