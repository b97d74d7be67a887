"""What Cashfree settled on a day, line by line, as the report readers want it.

Source: https://www.cashfree.com/docs/api-reference/payments/latest/settlement-reconciliation
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from kassa.connectors.base import InDoubt, NotSent, Report, Unknown
from kassa.connectors.cashfree.api import (
    INDIA,
    CashfreeAnswer,
    CashfreeApi,
    CashfreeRefusal,
    Entity,
    moment,
    number_word,
    word,
)
from kassa.connectors.reports.fetched import FETCHED, FetchedLine, Odd, write_fetched
from kassa.reconciliation.domain.reports import LineKind

LINES_AT_ONCE = 1000
_MOST_PAGES = 200
_OUR_CHARGE = re.compile(r"at[0-9]{1,20}_[0-9a-z]{1,64}", re.ASCII)
_GROUPS = ("event_details", "order_details", "payment_details", "refund_details")
_SETTLED = "settlement_details"

_KINDS = {
    "PAYMENT": LineKind.PAYMENT,
    "REFUND": LineKind.REFUND,
    "REFUND_REVERSAL": LineKind.REFUND_REVERSAL,
    "DISPUTE": LineKind.DISPUTE,
    "CHARGEBACK": LineKind.DISPUTE,
    "DISPUTE_REVERSAL": LineKind.DISPUTE_REVERSAL,
    "CHARGEBACK_REVERSAL": LineKind.DISPUTE_REVERSAL,
    "OTHER_ADJUSTMENT": LineKind.ADJUSTMENT,
    "SETTLEMENT": LineKind.PAYOUT,
}
"""Cashfree's event types. Any other is written as it is, and put aside by the reader."""


_NAMES = ("order_id", "cf_payment_id", "refund_id", "refund_arn", "bank_reference", "payment_utr")


async def report_of(api: CashfreeApi, day: date) -> Report | NotSent | InDoubt | Unknown:
    """What was settled on that day in India."""
    lines: list[FetchedLine | Odd] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        reply = await api.post("settlement", "recon", content=question(day, cursor))
        if isinstance(reply, CashfreeRefusal):
            return InDoubt(reason=f"Cashfree refused the report: {reply.code}")
        if not isinstance(reply, CashfreeAnswer):
            return reply
        events = reply.fields.get("data")
        if not isinstance(events, list):
            return InDoubt(reason="Cashfree's report cannot be read")
        for event in events:
            readable = isinstance(event, dict)
            lines += lines_of(event) if readable else [Odd("not an object", {"line": event})]
        cursor = word(reply.fields, "cursor")
        if not cursor or not events:
            break
    if not lines:
        return Unknown(reason="Cashfree settled nothing on that day")
    name = f"cashfree-{day.isoformat()}.csv"
    return Report(format=FETCHED, name=name, content=write_fetched(lines))


def question(day: date, cursor: str | None) -> dict[str, Any]:
    """What `POST /settlement/recon` is asked: what was settled on that day in India."""
    since = datetime.combine(day, time(), INDIA)
    until = datetime.combine(day, time(23, 59, 59), INDIA)
    return {
        "pagination": {"limit": LINES_AT_ONCE, "cursor": cursor},
        "filters": {"start_date": since.isoformat(), "end_date": until.isoformat()},
    }


def lines_of(event: Entity) -> list[FetchedLine | Odd]:
    """One event's lines: a settlement that cost something has two."""
    try:
        return list(_lines_of(event))
    except ValueError as error:
        return [Odd(str(error), event)]


def _lines_of(event: Entity) -> Iterator[FetchedLine]:
    """Raises: ValueError for one that has no amounts that can be read."""
    flat = _flat(event)
    # Asked for by settlement, each event has one: what ends before it may lack its fee and its
    # refund's name as well, and would be another line than the whole one.
    if not _payout(flat):
        raise ValueError("it names no settlement")
    said = word(flat, "event_type")
    if said == "SETTLEMENT":
        yield from _settlement(flat)
        return
    incoming = word(flat, "sale_type") == "CREDIT"
    if not incoming and word(flat, "sale_type") != "DEBIT":
        raise ValueError("neither credit nor debit")
    sign = 1 if incoming else -1
    fee = _number(flat, "payment_service_charge") + _number(flat, "payment_service_tax")
    if said != "PAYMENT":  # these repeat the fee of the payment that they are about
        fee = Decimal(0)
    yield FetchedLine(
        kind=_KINDS.get(said, said),
        amount=sign * _number(flat, "event_amount", needed=True),
        currency=word(flat, "event_currency"),
        fee=fee,
        net=sign * _number(flat, "event_settlement_amount", needed=True),
        our_reference=_key(flat, said),
        provider_reference=number_word(flat, "cf_payment_id" if said == "PAYMENT" else "event_id"),
        payout_reference=_payout(flat),
        occurred_at=moment(flat, "event_time"),
        provider_kind=said,
        texts=tuple(number_word(flat, name) for name in _NAMES),
    )


def _settlement(flat: Entity) -> Iterator[FetchedLine]:
    settled = _number(flat, "amount_settled", needed=True)
    cost = _number(flat, "settlement_charge") + _number(flat, "settlement_tax")
    for kind, amount in ((LineKind.FEE, -cost), (LineKind.PAYOUT, -settled)):
        if amount:
            yield FetchedLine(
                kind=kind,
                amount=amount,
                currency=word(flat, "event_currency"),
                fee=Decimal(0),
                net=None,
                our_reference="",
                provider_reference=number_word(flat, "event_id"),
                payout_reference=_payout(flat),
                occurred_at=moment(flat, "event_time"),
                provider_kind="SETTLEMENT",
            )


def _flat(event: Entity) -> dict[str, Any]:
    """The newer version puts the same members into groups, some of them under other names."""
    flat = dict(event)
    for group in (*_GROUPS, _SETTLED):
        members = event.get(group)
        if isinstance(members, dict):
            flat |= {name: value for name, value in members.items() if value is not None}
    if isinstance(event.get(_SETTLED), dict):
        flat.setdefault("settlement_utr", event[_SETTLED].get("utr"))
    return flat


def _key(flat: Entity, said: str) -> str:
    if said in ("REFUND", "REFUND_REVERSAL"):
        return word(flat, "refund_id")
    order_id = word(flat, "order_id")
    return order_id if said == "PAYMENT" and _OUR_CHARGE.fullmatch(order_id) else ""


def _payout(flat: Entity) -> str:
    return word(flat, "settlement_utr") or number_word(flat, "cf_settlement_id")


def _number(flat: Entity, name: str, *, needed: bool = False) -> Decimal:
    value = flat.get(name)
    if value is None and not needed:
        return Decimal(0)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{name} is no number")
    return Decimal(value)
