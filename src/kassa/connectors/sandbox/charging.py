"""What happens to a charge inside one transaction: booked, reserved, taken, let go, told."""

import sqlite3
from datetime import timedelta
from typing import Any

from kassa.connectors.sandbox import disputes
from kassa.connectors.sandbox.amounts import SandboxAmount, fee_on
from kassa.connectors.sandbox.cards import (
    MESSAGES,
    RETURNED_CHARGE,
    SandboxState,
    mask,
    scenario_for,
    story_named,
)
from kassa.connectors.sandbox.entries import insert, keyed, post
from kassa.connectors.sandbox.records import Ask, amount_in, millis, stamp

AUTHORIZATION_LASTS = timedelta(days=7)
_MILLISECOND = timedelta(milliseconds=1)
_RAN_OUT = "authorization_expired"


def charge_row(books: sqlite3.Connection, key: str) -> Any:
    """The charge under the caller's key; None when there is none."""
    return books.execute("SELECT * FROM charges WHERE key = ?", (key,)).fetchone()


def reserved_units(row: sqlite3.Row) -> int:
    """What of a charge is reserved, and neither taken nor let go."""
    if row["releases_at"] is None:
        return 0
    left: int = row["units"] - row["captured_units"] - row["released_units"]
    return left


def book(books: sqlite3.Connection, ask: Ask, amount: SandboxAmount, at: int) -> None:
    """Write down a charge that was not known before, and let its card's story begin."""
    story = scenario_for(ask.card)
    paid = story.state is SandboxState.CAPTURED
    expires_at = millis(ask.expires_at)
    turns_at = None
    if story.turns_to is not None:
        waits = story.state is SandboxState.ACTION_NEEDED
        turns_at = expires_at if waits else at + story.turns_after // _MILLISECOND
    line: dict[str, Any] = {
        "key": ask.key,
        "reference": f"sbx_{keyed(books, 'charge', ask.key)}",
        "order_id": ask.order_id,
        "subject": ask.subject,
        "units": amount.units,
        "currency": amount.currency,
        "exponent": amount.exponent,
        "card": mask(ask.card),
        "scenario": story.name,
        "answer": story.answer,
        "state": SandboxState.PENDING if paid else story.state,
        "reason": story.reason,
        "return_url": ask.return_url,
        "notify_url": ask.notify_url,
        "created_at": at,
        "changed_at": at,
        "expires_at": expires_at,
        "turns_at": turns_at,
        "turns_to": story.turns_to,
        "tells": story.tells,
        "captures": ask.capture,
    }
    insert(books, "charges", line)
    if paid:
        _pay(books, charge_row(books, ask.key), at)


def turn(books: sqlite3.Connection, key: str, state: SandboxState, *, reason: str, at: int) -> None:
    """Decide a charge that was open, and queue the news."""
    row = charge_row(books, key)
    if state is SandboxState.CAPTURED:
        _pay(books, row, at)
    elif state is SandboxState.RETURNED:
        _send_back(books, row, at)
    else:
        books.execute(
            "UPDATE charges SET state = ?, reason = ?, changed_at = ?, turns_at = NULL,"
            " turns_to = NULL WHERE key = ?",
            (state, reason, at, key),
        )
    _tell(books, key, at)


def _pay(books: sqlite3.Connection, row: sqlite3.Row, at: int) -> None:
    if row["captures"]:
        take(books, row, row["units"], claim=row["key"], reference=row["reference"], at=at)
        return
    books.execute(
        "UPDATE charges SET state = ?, reason = '', changed_at = ?, turns_at = NULL,"
        " turns_to = NULL, releases_at = ? WHERE key = ?",
        (SandboxState.AUTHORIZED, at, at + AUTHORIZATION_LASTS // _MILLISECOND, row["key"]),
    )


def take(
    books: sqlite3.Connection, row: sqlite3.Row, units: int, *, claim: str, reference: str, at: int
) -> SandboxAmount:
    """Take `units` of a charge; the fee for it comes back. The table refuses too much."""
    amount = amount_in(row).of(units)
    fee = fee_on(amount)
    books.execute(
        "UPDATE charges SET state = ?, reason = '', captured_units = captured_units + ?,"
        " fee_units = coalesce(fee_units, 0) + ?, changed_at = ?, turns_at = NULL,"
        " turns_to = NULL WHERE key = ?",
        (SandboxState.CAPTURED, units, fee.units, at, row["key"]),
    )
    insert(
        books,
        "takings",
        {
            "key": row["key"],
            "claim": claim,
            "reference": reference,
            "units": units,
            "fee_units": fee.units,
            "currency": amount.currency,
            "exponent": amount.exponent,
            "taken_at": at,
        },
    )
    disputes.foresee(books, row, at)
    if returns := story_named(row["scenario"]).returns:
        books.execute(
            "UPDATE charges SET turns_at = ?, turns_to = ? WHERE key = ?",
            (at + returns // _MILLISECOND, SandboxState.RETURNED, row["key"]),
        )
    return fee


def _send_back(books: sqlite3.Connection, row: sqlite3.Row, at: int) -> None:
    """The payer's bank takes all that was taken back again; whatever was given back of it, and
    the fee, stay away. Nothing more of it can be taken."""
    let_go(books, row["key"], reason="", at=at)
    insert(
        books,
        "withdrawals",
        {
            "key": row["key"],
            "reference": row["reference"],
            "units": row["captured_units"] - row["disputed_units"],
            "fee_units": 0,
            "currency": row["currency"],
            "exponent": row["exponent"],
            "moved_at": at,
        },
    )
    books.execute(
        "UPDATE charges SET disputed_units = captured_units, reason = ?, changed_at = ?,"
        " turns_at = NULL, turns_to = NULL WHERE key = ?",
        (RETURNED_CHARGE, at, row["key"]),
    )


def let_go(books: sqlite3.Connection, key: str, *, reason: str, at: int) -> int:
    """Release what is reserved and not taken; how much that was."""
    row = charge_row(books, key)
    left = reserved_units(row)
    untouched = row["state"] == SandboxState.AUTHORIZED
    books.execute(
        "UPDATE charges SET state = ?, reason = ?, released_units = released_units + ?,"
        " releases_at = NULL, changed_at = ? WHERE key = ?",
        (
            SandboxState.VOIDED if untouched else row["state"],
            reason if untouched else "",
            left,
            at,
            key,
        ),
    )
    return left


def run_out(books: sqlite3.Connection, key: str, at: int) -> None:
    """The reservation ends by itself; that is news when nothing was ever taken of it."""
    let_go(books, key, reason=_RAN_OUT, at=at)
    if charge_row(books, key)["state"] == SandboxState.VOIDED:
        _tell(books, key, at)


def _tell(books: sqlite3.Connection, key: str, at: int) -> None:
    row = charge_row(books, key)
    if not row["tells"]:
        return
    amount, fee, until = amount_in(row), row["fee_units"], row["releases_at"]
    returned = row["reason"] == RETURNED_CHARGE
    state = SandboxState.RETURNED if returned else SandboxState(row["state"])
    post(
        books,
        f"evt_{row['reference'].removeprefix('sbx_')}_{state}",
        row["notify_url"],
        {
            "type": f"charge.{state}",
            "key": key,
            "reference": row["reference"],
            "state": state,
            "amount": str(amount.of(row["captured_units"] or amount.units)),
            "currency": amount.currency,
            "fee": "" if fee is None else str(amount.of(fee)),
            "reason": row["reason"],
            "message": MESSAGES.get(row["reason"], ""),
            "reserved_until": "" if until is None else stamp(until),
        },
        at,
    )
