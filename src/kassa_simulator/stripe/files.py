"""The itemized payout reconciliation report."""

from collections.abc import Sequence

from kassa_simulator.frame import Books
from kassa_simulator.lines import Line, as_csv
from kassa_simulator.odd_rows import Names, spoiled
from kassa_simulator.stripe import balance
from kassa_simulator.stripe.cards import decimals


def settlement_file(books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
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
        gross, fee = line.signed, movement.fee_minor
        if line.corrects_a_fee:
            category, gross, fee = "fee", -fee, 0
        if disputed and data.get("returned"):
            category = "charge_failure"
        dispute = str(data.get("dispute") or "") if category.startswith("dispute") else ""
        charge = str(data.get("latest_charge") or movement.charge_id)
        source = line.refund_id or dispute or charge
        metadata = data.get("metadata", {})
        currency, paid = movement.currency, {}
        entry = balance.entry_of(books, source, category)
        if entry and entry["currency"].upper() != currency and not line.corrects_a_fee:
            paid = {
                "customer_facing_amount": _major(gross, currency),
                "customer_facing_currency": currency.lower(),
            }
        if entry and entry["currency"].upper() != currency:  # it is settled in another
            gross, fee, currency = entry["amount"], entry["fee"], entry["currency"].upper()
        of_refund = line.change.data.get("metadata", {}) if line.change else {}
        rows.append(
            {
                "balance_transaction_id": balance.transaction_id(books, source, category),
                "created_utc": f"{movement.at:%Y-%m-%d %H:%M:%S}",
                "currency": currency.lower(),
                "gross": _major(gross, currency),
                "fee": _major(fee, currency),
                "net": _major(gross - fee, currency),
                **paid,
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
    rows = spoiled(books, rows, _NAMES, odd)
    return as_csv([*_COLUMNS, *noted], rows).encode(errors="surrogateescape")


_COLUMNS = (
    "balance_transaction_id created_utc currency gross fee net reporting_category source_id"
    " description automatic_payout_id charge_id payment_intent_id refund_id dispute_id"
).split()


def _major(amount: int, currency: str) -> str:
    places = decimals(currency)
    sign, amount = "-" if amount < 0 else "", abs(amount)
    whole, part = divmod(amount, 10**places)
    return f"{sign}{whole}.{part:0{places}d}" if places else f"{sign}{whole}"


_NAMES = Names("reporting_category", "gross", "currency", "description")
