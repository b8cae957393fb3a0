"""The page of the document asks nobody for anything and leaves nothing unescaped."""

import base64
import hashlib
import re
from html.parser import HTMLParser

from server.errors import ERRORS
from server.web.docs import page
from tests.unit.web.kit import Client


class Reader(HTMLParser):
    """What a page refers to, and where it can be jumped to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            if name in ("href", "src"):
                self.links.append(value or "")
            if name == "id":
                self.anchors.append(value or "")


async def test_the_page(anonymous: Client) -> None:
    async with anonymous.get("/docs") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        policy, text = response.headers["Content-Security-Policy"], await response.text()
    found = Reader(text)

    assert {link for link in found.links if not link.startswith("#")} == {"openapi.json"}
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.anchors)
    assert len(found.anchors) == len(set(found.anchors))
    assert set(ERRORS) <= set(found.anchors)  # where the type of our own problems leads
    assert "script" not in found.tags
    style = re.search("<style>(.*)</style>", text, re.S)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_words_are_escaped() -> None:
    evil = "<script>alert(1)</script>"
    operation = {
        "operationId": evil, "tags": [evil], "summary": evil, "description": evil, "x-scope": evil,
        "parameters": [{"name": evil, "in": "query", "schema": {"enum": [evil]}, "description": evil}],
        "requestBody": {"content": {evil: {"schema": {"const": evil}, "example": {evil: evil}}}},
        "responses": {"200": {"description": evil}},
    }  # fmt: skip
    text = page({
        "info": {"title": evil, "version": evil}, "tags": [{"name": evil}], "paths": {evil: {"get": operation}},
        "components": {"schemas": {evil: {"description": evil, "properties": {evil: {"type": evil, "format": evil}}}}},
    })  # fmt: skip

    assert "<script" not in text


async def test_the_bare_address_leads_there(anonymous: Client) -> None:
    async with anonymous.get("/") as response:
        assert response.status == 200
        assert response.url.path == "/docs"
