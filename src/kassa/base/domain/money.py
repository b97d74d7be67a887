"""Money as whole minor units of an ISO 4217 currency; nothing here ever rounds."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path

from kassa.base.domain.errors import InvalidRequest

MAX_MINOR = 2**63 - 1
"""The database keeps amounts in bigint; what is read as an amount is not beyond that."""
LARGEST = 10**15
"""No single amount is larger, whatever a setting says: far below what 64 bits hold."""
LARGEST_SUM = 10**18
"""No balance and no settlement is: a thousand of those fit, and still 64 bits hold it."""
_MAX_SUM = 10**34  # no sum of amounts comes near; stops what is no sum of ours
_MAX_TEXT = 40  # longer than any 64-bit amount; stops "1e999999999" before Decimal expands it
# Narrower than what Decimal reads: "1_000", " 1" and full-width digits are somebody's mistake.
_WRITTEN = re.compile(r"[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d{1,20}+)?", re.ASCII)


def _read_table() -> Mapping[str, int]:
    text = Path(__file__).with_name("currencies.csv").read_text(encoding="utf-8")
    return {row["code"]: int(row["exponent"]) for row in csv.DictReader(text.splitlines())}


EXPONENT: Mapping[str, int] = _read_table()
"""Decimal digits of each ISO 4217 currency: CLP 0, USD 2, KWD 3, CLF 4."""


class CurrencyMismatch(ValueError):
    """Amounts of two currencies were about to be taken for one: nothing is done then."""


class TooLarge(InvalidRequest):
    """More than any amount can be. What one may be at most in `currency` is a setting, so whoever
    tells somebody else says that instead (`base/usecases/bounds.py`)."""

    def __init__(self, currency: str):
        most = Decimal(LARGEST).scaleb(-EXPONENT[currency])
        super().__init__(
            f"no amount is larger than {most:f} {currency}", reason="amount_out_of_range"
        )
        self.currency = currency


@dataclass(frozen=True, slots=True)
class Money:
    """`minor`: whole minor units (cents, yen, fils). `currency`: ISO 4217 code."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor must be int, got {self.minor!r}")
        if self.currency not in EXPONENT:
            raise InvalidRequest(
                f"unknown currency {self.currency!r}: an ISO 4217 code such as CNY is needed",
                reason="currency_unknown",
            )
        if abs(self.minor) > _MAX_SUM:
            raise InvalidRequest("the amount is beyond all sums", reason="amount_out_of_range")

    @classmethod
    def from_minor(cls, minor: int, currency: str) -> "Money":
        """An amount that somebody sent in minor units; a sum of ours may be larger.

        Raises: InvalidRequest.
        """
        if abs(minor) > MAX_MINOR and currency in EXPONENT:
            raise TooLarge(currency)
        return cls(minor, currency)

    @classmethod
    def from_major(cls, amount: str | int | Decimal, currency: str) -> "Money":
        """Read major units ("299.99"). Too many digits is an error, never a rounding.

        Raises: InvalidRequest.
        """
        if currency not in EXPONENT:
            return cls(0, currency)  # refused there, in one set of words
        if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
            raise TypeError(f"an amount is text, int or Decimal, not {type(amount).__name__}")
        exponent = EXPONENT[currency]
        try:
            number = Decimal(amount)
        except InvalidOperation:
            raise _refused("not an amount:", amount, "amount_invalid") from None
        if not number.is_finite():
            raise _refused("not a usable amount:", number, "amount_out_of_range")
        if number.adjusted() > _MAX_TEXT:
            raise TooLarge(currency)
        if isinstance(amount, str) and not _WRITTEN.fullmatch(amount):
            raise _refused("not an amount:", amount, "amount_invalid")
        sign, digits, shift = number.as_tuple()
        if len(digits) > _MAX_TEXT:
            raise InvalidRequest(
                f"{currency} has {exponent} decimals, got {len(digits)} digits",
                reason="amount_precision",
            )
        places = int(shift) + exponent
        whole = int("".join(map(str, digits)) or "0")
        if places < 0:
            whole, rest = _divide(whole, -places)
            if rest:
                raise _refused(
                    f"{currency} has {exponent} decimals, got", number, "amount_precision"
                )
        else:
            whole *= 10**places
        return cls.from_minor(-whole if sign else whole, currency)

    @classmethod
    def parse(cls, text: str) -> "Money":
        """ "12.34 CNY", as `str` writes it.

        Raises: InvalidRequest.
        """
        amount, _, currency = text.partition(" ")
        return cls.from_major(amount, currency)

    @property
    def major(self) -> Decimal:
        """Major units with exactly the currency's digits: 29999 CNY minor is Decimal("299.99")."""
        return Decimal(self.minor).scaleb(-EXPONENT[self.currency])

    def __str__(self) -> str:
        # As `major` would be written, at half the price: it is part of every event of a report.
        places = EXPONENT[self.currency]
        digits = str(abs(self.minor)).zfill(places + 1)
        whole = f"{digits[:-places]}.{digits[-places:]}" if places else digits
        return f"{'-' if self.minor < 0 else ''}{whole} {self.currency}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._comparable(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._comparable(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def _comparable(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix")
        return other.minor

    def split(self, weights: Sequence[int]) -> "list[Money]":
        """Share out by `weights`, losing nothing: the parts add up to the whole.

        A part of weight 0 gets 0; left-over units go one each to the earliest others.
        Raises: ValueError unless the weights are >= 0 and one of them is > 0.
        """
        whole = sum(weights)
        if whole == 0 or min(weights) < 0:
            raise ValueError(f"cannot split by {weights}")
        parts = [self.minor * weight // whole for weight in weights]
        takers = (index for index, weight in enumerate(weights) if weight)
        for index in islice(takers, self.minor - sum(parts)):
            parts[index] += 1
        return [Money(part, self.currency) for part in parts]


def _refused(why: str, amount: str | int | Decimal, reason: str) -> InvalidRequest:
    """`why`, and the amount as far as it can be shown: it may be thousands of digits long."""
    shown = f"{amount!r}" if isinstance(amount, str) else f"{Decimal(amount)}"
    shown = shown if len(shown) <= _MAX_TEXT else f"{shown[:_MAX_TEXT]}…"
    return InvalidRequest(f"{why} {shown}", reason=reason)


def _divide(whole: int, places: int) -> tuple[int, int]:
    """`whole` without its last `places` digits, and what those digits were."""
    return (0, whole) if places > 4 * _MAX_TEXT else divmod(whole, 10**places)


def payable(money: Money) -> Money:
    """`money` itself when it can be asked of a payer: more than nothing.

    Raises: InvalidRequest.
    """
    if money.minor <= 0:
        raise InvalidRequest(
            f"the amount must be more than zero, got {money.major:f}", reason="amount_not_positive"
        )
    return money
