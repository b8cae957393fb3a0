"""The tools over an API that is made up: what they ask for, what they leave out, what they never give out whole."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from server.client.api import Unreachable
from server.client.refusals import Refused
from server.mcp.assistant import ANSWER_CHARS, called
from server.mcp.tools import TOOLS
from server.web import scopes


class Rest:
    """Answers every call with the same, or raises it."""

    base_url = "https://video.example"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[tuple[str, str, Any, Any]] = []

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        self.calls.append((method, path, body, query))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def listed(*data: Any) -> Any:
    return {"data": list(data), "pagination": {"currentPage": 1, "pagesTotal": 1, "itemsTotal": len(data)}}


VIDEO = {
    "videoId": "vi1", "title": "t", "state": "done", "playable": True, "duration": 1.0, "public": False, "tags": [],
    "createdAt": "2026-01-31T10:17:47+00:00", "assets": {"player": "https://video.example/vod/vi1/token/secret"},
}  # fmt: skip


async def text_of(rest: Rest, name: str, **arguments: Any) -> tuple[str, bool]:
    """(what it says, whether that is an error)"""
    result = await called(rest, name, arguments)
    return result.content[0].text, result.is_error  # type: ignore[union-attr]


def test_the_scopes_that_are_told_are_there() -> None:
    assert {scope for tool in TOOLS.values() for scope in tool.scopes} <= scopes.names()


async def test_only_what_was_given_is_asked_for() -> None:
    rest = Rest(listed())
    await text_of(rest, "search_videos", search="a b", metadata={"k": "v"}, pageSize=5)
    query = {"currentPage": 1, "pageSize": 5, "search": "a b", "metadata": {"k": "v"}}
    assert rest.calls == [("GET", "/videos", None, query)]


async def test_the_address_of_a_private_video_is_not_in_a_list() -> None:
    text, failed = await text_of(Rest(listed(VIDEO, {**VIDEO, "public": True})), "search_videos")
    assert not failed
    private, public = json.loads(text)["videos"]
    assert "player" not in private
    assert public["player"] == VIDEO["assets"]["player"]  # type: ignore[index]


async def test_an_answer_that_is_too_long_is_refused_with_a_way_out() -> None:
    rest = Rest(listed(*[{**VIDEO, "title": "x" * 2000}] * 50))
    text, failed = await text_of(rest, "search_videos", pageSize=50)
    assert failed
    assert len(text) < 200 < ANSWER_CHARS
    assert "smaller pageSize" in text


@pytest.mark.parametrize(
    "error", [Refused(403, {"title": "No.", "detail": "The API key lacks it."}), Unreachable("It can't be reached.")]
)
async def test_what_goes_wrong_is_said(error: Exception) -> None:
    text, failed = await text_of(Rest(error), "search_videos")
    assert failed
    assert text == str(error)


@pytest.mark.parametrize("id", ["../projects", "vi1/status", "vi1?x=1", "vi 1", "é", "-_", "vi1\n"])
async def test_an_id_leads_nowhere_else(id: str) -> None:
    rest = Rest(VIDEO)
    for name, arguments in (("show_video", {"videoId": id}), ("mint_playback_link", {"id": id})):
        text, failed = await text_of(rest, name, **arguments)
        assert failed
        assert "not found" in text
    assert rest.calls == []


@pytest.mark.parametrize(("id", "path"), [("li1", "/live-streams/li1/tokens"), ("vi1", "/videos/vi1/tokens")])
async def test_links_are_of_videos_and_live_streams(id: str, path: str) -> None:
    made = dict.fromkeys(("embed", "hls", "dash", "thumbnail", "tokenId", "expiresAt", "token"), "x")
    rest = Rest(made)
    text, _ = await text_of(rest, "mint_playback_link", id=id, origins=["example.com"])
    assert rest.calls == [("POST", path, {"ttl": 3600, "origins": ["example.com"]}, None)]
    assert "token" not in json.loads(text)
