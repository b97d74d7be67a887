"""How much one amount may be, at every door that one comes in by."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from kassa.base.domain.errors import InvalidRequest, KassaError
from kassa.base.domain.money import LARGEST_SUM, Money, TooLarge
from kassa.base.usecases.core import Core
from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable


def most(core: Core, currency: str) -> Money:
    """The largest amount in that currency that one payment, top-up or adjustment may be of."""
    policy = core.policy
    return Money(policy.amount_limits.get(currency, policy.amount_limit_minor), currency)


def within(core: Core, amount: Money, *, field: str = "amount") -> Money:
    """`amount` itself, when one may be so large.

    Raises: InvalidRequest.
    """
    if abs(amount.minor) > most(core, amount.currency).minor:
        raise InvalidRequest(
            _words(core, amount.currency), field=field, reason="amount_out_of_range"
        )
    return amount


def named(core: Core, error: KassaError) -> KassaError:
    """`error` as it is told: of an amount that is more than any can be, what one may be at most
    here. Every door passes its errors through this."""
    if not isinstance(error, TooLarge):
        return error
    field = error.field or "amount"
    return InvalidRequest(_words(core, error.currency), field=field, reason=error.reason)


def _words(core: Core, currency: str) -> str:
    limit = most(core, currency)
    return f"the amount may be at most {limit.major:f} {currency}"


def beyond_belief(core: Core, told: Any) -> str:
    """What a provider names that no amount of ours can be, as words; "" when there is nothing."""
    for amount in _amounts(told):
        if abs(amount.minor) > most(core, amount.currency).minor:
            limit = most(core, amount.currency)
            return f"it names {amount}, and no amount here is more than {limit}"
    return ""


def _amounts(told: Any) -> Iterator[Money]:
    if isinstance(told, Money):
        yield told
    elif isinstance(told, tuple):
        for one in told:
            yield from _amounts(one)
    elif is_dataclass(told):
        for member in fields(told):
            yield from _amounts(getattr(told, member.name))


def readable(core: Core, connector: str, item: ReportLine | Unreadable) -> ReportLine | Unreadable:
    """A report's line, or the line put aside where it is of more than an amount may be. A payout
    is of many payments, and may be of more."""
    if isinstance(item, Unreadable):
        return item
    if item.fee.currency != item.amount.currency:
        words = f"{item.amount} with a fee in another currency: {item.fee}"
        return Unreadable(number=item.number, reason=words, raw=item.raw)
    large = connector == BANK or item.kind is LineKind.PAYOUT
    bound = LARGEST_SUM if large else most(core, item.amount.currency).minor
    if max(abs(item.amount.minor), abs(item.fee.minor)) <= bound:
        return item
    words = f"{item.amount} is more than an amount may be: {Money(bound, item.amount.currency)}"
    return Unreadable(number=item.number, reason=words, raw=item.raw)
