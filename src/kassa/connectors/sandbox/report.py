"""The settlement report: every movement of money on the merchant's account, line by line."""

import csv
import io
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime

from kassa.connectors.sandbox.amounts import SandboxAmount
from kassa.connectors.sandbox.records import millis, moment, stamp

COLUMNS = (
    "line",
    "type",
    "our_reference",
    "provider_reference",
    "gross",
    "fee",
    "net",
    "currency",
    "occurred_at",
    "payout_reference",
)
_LINES_AT_ONCE = 500

OF_KEYS = "substr(key, 1, length(:keys)) = :keys"
"""Of the charges whose key begins so: the caller's references say whose they are."""

_MOVEMENTS = f"""
SELECT taken_at AS at, 1 AS rank, number, 'payment' AS type, claim AS ours, reference,
  units, fee_units, currency, exponent
FROM takings WHERE taken_at >= :since AND taken_at < :until AND {OF_KEYS}
UNION ALL
SELECT given_at, 2, number, iif(units > 0, 'refund', 'refund_reversal'), refund, reference,
  -units, fee_units, currency, exponent
FROM givings WHERE given_at >= :since AND given_at < :until AND {OF_KEYS}
UNION ALL
SELECT moved_at, 3, number, iif(units > 0, 'dispute', 'dispute_reversal'), key, reference,
  -units, fee_units, currency, exponent
FROM withdrawals WHERE moved_at >= :since AND moved_at < :until AND {OF_KEYS}
ORDER BY at, rank, number
"""


def lines(
    books: sqlite3.Connection, since: datetime, until: datetime, keys: str = ""
) -> Iterator[dict[str, str]]:
    """What moved from `since` until before `until`, in its order; see COLUMNS."""
    asked = {"since": millis(since), "until": millis(until), "keys": keys}
    moved = books.execute(_MOVEMENTS, asked)
    for number, row in enumerate(moved, start=1):
        gross = SandboxAmount(row["units"], row["currency"], row["exponent"])
        yield {
            "line": str(number),
            "type": row["type"],
            "our_reference": row["ours"],
            "provider_reference": row["reference"],
            "gross": str(gross),
            "fee": str(gross.of(row["fee_units"])),
            "net": str(gross.of(gross.units - row["fee_units"])),
            "currency": gross.currency,
            "occurred_at": stamp(row["at"]),
            "payout_reference": f"payout_{moment(row['at']):%Y%m%d}_{gross.currency}",
        }


def as_csv(rows: Iterable[dict[str, str]]) -> Iterator[str]:
    """The same as CSV text with a header, a few hundred lines at a time."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for number, row in enumerate(rows, start=1):
        writer.writerow(row)
        if number % _LINES_AT_ONCE == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
