"""Stripe's report files as it writes them, with invented data."""

from collections.abc import Mapping, Sequence

STRIPE_COLUMNS = (
    "automatic_payout_id,automatic_payout_effective_at,balance_transaction_id,created_utc,created,"
    "currency,gross,fee,net,reporting_category,source_id,description,charge_id,payment_intent_id,"
    "refund_id,dispute_id,payment_metadata[kassa_attempt],payment_metadata[order_id],"
    "refund_metadata[kassa_attempt]"
).split(",")


def stripe(*rows: Mapping[str, str], columns: Sequence[str] = STRIPE_COLUMNS) -> str:
    """A report of `rows`; what a row does not say is as of an ordinary charge."""
    lines = [",".join(columns)]
    for number, row in enumerate(rows, 1):
        usual = {
            "automatic_payout_id": "po_1Qk",
            "automatic_payout_effective_at": "2026-10-05 00:00:00",
            "balance_transaction_id": f"txn_{number}",
            "created_utc": f"2026-10-03 09:00:{number % 60:02d}",
            "created": f"2026-10-03 17:00:{number % 60:02d}",
            "currency": "eur",
            "gross": "100.00",
            "fee": "1.75",
            "net": "98.25",
            "reporting_category": "charge",
        }
        lines.append(",".join((usual | dict(row)).get(name, "") for name in columns))
    return "\n".join(lines) + "\n"


WHOLE = {
    "stripe": stripe({"payment_metadata[kassa_attempt]": "at_1"}, {"gross": "1"}).encode(),
}
"""A whole file of each format, which the suite of reports damages."""
