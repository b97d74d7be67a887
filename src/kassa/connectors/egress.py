"""Calls to addresses that merchants chose: judged when registered, and again when connecting."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from typing import TYPE_CHECKING

from kassa.base.domain.errors import InvalidRequest
from kassa.connectors.addresses import may_call
from kassa.connectors.base import NotSent
from kassa.connectors.http import Answer
from kassa.connectors.resolver import Lookup, LookupQueue, NameServers, owner

if TYPE_CHECKING:
    import aiohttp

_MAX_URL_CHARACTERS = 1024
_MAX_BODY_BYTES = 64 * 1024
_MAX_HOST_CHARACTERS = 253
_FIRST_FREE_PORT = 1024
_WEB_PORTS = frozenset({80, 443})
_SERVICE_PORTS = frozenset(
    # Databases, caches, queues and control planes: nobody takes notifications there.
    {1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5672, 5900, 5984}
    | {6000, 6379, 6380, 6443, 9042, 9092, 9200, 9300, 10250, 11211, 26257, 27017}
)

# Written out, so that no two parsers can read one text as two different hosts.
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,30}+)://(?P<authority>[^/?#]*+)", re.IGNORECASE)
_AUTHORITY = re.compile(
    r"(?P<host>\[[0-9a-fA-F:.]{1,64}+\]|[a-zA-Z0-9._-]{1,255}+)(?::(?P<port>[0-9]{1,5}+))?"
)
_UNWRITABLE = re.compile(r"[^!-\[\]-~]")  # all but printable ASCII; no space, no backslash
_LABEL = re.compile(r"[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]{1,64}+|0[xX][0-9a-fA-F]{0,64}+")


def check_url(url: str, *, allow_loopback: bool, live: bool, field: str | None = None) -> None:
    """Refuse what `Egress` would never call; a host name is resolved only when it is called.

    `live`: real money, so https only. `field`: the request member that holds `url`.
    Raises: InvalidRequest.
    """
    fault = _fault(url, allow_loopback=allow_loopback, live=live)
    if fault:
        raise InvalidRequest(
            f"this address cannot be used: {fault}", field=field, reason="url_refused"
        )


def _fault(url: str, *, allow_loopback: bool, live: bool) -> str:
    """What is wrong with `url`, or an empty text."""
    if len(url) > _MAX_URL_CHARACTERS:
        return f"it is longer than {_MAX_URL_CHARACTERS} characters"
    if _UNWRITABLE.search(url):
        return (
            "it holds a space, a backslash, a control character or one outside ASCII;"
            " write the host in punycode and percent-encode the rest"
        )
    parts = _URL.match(url)
    schemes = ("https",) if live else ("http", "https")
    if parts is None or parts["scheme"].lower() not in schemes:
        return f"it must be absolute and begin with {' or '.join(f'{s}://' for s in schemes)}"
    if "@" in parts["authority"]:
        return "it must not carry a user name or password"
    place = _AUTHORITY.fullmatch(parts["authority"])
    if place is None:
        return "it names no host, or one that is not written as a host name"
    return _host_fault(place["host"], allow_loopback) or _port_fault(place["port"])


def _host_fault(host: str, allow_loopback: bool) -> str:
    inside = "it must be reachable from the public internet"
    if host.startswith("["):
        try:
            IPv6Address(host[1:-1])
        except AddressValueError:
            return "its host is not an IPv6 address"
        return "" if may_call(host[1:-1], allow_loopback=allow_loopback) else inside
    labels = host.removesuffix(".").split(".")
    if len(host) > _MAX_HOST_CHARACTERS or not all(map(_LABEL.fullmatch, labels)):
        return "its host is not written as a host name"
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        # 0177.0.0.1, 0x7f.1 and 2130706433 all mean 127.0.0.1 to some resolvers.
        try:
            IPv4Address(host)
        except AddressValueError:
            return "its host must be a name, or an IPv4 address as four decimal numbers"
        return "" if may_call(host, allow_loopback=allow_loopback) else inside
    return "" if allow_loopback or labels[-1].lower() != "localhost" else inside


def _port_fault(port: str | None) -> str:
    if port is None or int(port) in _WEB_PORTS:
        return ""
    if not _FIRST_FREE_PORT <= int(port) <= 65535 or int(port) in _SERVICE_PORTS:
        return f"port {port} is not one for notifications: use 80, 443 or one from 1024 up"
    return ""


class Egress:
    """The client for addresses chosen by merchants. It follows nothing and keeps no connection,
    so that every delivery is judged by the address it really goes to.

    `also_blocked`: networks that are public but ours, such as "198.41.0.0/24".
    `name_servers`: whom to ask for addresses; none: those of this machine. `lookup`: how names
    are resolved instead. A merchant's name server may never answer: each company has places of
    its own for that, and each lookup ends after `connect_seconds`.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 3,
        total_seconds: float = 15,
        also_blocked: Sequence[str] = (),
        name_servers: Sequence[str] = (),
        lookup: Lookup | None = None,
    ):
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._also_blocked = tuple(map(ip_network, also_blocked))
        self._name_servers = NameServers(name_servers)
        self._turns = LookupQueue(lookup or self._name_servers.look_up, connect_seconds)
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._closed = False

    async def post(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        allow_loopback: bool,
        company: str = "",
    ) -> Answer:
        """Send `body` once, byte for byte; of the answer's body at most 64 KB are read.

        `company`: whose address it is, and whose places are taken. A redirect is an answer like any
        other. A forbidden address is `NotSent`.
        """
        if self._closed:
            return NotSent(reason="shutting down")
        fault = _fault(url, allow_loopback=allow_loopback, live=False)
        if fault:
            return NotSent(reason=f"this address cannot be used: {fault}")
        owner.set(company)
        from kassa.connectors.sessions import exchange  # noqa: PLC0415 - see there

        return await exchange(
            self._session(allow_loopback),
            "POST",
            url,
            headers=headers,
            body=body,
            max_body_bytes=_MAX_BODY_BYTES,
        )

    def _session(self, allow_loopback: bool) -> "aiohttp.ClientSession":
        from kassa.connectors import guard, sessions  # noqa: PLC0415 - see there

        if allow_loopback not in self._sessions:
            judge = guard.Guard(
                self._turns.look_up,
                allow_loopback=allow_loopback,
                also_blocked=self._also_blocked,
            )
            self._sessions[allow_loopback] = sessions.open_session(
                guard.connector(judge),
                connect_seconds=self._connect_seconds,
                total_seconds=self._total_seconds,
            )
        return self._sessions[allow_loopback]

    async def close(self) -> None:
        """Close every connection; whoever calls afterwards is told that nothing was sent."""
        self._closed = True
        for session in self._sessions.values():
            await session.close()
        await self._name_servers.close()
        await asyncio.sleep(0)  # closing TLS connections need one turn of the loop
