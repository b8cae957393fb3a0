"""The document that a running server gives out: valid, and true about what its operations refuse."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.web.examples import UNKNOWN
from server.web.scopes import names as scopes
from tests.contract.outline import OUTLINE, outline
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


def test_what_changed_is_meant(document: dict[str, Any]) -> None:
    assert outline(document).splitlines() == OUTLINE.read_text().splitlines(), "if it is: make openapi"


def test_each_operation_is_described(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    ids = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(set(ids)) == len(ids)
    lacking = {f"{method} {path}": missing(operation, tags) for method, path, operation in operations(document)}
    assert {name: what for name, what in lacking.items() if what} == {}, "docstrings of handlers are descriptions"


def missing(operation: dict[str, Any], tags: set[str]) -> list[str]:
    """What an operation does not tell of itself."""
    public = not operation["security"]
    found = {
        "summary": not operation["summary"] or operation["summary"].endswith("."),
        "description": not operation["description"],
        "tags": len(operation["tags"]) != 1 or not tags >= set(operation["tags"]),
        "x-scope": operation.get("x-scope") not in (scopes() if not public else {None}),
        "security": not public and operation["security"] != [{"apiKey": []}, {"bearerAuth": []}],
        "success": not any(status < "300" for status in operation["responses"]),
        "errors": not public and not {"401", "403", "429"} <= operation["responses"].keys(),
        "problem types": any(not problems_of(one) for status, one in operation["responses"].items() if status >= "400"),
        "examples": any("example" not in content for _, content in contents(operation)),
    }
    return [what for what, lacks in found.items() if lacks]


def problems_of(response: dict[str, Any]) -> dict[str, Any]:
    """The examples, by the problems' codes."""
    (content,) = response["content"].values()
    found: dict[str, Any] = content.get("examples", {})
    return found


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is sent, and answered where it succeeds: (where, media type object)."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"body, {kind}", content
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items() if status < "300" else ():
            yield f"{status}, {kind}", content


def test_examples_fit_their_schemas(document: dict[str, Any]) -> None:
    wrong = []
    for method, path, operation in operations(document):
        for where, content in contents(operation):
            schema = {**content["schema"], "components": document["components"]}
            faults = Draft202012Validator(schema).iter_errors(content["example"])
            wrong += [f"{method} {path} {where}: {list(each.absolute_path)} {each.message}" for each in faults]
            wrong += [f"{method} {path} {where}: {each}" for each in unknown(content["example"], "")]

    assert wrong == [], "give such fields `examples`, or their names a row in web/examples.py"


def unknown(value: Any, where: str) -> Iterator[str]:
    """Places at which nobody has said what may stand there."""
    if value == UNKNOWN:
        yield where
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from unknown(each, f"{where}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from unknown(each, f"{where}[]")


def test_schemas_have_names_that_people_chose(document: dict[str, Any]) -> None:
    assert [name for name in document["components"]["schemas"] if "__" in name or "-" in name] == []


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
