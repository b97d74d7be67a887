"""A real browser in front of the application in this process."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright
from tests.asgi import Client
from tests.cashier.shop import Payer

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
NO_BROWSER = (
    "no chromium on this machine (Debian: apt-get install chromium): not tried in a browser"
)


def chromium() -> str | None:
    """Where this machine has a Chromium."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Screen:
    """A browser, all of whose requests end at our application, whatever their address.

    `complaints`: what the browser held against our pages. `asked`: every address it asked for.
    """

    browser: Browser
    base_url: str
    complaints: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    async def open(self, payer: Payer, query: str = "", **options: Any) -> Page:
        """The payment's page in a fresh browser window; `options` of Playwright's `new_context`."""
        context = await self.browser.new_context(base_url=self.base_url, **options)
        page = await context.new_page()
        page.set_default_timeout(10_000)  # milliseconds
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)
        await page.goto(payer.place + query)
        return page

    def _note(self, message: ConsoleMessage) -> None:
        # A refused form is answered with 422, which the console reports as a failed load.
        if message.type in ("error", "warning") and "status of 422" not in message.text:
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        self.asked.add(request.url)


async def _serve(client: Client) -> tuple[web.AppRunner, int]:
    """Hand every HTTP request on a port of its own to the application in this process."""

    async def forward(request: web.Request) -> web.Response:
        answer = await client.request(
            request.method,
            request.raw_path,
            headers={name.lower(): value for name, value in request.headers.items()},
            content=await request.read(),
        )
        headers = {k: v for k, v in answer.headers.items() if k != "content-length"}
        return web.Response(status=answer.status, headers=headers, body=answer.body)

    server = web.Application()
    server.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]


@pytest.fixture
async def screen(core: Any, client: Client) -> AsyncIterator[Screen]:
    """Skips where there is no browser. At the end, no page may have caused a complaint."""
    executable = chromium()
    if executable is None:
        pytest.skip(NO_BROWSER)
    runner, port = await _serve(client)
    flags = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP * 127.0.0.1:{port}"]
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=executable, args=flags)
            opened = Screen(browser, core.policy.base_url)
            yield opened
            await browser.close()
    finally:
        await runner.cleanup()
    assert opened.complaints == []
