"""A payer's browser: reads forms, presses buttons, follows nothing by itself."""

import re
from dataclasses import dataclass
from html import unescape

import aiohttp


@dataclass(frozen=True)
class Page:
    """A page that was opened. `target`: where its form goes; `fields`: what the form holds."""

    status: int
    address: str
    headers: dict[str, str]
    text: str

    @property
    def fields(self) -> dict[str, str]:
        pairs = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', self.text)
        return {unescape(name): unescape(value) for name, value in pairs}

    @property
    def target(self) -> str:
        found = re.search(r'<form[^>]* action="([^"]*)"', self.text)
        return unescape(found[1]) if found else self.address


class Browser:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def open(self, address: str) -> Page:
        return await self._page("GET", address, None)

    async def post(self, address: str, fields: dict[str, str]) -> Page:
        return await self._page("POST", address, fields)

    async def press(self, page: Page, action: str) -> Page:
        assert f'value="{action}"' in page.text, f"no button {action}"
        return await self._page("POST", page.target, {**page.fields, "action": action})

    async def _page(self, method: str, address: str, fields: dict[str, str] | None) -> Page:
        async with self._session.request(
            method, address, data=fields, allow_redirects=False
        ) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Page(answer.status, str(answer.url), headers, await answer.text())
