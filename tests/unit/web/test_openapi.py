"""The document is valid, whole, and true to the router."""

from typing import Any

import pytest
from aiohttp import FormData, web
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.errors import ERRORS
from server.web.kinescope import errors
from server.web.rates import PER_MINUTE
from server.web.typed import Call, Operations
from tests.unit.web.kit import Client, Connect


async def fetched(client: Client) -> dict[str, Any]:
    async with client.get("/openapi.json") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        document: dict[str, Any] = await response.json()
        return document


@pytest.fixture
async def document(anonymous: Client) -> dict[str, Any]:
    """It needs no credentials."""
    return await fetched(anonymous)


async def test_it_is_valid_openapi_31(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


async def test_it_has_every_route_and_no_other(anonymous: Client, document: dict[str, Any]) -> None:
    app = anonymous.app
    assert app is not None
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    own = ("/oauth/authorize", "/oauth/allowed")
    pages = {("GET", "/"), *((method, path) for path in own for method in ("GET", "POST"))}  # for people
    others = {(method, path) for method, path in served if errors.spoken(path)}  # these have a document of their own
    assert {(method, path) for method, path in served - others - pages if method != "HEAD"} == described


async def test_the_other_dialect_has_a_document_too(anonymous: Client) -> None:
    async with anonymous.get("/v1/openapi.json") as response:
        document = await response.json()
    OpenAPIV31SpecValidator(document).validate()
    app = anonymous.app
    assert app is not None
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    assert {(method, path) for method, path in served if method != "HEAD" and errors.spoken(path)} == described


async def test_everything_but_four_corners_asks_for_credentials(document: dict[str, Any]) -> None:
    free = {
        path for path, methods in document["paths"].items() for one in methods.values() if one["security"] == []
    }

    own = {"/oauth/token", "/oauth/revoke"}  # whose credentials come in the form, as OAuth has it
    told = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/.well-known/oauth-authorization-server"}
    assert free == {"/auth/api-key", "/auth/refresh"} | own | told


async def test_operations_are_named_once_and_explained(document: dict[str, Any]) -> None:
    operations = [one for methods in document["paths"].values() for one in methods.values()]

    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] and one["tags"] for one in operations)
    assert all(one.get("x-scope") for one in operations if one["security"])


async def test_problems_are_one_schema_with_an_example_for_each_code(document: dict[str, Any]) -> None:
    assert set(document["components"]["examples"]) == set(ERRORS)
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status >= "400":
                    schema = answer["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("post", "/videos", "201 202"),
        ("post", "/live-streams", "200"),
        ("put", "/live-streams/{liveStreamId}/complete", "202"),
        ("post", "/upload-tokens", "200"),
        ("delete", "/videos/{videoId}", "204"),
        ("post", "/videos/{videoId}/tokens", "201"),
        ("post", "/auth/refresh", "200"),
    ],
)
async def test_success_codes_are_the_dialects(document: dict[str, Any], method: str, path: str, status: str) -> None:
    successes = [code for code in document["paths"][path][method]["responses"] if code < "300"]

    assert successes == status.split()


async def test_structured_parameters(document: dict[str, Any]) -> None:
    parameters = {one["name"]: one for one in document["paths"]["/videos"]["get"]["parameters"]}

    assert parameters["tags[]"]["schema"]["type"] == "array"
    assert (parameters["metadata"]["style"], parameters["metadata"]["explode"]) == ("deepObject", True)
    assert parameters["pageSize"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 25}
    assert parameters["title"]["schema"] == {"type": "string"}


async def test_changes_require_nothing_and_claim_no_defaults(document: dict[str, Any]) -> None:
    changes = document["components"]["schemas"]["VideoChanges"]

    assert "required" not in changes
    assert all("default" not in schema for schema in changes["properties"].values())
    assert changes["additionalProperties"] is False


async def test_a_raw_operation_is_described_and_served(connect: Connect) -> None:
    operations = Operations("Uploads")
    form = {"type": "object", "properties": {"file": {"type": "string", "contentMediaType": "video/mp4"}}}

    @operations.post(
        "/videos/{videoId}/try", "Send a file", scope="videos:write", status=201, kind="upload",
        raw={"multipart/form-data": form}, errors=["uploaded-file-empty", "uploaded-file-too-large"],
    )  # fmt: skip
    async def upload(call: Call, video_id: str) -> web.Response:
        size = 0
        async for chunk in call.request.content.iter_any():
            size += len(chunk)
        return web.Response(status=201, body=str(size).encode(), content_type="text/plain")

    client = await connect(operations=[operations])
    document = await fetched(client)
    OpenAPIV31SpecValidator(document).validate()
    described = document["paths"]["/videos/{videoId}/try"]["post"]
    assert described["requestBody"]["content"] == {
        "multipart/form-data": {"schema": form, "example": {"file": "@film.mp4"}}
    }
    assert {"400", "401", "403", "404", "413", "429"} <= set(described["responses"])

    big = b"x" * 600_000  # over the limit of JSON bodies, which is not this one's
    data = FormData()
    data.add_field("file", big, filename="a.mp4")
    async with client.post("/videos/1111111111111111111112/try", data=data) as response:
        assert response.status == 201
        assert int(await response.text()) > 600_000
        assert response.headers["X-RateLimit-Limit"] == str(PER_MINUTE["upload"])
