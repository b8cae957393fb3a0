"""/openapi.json, and /docs: the same document as a page, written out here so that it asks nobody for anything."""

import asyncio
import base64
import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from server.web import problems
from server.web.openapi import document
from server.web.typed import Call, Operation, Operations

STYLE = (Path(__file__).parent / "docs.css").read_text()

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-cache",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
}
_DOCUMENT = {"type": "object", "examples": [{"openapi": "3.1.0"}]}
_PAGE = {"type": "string", "examples": ["<!doctype html>"]}
JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-cache"}


def operations(all_others: Sequence[Operation], title: str, version: str) -> Operations:
    """The two operations that show the document, themselves among it."""
    own = Operations("About")

    free: dict[str, Any] = {"scope": None, "kind": "free"}

    @own.get("/openapi.json", "The OpenAPI document", answers={"application/json": _DOCUMENT}, **free)
    async def show_document(call: Call) -> web.Response:
        """OpenAPI 3.1: what clients and tests are generated from."""
        return web.Response(body=(await made())[0], headers=JSON_HEADERS)

    @own.get("/docs", "The document as a page", answers={"text/html": _PAGE}, **free)
    async def show_page(call: Call) -> web.Response:
        """For people. It asks no other host for anything."""
        return web.Response(body=(await made())[1], headers=PAGE_HEADERS)

    @cache
    def make() -> tuple[bytes, bytes]:
        whole = document([*all_others, *own.all], title, version)
        return orjson.dumps(whole), page(whole).encode()

    async def made() -> tuple[bytes, bytes]:
        return await asyncio.to_thread(make)  # 0.1 s of work the first time

    return own


def page(whole: Mapping[str, Any]) -> str:
    """The document as HTML: operations by tag, then schemas, then problems."""
    title = escape(f"{whole['info']['title']} {whole['info']['version']}")
    tags = [tag["name"] for tag in whole["tags"]]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f'<h1>{title}</h1><p>As a file for tools: <a href="openapi.json">openapi.json</a>.</p>'
        + f"<nav>{''.join(map(_to_tag, tags))}</nav>"
        + "".join(_tag(tag, whole) for tag in tags)
        + "<h2>Objects</h2>"
        + "".join(_schema(name, schema) for name, schema in sorted(whole["components"]["schemas"].items()))
        + "<h2>Problems</h2><table><tr><th>code<th>status<th>meaning</tr>"
        + "".join(
            f'<tr id="{code}"><td><code>{code}</code><td>{status}<td>{escape(sentence)}</tr>'
            for code, status, sentence in problems.documented()
        )
        + "</table></body></html>"
    )


def _tag(tag: str, whole: Mapping[str, Any]) -> str:
    found = [
        _operation(method, path, operation)
        for path, methods in whole["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]
    return f'<h2 id="{_anchor(tag)}">{escape(tag)}</h2>' + "".join(found)


def _to_tag(tag: str) -> str:
    return f'<a href="#{_anchor(tag)}">{escape(tag)}</a> '


def _anchor(tag: str) -> str:
    return "tag-" + escape(tag.lower().replace(" ", "-"))


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b>{method.upper()}</b> '
        f"<code>{escape(path)}</code> {escape(operation['summary'])}</summary>"
        + f"<p>{_words(operation.get('description', ''))}</p>"
        + (f"<p>Scope <code>{escape(operation['x-scope'])}</code></p>" if "x-scope" in operation else "")
        + _parameters(operation["parameters"])
        + f"<pre>{escape(_curl(method, path, operation))}</pre>"
        + _content("Body", operation.get("requestBody", {}).get("content", {}))
        + "".join(_response(status, answer) for status, answer in operation["responses"].items())
        + "</details>"
    )


def _words(text: str) -> str:
    """What stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
    """A call of it from a shell, with the example."""
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter.get("example", "")))
    words = ["curl"] + ([f"-X {method.upper()}"] if method != "get" else [])
    words += ['-u "$SLUICE_KEY:"'] if operation.get("security") else []
    words.append(f'"$SLUICE{path}"')
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        example = content.get("example")
        if kind == "multipart/form-data" and isinstance(example, Mapping):
            words += [f"-F {shlex.quote(f'{name}={value}')}" for name, value in example.items()]
        elif kind == "application/json":
            words.append(f"--json {shlex.quote(orjson.dumps(example).decode())}")
        elif isinstance(example, Mapping):
            words += [f"--data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in example.items()]
        else:
            words.append(f"-H 'Content-Type: {kind}' --data-binary @file")
        break
    return " \\\n  ".join(words)


def _parameters(parameters: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code><td>{one['in']}<td>{_type(one['schema'])}"
        f"<td>{escape(one.get('description', ''))}</tr>"
        for one in parameters
    )
    return f"<table><tr><th>parameter<th>in<th>type<th></tr>{rows}</table>" if rows else ""


def _response(status: str, answer: Mapping[str, Any]) -> str:
    return f"<p><b>{status}</b> {escape(answer['description'])}</p>" + (
        _content("", answer.get("content", {})) if status < "400" else ""
    )


def _content(label: str, content: Mapping[str, Any]) -> str:
    found = "".join(
        f"<p>{label} <code>{escape(kind)}</code>: {_type(of['schema'])}</p>" for kind, of in content.items()
    )
    examples = [of["example"] for of in content.values() if "example" in of]
    return found + "".join(
        f"<pre>{escape(orjson.dumps(example, option=orjson.OPT_INDENT_2).decode())}</pre>" for example in examples
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(key)}</code>{' *' if key in required else ''}<td>{_type(of)}"
        f"<td>{escape(of.get('description', ''))}</tr>"
        for key, of in schema.get("properties", {}).items()
    )
    return (
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{escape(schema.get('description', ''))}</p><table>{rows}</table></details>"
    )


def _type(schema: Mapping[str, Any]) -> str:
    """A JSON schema in a few words, with links to those that have names."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and "properties" in schema:
        members = ", ".join(f"<code>{escape(name)}</code>: {_type(of)}" for name, of in schema["properties"].items())
        return f"{{{members}}}"
    format = f" ({escape(schema['format'])})" if "format" in schema else ""
    return escape(str(schema.get("type", "anything"))) + format
