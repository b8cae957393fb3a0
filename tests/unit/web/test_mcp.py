"""Assistants' library, which may fail to begin."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.errors import Problem
from server.web import mcp
from server.web.mcp import Assistants
from tests.unit.web.kit import Connect, problem


class Manager:
    """Of the library: it begins, fails or never gets that far."""

    def __init__(self, fails: bool = False, stuck: bool = False) -> None:
        self._fails, self._stuck = fails, stuck

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        if self._fails:
            raise RuntimeError("no")
        if self._stuck:
            await asyncio.get_running_loop().create_future()
        yield


async def test_a_library_that_does_not_begin_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    managers = [Manager(fails=True), good := Manager()]
    monkeypatch.setattr(mcp, "_load", lambda: managers.pop(0))
    assistants = Assistants()

    async with asyncio.timeout(10):
        with pytest.raises(Problem, match="unavailable"):
            await assistants.manager()
        found: Any = await assistants.manager()
        await assistants.close()

    assert found is good


async def test_nobody_waits_longer_for_it_than_a_call_may_take(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect(mounts=[mcp.mount])
    monkeypatch.setattr(mcp, "CALL_TIMEOUT_S", 0.2)
    monkeypatch.setattr(mcp, "_load", lambda: Manager(stuck=True))

    async with asyncio.timeout(10):
        for _ in range(2):
            await problem(await client.post("/mcp", json={}), 503, "unavailable")


def test_the_collector_does_not_go_over_what_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold the loop meanwhile: with all that a server has for a fifth of a second."""
    told: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: told.append("frozen"))
    monkeypatch.setattr(mcp, "_loaded", lambda: told.append("loaded"))

    mcp._load()

    assert told == ["frozen", "loaded", "frozen"]
