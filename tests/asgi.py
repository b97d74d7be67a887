"""A client that calls the ASGI application in this process, byte for byte."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Answer:
    """`headers`: lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    def __init__(self, app: ASGIApp):
        self._app = app

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str | list[str]] | None = None,
        content: bytes | str | None = None,
        json: Any = None,
    ) -> Answer:
        """`path` with its query, percent-encoded as it would be on the wire. A header with a list
        is sent once for each of its values."""
        if json is not None:
            content = _dump(json)
        body = content.encode() if isinstance(content, str) else content or b""
        target, _, query = path.partition("?")
        sent_headers = {"host": "127.0.0.1", "content-length": str(len(body)), **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(target),
            "raw_path": target.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, said in sent_headers.items()
                for value in ([said] if isinstance(said, str) else said)
            ],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8080),
        }
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Message] = []

        async def receive() -> Message:
            return waiting.pop(0) if waiting else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        headers_back = {k.decode().lower(): v.decode("latin-1") for k, v in sent[0]["headers"]}
        return Answer(
            sent[0]["status"], headers_back, b"".join(part.get("body", b"") for part in sent[1:])
        )


def _dump(value: Any) -> str:
    return json.dumps(value)
