"""What a refusal says, in lines for people: an answer of another status than 2xx, in the API's one error shape."""

import json
from collections.abc import Mapping
from typing import Any

DETAIL_CHARS = 2000  # of a line: what is behind a proxy may answer with pages
LINES = 50


class Refused(Exception):
    """The server answered, and would not. str() of it are sentences, a line each."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = body
        self.headers: Mapping[str, str] = headers if headers is not None else {}
        super().__init__("\n".join(sentences(status, body)))


def sentences(status: int, body: Any) -> list[str]:
    """A line for each fault, with the name of the field that is at fault in front: `title: This value …`.

    `body` is the JSON of the answer; anything else (a proxy's page, nothing) says no more than the status.
    """
    if isinstance(body, dict) and isinstance(body.get("error"), dict):  # as Kinescope says it
        body = {"title": body["error"].get("message"), "detail": body["error"].get("detail")}
    if not isinstance(body, dict) or not (body.get("title") or body.get("detail")):
        return [f"The server answered with the status {status}."]
    problems = body.get("problems")
    given = problems if isinstance(problems, list) and problems else [body]
    return [_line(one) for one in given[:LINES] if isinstance(one, dict)] or [_line(body)]


def parsed(raw: bytes) -> Any:
    """JSON, or None where it is none."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _line(problem: dict[str, Any]) -> str:
    title, detail = problem.get("title"), problem.get("detail")
    said = detail or title or "It was refused."
    return ": ".join(str(part)[:DETAIL_CHARS] for part in (problem.get("name"), said) if part)
