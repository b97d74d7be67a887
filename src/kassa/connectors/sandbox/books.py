"""The provider's books: what was asked under each key, money moved, and news to send."""

import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from kassa.connectors.sandbox import report
from kassa.connectors.sandbox.agenda import catch_up
from kassa.connectors.sandbox.amounts import BadAmount, SandboxAmount, digits_of, read_amount
from kassa.connectors.sandbox.cards import REFUSED_BY_PAYER, SandboxState
from kassa.connectors.sandbox.changes import book_change, change_row, is_lost
from kassa.connectors.sandbox.charging import book, charge_row, turn
from kassa.connectors.sandbox.entries import keyed
from kassa.connectors.sandbox.records import (
    Ask,
    BadRequest,
    ChangeAsk,
    KeyReused,
    Notification,
    SandboxChange,
    SandboxCharge,
    Totals,
    amount_in,
    change_in,
    charge_in,
    millis,
)
from kassa.connectors.sandbox.schema import open_books

__all__ = [
    "LEASE",
    "RETRY_PAUSES",
    "Ask",
    "BadRequest",
    "ChangeAsk",
    "KeyReused",
    "Notification",
    "SandboxBooks",
    "SandboxChange",
    "SandboxCharge",
    "Totals",
]

LEASE = timedelta(seconds=60)
RETRY_PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (1, 2, 5, 15, 60, 300, 900, 1800, *[3600] * 16)
)
"""Pause after the first, second, … failed delivery; after the last the news is given up."""

_BY_REFERENCE = "SELECT * FROM charges WHERE reference = ?"
_WEB_ADDRESS = re.compile(r"https?://[!-~]{1,2000}")
_REFERENCE = re.compile(r"sbx_[0-9a-f]{32}")


class SandboxBooks:
    """One SQLite file. Any number of these objects, in any processes, may share it.

    The file is opened at first use, so that an object may be made before a process forks.
    Every time is handed in; the books own no clock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def charge(self, ask: Ask, *, now: datetime) -> SandboxCharge:
        """Book the charge, or answer with the one that is already there under the key.

        Raises: BadRequest, KeyReused.
        """
        amount = _amount_of(ask, ask.return_url, ask.notify_url)
        with self._writing(now) as books:
            row = charge_row(books, ask.key)
            if row is None:
                book(books, ask, amount, millis(now))
                row = charge_row(books, ask.key)
        charge = charge_in(row)
        if charge.amount != amount or bool(row["captures"]) != ask.capture:
            raise KeyReused(f"{ask.key} was asked for {charge.amount} {charge.amount.currency}")
        return charge

    def change(self, ask: ChangeAsk, *, now: datetime) -> SandboxChange | None:
        """Book a capture, void or refund, or answer with the one already there under the key.

        None: the request was lost on its way, and nothing is known of it here.
        Raises: BadRequest, KeyReused.
        """
        amount = _amount_of(ask, ask.notify_url)
        with self._writing(now) as books:
            row = change_row(books, ask.key)
            if row is None:
                if is_lost(books, ask, millis(now)):
                    return None
                book_change(books, ask, amount, millis(now))
                row = change_row(books, ask.key)
        change = change_in(row)
        asked = (ask.kind, ask.charge_key, amount)
        if (change.kind, change.charge_key, change.amount) != asked:
            raise KeyReused(
                f"{ask.key} asked for a {change.kind} of {change.amount}"
                f" {change.amount.currency} of {change.charge_key}"
            )
        return change

    def find_change(self, key: str, *, now: datetime) -> SandboxChange | None:
        """The capture, void or refund under the caller's key; a lost one is not known here."""
        with self._writing(now) as books:
            row = change_row(books, key)
        return None if row is None else change_in(row)

    def find(self, key: str, *, now: datetime) -> SandboxCharge | None:
        """The charge under the caller's key; a lost one is not known here."""
        with self._writing(now) as books:
            row = charge_row(books, key)
        return None if row is None or row["state"] == SandboxState.LOST else charge_in(row)

    def at_challenge(self, reference: str, *, now: datetime) -> SandboxCharge | None:
        """The charge whose payer was sent to the challenge page, decided or not."""
        if not _REFERENCE.fullmatch(reference):
            return None
        with self._writing(now) as books:
            row = books.execute(_BY_REFERENCE, (reference,)).fetchone()
        return None if row is None or row["scenario"] != "action_needed" else charge_in(row)

    def form_token(self, reference: str) -> str:
        """What the challenge page's form must bring back."""
        with self._using() as books:
            return keyed(books, "form", reference)

    def decide(self, reference: str, *, approve: bool, now: datetime) -> SandboxCharge | None:
        """The payer's choice. Only the first counts; the charge as it now stands comes back."""
        if self.at_challenge(reference, now=now) is None:
            return None
        with self._writing(now) as books:
            row = books.execute(_BY_REFERENCE, (reference,)).fetchone()
            if row["state"] == SandboxState.ACTION_NEEDED:
                state = SandboxState.CAPTURED if approve else SandboxState.DECLINED
                reason = "" if approve else REFUSED_BY_PAYER
                turn(books, row["key"], state, reason=reason, at=millis(now))
            return charge_in(charge_row(books, row["key"]))

    def take_due(self, *, now: datetime, limit: int) -> list[Notification]:
        """Notifications whose time has come, leased to this caller for `LEASE`."""
        at = millis(now)
        with self._writing(now) as books:
            rows = books.execute(
                "SELECT id, url, body, tries FROM notifications"
                " WHERE due_at <= ? AND leased_until <= ? ORDER BY due_at, id LIMIT ?",
                (at, at, limit),
            ).fetchall()
            books.executemany(
                "UPDATE notifications SET leased_until = ?, tries = tries + 1 WHERE id = ?",
                [(millis(now + LEASE), row["id"]) for row in rows],
            )
        return [
            Notification(
                id=row["id"], url=row["url"], body=bytes(row["body"]), tries=row["tries"] + 1
            )
            for row in rows
        ]

    def arrived(self, notification: Notification, *, now: datetime) -> None:
        """It was received: send it no more."""
        with self._writing(now) as books:
            books.execute(
                "UPDATE notifications SET delivered_at = ?, due_at = NULL"
                " WHERE id = ? AND delivered_at IS NULL",
                (millis(now), notification.id),
            )

    def not_arrived(self, notification: Notification, *, now: datetime) -> None:
        """Try again after a pause that grows, unless another process has taken it meanwhile."""
        tries = notification.tries
        again = millis(now + RETRY_PAUSES[tries - 1]) if tries <= len(RETRY_PAUSES) else None
        with self._writing(now) as books:
            books.execute(
                "UPDATE notifications SET due_at = ?, leased_until = 0"
                " WHERE id = ? AND tries = ? AND delivered_at IS NULL",
                (again, notification.id, tries),
            )

    def charges_of(self, key: str) -> tuple[SandboxAmount, ...]:
        """Every time money was taken under `key`, of a charge or of a capture.

        A sound caller finds one or none, or one for each capture of a charge.
        """
        return self._moved("takings", "key = :key OR claim = :key", key)

    def refunds_of(self, key: str) -> tuple[SandboxAmount, ...]:
        """Every time money was given back under `key`, of a charge or of a refund."""
        return self._moved("givings", "key = :key OR refund = :key", key)

    def withdrawals_of(self, key: str) -> tuple[SandboxAmount, ...]:
        """Every time a dispute of the charge `key` took money away; less than 0: returned it."""
        return self._moved("withdrawals", "key = :key", key)

    def total_captured(self, currency: str, keys: str = "") -> SandboxAmount:
        """All money ever taken in `currency`, added up taking by taking. `keys`: of charges whose
        key begins so."""
        return self._total("takings", currency, keys)

    def total_refunded(self, currency: str, keys: str = "") -> SandboxAmount:
        """All money ever given back in `currency`, giving by giving."""
        return self._total("givings", currency, keys)

    def total_disputed(self, currency: str, keys: str = "") -> SandboxAmount:
        """All that disputes took away in `currency` and did not return."""
        return self._total("withdrawals", currency, keys)

    def totals(self, keys: str = "") -> list[Totals]:
        """All that moved in every currency that was ever taken. `keys`: how the caller's begin."""
        with self._using() as books:
            rows = books.execute(
                f"SELECT DISTINCT currency FROM takings WHERE {report.OF_KEYS} ORDER BY 1",
                {"keys": keys},
            ).fetchall()
        return [
            Totals(
                self.total_captured(one, keys),
                self.total_refunded(one, keys),
                self.total_disputed(one, keys),
            )
            for (one,) in rows
        ]

    def report(
        self,
        since: datetime,
        until: datetime,
        *,
        now: datetime | None = None,
        keys: str = "",
    ) -> Iterator[dict[str, str]]:
        """The settlement report: what moved from `since` until before `until`, line by line.

        All lines are of one moment, however slowly they are read. `now`: when given, what was
        due by then happens first. `keys`: how the keys of the charges begin whose lines are told.
        """
        if now is not None:
            with self._writing(now):
                pass
        with closing(open_books(self._path)) as books:
            yield from report.lines(books, since, until, keys)

    def exist(self) -> bool:
        """Whether anybody has had anything written here; looking does not begin books."""
        return self._path.exists()

    def latest(self, *, now: datetime, limit: int = 100, keys: str = "") -> list[SandboxCharge]:
        """The newest charges first, for a person to look at. `keys`: how the caller's begin."""
        with self._writing(now) as books:
            rows = books.execute(
                f"SELECT * FROM charges WHERE {report.OF_KEYS} ORDER BY number DESC LIMIT :limit",
                {"keys": keys, "limit": limit},
            )
            return [charge_in(row) for row in rows]

    def close(self) -> None:
        """Give back the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _moved(self, table: str, which: str, key: str) -> tuple[SandboxAmount, ...]:
        with self._using() as books:
            rows = books.execute(
                f"SELECT * FROM {table} WHERE {which} ORDER BY number", {"key": key}
            )
            return tuple(amount_in(row) for row in rows)

    def _total(self, table: str, currency: str, keys: str) -> SandboxAmount:
        with self._using() as books:
            rows = books.execute(
                f"SELECT units FROM {table} WHERE currency = :currency AND {report.OF_KEYS}",
                {"currency": currency, "keys": keys},
            )
            # Added here because SQLite's own sum fails beyond 64 bits.
            return SandboxAmount(sum(units for (units,) in rows), currency, digits_of(currency))

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                self._connection = open_books(self._path)
            yield self._connection

    @contextmanager
    def _writing(self, now: datetime) -> Iterator[sqlite3.Connection]:
        """One durable transaction, in which all that was due by `now` has happened first."""
        with self._using() as books:
            books.execute("BEGIN IMMEDIATE")
            try:
                catch_up(books, millis(now))
                yield books
                books.execute("COMMIT")
            except BaseException:
                if books.in_transaction:
                    books.execute("ROLLBACK")
                raise


def _amount_of(ask: Ask | ChangeAsk, *addresses: str) -> SandboxAmount:
    """Raises: BadRequest when the amount or an address cannot be read."""
    if not all(_WEB_ADDRESS.fullmatch(address) for address in addresses if address):
        raise BadRequest("an address is not a web address")
    try:
        return read_amount(ask.amount, ask.currency)
    except BadAmount as error:
        raise BadRequest(str(error)) from None
