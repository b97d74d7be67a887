"""Fee schedules: what a provider is expected to charge, until its own figure is known."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money

MILLION = 1_000_000
_WHOLE_PERCENT = MILLION // 100
_PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,4}))?", re.ASCII)


def rate_of_percent(text: str) -> int:
    """Parts per million: "2.9" is 29,000. More than four decimals are refused, never rounded.

    Raises: InvalidRequest.
    """
    written = _PERCENT.fullmatch(text)
    rate = (
        int(written[1]) * _WHOLE_PERCENT + int((written[2] or "").ljust(4, "0")) if written else 0
    )
    if written is None or rate > MILLION:
        raise InvalidRequest(
            f"a percentage is 0 to 100 with at most 4 decimals, like 2.9; got {text[:40]!r}",
            reason="percent_invalid",
        )
    return rate


class FeeKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRule:
    """`rate_ppm`: parts per million of the amount (2.9 % is 29,000); `fixed_minor` is added.

    Empty `connector` or `method`: any. In force from `valid_from` until before `valid_until`.
    """

    id: str
    company_id: str
    kind: FeeKind
    connector: str
    method: str
    currency: str
    rate_ppm: int
    fixed_minor: int
    valid_from: datetime
    valid_until: datetime | None

    def fee_on(self, amount: Money) -> Money:
        """The rate of `amount`, rounded half up to a whole minor unit, and the fixed part."""
        share = (amount.minor * self.rate_ppm + MILLION // 2) // MILLION
        return Money(share + self.fixed_minor, amount.currency)

    def covers(
        self, kind: FeeKind, connector: str, method: str, currency: str, at: datetime
    ) -> bool:
        return (
            self.kind is kind
            and self.currency == currency
            and self.connector in ("", connector)
            and self.method in ("", method)
            and self.valid_from <= at
            and (self.valid_until is None or at < self.valid_until)
        )


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """A company's rules. The most exact one counts: connector before method, then the newest.

    Of two that begin at the same moment, the one that was made later.
    """

    rules: Sequence[FeeRule] = ()

    def expected(
        self, kind: FeeKind, amount: Money, *, connector: str, method: str, at: datetime
    ) -> Money:
        """What is to be expected; nothing when no rule covers it."""
        fitting = [
            rule for rule in self.rules if rule.covers(kind, connector, method, amount.currency, at)
        ]
        if not fitting:
            return Money(0, amount.currency)
        return max(fitting, key=_exactness).fee_on(amount)


def _exactness(rule: FeeRule) -> tuple[bool, bool, datetime, str]:
    return bool(rule.connector), bool(rule.method), rule.valid_from, rule.id
