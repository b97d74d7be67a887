"""The settlement reconciliation of a day."""

from collections.abc import Sequence
from datetime import timedelta, timezone

from kassa_simulator.decimals import shown
from kassa_simulator.frame import Books
from kassa_simulator.lines import Line, as_csv, local
from kassa_simulator.odd_rows import Names, spoiled

_DAY = timedelta(days=1)
_INDIA = timezone(timedelta(hours=5, minutes=30))


def settlement_file(books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
    """The combined settlement reconciliation. Source: https://razorpay.com/docs/api/settlements"""
    rows = []
    for line in lines:
        movement = line.movement
        gross, fee = line.signed, movement.fee_minor
        kind = {"charge": "payment", "dispute": "adjustment"}.get(movement.kind, movement.kind)
        if line.corrects_a_fee:
            kind, gross, fee = "adjustment", -fee, 0
        day = f"{movement.at.astimezone(_INDIA):%Y-%m-%d}"
        rows.append(
            {
                "entity_id": line.refund_id or movement.charge_id,
                "type": kind,
                "debit": shown(max(-gross, 0), movement.currency),
                "credit": shown(max(gross - fee, 0), movement.currency),
                "amount": shown(abs(gross), movement.currency),
                "currency": movement.currency,
                "fee": shown(fee, movement.currency),
                "tax": "0.00",
                "settled_at": local(_INDIA, movement.at + 2 * _DAY),
                "created_at": local(_INDIA, movement.at),
                "settlement_id": books.new_id("setl_", "file", movement.merchant, day)[:19],
                "payment_id": movement.charge_id,
                "order_receipt": movement.key,
                "receipt": line.reference,
            }
        )
    rows = spoiled(books, rows, _NAMES, odd)
    return as_csv(_COLUMNS, rows).encode(errors="surrogateescape")


_COLUMNS = (
    "entity_id type debit credit amount currency fee tax settled_at created_at settlement_id"
    " payment_id order_receipt receipt"
).split()
_NAMES = Names("type", "amount", "currency", "receipt")
