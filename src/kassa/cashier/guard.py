"""A brake on guessing: each client address may ask for a few unknown payments a minute."""

import time
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from kassa.base.domain.rate_limits import Buckets, Quota, Rate

MISSES = 10  # unknown tokens an address may try at once
REFILL_SECONDS = 6.0  # one more try each: ten a minute
_ADDRESSES = 10_000  # remembered at most, about 2 MB; the longest quiet are forgotten first


class MissGuard:
    """A token bucket per client address, in this process and of bounded size."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, addresses: int = _ADDRESSES):
        self._clock = clock
        self._buckets = Buckets(Rate(1 / REFILL_SECONDS, MISSES), addresses)

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_seconds(self, address: str) -> int:
        """0 when the address may look something up, else how long until it may."""
        return ceil(self._buckets.look(network_of(address), self._clock()).wait)

    def quota(self, address: str) -> Quota:
        """How the address stands."""
        level = self._buckets.look(network_of(address), self._clock())
        return self._buckets.told(level, "unknown-payments")

    def missed(self, address: str) -> None:
        """Remember that the address asked for something that does not exist."""
        self._buckets.take(network_of(address), self._clock())


def network_of(address: str) -> str:
    """One household of IPv6 addresses (/64) counts as one; what is no address counts as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), 64), strict=False))
    return address
