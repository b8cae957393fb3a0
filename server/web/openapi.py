"""The OpenAPI 3.1 document, made from the declared operations."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from server.errors import ERRORS
from server.web.examples import Schema, Schemas, example
from server.web.idempotency import HEADER
from server.web.problems import type_of
from server.web.shapes import Query
from server.web.typed import Operation

REF = "#/components/schemas/{model}"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

# what any operation with credentials, a query or a body may answer beside its own errors
_WITH_CREDENTIALS = (
    "authentication-missing-authorization-header",
    "authentication-invalid-authorization-header-value",
    "authentication-invalid-access-token",
    "authentication-invalid-api-key",
    "forbidden",
)
_WITH_BODY = ("attribute-required", "invalid-attribute", "invalid-payload", "payload-too-large")
_WITH_QUERY = ("request-invalid-query-parameter",)

_RATE_HEADERS = {
    "X-RateLimit-Limit": "Calls of this kind that a minute allows.",
    "X-RateLimit-Remaining": "Calls that are left now.",
    "X-RateLimit-Retry-After": "Seconds until the next call is allowed; 0 when it is.",
}

_WITH_KEY = ("idempotency-key-reused", "idempotency-key-in-use")
_IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Makes the call repeatable: sent again with the same key it has no further effect and gets the same "
    "answer, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Names the kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "name": {"type": "string", "description": "The attribute or parameter at fault, such as restreams[0][name]."},
        "detail": {"type": "string"},
        "range": {"type": "object", "properties": {"min": {"type": "integer"}, "max": {"type": "integer"}}},
        "problems": {"type": "array", "items": {"$ref": REF.format(model="ProblemEntry")}},
        "requestId": {"type": "string", "description": "With 5xx: what to ask the operator about."},
    },
}
_PROBLEM_ENTRY = {
    "type": "object",
    "required": ["title", "name"],
    "properties": {name: _PROBLEM["properties"][name] for name in ("type", "title", "name", "detail", "range")},  # type: ignore[index]
}


def document(operations: Sequence[Operation], title: str, version: str) -> dict[str, Any]:
    """The whole document, as a JSON object."""
    references, schemas = _schemas(operations)
    names = Names(references, schemas)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, names)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {"title": title, "version": version},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM, "ProblemEntry": _PROBLEM_ENTRY},
            "examples": {
                code: {"value": {"type": type_of(code), "title": row.title, "status": row.status}}
                for code, row in ERRORS.items()
            },
            "headers": {
                name: {"description": text, "schema": {"type": "integer"}} for name, text in _RATE_HEADERS.items()
            },
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "basic", "description": "The API key as user, no password."},
                "bearerAuth": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token from POST /auth/api-key, or an API key.",
                },
            },
        },
    }


Reference = tuple[type[BaseModel], JsonSchemaMode]
References = Mapping[Any, Any]  # Reference -> {"$ref": …}


class Names(NamedTuple):
    """What the schemas are called, and what they are."""

    references: References
    schemas: Schemas

    def content(self, schema: Schema, given: Any = None) -> dict[str, Any]:
        """A media type's: the schema with an example, the given one or one that is made up."""
        return {"schema": schema, "example": given or example(schema, self.schemas)}


def _schemas(operations: Sequence[Operation]) -> tuple[References, Schemas]:
    inputs: list[Reference] = []
    for operation in operations:
        if operation.body:
            inputs.append((operation.body, "validation"))
        if operation.answer:
            inputs.append((operation.answer, "serialization"))
    found, definitions = models_json_schema(list(dict.fromkeys(inputs)), by_alias=True, ref_template=REF)
    return found, {name: _untitled(schema) for name, schema in definitions.get("$defs", {}).items()}


_VALUES = frozenset({"examples", "default", "const", "enum"})  # keys of a schema behind which no schema is


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes of names: "Videoid"."""
    if isinstance(schema, list):
        return [_untitled(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: of if name in _VALUES else _untitled(of) for name, of in schema.items() if name != "title"}
    if "properties" in schema:
        found["properties"] = {name: _untitled(of) for name, of in schema["properties"].items()}
    return found


def _operation(operation: Operation, names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [*_path_parameters(operation), *_query_parameters(operation.query), *_headers(operation)],
        "responses": {**_successes(operation, names), **_failures(operation)},
        "security": [{"apiKey": []}, {"bearerAuth": []}] if operation.scope else [],
    }
    if operation.scope:
        found["x-scope"] = operation.scope
    body = _body(operation, names)
    if body:
        found["requestBody"] = body
    return found


def _path_parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", operation.path):
        text = {"type": "string"}
        parameter = {"name": name, "in": "path", "required": True, "schema": text, "example": example(text, {}, name)}
        prefix = operation.naming.prefixes.get(name)
        if prefix:
            parameter["description"] = f"An id: {prefix}…, its bare base58, or a UUID."
        yield parameter


def _query_parameters(model: type[Query] | None) -> Iterable[dict[str, Any]]:
    if model is None:
        return
    schema = model.model_json_schema(by_alias=True)
    for name, of_parameter in schema["properties"].items():
        described = _without_null(of_parameter)
        parameter: dict[str, Any] = {"name": name, "in": "query", "required": name in schema.get("required", [])}
        if "description" in described:
            parameter["description"] = described.pop("description")
        if described.get("type") == "array":
            parameter["name"] = f"{name}[]"
        elif described.get("type") == "object":
            parameter |= {"style": "deepObject", "explode": True}
        yield {**parameter, "schema": described}


def _headers(operation: Operation) -> Iterable[dict[str, Any]]:
    if operation.repeatable:
        yield _IDEMPOTENCY_KEY


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter is left out, not null."""
    found = {name: value for name, value in schema.items() if name not in ("title", "anyOf")}
    for one in schema.get("anyOf", ()):
        if one != {"type": "null"}:
            found |= one
    if found.get("default", ...) is None:
        del found["default"]
    return found


def _body(operation: Operation, names: Names) -> dict[str, Any] | None:
    if operation.raw:
        return {"required": True, "content": {kind: names.content(schema) for kind, schema in operation.raw.items()}}
    if operation.body is None:
        return None
    content = names.content(names.references[operation.body, "validation"], operation.example)
    required = any(field.is_required() for field in operation.body.model_fields.values())
    return {"required": required, "content": {"application/json": content}}


def _successes(operation: Operation, names: Names) -> dict[str, Any]:
    done = _success(operation, names)
    found = {str(operation.status): done}
    return {**found, "202": {**done, "description": "It is under way."}} if operation.accepts else found


def _success(operation: Operation, names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {"description": "Done."}
    if operation.kind:
        found["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS}
    content = {kind: names.content(schema) for kind, schema in (operation.answers or {}).items()}
    if operation.answer:
        content["application/json"] = names.content(names.references[operation.answer, "serialization"])
    if content:
        found["content"] = content
    return found


def _failures(operation: Operation) -> dict[str, Any]:
    codes = [*operation.errors]
    codes += _WITH_CREDENTIALS if operation.scope else ()
    codes += _WITH_BODY if operation.body else ()
    codes += _WITH_QUERY if operation.query else ()
    codes += _WITH_KEY if operation.repeatable else ()
    codes += ["resource-not-found"] if operation.path_names else []
    codes += [operation.naming.refusal] if operation.path_names else []
    codes += ["too-many-requests"] if operation.kind else []
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        by_status.setdefault(ERRORS[code].status, []).append(code)
    return {str(status): _failure(codes) for status, codes in sorted(by_status.items())}


def _failure(codes: Sequence[str]) -> dict[str, Any]:
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    schema = {"$ref": REF.format(model="Problem")}
    return {
        "description": " ".join(ERRORS[code].title for code in codes),
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }
