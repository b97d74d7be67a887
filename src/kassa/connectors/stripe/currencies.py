"""Amounts as Stripe counts them, which is not everywhere as ISO 4217 does.

Source: https://docs.stripe.com/currencies
"""

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import EXPONENT, Money

_ZERO_DECIMAL = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE_DECIMAL = frozenset("BHD JOD KWD OMR TND".split())
_LAST_DIGIT_ZERO = _THREE_DECIMAL  # the card networks carry two of the three digits


def decimals(currency: str) -> int:
    """How many decimals Stripe's smallest unit of `currency` stands for.

    ISK and UGX have none of their own by now and are written with two, always 00. HUF and TWD
    have theirs in charges; only their payouts are whole.
    """
    return 0 if currency in _ZERO_DECIMAL else 3 if currency in _THREE_DECIMAL else 2


def to_stripe(money: Money) -> int | None:
    """`money` in Stripe's units; None where Stripe cannot take exactly this much."""
    units = _shifted(money.minor, decimals(money.currency) - EXPONENT[money.currency])
    if units is None or (money.currency in _LAST_DIGIT_ZERO and units % 10):
        return None
    return units


def from_stripe(units: int, currency: str) -> Money:
    """What Stripe says, as money of ours.

    Raises: InvalidRequest for a currency that we do not know or an amount that it cannot have.
    """
    code = Money(0, currency.upper()).currency
    minor = _shifted(units, EXPONENT[code] - decimals(code))
    if minor is None:
        raise InvalidRequest(f"{code} has no such fraction", reason="amount_precision")
    return Money.from_minor(minor, code)


def _shifted(units: int, places: int) -> int | None:
    """`units` with so many digits more, or fewer; None where that would lose something."""
    factor: int = 10 ** abs(places)
    if places >= 0:
        return units * factor
    return None if units % factor else units // factor
