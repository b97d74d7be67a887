"""The lines of a settlement file, and how files of lines are written."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from kassa_simulator.desk import Movement
from kassa_simulator.frame import Change, Charge
from kassa_simulator.odd_rows import CutRow


@dataclass(frozen=True, slots=True)
class Line:
    """Money that moved, with what it moved for. `charge` None: nobody knows it (`extra`)."""

    movement: Movement
    charge: Charge | None
    change: Change | None = None

    @property
    def signed(self) -> int:
        """As it changes the merchant's balance, before the fee."""
        amount = self.movement.amount_minor
        return amount if self.movement.kind == "charge" else -amount

    @property
    def corrects_a_fee(self) -> bool:
        """No money of the payer's moved, only a part of the fee came back."""
        return self.movement.kind == "charge" and not self.movement.amount_minor

    @property
    def refund_id(self) -> str:
        return self.change.id if self.change else ""

    @property
    def reference(self) -> str:
        """The merchant's own: of the refund, where it is one."""
        return self.change.key if self.change else self.movement.key


def local(zone: timezone, at: datetime) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def as_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """To be encoded with `surrogateescape`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        known = row.keys() if isinstance(row, CutRow) else columns
        writer.writerow([row.get(column, "") for column in columns if column in known])
    return text.getvalue()
