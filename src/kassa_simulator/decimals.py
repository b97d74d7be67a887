"""Amounts as people and decimal wires write them; inside they are whole minor units."""

from decimal import Decimal, InvalidOperation

_USUAL_DIGITS = 2
_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3}


def shown(amount_minor: int, currency: str) -> str:
    """With all the digits the currency has: "10.50", "-0.05", "7"."""
    digits = _DIGITS.get(currency, _USUAL_DIGITS)
    sign = "-" if amount_minor < 0 else ""
    text = str(abs(amount_minor)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text


def minor(amount: Decimal | int | str, currency: str) -> int | None:
    """Whole minor units; None for what is no amount or has digits the currency has not."""
    try:
        scaled = Decimal(amount).scaleb(_DIGITS.get(currency, _USUAL_DIGITS))
        return int(scaled) if scaled == scaled.to_integral_value() else None
    except (InvalidOperation, ValueError, OverflowError):
        return None
