"""Examples are made of schemas, and fit them."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from server.web.examples import MOMENT, UNKNOWN, VALUES, example, fits

SCHEMAS: dict[str, Any] = {
    "Named": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    "Endless": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Endless"}}},
}

CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("title", {"type": "string"}, VALUES["title"]),
    ("title", {"type": "string", "examples": ["Own"]}, "Own"),
    ("title", {"type": "string", "maxLength": 3}, UNKNOWN),
    ("title", {"anyOf": [{"type": "null"}, {"type": "string"}]}, VALUES["title"]),
    ("discardedAt", {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, None),
    ("discardedAt", {"type": "string", "format": "date-time"}, MOMENT),
    ("other", {"type": "string", "default": "low"}, "low"),
    ("other", {"enum": ["a", "b"]}, "a"),
    ("other", {"const": "a"}, "a"),
    ("other", {"type": "integer", "minimum": 3}, 3),
    ("other", {"type": "number", "maximum": 0.5}, 0.5),
    ("other", {"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
    ("other", {"type": "object", "additionalProperties": {"type": "integer"}}, {"key": 1}),
    ("other", {"$ref": "#/$defs/Named"}, {"name": VALUES["name"]}),
    ("from", {"type": "integer"}, 12),
    ("from", {"type": "string", "format": "date-time"}, MOMENT),
]


@pytest.mark.parametrize(("name", "schema", "value"), CASES)
def test_an_example(name: str, schema: dict[str, Any], value: Any) -> None:
    assert example(schema, SCHEMAS, name) == value

    if value != UNKNOWN:
        Draft202012Validator({**schema, "$defs": SCHEMAS}).validate(value)


def test_what_holds_itself_ends() -> None:
    found, depth = example(SCHEMAS["Endless"], SCHEMAS), 0
    while found:
        found, depth = found["next"], depth + 1

    assert 1 < depth < 20


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("text", {"type": "integer"}),
        ("text", {"type": "string", "pattern": "^[0-9]+$"}),
        ("text", {"type": "string", "format": "date-time"}),
        ("text", {"type": "string", "format": "binary"}),
        ({"a": 1}, {"type": "object", "additionalProperties": False}),
        ({}, {"$ref": "#/$defs/Named"}),
        (["text"], {"type": "array", "items": {"type": "integer"}}),
    ],
)
def test_what_does_not_fit(value: Any, schema: dict[str, Any]) -> None:
    assert not fits(value, schema, SCHEMAS)
