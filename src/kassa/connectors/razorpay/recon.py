"""What Razorpay settled on a day, line by line, as the report readers want it.

Source: https://razorpay.com/docs/api/settlements/fetch-recon
"""

import json
from collections.abc import Sequence
from datetime import date, timedelta, timezone
from decimal import Decimal

from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import EXPONENT, LARGEST_SUM
from kassa.connectors.base import InDoubt, NotSent, Report, Unknown
from kassa.connectors.razorpay.api import (
    Entity,
    RazorpayAnswer,
    RazorpayApi,
    RazorpayRefusal,
    entity,
    moment,
    whole,
    word,
)
from kassa.connectors.razorpay.links import NOTE
from kassa.connectors.reports.fetched import FETCHED, FetchedLine, Odd, write_fetched
from kassa.connectors.reports.words import shown
from kassa.modifications.domain.captures import PREFIX
from kassa.reconciliation.domain.reports import LineKind

INDIA = timezone(timedelta(hours=5, minutes=30))
"""By whose days Razorpay settles."""

_KINDS = {
    "payment": LineKind.PAYMENT,
    "refund": LineKind.REFUND,
    "transfer": LineKind.ADJUSTMENT,
    "reversal": LineKind.ADJUSTMENT,
    "adjustment": LineKind.ADJUSTMENT,  # or a dispute: see `_kind`
}
"""Razorpay's types. Any other is written as it is, and put aside by the reader."""


_LINES_AT_ONCE = 1000
_MOST_PAGES = 200
_NAMES = ("order_receipt", "payment_id", "order_id", "settlement_utr", "settlement_id")


async def report_of(api: RazorpayApi, day: date) -> Report | NotSent | InDoubt | Unknown:
    """What was settled on that day in India."""
    lines: list[object] = []
    for page in range(_MOST_PAGES):
        reply = await api.get(
            "settlements",
            "recon",
            "combined",
            year=day.year,
            month=day.month,
            day=day.day,
            count=_LINES_AT_ONCE,
            skip=page * _LINES_AT_ONCE,
        )
        if isinstance(reply, RazorpayRefusal):
            return InDoubt(reason=f"Razorpay refused the report: {reply.shown}")
        if not isinstance(reply, RazorpayAnswer):
            return reply
        found = reply.fields.get("items")
        if not isinstance(found, list):
            return InDoubt(reason="Razorpay's report cannot be read")
        lines += found
        if len(found) < _LINES_AT_ONCE:
            break
    return _report(lines, day)


def _report(settled: Sequence[object], day: date) -> Report | Unknown:
    if not settled:
        return Unknown(reason="Razorpay settled nothing on that day")
    content = write_fetched(
        line_of(item) if isinstance(item, dict) else Odd("not an object", {"line": item})
        for item in settled
    )
    return Report(format=FETCHED, name=f"razorpay-{day.isoformat()}.csv", content=content)


def line_of(item: Entity) -> FetchedLine | Odd:
    """One line, or why it is none."""
    amount, credit, debit = (whole(item, name) for name in ("amount", "credit", "debit"))
    fee, currency = whole(item, "fee"), word(item, "currency")
    if amount is None or credit is None or debit is None:
        names = ("amount", "credit", "debit")
        missing = next(name for name in names if whole(item, name) is None)
        return Odd(f"{missing} is no whole number", item)
    if currency not in EXPONENT:
        return Odd(f"no currency of ours: {shown(currency, 20)!r}", item)
    if max(abs(amount), credit, debit) > LARGEST_SUM or min(credit, debit) < 0:
        return Odd("an amount that no line can be of", item)
    if not word(item, "settlement_id") and not word(item, "settlement_utr"):
        # Only what was settled is told of: what ends before it may lack its names as well, and
        # would be another line than the whole one.
        return Odd("it names no settlement", item)
    net = credit - debit
    kind = _kind(item, net)
    gross = net + (fee or 0) if kind == LineKind.ADJUSTMENT else amount if net >= 0 else -amount
    is_dispute = kind in (LineKind.DISPUTE, LineKind.DISPUTE_REVERSAL)
    return FetchedLine(
        kind=kind,
        amount=_major(gross, currency),
        currency=currency,
        fee=_major(fee or 0, currency),
        net=_major(net, currency),
        our_reference=_key(item, kind),
        provider_reference=(word(item, "dispute_id") if is_dispute else "")
        or word(item, "entity_id"),
        payout_reference=word(item, "settlement_utr") or word(item, "settlement_id"),
        occurred_at=moment(item, "created_at"),
        provider_kind=word(item, "type"),
        texts=tuple(word(item, name) for name in _NAMES),
    )


def _kind(item: Entity, net: int) -> str:
    said = word(item, "type")
    if said == "adjustment" and word(item, "dispute_id"):
        return LineKind.DISPUTE if net < 0 else LineKind.DISPUTE_REVERSAL
    return _KINDS.get(said, said)


def _key(item: Entity, kind: str) -> str:
    """Ours from the notes, or, of a payment alone, its order's receipt. A refund's line may carry
    the notes of its payment, and must not be taken for that."""
    noted = word(_notes(item), NOTE)
    if kind == LineKind.PAYMENT:
        return noted or word(item, "order_receipt")
    return noted if noted.startswith(PREFIX[ModificationKind.REFUND]) else ""


def _notes(item: Entity) -> Entity:
    """Here they are an object, or JSON as text, or nothing."""
    if not (text := word(item, "notes")):
        return entity(item, "notes")
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-EXPONENT[currency])
