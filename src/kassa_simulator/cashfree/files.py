"""The settlement reconciliation of a day."""

from collections.abc import Sequence
from datetime import timedelta, timezone

from kassa_simulator.decimals import shown
from kassa_simulator.frame import Books
from kassa_simulator.lines import Line, as_csv, local
from kassa_simulator.odd_rows import Names, spoiled

_INDIA = timezone(timedelta(hours=5, minutes=30))


def settlement_file(books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
    """The settlement reconciliation. Source: https://www.cashfree.com/docs/payments/settlements"""
    events = {"charge": "PAYMENT", "refund": "REFUND", "dispute": "DISPUTE"}
    rows = []
    for line in lines:
        movement, corrects = line.movement, line.corrects_a_fee
        gross = -movement.fee_minor if corrects else line.signed
        fee = 0 if corrects else movement.fee_minor
        day = f"{movement.at.astimezone(_INDIA):%Y-%m-%d}"
        rows.append(
            {
                "event_id": line.refund_id or movement.charge_id,
                "event_type": "OTHER_ADJUSTMENT" if corrects else events[movement.kind],
                "event_amount": shown(abs(gross), movement.currency),
                "event_settlement_amount": shown(abs(gross - fee), movement.currency),
                "event_currency": movement.currency,
                "event_time": local(_INDIA, movement.at),
                "sale_type": "CREDIT" if line.signed >= 0 else "DEBIT",
                "payment_service_charge": shown(fee, movement.currency),
                "payment_service_tax": "0.00",
                "order_id": movement.key,
                "refund_id": line.reference if line.change else "",
                "cf_payment_id": movement.charge_id,
                "settlement_id": books.digits(9, "file", movement.merchant, day),
            }
        )
    rows = spoiled(books, rows, _NAMES, odd)
    return as_csv(_COLUMNS, rows).encode(errors="surrogateescape")


_COLUMNS = (
    "event_id event_type event_amount event_settlement_amount event_currency event_time sale_type"
    " payment_service_charge payment_service_tax order_id refund_id cf_payment_id settlement_id"
).split()
_NAMES = Names("event_type", "event_amount", "event_currency", "refund_id")
