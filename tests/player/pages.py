"""A page of the player in a real Chromium, and what went wrong on it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
PATIENCE_S = 15.0
KNOWN = "const v = document.querySelector('video'), p = window.sluice?.player;"

# Where a Content-Security-Policy is broken, Chromium says so on the console; the event is surer.
WATCH_POLICY = """
window.policyBroken = [];
document.addEventListener('securitypolicyviolation',
  (e) => window.policyBroken.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
"""


@asynccontextmanager
async def chromium(**options: Any) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        arguments = [*ARGUMENTS, *options.pop("args", [])]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, **options)
        try:
            yield browser
        finally:
            await browser.close()


class PlayerPage:
    """`console`, `broken` and `foreign` list what must not happen; `quiet()` asserts that none did."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.console.append(f"pageerror: {error}"))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.console.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)

    async def open(self, url: str) -> None:
        await self.page.add_init_script(WATCH_POLICY)
        await self.page.goto(url)

    async def quiet(self, *expected: str) -> None:
        """Nothing on the console (but messages that contain an expected text), no policy broken, no foreign host."""
        said = [line for line in self.console if not any(text in line for text in expected)]
        assert said == [], said
        broken = await self.page.evaluate("window.policyBroken")
        assert broken == [], broken
        host = urlsplit(self.page.url).netloc
        foreign = [url for url in self.requests if urlsplit(url).netloc not in {host, ""}]
        assert foreign == [], foreign

    async def state(self, name: str) -> Any:
        """A field of `window.sluice.player`."""
        return await self.page.evaluate("name => window.sluice.player[name]", name)

    async def video(self, name: str) -> Any:
        """A property of the media element."""
        return await self.page.evaluate("name => document.querySelector('video')[name]", name)

    async def until(self, condition: str, timeout_s: float = PATIENCE_S, argument: Any = None) -> None:
        """Waits for a JavaScript expression, in which `v` is the media element and `p` the exposed state."""
        script = f"(arg) => {{ {KNOWN} return {condition}; }}"
        await self.page.wait_for_function(script, arg=argument, timeout=timeout_s * 1000, polling=50)

    async def holds(self, condition: str) -> bool:
        """Whether an expression as for `until` is true now."""
        return bool(await self.page.evaluate(f"() => {{ {KNOWN} return {condition}; }}"))

    async def moving(self, timeout_s: float = PATIENCE_S) -> None:
        """Waits until the picture has moved on by half a second."""
        await self.until("!v.paused && v.readyState >= 3", timeout_s)
        start = await self.video("currentTime")
        await self.until("v.currentTime > arg + 0.5", timeout_s, start)

    async def press(self, key: str) -> None:
        await self.page.keyboard.press(key)

    async def shown(self, selector: str) -> bool:
        return await self.page.locator(selector).first.is_visible()

    async def words(self) -> tuple[str, str]:
        """Title and detail of the notice."""
        return (
            await self.page.locator("#notice-title").inner_text(),
            await self.page.locator("#notice-detail").inner_text(),
        )

    async def notice(self, title: str, timeout_s: float = PATIENCE_S) -> None:
        """Waits for the notice with this title."""
        await self.until(
            "document.getElementById('notice-title').innerText === arg && !document.getElementById('notice').hidden",
            timeout_s,
            title,
        )


async def eventually(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Waits for something on this side."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        await asyncio.sleep(0.05)
