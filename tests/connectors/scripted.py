"""A provider on the loopback that says what a test wants, word for word."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Heard:
    """A request as it came. `body`: its JSON, None where there was none; `raw`: its bytes."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    raw: bytes


@dataclass
class Scripted:
    """`says`: by "METHOD /path", the status and what is answered: an object or raw bytes. A list
    of those is said one after the other, the last of them for ever."""

    url: str = ""
    says: dict[str, Any] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.heard.append(
            Heard(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=json.loads(raw) if raw else None,
                raw=raw,
            )
        )
        said = self.says.get(f"{request.method} {request.path}", (404, b"nothing is said here"))
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        status, content = said
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return web.Response(status=status, body=body, content_type="application/json")

    def paths(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.heard]


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    provider = Scripted()
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", provider.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield provider
    await runner.cleanup()
