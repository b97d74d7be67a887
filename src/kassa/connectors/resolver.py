"""Host names that merchants chose are looked up without a thread: a name server that does not
answer holds nothing but a place of that merchant's.

`socket.getaddrinfo` would hold a thread for as long as it likes; nothing can end it before.
"""

import asyncio
import errno
import os
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiodns

Lookup = Callable[[str, int, int], Awaitable[Sequence[tuple[Any, ...]]]]
"""Host, port and family in; out what `socket.getaddrinfo` would answer."""

AT_ONCE = 8  # lookups under way for one company
_TRY_SECONDS = 1.0  # seconds, not money: then the next name server, or the same again, is asked
_TRIES = 2
_COMPANIES = 1_000  # whose lookups are counted; those of whom none is under way are forgotten

owner: ContextVar[str] = ContextVar("owner", default="")
"""The company for which a name is looked up."""


class NameServers:
    """Asks the name servers of this machine, or those given; `localhost` and what stands in its
    hosts file they are not asked about.

    `servers`: like "10.0.0.53" or "127.0.0.1:5353".
    """

    def __init__(self, servers: Sequence[str] = ()):
        self._servers = list(servers)
        self._resolver: aiodns.DNSResolver | None = None

    async def look_up(self, host: str, port: int, family: int) -> list[tuple[Any, ...]]:
        """Raises: socket.gaierror for a name that there is not; TimeoutError."""
        import aiodns  # noqa: PLC0415 - by the time a name is asked for, aiohttp has it

        if self._resolver is None:
            self._resolver = aiodns.DNSResolver(
                self._servers or None, timeout=_TRY_SECONDS, tries=_TRIES
            )
        try:
            found = await self._resolver.getaddrinfo(
                host, socket.AddressFamily(family), port, type=socket.SOCK_STREAM
            )
        except aiodns.error.DNSError as error:
            if error.args and error.args[0] == aiodns.error.ARES_ETIMEOUT:
                raise TimeoutError from None
            raise socket.gaierror(socket.EAI_NONAME, "there is no such host") from None
        return [
            (node.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", _plain(node.addr))
            for node in found.nodes
        ]

    async def close(self) -> None:
        if self._resolver is not None:
            await self._resolver.close()


def _plain(address: tuple[Any, ...]) -> tuple[Any, ...]:
    host, *rest = address
    return (os.fsdecode(host), *rest)


class LookupQueue:
    """A deadline for each lookup, and places for each company: it waits for its own alone."""

    def __init__(self, lookup: Lookup, seconds: float):
        self._lookup = lookup
        self._seconds = seconds  # seconds, not money
        self._places: OrderedDict[str, asyncio.Semaphore] = OrderedDict()

    async def look_up(self, host: str, port: int, family: int) -> Sequence[tuple[Any, ...]]:
        """Raises: OSError, for a name server that does not answer in time too."""
        try:
            async with asyncio.timeout(self._seconds), self._of(owner.get()):
                return await self._lookup(host, port, family)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, "its name server does not answer") from None

    def _of(self, company: str) -> asyncio.Semaphore:
        places = self._places.setdefault(company, asyncio.Semaphore(AT_ONCE))
        self._places.move_to_end(company)
        if len(self._places) > _COMPANIES:
            oldest, free = next(iter(self._places.items()))
            if not free.locked():
                del self._places[oldest]
        return places
