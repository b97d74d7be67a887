"""Captures, voids and refunds inside one transaction: judged, booked once, played out, told."""

import sqlite3
from datetime import timedelta
from typing import Any

from kassa.connectors.sandbox.amounts import SandboxAmount
from kassa.connectors.sandbox.cards import (
    AS_ASKED,
    MESSAGES,
    RETURNED_CHARGE,
    RETURNED_REFUND,
    CardAnswer,
    Manner,
    SandboxState,
    story_named,
)
from kassa.connectors.sandbox.charging import charge_row, let_go, reserved_units, take
from kassa.connectors.sandbox.entries import insert, keyed, post
from kassa.connectors.sandbox.records import ChangeAsk, ChangeKind, ChangeState, amount_in

_MILLISECOND = timedelta(milliseconds=1)
_VOIDED = "voided"


def change_row(books: sqlite3.Connection, key: str) -> Any:
    """The capture, void or refund under the caller's key; None when there is none."""
    return books.execute("SELECT * FROM changes WHERE key = ?", (key,)).fetchone()


def is_lost(books: sqlite3.Connection, ask: ChangeAsk, at: int) -> bool:
    """Whether this request never arrives: some cards lose the first under each key."""
    charge = charge_row(books, ask.charge_key)
    if charge is None or _manner(charge, ask.kind).arrives:
        return False
    lost = books.execute(
        "INSERT INTO lost_requests (key, lost_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (ask.key, at),
    )
    return lost.rowcount == 1


def book_change(books: sqlite3.Connection, ask: ChangeAsk, amount: SandboxAmount, at: int) -> None:
    """Write down what was asked under a new key, and do it, refuse it, or leave it pending."""
    charge = charge_row(books, ask.charge_key)
    reason = _fault(charge, ask, amount)
    manner = AS_ASKED if reason else _manner(charge, ask.kind)
    state, turns_to = ChangeState.DONE, None
    if manner.after:
        state = ChangeState.PENDING
        turns_to = ChangeState.REFUSED if manner.refusal else ChangeState.DONE
    elif reason or manner.refusal:
        state = ChangeState.REFUSED
    line: dict[str, Any] = {
        "key": ask.key,
        "reference": f"sbm_{keyed(books, 'change', ask.key)}",
        "kind": ask.kind,
        "charge_key": ask.charge_key,
        "units": amount.units,
        "moved_units": 0,
        "fee_units": 0,
        "currency": amount.currency,
        "exponent": amount.exponent,
        "answer": manner.answer if charge is not None else CardAnswer.PROMPT,
        "state": state,
        "reason": reason or manner.refusal,
        "notify_url": ask.notify_url,
        "created_at": at,
        "turns_at": at + manner.after // _MILLISECOND if turns_to else None,
        "turns_to": turns_to,
    }
    insert(books, "changes", line)
    if state is ChangeState.PENDING:
        _put_aside(books, line["charge_key"], amount.units)
    elif state is ChangeState.DONE:
        _do(books, change_row(books, ask.key), at, is_last=ask.is_last)
        if manner.comes_back:
            books.execute(
                "UPDATE changes SET turns_at = ?, turns_to = ? WHERE key = ?",
                (at + manner.comes_back // _MILLISECOND, ChangeState.REFUSED, ask.key),
            )


def decide_change(books: sqlite3.Connection, key: str, at: int) -> None:
    """A pending refund is done or refused, or one that was done comes back; that is news."""
    row = change_row(books, key)
    if row["state"] == ChangeState.DONE:
        _take_back(books, row, at)
        _tell(books, key, at)
        return
    state = ChangeState(row["turns_to"])
    books.execute(
        "UPDATE changes SET state = ?, turns_at = NULL, turns_to = NULL WHERE key = ?",
        (state, key),
    )
    _put_aside(books, row["charge_key"], -row["units"])
    if state is ChangeState.DONE:
        _do(books, row, at, is_last=True)
    _tell(books, key, at)


def _manner(charge: sqlite3.Row, kind: ChangeKind) -> Manner:
    """How the card that paid takes it. A bank that refuses a capture still lets go."""
    story = story_named(charge["scenario"])
    if kind is ChangeKind.REFUND:
        return story.refunds
    return AS_ASKED if kind is ChangeKind.VOID and story.claims.refusal else story.claims


def _fault(charge: sqlite3.Row | None, ask: ChangeAsk, amount: SandboxAmount) -> str:
    """Why these books cannot do what is asked; empty when they can."""
    if charge is None or charge["state"] == SandboxState.LOST:
        return "no_such_charge"
    if ask.reference and ask.reference != charge["reference"]:
        return "no_such_charge"
    if charge["currency"] != amount.currency:
        return "currency_mismatch"
    return (_refund_fault if ask.kind is ChangeKind.REFUND else _claim_fault)(charge, ask, amount)


def _refund_fault(charge: sqlite3.Row, _: ChangeAsk, amount: SandboxAmount) -> str:
    if charge["captured_units"] == 0:
        return "not_captured"
    if charge["reason"] == RETURNED_CHARGE:
        return RETURNED_CHARGE
    gone = charge["refunded_units"] + charge["refunding_units"]
    return "refund_too_large" if amount.units > charge["captured_units"] - gone else ""


def _claim_fault(charge: sqlite3.Row, ask: ChangeAsk, amount: SandboxAmount) -> str:
    left = reserved_units(charge)
    if charge["state"] == SandboxState.VOIDED:
        return "already_voided" if charge["reason"] == _VOIDED else str(charge["reason"])
    if charge["state"] not in (SandboxState.AUTHORIZED, SandboxState.CAPTURED):
        return "not_authorized"
    if not left:
        return "already_captured"
    return "capture_too_large" if ask.kind is ChangeKind.CAPTURE and amount.units > left else ""


def _put_aside(books: sqlite3.Connection, charge_key: str, units: int) -> None:
    """Keep `units` for a refund that is pending, so that they are not given back twice."""
    books.execute(
        "UPDATE charges SET refunding_units = refunding_units + ? WHERE key = ?",
        (units, charge_key),
    )


def _do(books: sqlite3.Connection, row: sqlite3.Row, at: int, *, is_last: bool) -> None:
    charge, units, fee = charge_row(books, row["charge_key"]), row["units"], 0
    match ChangeKind(row["kind"]):
        case ChangeKind.CAPTURE:
            fee = take(
                books, charge, units, claim=row["key"], reference=row["reference"], at=at
            ).units
            if is_last or reserved_units(charge) == units:
                let_go(books, charge["key"], reason="", at=at)
        case ChangeKind.VOID:
            units = let_go(books, charge["key"], reason=_VOIDED, at=at)
        case ChangeKind.REFUND:
            _give_back(books, row, at)
    books.execute(
        "UPDATE changes SET moved_units = ?, fee_units = ? WHERE key = ?", (units, fee, row["key"])
    )


def _take_back(books: sqlite3.Connection, row: sqlite3.Row, at: int) -> None:
    """Nobody could take the money of a refund: it is on the account again, to be refunded."""
    _give_back(books, row, at, sign=-1)
    books.execute(
        "UPDATE changes SET state = ?, reason = ?, moved_units = 0, turns_at = NULL,"
        " turns_to = NULL WHERE key = ?",
        (ChangeState.REFUSED, RETURNED_REFUND, row["key"]),
    )


def _give_back(books: sqlite3.Connection, row: sqlite3.Row, at: int, *, sign: int = 1) -> None:
    """The table refuses more than was taken."""
    books.execute(
        "UPDATE charges SET refunded_units = refunded_units + ? WHERE key = ?",
        (sign * row["units"], row["charge_key"]),
    )
    insert(
        books,
        "givings",
        {
            "key": row["charge_key"],
            "refund": row["key"],
            "reference": row["reference"],
            "units": sign * row["units"],
            "fee_units": 0,
            "currency": row["currency"],
            "exponent": row["exponent"],
            "given_at": at,
        },
    )


def _tell(books: sqlite3.Connection, key: str, at: int) -> None:
    row = change_row(books, key)
    charge = charge_row(books, row["charge_key"])
    amount = amount_in(row)
    done = row["state"] == ChangeState.DONE
    post(
        books,
        f"evt_{row['reference'].removeprefix('sbm_')}_{row['state']}",
        row["notify_url"],
        {
            "type": f"{row['kind']}.{row['state']}",
            "key": key,
            "charge": charge["reference"],
            "reference": row["reference"],
            "state": row["state"],
            "amount": str(amount.of(row["moved_units"]) if done else amount),
            "currency": amount.currency,
            "fee": str(amount.of(row["fee_units"])) if done else "",
            "reason": row["reason"],
            "message": MESSAGES.get(row["reason"], ""),
        },
        at,
    )
