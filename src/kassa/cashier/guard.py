"""A brake on guessing: each client address may ask for a few unknown payments a minute."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

MISSES = 10  # unknown tokens an address may try at once
REFILL_SECONDS = 6.0  # one more try each: ten a minute
_ADDRESSES = 10_000  # remembered at most, about 2 MB; the longest quiet are forgotten first


class MissGuard:
    """A token bucket per client address, in this process and of bounded size."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, addresses: int = _ADDRESSES):
        self._clock = clock
        self._addresses = addresses
        self._misses: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._misses)

    def wait_seconds(self, address: str) -> int:
        """0 when the address may look something up, else how long until it may."""
        over = self._level(_network(address)) - (MISSES - 1)
        return 0 if over <= 0 else max(1, round(over * REFILL_SECONDS))

    def missed(self, address: str) -> None:
        """Remember that the address asked for something that does not exist."""
        key = _network(address)
        self._misses[key] = (self._level(key) + 1, self._clock())
        self._misses.move_to_end(key)
        while len(self._misses) > self._addresses:
            self._misses.popitem(last=False)

    def _level(self, key: str) -> float:
        count, at = self._misses.get(key, (0.0, 0.0))
        return max(0.0, count - (self._clock() - at) / REFILL_SECONDS)


def _network(address: str) -> str:
    """One household of IPv6 addresses (/64) counts as one; what is no address counts as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), 64), strict=False))
    return address
