"""Faults on the wire: answers that do not come, come twice, come slowly, or are noise."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web

from kassa_simulator.faults import Rule
from kassa_simulator.frame import Answer

ON_THE_WIRE = frozenset(
    "refuse reset_before reset_after timeout_before timeout_after garbage slow"
    " duplicate_answer".split()
)
_RESET = struct.pack("ii", 1, 0)  # closing drops what is unsent and says so: RST, not FIN


def error(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """What a machine in front of the provider says when the provider does not."""
    body = json.dumps({"message": HTTPStatus(status).phrase}).encode()
    return Answer(
        status=status, headers={"content-type": "application/json", **(headers or {})}, body=body
    )


async def send(request: web.Request, answer: Answer) -> web.StreamResponse:
    """The answer, out before this returns."""
    response = web.Response(status=answer.status, body=answer.body, headers=_headers(answer))
    await _write(request, response)
    return response


async def play(
    request: web.Request, rule: Rule, answer: Answer, noise: bytes
) -> web.StreamResponse:
    """Send `answer` as `rule` wants it, or not at all."""
    match rule.fault:
        case "refuse":
            _hang_up(request)
        case "reset_before" | "reset_after":
            _reset(request)
        case "timeout_before" | "timeout_after":
            await asyncio.sleep(rule.lasts)
            _hang_up(request)
        case "garbage":
            return await send(request, Answer(headers=answer.headers, body=noise))
        case "slow":
            return await _send_slowly(request, answer, rule.lasts)
        case "duplicate_answer":
            response = _Twice(answer)
            await response.prepare(request)
            return response
    return web.Response()  # the connection is closed: nothing of it is sent


async def _write(request: web.Request, response: web.StreamResponse) -> None:
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        pass  # the merchant went away; what was done is done


async def _send_slowly(request: web.Request, answer: Answer, seconds: float) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    response.content_length = len(answer.body)
    try:
        await response.prepare(request)
        for place in range(len(answer.body)):
            await asyncio.sleep(seconds)
            await response.write(answer.body[place : place + 1])
        await response.write_eof()
    except ConnectionError:
        pass
    return response


class _Twice(web.Response):
    """Writes the same bytes of one answer two times, and keeps the connection."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(status=answer.status)
        head = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        headers = {**_headers(answer), "content-length": str(len(answer.body))}
        head += [f"{name}: {value}" for name, value in headers.items()]
        self._bytes = "\r\n".join([*head, "", ""]).encode("utf-8") + answer.body
        self._is_written = False

    async def prepare(self, request: web.BaseRequest) -> Any:
        if not self._is_written and request.transport is not None:
            request.transport.write(2 * self._bytes)
        self._is_written = True

    async def write_eof(self, data: bytes = b"") -> None:
        return None

    @property
    def keep_alive(self) -> bool:
        return True


def _headers(answer: Answer) -> dict[str, str]:
    given = {name.lower(): value for name, value in answer.headers.items()}
    return {"content-type": "application/octet-stream", "server": "nginx", **given}


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _reset(request: web.Request) -> None:
    if request.transport is None:
        return
    found = request.transport.get_extra_info("socket")
    if found is not None:
        cast(socket.socket, found).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    request.transport.abort()
