"""Fixtures of the player's tests: one Chromium for all of them, a page and an origin for each."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.player.origin import DIST, Origin
from tests.player.pages import PlayerPage, chromium


@pytest.fixture(scope="session", autouse=True)
def _built_player() -> None:
    if not (DIST / "index.html").exists():
        pytest.fail("The player is not built: npm --prefix player ci && npm --prefix player run build", pytrace=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def player(browser: Browser) -> AsyncIterator[PlayerPage]:
    context = await browser.new_context(viewport={"width": 960, "height": 540})
    yield PlayerPage(await context.new_page())
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def origin() -> AsyncIterator[Origin]:
    async with Origin() as running:
        yield running
