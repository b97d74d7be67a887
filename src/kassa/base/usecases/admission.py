"""Who may come in: rates by credential and by address, calls at once by company, and load.

What is remembered is one process's own: a rate is shared out among the processes that serve.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import ceil

import structlog

from kassa.base.domain.errors import (
    RETRYABLE,
    KassaError,
    Overloaded,
    ProviderUnavailable,
    RateLimited,
)
from kassa.base.domain.rate_limits import (
    SHED_TEST_FROM,
    Buckets,
    Criticality,
    Pauses,
    Places,
    Quota,
    Rate,
    Recent,
    Turnover,
    is_shed,
)
from kassa.criticality import Traits

_log = structlog.get_logger("kassa.admission")
_KEYS = 10_000  # remembered in each memory, about 2 MB
_LONGEST_PAUSE = 60  # seconds
_FORGIVEN_AFTER = 600  # seconds
_GLANCE_SECONDS = 0.1  # seconds, not money
_GLANCES = 5  # a process is late when it was late so many times running
_A_MOMENT = 1  # second: what is under way is done by then, or nobody knows when
_LONGEST_BUSY = 60.0  # seconds, not money: further ahead nobody can see


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`live`, `test`: of each credential. `address`: of who shows none. `company_calls`: of one
    company at once. `process_calls`, `late`: calls at once, and seconds that what is due waits for
    its turn, that are all a process can take. `wrong_credentials`: of an address before pauses.
    """

    live: Rate
    test: Rate
    address: Rate
    company_calls: int
    process_calls: int
    late: float  # seconds, not money
    wrong_credentials: int

    def share(self, processes: int) -> "Limits":
        """Of each of so many processes."""
        return Limits(
            live=self.live.share(processes),
            test=self.test.share(processes),
            address=self.address.share(processes),
            company_calls=ceil(self.company_calls / processes),
            process_calls=self.process_calls,
            late=self.late,
            wrong_credentials=ceil(self.wrong_credentials / processes),
        )


@dataclass(slots=True, kw_only=True)
class Visit:
    """A request while it is here. `quota`: what its answer says of limits: how the bucket stands
    that it took its token from, or what refused it. `chance`: its own, of 0 to 1: by it those who
    are sent away at the same time come back at different ones. `address`: what limits count by;
    `host`: where it came from, to the digit."""

    address: str
    criticality: Criticality = Criticality.ORDINARY
    busy: float = 0.0  # seconds, not money: as it was when it came
    came: float = 0.0  # seconds, not money
    is_counted: bool = False
    company: str = ""
    quota: Quota | None = None
    host: str = ""
    chance: float = field(default_factory=random.random)  # no money

    def headers(self) -> tuple[tuple[str, str], ...]:
        """RateLimit and RateLimit-Policy, as draft-ietf-httpapi-ratelimit-headers-10 has them."""
        quota = self.quota
        if quota is None:
            return ()
        policy, level = f'"{quota.name}";q={quota.most}', f'"{quota.name}";r={quota.left}'
        if quota.window is not None:
            policy += f";w={quota.window}"
        if quota.at_once:
            policy += ';qu="concurrent-requests"'
        if quota.full_in is not None:
            level += f";t={ceil(quota.full_in)}"
        return (("ratelimit-policy", policy), ("ratelimit", level))


VISIT: ContextVar[Visit | None] = ContextVar("visit", default=None)
ASKED: ContextVar[Traits | None] = ContextVar("asked", default=None)
"""What the request that is served asks for, from the moment its route is known: by it whoever
proves who they are is let in or not. None where nobody came by a route, as in a command."""


def pause_of(error: KassaError) -> int | None:
    """Seconds after which the same request may be sent again; None where that does not help.

    Whoever answers with `error` asks here, whatever the interface: from then on the answer's
    RateLimit speaks of what refused, and of no bucket that did not. Where many are refused for the
    same they are given different times; asked again for the same request, it is the same one.
    """
    visit = VISIT.get()
    if visit is not None and isinstance(error, RateLimited):
        visit.quota = error.quota
    if isinstance(error, RateLimited | ProviderUnavailable):
        seconds = error.retry_after_seconds
    elif error.code in RETRYABLE:
        seconds = _A_MOMENT
    else:
        return None
    if visit is None or (isinstance(error, RateLimited) and not error.many):
        return seconds
    return seconds + int(visit.chance * (max(1, seconds // 2) + 1))


def _nobody(_: str, __: str) -> None:
    pass


class Admission:
    """The doors ask it. What goes wrong inside of it lets a request pass."""

    def __init__(
        self,
        limits: Limits,
        *,
        count: Callable[[str, str], None] = _nobody,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`count`: told of each that is turned away, by its criticality and the reason."""
        self.limits = limits
        self._count = count
        self._clock = clock
        self._credentials = {
            False: Buckets(limits.live, _KEYS),
            True: Buckets(limits.test, _KEYS),
        }
        self._addresses = Buckets(limits.address, _KEYS)
        self._wrong = Pauses(
            free=limits.wrong_credentials,
            longest=_LONGEST_PAUSE,
            forgiven_after=_FORGIVEN_AFTER,
            most=_KEYS,
        )
        self._proved: Recent[float] = Recent(_KEYS)
        self._companies = Places(limits.company_calls)
        self._inside = Turnover(limits.process_calls)
        self._late: deque[float] = deque([0], maxlen=_GLANCES)
        self._busy_since: float | None = None  # seconds, not money

    @property
    def busy(self) -> float:
        """1 when this process has all it can take; more only when there are too many calls."""
        late = min(min(self._late) / self.limits.late, 1)
        return max(len(self._inside) / self.limits.process_calls, late)

    def arrive(self, address: str, host: str = "") -> Visit:
        visit = Visit(address=address, host=host or address)
        VISIT.set(visit)
        return visit

    def enter(self, traits: Traits) -> None:
        """The current visit asks for something of that kind.

        Raises: Overloaded, RateLimited.
        """
        ASKED.set(traits)
        self._allowing(self._enter, traits)

    def _enter(self, visit: Visit, traits: Traits) -> None:
        visit.criticality = traits.criticality
        if traits.criticality is Criticality.PROBE:
            return
        visit.busy = self.busy
        if is_shed(traits.criticality, visit.busy, test=False):
            self._give_up(traits.criticality)
        visit.is_counted, visit.came = True, self._clock()
        self._inside.enter(visit.came)
        if traits.public:
            self._take(visit, self._addresses, visit.address, "address_rate")

    def try_credential(self, shown: str) -> None:
        """Somebody shows a credential, which is not proved yet. Who has shown many wrong ones has
        to wait, unless this address has proved this one before: so nobody makes others wait who
        share an address with them. `shown`: its name, and where it has a secret a digest of that:
        another secret for the same name is a guess like any other.

        Raises: RateLimited.
        """
        self._allowing(self._try, shown)

    def _try(self, visit: Visit, shown: str) -> None:
        wait = self._wrong.wait(visit.address, self._clock())
        if wait and self._proved.get(f"{visit.address} {shown}") is None:
            quota = Quota("wrong-credentials", self._wrong.free, full_in=wait)
            self._refuse(visit, "wrong_credentials", wait, "too many wrong credentials", quota)

    def unproved(self) -> None:
        """The current visit showed no credential, or a wrong one."""
        self._allowing(self._unproved)

    def _unproved(self, visit: Visit) -> None:
        if not self._wrong.wait(visit.address, self._clock()):  # while it waits, nothing is added
            self._wrong.failed(visit.address, self._clock())

    def admit(
        self, name: str, company: str, *, test: bool, caller: str = "", shown: str = ""
    ) -> None:
        """The credential is proved to be that company's. `caller`: who of its many bearers.
        `shown`: what was tried, where that is more than the name.

        Raises: RateLimited, Overloaded.
        """
        self._allowing(self._admit, name, company, test, caller, shown or name)

    def _admit(
        self, visit: Visit, name: str, company: str, test: bool, caller: str, shown: str
    ) -> None:
        if visit.company:
            return  # one request is one, however often its caller is looked up
        self._proved.put(f"{visit.address} {shown}", self._clock())
        self._take(visit, self._credentials[test], f"{name} {caller}", "credential_rate")
        if is_shed(visit.criticality, visit.busy, test=test):
            self._give_up(visit.criticality)
        visit.came = visit.came or self._clock()
        if not self._companies.enter(company, visit.came):
            self._count(visit.criticality, "company_calls")
            raise RateLimited(
                "too many calls are under way; come back when some have ended",
                retry_after_seconds=max(1, ceil(self._companies.wait(company, self._clock()))),
                quota=Quota("calls", self._companies.most, at_once=True),
                many=True,
            )
        visit.company = company

    def leave(self, visit: Visit) -> None:
        """Give back what the visit held."""
        ASKED.set(None)
        if not visit.is_counted and not visit.company:
            return
        now = self._clock()
        if visit.is_counted:
            self._inside.leave(visit.came, now)
            visit.is_counted = False
        if visit.company:
            self._companies.leave(visit.company, visit.came, now)
            visit.company = ""

    def _take(self, visit: Visit, buckets: Buckets, key: str, reason: str) -> None:
        level = buckets.take(key, self._clock())
        visit.quota = buckets.told(level, "requests")
        if level.wait:
            self._refuse(visit, reason, level.wait, "too many requests", visit.quota)

    def _refuse(self, visit: Visit, reason: str, wait: float, said: str, quota: Quota) -> None:
        """Raises: RateLimited."""
        self._count(visit.criticality, reason)
        seconds = max(1, ceil(wait))
        words = f"{said}; come back in {seconds} s"
        raise RateLimited(words, retry_after_seconds=seconds, quota=quota)

    def _give_up(self, criticality: Criticality) -> None:
        """A process that has been busy for long will be so for as long again, as far as anybody can
        tell.

        Raises: Overloaded.
        """
        self._count(criticality, "busy")
        now = self._clock()
        busy_for = 0 if self._busy_since is None else min(now - self._busy_since, _LONGEST_BUSY)
        raise Overloaded(
            "too busy at the moment; come back soon",
            retry_after_seconds=max(1, ceil(max(self._inside.wait(now), busy_for))),
            many=True,
        )

    def _allowing(self, decide: Callable[..., None], *told: object) -> None:
        visit = VISIT.get()
        if visit is None:
            return
        try:
            decide(visit, *told)
        except KassaError:
            raise
        except Exception:  # noqa: BLE001 - our own bug must not keep payers out
            _log.exception("unexpected")

    async def mind_the_time(self) -> None:
        """See how late this process is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _GLANCE_SECONDS
            await asyncio.sleep(_GLANCE_SECONDS)
            self._late.append(max(loop.time() - due, 0))
            self._note_whether_busy()

    def _note_whether_busy(self) -> None:
        if self.busy < SHED_TEST_FROM:
            self._busy_since = None
        elif self._busy_since is None:
            self._busy_since = self._clock()
