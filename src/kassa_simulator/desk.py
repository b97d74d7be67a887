"""What the simulator itself keeps in the books: merchants, calls, fault rules, sums, its clock."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kassa_simulator.books import (
    SqliteBooks,
    change_in,
    charge_in,
    merchant_in,
    micros,
    moment,
    packed,
)
from kassa_simulator.faults import Rule, read_rules, written
from kassa_simulator.frame import Change, Charge, Merchant

_KINDS = {"charge": "charged_minor", "refund": "refunded_minor", "dispute": "disputed_minor"}
_MOST = 1000
_HALF = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money that moved. `kind`: charge, refund or dispute; a dispute won is less than zero."""

    id: str
    provider: str
    merchant: str
    charge_id: str
    key: str
    kind: str
    amount_minor: int
    fee_minor: int
    currency: str
    at: datetime


class Desk:
    """Over the same file as `books`; what writes is called within its deed."""

    def __init__(self, books: SqliteBooks) -> None:
        self._books = books
        self._db = books.connection
        books.clock.ahead = timedelta(microseconds=int(self._kept("clock", "0")))
        self.rules: Sequence[Rule] = read_rules(json.loads(self._kept("faults", "[]")))

    def add_merchant(self, merchant: Merchant) -> None:
        """Add it, or change the one of that name."""
        self._db.execute(
            "INSERT INTO merchants VALUES (?, ?, ?, ?) ON CONFLICT (provider, name)"
            " DO UPDATE SET credentials = excluded.credentials, notify_url = excluded.notify_url",
            (
                merchant.provider,
                merchant.name,
                packed(merchant.credentials),
                merchant.notify_url,
            ),
        )
        self._db.execute(
            "DELETE FROM credentials WHERE provider = ? AND merchant = ?",
            (merchant.provider, merchant.name),
        )
        self._db.executemany(
            "INSERT INTO credentials VALUES (?, ?, ?, ?)",
            [
                (merchant.provider, name, value, merchant.name)
                for name, value in merchant.credentials.items()
            ],
        )

    def merchants(self) -> list[Merchant]:
        rows = self._db.execute("SELECT * FROM merchants ORDER BY provider, name")
        return [merchant_in(row) for row in rows]

    def set_rules(self, rules: Sequence[Rule]) -> None:
        self._keep("faults", packed(written(rules)))
        self.rules = tuple(rules)

    def advance(self, by: timedelta) -> None:
        ahead = self._books.clock.ahead + by
        self._keep("clock", str(ahead // timedelta(microseconds=1)))
        self._books.clock.ahead = ahead

    def nth_call(self, provider: str, operation: str, reference: str) -> int:
        """How manieth the next call of that reference will be, from 1."""
        (last,) = self._db.execute(
            "SELECT coalesce(max(nth), 0) FROM calls"
            " WHERE provider = ? AND operation = ? AND reference = ?",
            (provider, operation, reference),
        ).fetchone()
        return int(last) + 1

    def add_call(self, **cells: Any) -> None:
        columns = ", ".join(cells)
        marks = ", ".join("?" for _ in cells)
        self._db.execute(f"INSERT INTO calls ({columns}) VALUES ({marks})", tuple(cells.values()))

    def calls(self, only: Mapping[str, str], limit: int = _MOST) -> list[dict[str, Any]]:
        """Newest first."""
        rows = self._select("calls", only, limit)
        return [{**dict(row), "at": moment(row["at"]).isoformat()} for row in rows]

    def charges(self, only: Mapping[str, str], limit: int = _MOST) -> list[Charge]:
        """Newest first."""
        return [charge_in(row) for row in self._select("charges", only, limit)]

    def changes(self, only: Mapping[str, str], limit: int = _MOST) -> list[Change]:
        """Newest first."""
        return [change_in(row) for row in self._select("changes", only, limit)]

    def money(self, provider: str, merchant: str = "") -> dict[str, dict[str, int]]:
        """What moved, by currency. `charges`: how often money was taken."""
        rows = self._db.execute(
            # In two halves: SQLite's integers are of 64 bits, and a sum may be beyond them.
            f"SELECT currency, kind, sum(amount_minor / {_HALF}) AS high,"
            f" sum(amount_minor % {_HALF}) AS low,"
            " sum(amount_minor <> 0) AS times FROM movements"
            " WHERE provider = ? AND ? IN ('', merchant) GROUP BY currency, kind ORDER BY currency",
            (provider, merchant),
        )
        sums: dict[str, dict[str, int]] = {}
        for row in rows:
            empty = {"charged_minor": 0, "refunded_minor": 0, "disputed_minor": 0, "charges": 0}
            total = sums.setdefault(row["currency"], empty)
            total[_KINDS[row["kind"]]] = row["high"] * _HALF + row["low"]
            if row["kind"] == "charge":
                total["charges"] = row["times"]
        return sums

    def movements(
        self, provider: str, merchant: str, since: datetime, until: datetime
    ) -> list[Movement]:
        """Oldest first."""
        rows = self._db.execute(
            "SELECT * FROM movements WHERE provider = ? AND merchant = ? AND at >= ? AND at < ?"
            " ORDER BY number",
            (provider, merchant, micros(since), micros(until)),
        )
        return [_movement_in(row) for row in rows]

    def _select(self, table: str, only: Mapping[str, str], limit: int) -> list[Any]:
        chosen = {column: value for column, value in only.items() if value}
        where = " AND ".join(f"{column} = ?" for column in chosen)
        return self._db.execute(
            f"SELECT * FROM {table} {'WHERE ' + where if where else ''}"
            " ORDER BY number DESC LIMIT ?",
            (*chosen.values(), limit),
        ).fetchall()

    def _kept(self, name: str, usual: str) -> str:
        row = self._db.execute("SELECT value FROM house WHERE name = ?", (name,)).fetchone()
        return usual if row is None else str(row["value"])

    def _keep(self, name: str, value: str) -> None:
        self._db.execute(
            "INSERT INTO house VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value ="
            " excluded.value",
            (name, value),
        )


def _movement_in(row: Any) -> Movement:
    cells = {name: row[name] for name in Movement.__dataclass_fields__ if name not in ("id", "at")}
    return Movement(id=f"mv{row['number']}", at=moment(row["at"]), **cells)
