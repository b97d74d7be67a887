"""How much is too much: token buckets, pauses that grow, places, and who goes first when all
cannot. Pure: the time is told, in seconds of any clock that only goes forward.

Every memory here is bounded; beyond its bound it forgets who was quiet for longest.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Generic, NamedTuple, TypeVar

_T = TypeVar("_T")
_MEMORY = 16  # calls over which the time of one is averaged
_LONGEST_WAIT = 60.0  # seconds, not money: further ahead nobody can see


class Recent(Generic[_T]):
    """What is remembered of each key, of at most `most` keys."""

    def __init__(self, most: int):
        self._most = most
        self._kept: OrderedDict[str, _T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> _T | None:
        return self._kept.get(key)

    def put(self, key: str, value: _T) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_second` in the long run, `burst` at once."""

    per_second: float  # seconds, not money
    burst: int

    def share(self, parts: int) -> "Rate":
        """What each of `parts` equal buckets may give, so that all together give this much."""
        return Rate(self.per_second / parts, max(1, self.burst // parts))

    @property
    def window(self) -> int:
        """Seconds in which an empty bucket is full again: the `w` of a RateLimit-Policy."""
        return max(1, ceil(self.burst / self.per_second))


class Level(NamedTuple):
    """How a bucket stands. `wait`: 0 when there was a token, else seconds until there is one."""

    wait: float  # seconds, not money
    left: int
    full_in: float  # seconds, not money


class Quota(NamedTuple):
    """What a caller is told of a limit: what it is called, how much there is of it, how much is
    left, and in how many seconds nothing of it is taken any more (None: nobody knows).

    `window`: seconds in which so much may be had; None for what has no fixed time. `at_once`: it is
    things at the same time that are counted.
    """

    name: str
    most: int
    left: int = 0
    full_in: float | None = None  # seconds, not money
    window: int | None = None
    at_once: bool = False


class Buckets:
    """A token bucket for each key, all of one rate.

    Of each only the moment is kept at which it will be full (GCRA), so taking is O(1).
    """

    def __init__(self, rate: Rate, most: int):
        self.rate = rate
        self._pause = 1 / rate.per_second
        self._depth = rate.burst * self._pause
        self._window = rate.window
        self._full_at: Recent[float] = Recent(most)

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, now: float) -> Level:
        """Take a token, if there is one."""
        full_at = max(self._full_at.get(key) or now, now)
        level = self._level(full_at - now)
        if level.wait:
            self._full_at.put(key, full_at)  # who is refused is not the first to be forgotten
            return level
        full_at += self._pause
        self._full_at.put(key, full_at)
        return Level(0, level.left - 1, full_at - now)

    def look(self, key: str, now: float) -> Level:
        """As it is, without taking."""
        return self._level(max((self._full_at.get(key) or now) - now, 0))

    def _level(self, missing: float) -> Level:  # seconds, not money
        """`missing`: what is not in it, in seconds."""
        # A billionth of a second: what was added up of fractions is not exact.
        wait = max(missing + self._pause - self._depth, 0)
        wait = wait if wait * 1_000_000_000 > 1 else 0
        left = max(int((self._depth - missing) * self.rate.per_second * (1 + 2**-40)), 0)
        return Level(wait, left, missing)

    def told(self, level: Level, name: str) -> Quota:
        """What is said of a bucket of this kind that stands so."""
        return Quota(name, self.rate.burst, level.left, level.full_in, self._window)


class Pauses:
    """Some failures are free; then each one brings a pause twice as long, up to `longest`.

    As long as they are free, one is forgiven each second: who errs now and then never pauses. After
    that it takes `forgiven_after` seconds without a failure to begin anew.
    """

    def __init__(self, *, free: int, longest: int, forgiven_after: int, most: int):
        self._free = free
        self._longest = longest
        self._forgiven_after = forgiven_after
        # Failures so far, and when the last one was; both in parts, as forgiving is.
        self._failures: Recent[tuple[float, float]] = Recent(most)  # seconds, not money

    def __len__(self) -> int:
        return len(self._failures)

    def failed(self, key: str, now: float) -> None:
        self._failures.put(key, (self._count(key, now) + 1, now))

    @property
    def free(self) -> int:
        return self._free

    def wait(self, key: str, now: float) -> float:
        """Seconds until it may try again; 0 for at once."""
        kept = self._failures.get(key)
        if kept is None or kept[0] < self._free:
            return 0
        over = ceil(self._count(key, now) - self._free)
        if over < 0:
            return 0
        return max(kept[1] + min(1 << min(over, 30), self._longest) - now, 0)

    def _count(self, key: str, now: float) -> float:
        count, at = self._failures.get(key) or (0, now)
        if count < self._free:
            return max(count - (now - at), 0)
        return count if now - at < self._forgiven_after else 0


class Turnover:
    """How many are inside, and when a place will likely be free for who found none.

    Each of those gets a moment of their own, as far behind the last as places become free on
    average, so that they do not come back together. What is inside for longer than others were will
    stay as long again, as far as anybody can tell.
    """

    __slots__ = ("_held", "_inside", "_next", "_places", "_since")

    def __init__(self, places: int):
        self._places = places
        self._inside = 0
        self._since = 0.0  # seconds, not money: when they came, added up
        self._held = 0.0  # seconds, not money: for which a place is taken, lately
        self._next = 0.0  # seconds, not money: what the last one was told

    def __len__(self) -> int:
        return self._inside

    def enter(self, now: float) -> None:
        self._inside += 1
        self._since += now

    def leave(self, came: float, now: float) -> None:
        """`came`: the time at which it entered."""
        self._inside -= 1
        self._since = self._since - came if self._inside else 0.0  # seconds, not money
        self._held += (now - came - self._held) / (_MEMORY if self._held else 1)

    def wait(self, now: float) -> float:
        """Seconds until there is likely a place for whoever is refused now."""
        age = now - self._since / self._inside if self._inside else 0
        step = max(self._held, age) / self._places
        self._next = min(max(self._next, now) + step, now + _LONGEST_WAIT)
        return self._next - now


class Places:
    """So many at once for each key; who is inside is all that is remembered."""

    def __init__(self, most: int):
        self.most = most
        self._inside: dict[str, Turnover] = {}

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, key: str, now: float) -> bool:
        kept = self._inside.get(key)
        if kept is None:
            kept = self._inside[key] = Turnover(self.most)
        if len(kept) >= self.most:
            return False
        kept.enter(now)
        return True

    def leave(self, key: str, came: float, now: float) -> None:
        kept = self._inside.get(key)
        if kept is None:
            return
        kept.leave(came, now)
        if not len(kept):
            del self._inside[key]

    def wait(self, key: str, now: float) -> float:
        """Seconds until there is likely a place for who found none."""
        kept = self._inside.get(key)
        return 0 if kept is None else kept.wait(now)


class Criticality(StrEnum):
    """What a request is for, from what is given up last to what is given up first."""

    PROBE = "probe"
    """Health and metrics: never given up, and never counted as load."""
    NOTIFICATION = "notification"
    """A provider tells us about money."""
    MONEY = "money"
    """Pay, capture, void, refund."""
    ORDINARY = "ordinary"
    QUESTION = "question"
    """Whether something is paid by now: a provider may have to be asked."""
    LIST = "list"
    """Lists and exports: much work, and seldom urgent."""


SHED_FROM: Mapping[Criticality, float] = {
    # seconds, not money: shares of what the process can take
    Criticality.LIST: 0.85,
    Criticality.QUESTION: 0.90,
    Criticality.ORDINARY: 0.95,
    Criticality.MONEY: 1.50,
    Criticality.NOTIFICATION: 2.00,
}
"""How busy a process is, 1 being all that it can take, when it gives up what is of this kind. What
may go over 1 has places that nothing else can take."""

SHED_TEST_FROM = 0.80  # seconds, not money
"""And anything of the test side, notifications apart."""


def is_shed(criticality: Criticality, busy: float, *, test: bool) -> bool:
    if criticality is Criticality.PROBE:
        return False
    if test and criticality is not Criticality.NOTIFICATION and busy >= SHED_TEST_FROM:
        return True
    return busy >= SHED_FROM[criticality]
