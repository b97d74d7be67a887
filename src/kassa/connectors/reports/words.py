"""Single cells: exact amounts, moments, and signs that must fit what a line calls itself."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import EXPONENT, Money
from kassa.connectors.reports.declaration import NotThatFormat
from kassa.reconciliation.domain.reports import LineKind

MAX_CELL = 8_192  # characters; what providers write is below a thousand
MAX_SHOWN = 500  # characters of a cell that is kept only for a person to look at

# Nearly every amount is written with exactly its currency's digits. Such a text is read without
# Decimal; 14 digits before the point stay within 64 bits whatever the currency.
_WHOLE = {
    exponent: re.compile(rf"[+-]?[0-9]{{1,14}}{rf'[.][0-9]{{{exponent}}}' if exponent else ''}")
    for exponent in set(EXPONENT.values())
}
_PLAIN = {currency: _WHOLE[exponent].fullmatch for currency, exponent in EXPONENT.items()}

AmountReader = Callable[[str, str], Money]

OUTWARD = {LineKind.REFUND: -1, LineKind.DISPUTE: -1}
INWARD = {LineKind.PAYMENT: 1, LineKind.DISPUTE_REVERSAL: 1}
DIRECTION = OUTWARD | INWARD
"""Which sign a kind has where the format has no word for its opposite; the others have both."""


def amount_of(text: str, currency: str) -> Money:
    """`Money.from_major`, only faster. Raises: InvalidRequest."""
    is_plain = _PLAIN.get(currency)
    if is_plain is None or is_plain(text) is None:
        return Money.from_major(text, currency)
    return Money.from_minor(int(text.replace(".", "", 1)), currency)


def amounts_with(decimal: str) -> AmountReader:
    """Reads amounts whose decimal mark is `decimal`; nothing separates thousands.

    Raises: NotThatFormat.
    """
    if decimal == ".":
        return amount_of
    if decimal != ",":
        raise NotThatFormat(f'the decimal mark is "." or ",", got {decimal!r}')
    return _amount_with_comma


def _amount_with_comma(text: str, currency: str) -> Money:
    if "." in text:
        raise InvalidRequest(f"not an amount with a decimal comma: {shown(text, 40)!r}")
    return amount_of(text.replace(",", "."), currency)


def zone_of(name: str) -> tzinfo:
    """Raises: NotThatFormat."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise NotThatFormat(
            f"no time zone is called {shown(name, 40)!r}: a name such as Asia/Shanghai is needed"
        ) from None


def moment_of(text: str, zone: tzinfo) -> datetime | None:
    """An ISO 8601 date or time, in `zone` where it says none; None of an empty cell.

    Raises: InvalidRequest.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"not a time: {shown(text, 40)!r}; 2026-01-31 or 2026-01-31 23:59:59 is needed"
        ) from None
    return moment


def check_direction(direction: int, amount: Money, word: str) -> None:
    """`direction`: 1 when the money must have come in, -1 when it must have gone out, 0 either.

    Raises: InvalidRequest.
    """
    if direction * amount.minor < 0:
        way = "come in: 0 or more" if direction > 0 else "go out: 0 or less"
        raise InvalidRequest(f"a {word} of {amount}: its money must {way}")


def presented_of(text: str, currency: str, amount: Money, read: AmountReader) -> Money | None:
    """What the payer paid, where that was in another currency than `amount`; with its sign.

    Raises: InvalidRequest.
    """
    if not text or not currency or currency.upper() == amount.currency:
        return None
    paid = read(text, currency.upper())
    return -paid if (paid.minor < 0) != (amount.minor < 0) else paid


def check_net(amount: Money, fee: Money, net: Money) -> None:
    """Raises: InvalidRequest unless amount - fee is net, to the last unit."""
    if amount.minor - fee.minor != net.minor:
        raise InvalidRequest(f"{amount} less a fee of {fee} is not {net}")


def shown(text: str, most: int = MAX_SHOWN) -> str:
    """`text` as far as a person needs it."""
    return text if len(text) <= most else f"{text[:most]}…"
