"""A server that is killed while fifty twins of a call reach it: afterwards there is one effect, with one answer."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.catalog.database import sqlite_url
from tests import postgres
from tests.integration.calls_program import OWNER_KEY

pytestmark = pytest.mark.server

TWINS = 50


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "sluice.db")
    cluster: postgres.Cluster = request.getfixturevalue("cluster")
    return cluster.url(cluster.create())


@asynccontextmanager
async def serving(*arguments: str) -> AsyncIterator[tuple[aiohttp.ClientSession, subprocess.Popen[str]]]:
    """A client of a server, which is killed at the end if it was not before."""
    command = [sys.executable, "-m", "tests.integration.calls_program", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).parents[2]
    )
    assert process.stdout
    try:
        port = await asyncio.to_thread(process.stdout.readline)
        headers = {"Authorization": f"Bearer {OWNER_KEY}"}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port.strip()}", headers=headers) as client:
            yield client, process
    finally:
        process.kill()
        await asyncio.to_thread(process.wait, 10)
        process.stdout.close()


async def call(client: aiohttp.ClientSession) -> bytes | None:
    """The answer; None when the server is gone."""
    try:
        async with client.post("/videos", json={"title": "A"}, headers={"Idempotency-Key": "twins"}) as answer:
            body = await answer.read()
    except (aiohttp.ClientError, ConnectionError):
        return None
    assert answer.status == 201, body
    return body


@pytest.mark.parametrize("amid", ["after the commit", "at some moment"])
async def test_twins_and_kill_9_leave_one_effect(url: str, amid: str) -> None:
    arguments = [url, "--die-after-commit"] if amid == "after the commit" else [url]
    async with serving(*arguments) as (client, process):
        twins = [asyncio.create_task(call(client)) for _ in range(TWINS)]
        if amid == "at some moment":
            await asyncio.sleep(random.uniform(0.01, 0.15))  # about as long as the call takes
            process.kill()
        answers = {body for body in await asyncio.gather(*twins) if body is not None}
    async with serving(url) as (client, _):
        last = await call(client)
        async with client.get("/videos") as answer:
            found: list[dict[str, Any]] = (await answer.json())["data"]

    assert last is not None
    assert answers <= {last}, "what was acknowledged is what is stored"
    assert amid == "at some moment" or not answers
    assert len(found) == 1
    assert found[0]["videoId"].encode() in last
