"""The itemized payout reconciliation report."""

from collections.abc import Sequence

from kassa_simulator.frame import Books
from kassa_simulator.lines import Line, as_csv
from kassa_simulator.stripe import balance
from kassa_simulator.stripe.cards import decimals


def settlement_file(books: Books, lines: Sequence[Line]) -> bytes:
    """The itemized payout reconciliation report.

    Source: https://docs.stripe.com/reports/report-types/payout-reconciliation
    """
    rows = []
    for line in lines:
        movement, data = line.movement, line.charge.data if line.charge else {}
        disputed = movement.kind == "dispute"
        won = disputed and movement.amount_minor < 0
        category = "dispute_reversal" if won else movement.kind
        if movement.kind == "refund" and movement.amount_minor < 0:
            category = "refund_failure"
        dispute = str(data.get("dispute") or "") if disputed else ""
        charge = str(data.get("latest_charge") or movement.charge_id)
        source = line.refund_id or dispute or charge
        metadata = data.get("metadata", {})
        of_refund = line.change.data.get("metadata", {}) if line.change else {}
        rows.append(
            {
                "balance_transaction_id": balance.transaction_id(books, source, category),
                "created_utc": f"{movement.at:%Y-%m-%d %H:%M:%S}",
                "currency": movement.currency.lower(),
                "gross": _major(line.signed, movement.currency),
                "fee": _major(movement.fee_minor, movement.currency),
                "net": _major(line.signed - movement.fee_minor, movement.currency),
                "reporting_category": category,
                "source_id": source,
                "description": data.get("description") or "",
                "automatic_payout_id": balance.payout_of(books, source, category),
                "charge_id": charge,
                "payment_intent_id": movement.charge_id,
                "refund_id": line.refund_id,
                "dispute_id": dispute,
                **{f"payment_metadata[{name}]": each for name, each in metadata.items()},
                **{f"refund_metadata[{name}]": each for name, each in of_refund.items()},
            }
        )
    noted = sorted({name for row in rows for name in row} - set(_COLUMNS))
    return as_csv([*_COLUMNS, *noted], rows).encode()


_COLUMNS = (
    "balance_transaction_id created_utc currency gross fee net reporting_category source_id"
    " description automatic_payout_id charge_id payment_intent_id refund_id dispute_id"
).split()


def _major(amount: int, currency: str) -> str:
    places = decimals(currency)
    sign, amount = "-" if amount < 0 else "", abs(amount)
    whole, part = divmod(amount, 10**places)
    return f"{sign}{whole}.{part:0{places}d}" if places else f"{sign}{whole}"
