"""The provider's own arithmetic: it re-reads every amount from text and trusts no one's cents."""

import re
from dataclasses import dataclass

_PLAIN = re.compile(r"(0|[1-9][0-9]{0,18})(?:\.([0-9]{1,4}))?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_MOST_UNITS = 2**63 - 1  # what an SQLite integer holds

_UNUSUAL = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DIGITS = {code: digits for digits, codes in _UNUSUAL.items() for code in codes.split()}


class BadAmount(ValueError):
    """Not an amount this provider takes; the message says why."""


def digits_of(currency: str) -> int:
    """Decimal digits this provider writes for `currency`: 2 unless it knows otherwise."""
    return _DIGITS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class SandboxAmount:
    """`units`: whole smallest units; `exponent`: how many of their digits follow the point."""

    units: int
    currency: str
    exponent: int

    def __str__(self) -> str:
        """The decimal text alone: "299.99", "500", "-1.250"."""
        if not self.exponent:
            return str(self.units)
        sign = "-" if self.units < 0 else ""
        whole, rest = divmod(abs(self.units), 10**self.exponent)
        return f"{sign}{whole}.{rest:0{self.exponent}d}"

    def of(self, units: int) -> "SandboxAmount":
        """Another number of units of the same currency."""
        return SandboxAmount(units, self.currency, self.exponent)


def read_amount(text: str, currency: str) -> SandboxAmount:
    """Read "299.99" with exactly the currency's digits; it must be more than zero.

    Raises: BadAmount.
    """
    if not _CURRENCY.fullmatch(currency):
        raise BadAmount(f"not a currency: {currency!r}")
    parts = _PLAIN.fullmatch(text)
    if parts is None:
        raise BadAmount(f"not a plain decimal amount: {text!r}")
    whole, rest = parts[1], parts[2] or ""
    exponent = digits_of(currency)
    if len(rest) != exponent:
        raise BadAmount(f"{currency} is written with {exponent} decimals, got {text}")
    units = int(whole + rest)
    if not 0 < units <= _MOST_UNITS:
        raise BadAmount(f"out of range: {text}")
    return SandboxAmount(units, currency, exponent)


def fee_on(amount: SandboxAmount) -> SandboxAmount:
    """2.9 % (halves up) and 30 smallest units, but never more than was taken."""
    units = (amount.units * 29 + 500) // 1000 + 30
    return amount.of(min(units, amount.units))


def dispute_fee(amount: SandboxAmount) -> SandboxAmount:
    """15 major units of its currency, whatever was disputed."""
    return amount.of(15 * 10**amount.exponent)
