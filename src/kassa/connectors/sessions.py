"""How a request goes out by aiohttp, and what is known of it when no answer comes back.

Imported when something is first sent, or where a process is made ready to serve: most commands
call nobody, and aiohttp is what would take longest to import.
"""

import socket
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from kassa.connectors.base import NotSent
from kassa.connectors.http import Answer, Answered, NoAnswer

_MOST_INTERIM = 20  # answers of 1xx before the one that counts
_DEFAULT_HEADERS = {
    "User-Agent": "Kassa",
    # Bytes as they are: signatures cover them, and nothing small unpacks into something huge.
    "Accept-Encoding": "identity",
}


class _Response(aiohttp.ClientResponse):
    """One that gives up on a server that says "wait" for ever: what it has sent is all there at
    once, so that nothing else would have a turn while it is gone through."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        protocol: Any = connection.protocol
        read, left = protocol.read, _MOST_INTERIM

        async def read_few() -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise aiohttp.ClientPayloadError("too many interim answers")
            return await read()

        protocol.read = read_few
        try:
            return await super().start(connection)
        finally:
            protocol.read = read


class _Sent:
    """Set by the tracer the moment a request is given a connection."""

    def __init__(self) -> None:
        self.maybe = False


async def _note(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceConnectionCreateEndParams | aiohttp.TraceConnectionReuseconnParams,
) -> None:
    context.trace_request_ctx.maybe = True


def open_pooled(
    limit: int, *, connect_seconds: float, total_seconds: float
) -> aiohttp.ClientSession:
    """A session that keeps connections for the next call, `limit` of them in all."""
    return open_session(
        aiohttp.TCPConnector(limit=limit),
        connect_seconds=connect_seconds,
        total_seconds=total_seconds,
    )


def open_session(
    connector: aiohttp.TCPConnector, *, connect_seconds: float, total_seconds: float
) -> aiohttp.ClientSession:
    """A session without proxies, cookies or unpacking, ready for `exchange`."""
    tracer = aiohttp.TraceConfig()
    tracer.on_connection_create_end.append(_note)
    tracer.on_connection_reuseconn.append(_note)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=total_seconds, connect=connect_seconds),
        headers=_DEFAULT_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        trace_configs=[tracer],
        response_class=_Response,
    )


async def exchange(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    max_body_bytes: int,
) -> Answer:
    """Send once, following no redirect; `url` and `body` go out exactly as given."""
    sent = _Sent()
    try:
        async with session.request(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=body,
            allow_redirects=False,
            trace_request_ctx=sent,
        ) as response:
            return Answered(
                status=response.status,
                headers=_plain(response),
                body=await _read(response, max_body_bytes),
            )
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        if sent.maybe:
            timed_out = isinstance(error, TimeoutError)
            return NoAnswer(reason=_why(error), timed_out=timed_out)
        return NotSent(reason=_why(error), passing=not isinstance(error, aiohttp.ClientSSLError))


def _plain(response: aiohttp.ClientResponse) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return headers


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """At most `limit` bytes; what would follow is cut off together with its connection."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) >= limit:
            if len(body) > limit or not response.content.at_eof():
                response.close()
            break
    return bytes(body[:limit])


def _why(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "the server's certificate is not valid for this address"
        case aiohttp.ClientSSLError():
            return "no secure connection could be made"
        case TimeoutError():
            return "timed out"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, socket.gaierror):
            return "the host name cannot be resolved"
        case aiohttp.ClientConnectorError():
            return f"cannot connect: {error.os_error.strerror or 'no address answered'}"
        case _:
            return f"the exchange broke off: {type(error).__name__}"
