"""From where a credential may be used: networks, or nowhere in particular."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network

from kassa.base.domain.errors import InvalidRequest

_MOST = 50
_LONGEST = 64  # characters; no network is longer


def read_networks(texts: Iterable[str]) -> tuple[str, ...]:
    """As they are kept: 192.0.2.7 is 192.0.2.7/32.

    Raises: InvalidRequest.
    """
    kept = []
    for text in texts:
        try:
            kept.append(str(ipaddress.ip_network(text.strip()[:_LONGEST])))
        except ValueError:
            raise InvalidRequest(
                f"an address or network such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32 is needed,"
                f" not {text[:_LONGEST]!r}",
                field="networks",
                reason="network_invalid",
            ) from None
    if len(kept) > _MOST:
        raise InvalidRequest(f"at most {_MOST} networks can be named", field="networks")
    return tuple(dict.fromkeys(kept))


def is_from(host: str, networks: Iterable[str]) -> bool:
    """Whether that address is in one of the networks; what is no address is in none."""
    return _is_from(host, tuple(networks))


@lru_cache(4096)
def _is_from(host: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(
        address.version == network.version and address in network
        for network in map(_read, networks)
    )


@lru_cache(1024)
def _read(text: str) -> IPv4Network | IPv6Network:
    return ipaddress.ip_network(text)
