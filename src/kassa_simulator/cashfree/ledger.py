"""What Cashfree settles: a day's captures, refunds and lost disputes, on the next day."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from kassa_simulator.cashfree.wire import INDIA, NAME, JsonObject, seconds
from kassa_simulator.frame import Books, Charge
from kassa_simulator.payouts import Payout, returned_at, tries

_INCOMING = ("REFUND_REVERSAL", "OTHER_ADJUSTMENT")
_SETTLED_AFTER = timedelta(days=1)
_SETTLED_AT = time(14, 45, tzinfo=INDIA)


def fee_and_tax(amount_minor: int) -> tuple[int, int]:
    """2 percent, and 18 percent of that, each rounded half up."""
    fee = (amount_minor * 2 + 50) // 100
    return fee, (fee * 18 + 50) // 100


def enter(
    books: Books,
    charge: Charge,
    order: Mapping[str, Any],
    *,
    event_id: str,
    kind: str,
    at: datetime,
    amount_minor: int = 0,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Book one line. `kind`: PAYMENT, REFUND, REFUND_REVERSAL, DISPUTE, OTHER_ADJUSTMENT.
    `about`: what else to say of it."""
    paying = kind == "PAYMENT"
    incoming = paying or kind in _INCOMING
    amount = charge.captured_minor if paying else amount_minor
    fee, tax = (charge.data["fee"], charge.data["tax"]) if paying else (0, 0)
    day = (at.astimezone(INDIA).date() + _SETTLED_AFTER).isoformat()
    line = {
        "event_id": event_id,
        "event_type": kind,
        "sale_type": "CREDIT" if incoming else "DEBIT",
        "amount": amount,
        "net": amount - fee - tax if incoming else -amount,
        "fee": fee,
        "tax": tax,
        "currency": charge.currency,
        "at": seconds(at),
        "day": day,
        "order_id": order["order_id"],
        "order_amount": order["amount"],
        "customer": order["customer"],
        "cf_payment_id": charge.id,
        "payment_amount": charge.amount_minor,
        "payment_time": charge.data["attempted_at"],
        "payment_group": charge.data["group"],
        "bank_reference": charge.data.get("bank_reference"),
        "about": dict(about or {}),
    }
    books.put(NAME, f"lines/{charge.merchant}", event_id, line)


def lines_of(books: Books, merchant: str) -> Sequence[JsonObject]:
    """Everything ever booked, oldest first."""
    return books.listed(NAME, f"lines/{merchant}")


def settled_at(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), _SETTLED_AT).astimezone(UTC)


def settlements(books: Books, merchant: str, *, now: datetime) -> Sequence[JsonObject]:
    """What has been paid out, oldest first; each with its lines."""
    days: dict[str, list[JsonObject]] = {}
    for line in lines_of(books, merchant):
        if settled_at(line["day"]) <= now:
            days.setdefault(line["day"], []).append(line)
    return [_settlement(books, merchant, day, days[day]) for day in sorted(days)]


def payouts(books: Books, merchant: str, *, now: datetime) -> Sequence[Payout]:
    found: list[Payout] = []
    for one in settlements(books, merchant, now=now):
        again = "CF" + books.digits(14, NAME, "utr again", merchant, one["id"])
        first = Payout(
            reference=one["utr"],
            currency=one["currency"],
            amount_minor=one["amount_settled"],
            at=datetime.fromtimestamp(one["at"], UTC),
        )
        found += tries(first, again, returned_at(books, NAME, first.reference), now)
    return found


def _settlement(books: Books, merchant: str, day: str, lines: Sequence[JsonObject]) -> JsonObject:
    sold = [line for line in lines if line["event_type"] == "PAYMENT"]
    others = [line for line in lines if line["event_type"] != "PAYMENT"]
    return {
        "id": books.digits(10, NAME, "settlement", merchant, day),
        "transfer": books.digits(9, NAME, "transfer", merchant, day),
        "utr": "CF" + books.digits(14, NAME, "utr", merchant, day),
        "at": seconds(settled_at(day)),
        "currency": lines[0]["currency"],
        "payment_amount": sum(line["amount"] for line in sold),
        "fee": sum(line["fee"] for line in sold),
        "tax": sum(line["tax"] for line in sold),
        "settlement_amount": sum(line["net"] for line in sold),
        "adjustment": sum(line["net"] for line in others),
        "amount_settled": sum(line["net"] for line in lines),
        "from": min(line["at"] for line in lines),
        "till": max(line["at"] for line in lines),
        "charge_id": lines[0]["cf_payment_id"],
        "lines": list(lines),
    }
