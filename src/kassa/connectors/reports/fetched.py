"""Reports that connectors fetched as JSON: one CSV of ours for all of them.

Whatever a provider calls its lines and its members, the connector writes them under COLUMNS,
with the kinds of `LineKind`. A word that it does not know stays as it is, and makes that line an
`Unreadable` for a person to look at.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import BinaryIO

from kassa.connectors.reports.declaration import Declaration, Lines
from kassa.connectors.reports.generic import MEMBERS, read_csv

FETCHED = "fetched"
COLUMNS = (*MEMBERS, "provider_kind")

_DECLARED = Declaration(format="csv", columns={member: member for member in MEMBERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedLine:
    """One line. Amounts in major units, signed as in `ReportLine`; `net` None: not said."""

    kind: str
    amount: Decimal
    currency: str
    fee: Decimal
    net: Decimal | None
    our_reference: str
    provider_reference: str
    payout_reference: str
    occurred_at: datetime | str | None
    provider_kind: str


def write_fetched(lines: Iterable[FetchedLine]) -> bytes:
    """The file that `read_fetched` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        at = line.occurred_at
        writer.writerow(
            (
                line.kind,
                f"{line.amount:f}",
                line.currency,
                f"{line.fee:f}",
                "" if line.net is None else f"{line.net:f}",
                line.our_reference,
                line.provider_reference,
                line.payout_reference,
                at.isoformat() if isinstance(at, datetime) else at or "",
                line.provider_kind,
            )
        )
    return text.getvalue().encode()


def read_fetched(file: BinaryIO, declaration: Declaration) -> Lines:
    """Raises: NotThatFormat, before any line."""
    del declaration
    return read_csv(file, _DECLARED)
