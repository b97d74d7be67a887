"""The provider's books: every charge under its caller's key, money taken, and news to send."""

import hmac
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kassa.connectors.sandbox.amounts import Amount, BadAmount, digits_of, fee_on, read_amount
from kassa.connectors.sandbox.cards import (
    MESSAGES,
    REFUSED_BY_PAYER,
    Answer,
    State,
    mask,
    scenario_for,
)
from kassa.connectors.sandbox.schema import open_books

LEASE = timedelta(seconds=60)
RETRY_PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (1, 2, 5, 15, 60, 300, 900, 1800, *[3600] * 16)
)
"""Pause after the first, second, … failed delivery; after the last the news is given up."""

_BY_KEY = "SELECT * FROM charges WHERE key = ?"
_BY_REFERENCE = "SELECT * FROM charges WHERE reference = ?"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEB_ADDRESS = re.compile(r"https?://[!-~]{1,2000}")
_REFERENCE = re.compile(r"sbx_[0-9a-f]{32}")


class BadRequest(ValueError):
    """A charge this provider cannot even book: nothing exists under its key."""


class KeyReused(Exception):
    """Another amount was asked for under this key before; that first charge stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a caller sends. `amount`: decimal text; `card`: a number or token, never kept.

    `return_url`, `notify_url`: empty when the caller wants neither.
    """

    key: str
    amount: str
    currency: str
    card: str
    order_id: str
    subject: str
    return_url: str
    notify_url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One line of the books. `reason`: why it was declined; `fee`: only of a captured one."""

    key: str
    reference: str
    order_id: str
    subject: str
    amount: Amount
    fee: Amount | None
    card: str
    scenario: str
    answer: Answer
    state: State
    reason: str
    return_url: str
    created_at: datetime
    expires_at: datetime

    @property
    def message(self) -> str:
        """The reason in words a payer may read."""
        return MESSAGES.get(self.reason, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """News to be posted. `tries` counts this try, and is what a report of failure must quote."""

    id: str
    url: str
    body: bytes
    tries: int


class SandboxBooks:
    """One SQLite file. Any number of these objects, in any processes, may share it.

    The file is opened at first use, so that an object may be made before a process forks.
    Every time is handed in; the books own no clock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def charge(self, ask: Ask, *, now: datetime) -> Charge:
        """Book the charge, or answer with the one that is already there under the key.

        Raises: BadRequest, KeyReused.
        """
        for address in (ask.return_url, ask.notify_url):
            if address and not _WEB_ADDRESS.fullmatch(address):
                raise BadRequest("an address is not a web address")
        try:
            amount = read_amount(ask.amount, ask.currency)
        except BadAmount as error:
            raise BadRequest(str(error)) from None
        with self._writing(now) as books:
            row = _one(books, _BY_KEY, ask.key)
            if row is None:
                _book(books, ask, amount, _millis(now))
                row = _one(books, _BY_KEY, ask.key)
        charge = _charge(row)
        if charge.amount != amount:
            raise KeyReused(f"{ask.key} was asked for {charge.amount} {charge.amount.currency}")
        return charge

    def find(self, key: str, *, now: datetime) -> Charge | None:
        """The charge under the caller's key; a lost one is not known here."""
        with self._writing(now) as books:
            row = _one(books, _BY_KEY, key)
        return None if row is None or row["state"] == State.LOST else _charge(row)

    def at_challenge(self, reference: str, *, now: datetime) -> Charge | None:
        """The charge whose payer was sent to the challenge page, decided or not."""
        if not _REFERENCE.fullmatch(reference):
            return None
        with self._writing(now) as books:
            row = _one(books, _BY_REFERENCE, reference)
        return None if row is None or row["scenario"] != "action_needed" else _charge(row)

    def form_token(self, reference: str) -> str:
        """What the challenge page's form must bring back."""
        with self._using() as books:
            return _keyed(books, "form", reference)

    def decide(self, reference: str, *, approve: bool, now: datetime) -> Charge | None:
        """The payer's choice. Only the first counts; the charge as it now stands comes back."""
        if self.at_challenge(reference, now=now) is None:
            return None
        with self._writing(now) as books:
            row = _one(books, _BY_REFERENCE, reference)
            if row["state"] == State.ACTION_NEEDED:
                state = State.CAPTURED if approve else State.DECLINED
                reason = "" if approve else REFUSED_BY_PAYER
                _turn(books, row, state, reason=reason, at=_millis(now))
            return _charge(_one(books, _BY_REFERENCE, reference))

    def take_due(self, *, now: datetime, limit: int) -> list[Notification]:
        """Notifications whose time has come, leased to this caller for `LEASE`."""
        at = _millis(now)
        with self._writing(now) as books:
            rows = books.execute(
                "SELECT id, url, body, tries FROM notifications"
                " WHERE due_at <= ? AND leased_until <= ? ORDER BY due_at, id LIMIT ?",
                (at, at, limit),
            ).fetchall()
            books.executemany(
                "UPDATE notifications SET leased_until = ?, tries = tries + 1 WHERE id = ?",
                [(_millis(now + LEASE), row["id"]) for row in rows],
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
                (_millis(now), notification.id),
            )

    def not_arrived(self, notification: Notification, *, now: datetime) -> None:
        """Try again after a pause that grows, unless another process has taken it meanwhile."""
        tries = notification.tries
        again = _millis(now + RETRY_PAUSES[tries - 1]) if tries <= len(RETRY_PAUSES) else None
        with self._writing(now) as books:
            books.execute(
                "UPDATE notifications SET due_at = ?, leased_until = 0"
                " WHERE id = ? AND tries = ? AND delivered_at IS NULL",
                (again, notification.id, tries),
            )

    def charges_of(self, key: str) -> tuple[Amount, ...]:
        """Every time money was taken under `key`: for a sound caller, once or never."""
        with self._using() as books:
            rows = books.execute("SELECT * FROM takings WHERE key = ? ORDER BY number", (key,))
            return tuple(_amount(row) for row in rows)

    def total_captured(self, currency: str) -> Amount:
        """All money ever taken in `currency`, added up taking by taking."""
        with self._using() as books:
            rows = books.execute("SELECT units FROM takings WHERE currency = ?", (currency,))
            # Added here because SQLite's own sum fails beyond 64 bits.
            return Amount(sum(units for (units,) in rows), currency, digits_of(currency))

    def totals(self) -> list[Amount]:
        """`total_captured` of every currency that was ever taken."""
        with self._using() as books:
            rows = books.execute("SELECT DISTINCT currency FROM takings ORDER BY 1").fetchall()
        return [self.total_captured(currency) for (currency,) in rows]

    def latest(self, *, now: datetime, limit: int = 100) -> list[Charge]:
        """The newest charges first, for a person to look at."""
        with self._writing(now) as books:
            rows = books.execute("SELECT * FROM charges ORDER BY number DESC LIMIT ?", (limit,))
            return [_charge(row) for row in rows]

    def close(self) -> None:
        """Give back the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

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
                _turn_all_due(books, _millis(now))
                yield books
                books.execute("COMMIT")
            except BaseException:
                if books.in_transaction:
                    books.execute("ROLLBACK")
                raise


def _book(books: sqlite3.Connection, ask: Ask, amount: Amount, at: int) -> None:
    story = scenario_for(ask.card)
    expires_at = _millis(ask.expires_at)
    turns_at = None
    if story.turns_to is not None:
        waits = story.state is State.ACTION_NEEDED
        turns_at = expires_at if waits else at + story.turns_after // timedelta(milliseconds=1)
    paid = story.state is State.CAPTURED
    line: dict[str, Any] = {
        "key": ask.key,
        "reference": f"sbx_{_keyed(books, 'charge', ask.key)}",
        "order_id": ask.order_id,
        "subject": ask.subject,
        "units": amount.units,
        "currency": amount.currency,
        "exponent": amount.exponent,
        "fee_units": fee_on(amount).units if paid else None,
        "card": mask(ask.card),
        "scenario": story.name,
        "answer": story.answer,
        "state": story.state,
        "reason": story.reason,
        "return_url": ask.return_url,
        "notify_url": ask.notify_url,
        "created_at": at,
        "changed_at": at,
        "expires_at": expires_at,
        "turns_at": turns_at,
        "turns_to": story.turns_to,
        "tells": story.tells,
    }
    books.execute(
        f"INSERT INTO charges ({', '.join(line)}) VALUES ({', '.join('?' * len(line))})",
        tuple(line.values()),
    )
    if paid:
        _take(books, ask.key, amount, at)


def _turn_all_due(books: sqlite3.Connection, at: int) -> None:
    due = books.execute(
        "SELECT * FROM charges WHERE turns_at <= ? ORDER BY turns_at, number", (at,)
    ).fetchall()
    for row in due:
        _turn(books, row, State(row["turns_to"]), reason=row["reason"], at=row["turns_at"])


def _turn(
    books: sqlite3.Connection, row: sqlite3.Row, state: State, *, reason: str, at: int
) -> None:
    """Make an open charge final, take its money if it is paid, and queue the news."""
    amount = _amount(row)
    paid = state is State.CAPTURED
    reason = "" if paid else reason
    fee = fee_on(amount) if paid else None
    books.execute(
        "UPDATE charges SET state = ?, reason = ?, fee_units = ?, changed_at = ?,"
        " turns_at = NULL, turns_to = NULL WHERE key = ?",
        (state, reason, fee.units if fee else None, at, row["key"]),
    )
    if paid:
        _take(books, row["key"], amount, at)
    if row["tells"] and row["notify_url"]:
        name = f"evt_{row['reference'].removeprefix('sbx_')}_{state}"
        news = {
            "id": name,
            "type": f"charge.{state}",
            "key": row["key"],
            "reference": row["reference"],
            "state": state,
            "amount": str(amount),
            "currency": amount.currency,
            "fee": str(fee) if fee else "",
            "reason": reason,
            "message": MESSAGES.get(reason, ""),
        }
        body = json.dumps(news, ensure_ascii=False, separators=(",", ":")).encode()
        books.execute(
            "INSERT INTO notifications (id, url, body, due_at) VALUES (?, ?, ?, ?)",
            (name, row["notify_url"], body, at),
        )


def _take(books: sqlite3.Connection, key: str, amount: Amount, at: int) -> None:
    books.execute(
        "INSERT INTO takings (key, units, currency, exponent, taken_at) VALUES (?, ?, ?, ?, ?)",
        (key, amount.units, amount.currency, amount.exponent, at),
    )


def _one(books: sqlite3.Connection, statement: str, value: str) -> Any:
    return books.execute(statement, (value,)).fetchone()


def _charge(row: sqlite3.Row) -> Charge:
    fee = row["fee_units"]
    final = row["turns_at"] is None
    return Charge(
        key=row["key"],
        reference=row["reference"],
        order_id=row["order_id"],
        subject=row["subject"],
        amount=_amount(row),
        fee=None if fee is None else Amount(fee, row["currency"], row["exponent"]),
        card=row["card"],
        scenario=row["scenario"],
        answer=Answer(row["answer"]),
        state=State(row["state"]),
        reason=row["reason"] if final else "",
        return_url=row["return_url"],
        created_at=_EPOCH + timedelta(milliseconds=row["created_at"]),
        expires_at=_EPOCH + timedelta(milliseconds=row["expires_at"]),
    )


def _amount(row: sqlite3.Row) -> Amount:
    return Amount(row["units"], row["currency"], row["exponent"])


def _keyed(books: sqlite3.Connection, purpose: str, text: str) -> str:
    """32 hex digits that only these books can derive from `text`."""
    (salt,) = books.execute("SELECT salt FROM house").fetchone()
    return hmac.new(salt, f"{purpose}:{text}".encode(), "sha256").hexdigest()[:32]


def _millis(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
