"""The last doors before a connection to an address that a merchant chose: see `Egress`.

Imported when something is first sent, as `sessions` is.
"""

import socket
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from kassa.connectors.addresses import Network, may_call
from kassa.connectors.resolver import Lookup


def connector(guard: "Guard") -> aiohttp.TCPConnector:
    """One that keeps nothing: every delivery is judged by the address it really goes to."""
    return aiohttp.TCPConnector(
        resolver=guard,
        socket_factory=guard.open_socket,
        use_dns_cache=False,
        force_close=True,
        limit=0,  # how many go out at once is the sender's business
    )


class Guard(AbstractResolver):
    """Resolves a name once, and refuses all of it when any one answer leads inside."""

    def __init__(
        self,
        lookup: Lookup,
        *,
        allow_loopback: bool,
        also_blocked: Sequence[Network],
    ):
        self._lookup = lookup
        self._allow_loopback = allow_loopback
        self._also_blocked = also_blocked

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._lookup(host, port, family)
        for *_, where in found:
            self._judge(where[0])
        return [
            ResolveResult(
                hostname=host,
                host=where[0],
                port=port,
                family=kind,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, _, _, where in found
        ]

    def open_socket(self, target: tuple[Any, ...]) -> socket.socket:
        """The last door: whatever led here, this is the address about to be connected to."""
        family, kind, protocol, _, where = target
        self._judge(where[0])
        return socket.socket(family, kind, protocol)

    def _judge(self, address: str) -> None:
        if not may_call(
            address, allow_loopback=self._allow_loopback, also_blocked=self._also_blocked
        ):
            # The address itself stays unsaid: it may be one of an inner network.
            raise PermissionError(1, "the host is not on the public internet")

    async def close(self) -> None:
        """Nothing of its own to close: the name servers' sockets belong to Egress."""
