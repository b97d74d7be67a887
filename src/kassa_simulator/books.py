"""The simulator's books in SQLite: what a protocol sees of them."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kassa_simulator.chance import Chance
from kassa_simulator.clock import Clock
from kassa_simulator.frame import Answer, Change, Charge, Merchant
from kassa_simulator.schema import open_file

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_CHARGE = tuple(field.name for field in fields(Charge))
_CHANGE = tuple(field.name for field in fields(Change))
_MERCHANT = "SELECT * FROM merchants WHERE provider = ? AND name = ?"


def micros(moment: datetime) -> int:
    return (moment - _BEGINNING) // timedelta(microseconds=1)


def moment(count: int) -> datetime:
    return _BEGINNING + timedelta(microseconds=count)


def packed(data: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(data, ensure_ascii=False, sort_keys=True)


Telling = Callable[[Merchant, str, str, Mapping[str, Any], str], None]


class SqliteBooks:
    """One file, one connection; everything happens within `deed`, one transaction at a time.

    `telling` queues letters; the frame sets it. `touched`: ids of the charges that the deed at
    hand added.
    """

    def __init__(self, path: Path, *, seed: int, clock: Clock) -> None:
        self.connection: sqlite3.Connection = open_file(path, seed)
        self.chances = Chance(seed)
        self.clock = clock
        self.telling: Telling | None = None
        self.touched: list[tuple[str, str]] = []

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def deed(self) -> Iterator[None]:
        """One transaction; undone when it fails."""
        self.connection.execute("BEGIN IMMEDIATE")
        self.touched = []
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def new_id(self, prefix: str, *about: str) -> str:
        return self.chances.new_id(prefix, *about)

    def digits(self, length: int, *about: str) -> str:
        return self.chances.digits(length, *about)

    def chance(self, *about: str) -> float:
        return self.chances.chance(*about)

    def merchant(self, provider: str, name: str) -> Merchant | None:
        row = self._one(_MERCHANT, provider, name)
        return None if row is None else merchant_in(row)

    def merchant_with(self, provider: str, credential: str, value: str) -> Merchant | None:
        row = self._one(
            "SELECT merchant FROM credentials WHERE provider = ? AND name = ? AND value = ?",
            provider,
            credential,
            value,
        )
        return None if row is None else self.merchant(provider, row["merchant"])

    def add_charge(self, charge: Charge) -> None:
        self._add("charges", _CHARGE, charge)
        self.touched.append((charge.provider, charge.id))

    def save_charge(self, charge: Charge) -> None:
        self._save("charges", _CHARGE, charge)

    def charge(self, provider: str, charge_id: str) -> Charge | None:
        return _charge_or_none(
            self._one("SELECT * FROM charges WHERE provider = ? AND id = ?", provider, charge_id)
        )

    def charge_by_key(self, provider: str, merchant: str, key: str) -> Charge | None:
        return _charge_or_none(
            self._one(
                "SELECT * FROM charges WHERE provider = ? AND merchant = ? AND key = ?"
                " ORDER BY number DESC LIMIT 1",
                provider,
                merchant,
                key,
            )
        )

    def charges(
        self,
        provider: str,
        merchant: str,
        *,
        since: datetime | None = None,
        limit: int = 100,
        holding: str = "",
    ) -> Sequence[Charge]:
        rows = self._all(
            "SELECT * FROM charges WHERE provider = ? AND merchant = ? AND created_at >= ?"
            " AND (? = '' OR instr(data, ?)) ORDER BY number DESC LIMIT ?",
            provider,
            merchant,
            micros(since) if since else 0,
            holding,
            json.dumps(holding, ensure_ascii=False)[1:-1],  # as `packed` writes it
            limit,
        )
        return [charge_in(row) for row in rows]

    def add_change(self, change: Change) -> None:
        self._add("changes", _CHANGE, change)

    def save_change(self, change: Change) -> None:
        self._save("changes", _CHANGE, change)

    def change(self, provider: str, change_id: str) -> Change | None:
        row = self._one("SELECT * FROM changes WHERE provider = ? AND id = ?", provider, change_id)
        return None if row is None else change_in(row)

    def change_by_key(self, provider: str, merchant: str, kind: str, key: str) -> Change | None:
        row = self._one(
            "SELECT * FROM changes WHERE provider = ? AND merchant = ? AND kind = ? AND key = ?"
            " ORDER BY number DESC LIMIT 1",
            provider,
            merchant,
            kind,
            key,
        )
        return None if row is None else change_in(row)

    def changes_of(self, provider: str, charge_id: str) -> Sequence[Change]:
        rows = self._all(
            "SELECT * FROM changes WHERE provider = ? AND charge_id = ? ORDER BY number",
            provider,
            charge_id,
        )
        return [change_in(row) for row in rows]

    def move(
        self, charge: Charge, kind: str, amount_minor: int, *, at: datetime, fee_minor: int = 0
    ) -> None:
        self.connection.execute(
            "INSERT INTO movements (provider, merchant, charge_id, key, kind, amount_minor,"
            " fee_minor, currency, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                charge.provider,
                charge.merchant,
                charge.id,
                charge.key,
                kind,
                amount_minor,
                fee_minor,
                charge.currency,
                micros(at),
            ),
        )

    def put(self, provider: str, kind: str, object_id: str, data: Mapping[str, Any]) -> None:
        self.connection.execute(
            "INSERT INTO objects (provider, kind, id, data) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (provider, kind, id) DO UPDATE SET data = excluded.data",
            (provider, kind, object_id, packed(data)),
        )

    def get(self, provider: str, kind: str, object_id: str) -> dict[str, Any] | None:
        row = self._one(
            "SELECT data FROM objects WHERE provider = ? AND kind = ? AND id = ?",
            provider,
            kind,
            object_id,
        )
        return None if row is None else json.loads(row["data"])

    def listed(self, provider: str, kind: str) -> Sequence[dict[str, Any]]:
        rows = self._all(
            "SELECT data FROM objects WHERE provider = ? AND kind = ? ORDER BY number",
            provider,
            kind,
        )
        return [json.loads(row["data"]) for row in rows]

    def recall(self, provider: str, merchant: str, key: str) -> tuple[str, Answer] | None:
        row = self._one(
            "SELECT * FROM answers WHERE provider = ? AND merchant = ? AND key = ?",
            provider,
            merchant,
            key,
        )
        if row is None:
            return None
        headers = json.loads(row["headers"])
        return row["fingerprint"], Answer(status=row["status"], headers=headers, body=row["body"])

    def remember(
        self, provider: str, merchant: str, key: str, fingerprint: str, answer: Answer
    ) -> None:
        self.connection.execute(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (provider, merchant, key) DO UPDATE SET"
            " fingerprint = excluded.fingerprint, status = excluded.status,"
            " headers = excluded.headers, body = excluded.body",
            (
                provider,
                merchant,
                key,
                fingerprint,
                answer.status,
                packed(answer.headers),
                answer.body,
            ),
        )

    def tell(
        self,
        merchant: Merchant,
        event: str,
        *,
        charge_id: str,
        data: Mapping[str, Any],
        url: str = "",
    ) -> None:
        if self.telling is not None:
            self.telling(merchant, event, charge_id, data, url)

    def _one(self, query: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.connection.execute(query, values).fetchone()
        return row

    def _all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        return self.connection.execute(query, values).fetchall()

    def _add(self, table: str, columns: Sequence[str], thing: Charge | Change) -> None:
        marks = ", ".join("?" for _ in columns)
        self.connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", _cells(thing, columns)
        )

    def _save(self, table: str, columns: Sequence[str], thing: Charge | Change) -> None:
        settings = ", ".join(f"{column} = ?" for column in columns)
        done = self.connection.execute(
            f"UPDATE {table} SET {settings} WHERE provider = ? AND id = ?",
            (*_cells(thing, columns), thing.provider, thing.id),
        )
        if done.rowcount != 1:
            raise LookupError(f"the books hold no {table} row {thing.id}")


def _cells(thing: Charge | Change, columns: Sequence[str]) -> list[Any]:
    cells: list[Any] = []
    for column in columns:
        value = getattr(thing, column)
        if isinstance(value, datetime):
            value = micros(value)
        elif column == "data":
            value = packed(value)
        cells.append(value)
    return cells


def merchant_in(row: sqlite3.Row) -> Merchant:
    return Merchant(
        provider=row["provider"],
        name=row["name"],
        credentials=json.loads(row["credentials"]),
        notify_url=row["notify_url"],
    )


def charge_in(row: sqlite3.Row) -> Charge:
    cells = {column: row[column] for column in _CHARGE}
    for column in ("created_at", "updated_at"):
        cells[column] = moment(cells[column])
    return Charge(**{**cells, "data": json.loads(cells["data"])})


def change_in(row: sqlite3.Row) -> Change:
    cells = {column: row[column] for column in _CHANGE}
    return Change(
        **{
            **cells,
            "created_at": moment(cells["created_at"]),
            "data": json.loads(cells["data"]),
        }
    )


def _charge_or_none(row: sqlite3.Row | None) -> Charge | None:
    return None if row is None else charge_in(row)
