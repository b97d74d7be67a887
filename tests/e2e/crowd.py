"""Many callers of a running server at once, and what its two sets of books say afterwards."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
import asyncpg
from tests.e2e.server import Server
from tests.e2e.wire import Call, Faces, Reply
from yarl import URL

_FORM_TOKEN = re.compile(rb'name="form_token" value="([0-9a-f]{64})"')
_SESSION = re.compile(r"/pay/(sess_[A-Za-z0-9_-]+)")
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclass
class Crowd:
    """Every exchange is on a connection of its own, so that all server processes get some."""

    server: Server
    faces: Faces
    session: aiohttp.ClientSession

    async def ask(self, call: Call) -> Reply:
        """Raises: OSError, aiohttp.ClientError, TimeoutError when no whole answer came."""
        url = URL(self.server.base_url + call.path, encoded=True)
        async with self.session.request(
            call.method,
            url,
            data=call.body or None,
            headers=dict(call.headers),
            allow_redirects=False,
        ) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, headers, await answer.read())

    async def read(self, call: Call) -> Any:
        reply = await self.ask(call)
        assert reply.status == 200, (call.path, reply.status, reply.body)
        return reply.json()

    async def at_once(self, calls: Sequence[Call]) -> list[Reply]:
        return await asyncio.gather(*(self.ask(call) for call in calls))

    async def in_turn(self, calls: Sequence[Call], clients: int = 32) -> list[Reply]:
        """The answers to all of them, by so many callers; each was answered well."""
        gate = asyncio.Semaphore(clients)

        async def one(call: Call) -> Reply:
            async with gate:
                reply = await self.ask(call)
            assert reply.status == 200, (call.path, reply.status, reply.body)
            return reply

        return await asyncio.gather(*map(one, calls))

    async def open_page(self, session: str) -> dict[str, str]:
        """What the cashier's page puts into its form."""
        page = await self.ask(Call("GET", f"/pay/{session}"))
        found = _FORM_TOKEN.search(page.body)
        assert found, page.status
        return {"form_token": found[1].decode()}

    async def confirm(self, session: str, fields: dict[str, str]) -> Reply:
        """Press the button of a page that was opened before."""
        content = urlencode(fields).encode()
        return await self.ask(Call("POST", f"/pay/{session}/confirm", FORM, content))

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        """Ask the database itself, as its owner."""
        connection = await asyncpg.connect(self.server.owner_url())
        try:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()


@asynccontextmanager
async def a_crowd(server: Server, seconds: float = 60) -> AsyncIterator[Crowd]:
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield Crowd(server, server.faces(), session)


def session_in(address: str) -> str:
    """The session token in a cashier's address."""
    found = _SESSION.search(address)
    assert found, address
    return found[1]


def takings(server: Server) -> dict[str, int]:
    """How often the sandbox provider took money, by the reference it was told."""
    books = sqlite3.connect(f"file:{server.data_dir}/sandbox/books.sqlite3?mode=ro", uri=True)
    try:
        return dict(books.execute("SELECT key, count(*) FROM takings GROUP BY key"))
    finally:
        books.close()


PAID_ATTEMPTS = "select id from attempt where connector = 'sandbox' and status = 'succeeded'"


async def paid_attempts(crowd: Crowd) -> set[str]:
    """The references under which, by our books, the sandbox provider took money."""
    return {attempt_id for (attempt_id,) in await crowd.rows(PAID_ATTEMPTS)}


async def compare_books(crowd: Crowd) -> int:
    """The provider took money once for each attempt that we call paid, and for no other; how
    many those are."""
    paid = await paid_attempts(crowd)
    assert takings(crowd.server) == dict.fromkeys(paid, 1)
    return len(paid)
