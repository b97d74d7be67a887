"""The disputes that some cards open after they were charged: money withdrawn, perhaps returned."""

import sqlite3
from datetime import timedelta
from typing import Any

from kassa.connectors.sandbox.amounts import dispute_fee
from kassa.connectors.sandbox.cards import DisputeState, story_named
from kassa.connectors.sandbox.entries import insert, keyed, post
from kassa.connectors.sandbox.records import amount_in, stamp

RESPONSE_LASTS = timedelta(days=7)
_MILLISECOND = timedelta(milliseconds=1)
_REASON = "fraudulent"
_TYPE = {
    DisputeState.NEEDS_RESPONSE: "dispute.opened",
    DisputeState.UNDER_REVIEW: "dispute.updated",
    DisputeState.WON: "dispute.closed",
    DisputeState.LOST: "dispute.closed",
}


def foresee(books: sqlite3.Connection, charge: sqlite3.Row, at: int) -> None:
    """Money was taken at `at`: when the card disputes, its first dispute is on its way."""
    story = story_named(charge["scenario"]).dispute
    if not story or _row(books, charge["key"]) is not None:
        return
    insert(
        books,
        "disputes",
        {
            "reference": f"sbd_{keyed(books, 'dispute', charge['key'])}",
            "key": charge["key"],
            "units": 0,
            "fee_units": 0,
            "currency": charge["currency"],
            "exponent": charge["exponent"],
            "state": DisputeState.COMING,
            "reason": _REASON,
            "taken_at": at,
            "turns_at": at + story[0][0] // _MILLISECOND,
        },
    )


def move_on(books: sqlite3.Connection, key: str, at: int) -> None:
    """The next step in the story of the dispute of the charge under `key`."""
    charge = books.execute("SELECT * FROM charges WHERE key = ?", (key,)).fetchone()
    row = _row(books, key)
    story = story_named(charge["scenario"]).dispute
    step = row["steps"]
    state = story[step][1]
    later = story[step + 1 :]
    books.execute(
        "UPDATE disputes SET state = ?, steps = steps + 1, turns_at = ? WHERE key = ?",
        (state, row["taken_at"] + later[0][0] // _MILLISECOND if later else None, key),
    )
    if state is DisputeState.NEEDS_RESPONSE:
        _withdraw(books, charge, at)
    if state is DisputeState.WON:
        _return(books, row, at)
    _tell(books, charge, at)


def _withdraw(books: sqlite3.Connection, charge: sqlite3.Row, at: int) -> None:
    """All that was taken, whatever was given back of it: that is for the merchant to show."""
    taken = amount_in(charge).of(charge["captured_units"])
    books.execute(
        "UPDATE disputes SET units = ?, fee_units = ?, opened_at = ?, respond_by = ? WHERE key = ?",
        (
            taken.units,
            dispute_fee(taken).units,
            at,
            at + RESPONSE_LASTS // _MILLISECOND,
            charge["key"],
        ),
    )
    _move(books, charge["key"], 1, at)


def _return(books: sqlite3.Connection, row: sqlite3.Row, at: int) -> None:
    _move(books, row["key"], -1, at)
    books.execute("UPDATE disputes SET fee_units = 0 WHERE key = ?", (row["key"],))


def _move(books: sqlite3.Connection, key: str, sign: int, at: int) -> None:
    """Money and fee of the dispute leave the account, or come back to it."""
    row = _row(books, key)
    insert(
        books,
        "withdrawals",
        {
            "key": key,
            "reference": row["reference"],
            "units": sign * row["units"],
            "fee_units": sign * row["fee_units"],
            "currency": row["currency"],
            "exponent": row["exponent"],
            "moved_at": at,
        },
    )
    books.execute(
        "UPDATE charges SET disputed_units = disputed_units + ? WHERE key = ?",
        (sign * row["units"], key),
    )


def _tell(books: sqlite3.Connection, charge: sqlite3.Row, at: int) -> None:
    row = _row(books, charge["key"])
    amount = amount_in(row)
    post(
        books,
        f"evt_{row['reference'].removeprefix('sbd_')}_{row['state']}",
        charge["notify_url"],
        {
            "type": _TYPE[DisputeState(row["state"])],
            "key": charge["key"],
            "charge": charge["reference"],
            "reference": row["reference"],
            "stage": "chargeback",
            "state": row["state"],
            "amount": str(amount),
            "currency": amount.currency,
            "fee": str(amount.of(row["fee_units"])),
            "reason": row["reason"],
            "respond_by": stamp(row["respond_by"]),
            "at": stamp(at),
        },
        at,
    )


def _row(books: sqlite3.Connection, key: str) -> Any:
    return books.execute("SELECT * FROM disputes WHERE key = ?", (key,)).fetchone()
