"""The document in short, a line for each operation and each field, so that a review sees what a change does to it.

    python -m tests.contract.outline      writes openapi.txt anew, which a test compares
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.harness.server import Server

OUTLINE = Path(__file__).with_name("openapi.txt")


def outline(document: Mapping[str, Any]) -> str:
    """Sorted, as the order of modules means nothing."""
    return "\n".join([*sorted(_operations(document)), "", *_schemas(document["components"]["schemas"]), ""])


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            taken = [f"{each['name']}{'*' if each['required'] else ''}" for each in told["parameters"]]
            sent = [_type(each["schema"]) for each in told.get("requestBody", {}).get("content", {}).values()]
            done = {status: each for status, each in told["responses"].items() if status < "4"}
            answers = [f"{status} {_answer(each)}".strip() for status, each in done.items()]
            problems = [status for status in told["responses"] if status >= "4"]
            yield (
                f"{path} {method.upper()} [{told.get('x-scope', 'open')}] ({', '.join(taken)}) {' | '.join(sent)}"
                f" -> {', '.join(answers)}; {' '.join(problems)}"
            )


def _answer(response: Mapping[str, Any]) -> str:
    return " | ".join(_type(each["schema"]) for each in response.get("content", {}).values())


def _schemas(schemas: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in sorted(schemas.items()):
        for field, of in schema.get("properties", {}).items():
            yield f"{name}.{field}{'*' if field in schema.get('required', ()) else ''}: {_type(of)}"


_LIMITS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "default", "pattern", "format")


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for choices in ("anyOf", "oneOf"):
        if choices in schema:
            return " | ".join(_type(each) for each in schema[choices])
    if "enum" in schema:
        return " | ".join(repr(each) for each in schema["enum"])
    if "const" in schema:
        return repr(schema["const"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        kind = f"[{_type(schema.get('items', {}))}]"
    if kind == "object" and "properties" in schema:
        kind = "{" + ", ".join(f"{name}: {_type(of)}" for name, of in schema["properties"].items()) + "}"
    limits = [f"{name}={schema[name]!r}" for name in _LIMITS if schema.get(name) is not None]
    return f"{kind}({', '.join(limits)})" if limits else kind


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data").start()
        try:
            OUTLINE.write_text(outline(server.get("/openapi.json").json()))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
