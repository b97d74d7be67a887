"""Whose request it is: the address that limits count by, also behind proxies that we trust.

An address that cannot be read counts as it is written, so that it has limits too.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from urllib.parse import unquote

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Network = IPv4Network | IPv6Network
Who = tuple[str, int]
"""The other end of a connection: its address, as `plain` writes it, and its port."""

_HOUSEHOLD = 64  # bits of an IPv6 address that a provider gives to one customer
_REMEMBERED = 4096  # texts read already; reading one takes longer than most of a request's steps
_MOST_HOPS = 16  # proxies that we are behind; what stands further left is not looked at
_LONGEST = 64  # characters; no address is longer


def address_of(scope: Scope) -> str:
    """The address of an ASGI request; "" where there is none, as on a Unix socket.

    IPv6 is told by its /64: whoever has one of those addresses has them all.
    """
    client = scope.get("client")
    return _grouped(client[0]) if client else ""


def host_of(scope: Scope) -> str:
    """The very address of an ASGI request, for those who let some networks in; "" where there is
    none."""
    client = scope.get("client")
    return plain(client[0][:_LONGEST]) if client else ""


def host_of_call(peer: str, forwarded: Iterable[str] = (), trusted: Sequence[Network] = ()) -> str:
    """The same of a gRPC call."""
    host = _host_of(peer)
    return plain(_origin(host, forwarded, trusted)[:_LONGEST]) if host else ""


def address_of_call(
    peer: str, forwarded: Iterable[str] = (), trusted: Sequence[Network] = ()
) -> str:
    """The same of a gRPC call: `peer` as `context.peer()` says it ("ipv4:192.0.2.1:50000"),
    `forwarded` the values of its `x-forwarded-for` metadata."""
    host = _host_of(peer)
    return _grouped(_origin(host, forwarded, trusted)) if host else ""


@lru_cache(_REMEMBERED)
def _host_of(peer: str) -> str:
    kind, _, rest = peer.partition(":")
    return _without_port(unquote(rest)) if kind in ("ipv4", "ipv6") else ""


@lru_cache(_REMEMBERED)
def connection_of_call(peer: str) -> Who | None:
    """The connection of a gRPC call; None where it has no port, as on a Unix socket."""
    kind, _, rest = peer.partition(":")
    host, _, port = unquote(rest).rpartition(":")
    if kind not in ("ipv4", "ipv6") or not port.isdecimal():
        return None
    return plain(host.strip("[]")), int(port)


def leave(inside: "Counter[Who]", who: Who) -> None:
    """One less of that connection; those with none are forgotten."""
    inside[who] -= 1
    if not inside[who]:
        del inside[who]


@lru_cache(_REMEMBERED)
def plain(host: str) -> str:
    """An address as it is written most plainly, an IPv4 address within IPv6 as that alone."""
    address = _read(host)
    return host if address is None else str(address)


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks such as 10.0.0.0/8, 2001:db8::/32 or one address. Raises: ValueError."""
    return tuple(ipaddress.ip_network(text) for text in texts)


LOOPBACK = networks_of(("127.0.0.0/8", "::1/128"))
IN_THE_CLEAR = "this came in the clear, from neither this machine nor a proxy of ours: use TLS"


def let_in_clear(live: bool, trusted: Sequence[Network]) -> tuple[Network, ...]:
    """From where we are spoken to in the clear: where money is real, this machine and the proxies,
    which speak TLS to all others; else from anywhere, which is none named."""
    return (*LOOPBACK, *trusted) if live else ()


class Clear:
    """ASGI middleware, before whatever believes a proxy: who is in no such network is refused
    before anything of the request is looked at."""

    def __init__(self, app: ASGIApp, networks: Sequence[Network]):
        self._app = app
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client: Any = scope.get("client")
        if scope["type"] == "http" and client and not is_in(client[0], self._networks):
            refusal = Response(f"{IN_THE_CLEAR}\n", 403, media_type="text/plain")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


class Forwarded:
    """ASGI middleware: behind proxies that are trusted, the client is whom they name.

    What X-Forwarded-For says is believed from its right end, for as long as the one who added it
    is trusted: what stands further left was written by the client.
    """

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]):
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client: Any = scope.get("client")
        if scope["type"] == "http" and client:
            said = [
                value.decode("latin-1")
                for name, value in scope["headers"]
                if name == b"x-forwarded-for"
            ]
            scope["client"] = (_origin(client[0], said, self._trusted), client[1])
        await self._app(scope, receive, send)


def _origin(nearest: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """The last hop that is not one of our proxies; the furthest of them if there is no other."""
    found = nearest
    if not trusted or not is_in(nearest, trusted):
        return found
    hops = [hop for value in reversed(list(forwarded)) for hop in _last_hops(value)]
    for hop in hops[:_MOST_HOPS]:
        address = _without_port(hop)
        if _read(address) is None:
            return found
        found = address
        if not is_in(address, trusted):
            break
    return found


def _last_hops(value: str) -> list[str]:
    return [hop.strip() for hop in reversed(value.rsplit(",", _MOST_HOPS)[-_MOST_HOPS:])]


def _without_port(text: str) -> str:
    """ "192.0.2.1:50000", "[2001:db8::1]:50000" and both without a port."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, colon, port = text.rpartition(":")
    return host if colon and ":" not in host and port.isdecimal() else text


@lru_cache(_REMEMBERED)
def _read(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ipaddress.ip_address(text[:_LONGEST].partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(_REMEMBERED)
def _grouped(text: str) -> str:
    address = _read(text)
    if address is None:
        return text[:_LONGEST]
    if isinstance(address, IPv6Address):
        return str(ipaddress.ip_network((int(address), _HOUSEHOLD), strict=False))
    return str(address)


def is_in(text: str, networks: Sequence[Network]) -> bool:
    """Whether it is an address of one of the networks."""
    address = _read(text)
    return address is not None and any(
        address.version == network.version and address in network for network in networks
    )
