"""Reports that connectors fetched as JSON: one CSV of ours for all of them.

Whatever a provider calls its lines and its members, the connector writes them under COLUMNS,
with the kinds of `LineKind`. A word that it does not know stays as it is, and makes that line an
`Unreadable` for a person to look at; so does a whole line that it cannot make sense of (`Odd`).
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO

from kassa.connectors.reports.declaration import Declaration, Lines
from kassa.connectors.reports.generic import MEMBERS, read_declared
from kassa.connectors.reports.words import shown

FETCHED = "fetched"
TROUBLE, SAID = "kassa_trouble", "kassa_said"
"""Columns of a file of ours: why a line cannot be read, and what the provider said in it."""
TEXTS = "texts"
_OURS = MEMBERS[:9]
COLUMNS = (*_OURS, "provider_kind", TEXTS, TROUBLE, SAID)

_PERSONAL = ("customer", "cutomer", "name", "email", "phone", "contact", "card", "vpa", "note")
_MOST_SAID = 4_000  # characters of an odd line that are kept for a person
_DECLARED = Declaration(format="csv", columns={member: member for member in _OURS})


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedLine:
    """One line. Amounts in major units, signed as in `ReportLine`; `net` None: not said. `texts`:
    what else may name what it is about."""

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
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Odd:
    """One line that cannot be understood: it is put aside alone. `said`: its own words, of which
    nothing is kept that may tell of a payer."""

    reason: str
    said: Mapping[str, Any]

    def cells(self) -> dict[str, str]:
        """What stands under TROUBLE and SAID."""
        text = json.dumps(_impersonal(self.said), ensure_ascii=False, default=str)
        return {TROUBLE: self.reason, SAID: shown(text, _MOST_SAID)}


def _impersonal(said: Any) -> Any:
    if isinstance(said, list):
        return [_impersonal(value) for value in said]
    if not isinstance(said, Mapping):
        return said
    return {
        name: _impersonal(value)
        for name, value in said.items()
        if not any(word in name.lower() for word in _PERSONAL)
    }


def write_fetched(lines: Iterable[FetchedLine | Odd]) -> bytes:
    """The file that `read_fetched` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        if isinstance(line, Odd):
            cells = line.cells()
            writer.writerow([cells.get(column, "") for column in COLUMNS])
            continue
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
                "\n".join(text for text in line.texts if text),
                "",
                "",
            )
        )
    return text.getvalue().encode()


def read_fetched(file: BinaryIO, declaration: Declaration) -> Lines:
    """Raises: NotThatFormat, before any line."""
    del declaration
    return read_declared(
        file,
        _DECLARED,
        expected="a CSV file",
        last_may_be_cut=True,
        trouble=TROUBLE,
        more_texts=(TEXTS,),
    )
