"""Which network addresses may be called when somebody else chose them.

Python's own `is_private` and `is_global` are not asked: their meaning changed between patch
releases, and both let through addresses that lead inside (100.100.100.200, 2002:a9fe:a9fe::1).
Source: the IANA IPv4 and IPv6 special-purpose address registries.
"""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network

BLOCKED: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; a cloud's metadata lives at 100.100.100.200
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT relays
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
        "::/96",  # unspecified, loopback, IPv4-compatible
        "64:ff9b::/96",  # NAT64: any IPv4 address behind it
        "64:ff9b:1::/48",  # NAT64 of a local network
        "100::/64",  # discard
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address behind it
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fc00::/7",  # unique local
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)

_LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_GLOBAL_V6 = IPv6Network("2000::/3")  # nothing outside it was ever given to the public internet


def may_call(text: str, *, allow_loopback: bool, also_blocked: Iterable[Network] = ()) -> bool:
    """Whether the IP address `text` is on the public internet.

    `allow_loopback` additionally lets 127.0.0.0/8 and ::1 through, nothing else.
    """
    try:
        address = _unwrap(ip_address(text))
    except ValueError:
        return False
    if _within(address, also_blocked):
        return False
    if allow_loopback and _within(address, _LOOPBACK):
        return True
    if isinstance(address, IPv6Address) and address not in _GLOBAL_V6:
        return False
    return not _within(address, BLOCKED)


def _unwrap(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4-mapped address (::ffff:10.0.0.1) reaches the IPv4 address inside it."""
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if inner is None else inner


def _within(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
