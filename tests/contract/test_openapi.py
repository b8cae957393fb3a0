"""The document that a running server gives out: valid, and true about what its operations refuse."""

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.harness.server import OWNER_KEY, Answer, Server

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def called(server: Server, method: str, path: str, key: str | None) -> Answer:
    """With ids that name nothing and a body of the wrong kind."""
    url = re.sub(r"{\w+}", "nonsense", path)
    return server.call(method, url, b"[]" if method in ("POST", "PATCH") else None, key=key)


def test_it_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_has_what_the_sdks_call(document: dict[str, Any]) -> None:
    served = {(method, path) for method, path, _ in operations(document)}

    assert {
        ("POST", "/auth/api-key"),
        ("POST", "/auth/refresh"),
        ("GET", "/videos"),
        ("POST", "/videos"),
        ("GET", "/videos/{videoId}"),
        ("PATCH", "/videos/{videoId}"),
        ("DELETE", "/videos/{videoId}"),
        ("GET", "/videos/{videoId}/status"),
        ("POST", "/videos/{videoId}/source"),
        ("POST", "/upload"),
        ("GET", "/upload-tokens"),
        ("POST", "/upload-tokens"),
        ("GET", "/live-streams"),
        ("POST", "/live-streams"),
        ("PUT", "/live-streams/{liveStreamId}/complete"),
        ("GET", "/watermarks"),
        ("POST", "/watermarks"),
        ("DELETE", "/watermarks/{watermarkId}"),
    } <= served


def test_what_is_refused_is_refused_as_documented(server: Server, document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for key in (None, "wrong", OWNER_KEY):
            answer = called(server, method, path, key)
            case = f"{method} {path} with key {key}: {answer.status} {answer.text[:300]}"
            assert str(answer.status) in operation["responses"], case
            assert answer.status < 500, case
            if answer.status >= 400:
                body = answer.json()
                assert answer.headers["Content-Type"] == "application/json", case
                assert {"type", "title", "status"} <= set(body), case
                assert body["status"] == answer.status, case
            if operation["security"] and key != OWNER_KEY:
                assert answer.status == 401, case
