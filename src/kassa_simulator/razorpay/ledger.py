"""What Razorpay settles: a day's payments, refunds and lost disputes, two days later."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from kassa_simulator.frame import Answer, Books, Charge
from kassa_simulator.odd_rows import Names, kept, spoiled
from kassa_simulator.payouts import Payout, returned_at, tries
from kassa_simulator.razorpay.wire import (
    NAME,
    Case,
    JsonObject,
    collection,
    new_id,
    no_such_id,
    page_of,
    query_of,
    refusal,
    reply,
    seconds,
    shown_notes,
    whole,
    within,
)

INDIA = timezone(timedelta(hours=5, minutes=30))
_SETTLED_AFTER = timedelta(days=2)
_SETTLED_AT = time(10, 30, tzinfo=INDIA)
_MOST_ROWS = 1000
_NAMES = Names("type", "amount", "currency")


def enter(
    books: Books,
    charge: Charge,
    order: Mapping[str, Any],
    *,
    entity_id: str,
    kind: str,
    at: datetime,
    amount_minor: int = 0,
    why: str = "",
) -> None:
    """Book one line for settlement. `kind`: payment, refund, adjustment (of a dispute, or of what
    `why` says). `amount_minor`: what leaves; less than zero where it comes back."""
    paying = kind == "payment"
    amount = charge.amount_minor if paying else amount_minor
    fee, tax = (charge.data["fee"], charge.data["tax"]) if paying else (0, 0)
    day = (at.astimezone(INDIA).date() + _SETTLED_AFTER).isoformat()
    books.put(NAME, _days(charge.merchant), day, {"day": day})
    line = {
        "entity_id": entity_id,
        "type": kind,
        "debit": 0 if paying else max(amount, 0),
        "credit": amount - fee if paying else max(-amount, 0),
        "amount": abs(amount),
        "currency": charge.currency,
        "fee": fee,
        "tax": tax,
        "created_at": seconds(at),
        "description": why or charge.data.get("description"),
        "notes": shown_notes(charge.data.get("notes") or {}),
        "payment_id": None if paying else charge.id,
        "order_id": charge.data["order_id"],
        "order_receipt": order.get("receipt"),
        "method": charge.data.get("method"),
        "dispute_id": charge.data["dispute"]["id"] if kind == "adjustment" and not why else None,
    }
    books.put(NAME, _lines(charge.merchant, day), entity_id, line)


def list_all(case: Case) -> Answer:
    """GET /settlements, newest first."""
    query = query_of(case.call)
    found = [item for item in _settlements(case) if within(query, item["created_at"])]
    return collection(page_of(query, found))


def fetch(case: Case, settlement_id: str) -> Answer:
    for item in _settlements(case):
        if item["id"] == settlement_id:
            return reply(item)
    raise no_such_id()


def recon(case: Case) -> Answer:
    """GET /settlements/recon/combined: every line settled on a day or in a month."""
    query = query_of(case.call)
    year, month = whole(query, "year"), whole(query, "month")
    day = whole(query, "day") if query.get("day") else 0
    try:
        date(year, month, day or 1)
    except ValueError:
        raise refusal("The month is not a valid month.", "month") from None
    wanted = f"{year:04}-{month:02}-{day:02}" if day else f"{year:04}-{month:02}-"
    lines: list[JsonObject] = []
    for settled_on in _settled_days(case):
        if settled_on.startswith(wanted):
            lines.extend(_settled_lines(case, settled_on))
    lines = spoiled(case.books, lines, _NAMES, kept(case.books, NAME, case.merchant.name))
    return collection(page_of({"count": "1000", **query}, lines, _MOST_ROWS))


def _lines(merchant: str, day: str) -> str:
    return f"lines/{merchant}/{day}"


def _days(merchant: str) -> str:
    return f"days/{merchant}"


def _settled_at(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), _SETTLED_AT).astimezone(UTC)


def _settled_days(case: Case) -> Sequence[str]:
    """The days that money has been paid out on, oldest first."""
    days = sorted(item["day"] for item in case.books.listed(NAME, _days(case.merchant.name)))
    return [day for day in days if _settled_at(day) <= case.now]


def _names(case: Case, day: str) -> tuple[str, str]:
    """Of the settlement, and of the first transfer of it, which its lines go on to name."""
    about = ("settlement", case.merchant.name, day)
    first, _ = _transfers(case.books, case.merchant.name, day)
    return new_id(case.books, "setl_", *about), first


def _transfers(books: Books, merchant: str, day: str) -> tuple[str, str]:
    about = (NAME, "settlement", merchant, day)
    return "UTR" + books.digits(12, *about), "UTR" + books.digits(12, *about, "again")


def first_transfers(case: Case) -> Sequence[str]:
    return [_transfers(case.books, case.merchant.name, day)[0] for day in _settled_days(case)]


def payouts(case: Case) -> Sequence[Payout]:
    found: list[Payout] = []
    for day in _settled_days(case):
        lines = case.books.listed(NAME, _lines(case.merchant.name, day))
        first, second = _transfers(case.books, case.merchant.name, day)
        one = Payout(
            reference=first,
            currency=lines[0]["currency"],
            amount_minor=sum(line["credit"] - line["debit"] for line in lines),
            at=_settled_at(day),
        )
        found += tries(one, second, returned_at(case.books, NAME, first), case.now)
    return found


def _settled_lines(case: Case, day: str) -> Sequence[JsonObject]:
    settlement_id, utr = _names(case, day)
    settled = {
        "on_hold": False,
        "settled": True,
        "settled_at": seconds(_settled_at(day)),
        "settlement_id": settlement_id,
        "settlement_utr": utr,
        "posted_at": None,
        "credit_type": "default",
        "card_network": None,
        "card_issuer": None,
        "card_type": None,
    }
    lines = case.books.listed(NAME, _lines(case.merchant.name, day))
    return [{**line, **settled} for line in lines]


def _settlements(case: Case) -> Sequence[JsonObject]:
    found = []
    for day in reversed(_settled_days(case)):
        lines = _settled_lines(case, day)
        settlement_id, utr = _names(case, day)
        found.append(
            {
                "id": settlement_id,
                "entity": "settlement",
                "amount": sum(line["credit"] - line["debit"] for line in lines),
                "status": "processed",
                "fees": sum(line["fee"] for line in lines),
                "tax": sum(line["tax"] for line in lines),
                "utr": utr,
                "created_at": seconds(_settled_at(day)),
            }
        )
    return found
