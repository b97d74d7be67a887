"""HTTP calls that tell "nothing left this machine" from "nobody can say what happened"."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kassa.connectors.base import InDoubt, NotSent

if TYPE_CHECKING:
    import aiohttp

_MAX_CONNECTIONS = 200  # to all providers together; who waits longer than to connect is not sent
_MAX_BODY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The whole answer, whatever its status. `headers`: lower-case names; repeats are joined.

    `body`: as received, not decompressed; what is beyond the client's limit is missing.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """A connection stood, so bytes may have left, but no whole answer came back."""

    reason: str
    timed_out: bool = False

    @property
    def doubt(self) -> InDoubt:
        """What it means for whoever asked for something to be done."""
        return InDoubt(reason=self.reason, lost=not self.timed_out)


Answer = Answered | NotSent | NoAnswer
"""What one try came to. `reason` names no address, no header and nothing of a body."""


class ProviderHttp:
    """The client for calls to providers: their addresses come from our own configuration."""

    def __init__(self, *, connect_seconds: float = 2, total_seconds: float = 20):
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send `body` once, byte for byte."""
        return await self._send("POST", url, headers=headers, body=body)

    async def patch(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send `body` once, byte for byte, to change what is there."""
        return await self._send("PATCH", url, headers=headers, body=body)

    async def get(
        self, url: str, *, headers: Mapping[str, str], max_body_bytes: int = _MAX_BODY_BYTES
    ) -> Answer:
        """Ask once; only for addresses where asking changes nothing. `max_body_bytes`: a file
        may be larger than an answer."""
        return await self._send(
            "GET", url, headers=headers, body=None, max_body_bytes=max_body_bytes
        )

    async def _send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        max_body_bytes: int = _MAX_BODY_BYTES,
    ) -> Answer:
        if self._closed:
            return NotSent(reason="shutting down")
        from kassa.connectors import sessions  # noqa: PLC0415 - see there

        if self._session is None:
            self._session = sessions.open_pooled(
                _MAX_CONNECTIONS,
                connect_seconds=self._connect_seconds,
                total_seconds=self._total_seconds,
            )
        return await sessions.exchange(
            self._session, method, url, headers=headers, body=body, max_body_bytes=max_body_bytes
        )

    async def close(self) -> None:
        """Close every connection; whoever calls afterwards is told that nothing was sent."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            # aiohttp starts closing TLS connections but does not wait: one turn lets them go.
            await asyncio.sleep(0)
