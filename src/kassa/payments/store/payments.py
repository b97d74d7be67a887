"""Payments under change: lock them with their orders, read their attempts, save what changed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from kassa.base.domain.lifecycle import FUNDS_SECURED
from kassa.base.store.connection import Connection
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.base.store.seals import Seals, as_json, seals_of
from kassa.ledger.domain.ledger import Posting
from kassa.orders.domain.orders import Order
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.changes import PaymentChanges, WebhookEvent
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.domain.taken_back import TakenBack, taken_back
from kassa.payments.domain.timeline import TimelineEvent
from kassa.payments.store.rows import (
    ALONE,
    ATTEMPT,
    DISPUTE,
    LOCKED,
    MODIFICATION,
    ORDER,
    PAYMENT,
    WORDS,
    LockedRow,
    json_rows,
)
from kassa.proof.store.canon import event_digest, posting_digest
from kassa.proof.store.cover import COVERS, digest_of, seal_for, with_seals

Keys = Sequence[tuple[str, str]]
_Row = dict[str, Any]


@dataclass(slots=True)
class LockedPayment:
    """A payment with what its order's lock guards, as it stands `at` the time after the lock.

    `is_held`: the lock is ours; else somebody else has it. `elsewhere`: another payment of the
    order holds its money. `closed`: the company is.
    """

    at: datetime
    is_held: bool
    payment: Payment
    order: Order
    elsewhere: bool
    closed: bool
    attempts: dict[str, Attempt]


class ToQuery(NamedTuple):
    """A payment, and the account at which it is to be asked about."""

    company_id: str
    payment_id: str
    connector: str


class _Number(NamedTuple):
    company_id: str
    value: int


_FIXED = {"company_id", "id", "created_at"}
_PAYMENT = COVERS["payment"]  # what its first seal is over is never written again
_SEALED = PAYMENT.values(_PAYMENT.columns("seal"))


def _changes(names: Sequence[str]) -> str:
    changed = [name for name in (*names, "seal") if name not in _FIXED]
    return ", ".join(f"{name} = w.{name}" for name in changed)


def _changes_if_told(names: Sequence[str], nullable: Collection[str]) -> str:
    """Of rows that have only what differs, and what may be null."""
    told = [
        f"{name} = {f'w.{name}' if name in nullable else f'coalesce(w.{name}, t.{name})'}"
        for name in names
    ]
    return ", ".join([*told, "seal = w.seal"])


class Sql(
    Queries,
    readers=[ATTEMPT.reader, MODIFICATION.reader, DISPUTE.reader, LOCKED, ALONE],
    words={
        **WORDS,
        "secured": ", ".join(f"'{status}'" for status in sorted(FUNDS_SECURED)),
        "payment_changes": _changes_if_told(_PAYMENT.own("seal"), PAYMENT.nullable),
        "attempt_changes": _changes(ATTEMPT.columns),
        "modification_changes": _changes(MODIFICATION.columns),
        "dispute_changes": _changes(DISPUTE.columns),
    },
):
    lock_and_read: Rows[LockedRow]
    clock: Value[datetime]
    alone: Rows[Payment]
    attempts_of: Rows[Attempt]
    modifications_of: Rows[Modification]
    disputes_of: Rows[Dispute]
    find_attempt: Rows[Attempt]
    update_attempts: Command
    update_modifications: Command
    update_disputes: Command
    insert_modifications: Command
    insert_disputes: Command
    write: Command
    write_new: Command
    insert_answers: Command
    insert_postings: Command
    insert_announcements: Command
    to_query: Rows[ToQuery]
    last_numbers: Rows[_Number]


async def lock_and_read(
    connection: Connection, keys: Keys
) -> Mapping[tuple[str, str], LockedPayment]:
    """Lock the orders of these (company, payment id)s, in one order everywhere, waiting for nobody;
    gives all of these payments that there are, as they stand under the lock.

    An order's lock guards all of its payments, so nothing else needs locking.
    """
    found: dict[tuple[str, str], LockedPayment] = {}
    for row in await Sql.lock_and_read.all(connection, *_arrays(keys)):
        key = row.payment.company_id, row.payment.id
        one = found.get(key)
        if one is None:
            one = found[key] = LockedPayment(*row[:-1], {})
        if row.attempt is not None:
            one.attempts[row.attempt.id] = row.attempt
    return found


async def clock(connection: Connection) -> datetime:
    """The database's time, which is the one that counts."""
    return await Sql.clock.one(connection)


async def alone(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> list[Payment]:
    """These payments, without anything that belongs to them."""
    return await Sql.alone.all(connection, company_id, list(payment_ids))


async def attempts_of(connection: Connection, keys: Keys) -> list[Attempt]:
    """All attempts of these (company, payment id)s, oldest first."""
    return await Sql.attempts_of.all(connection, *_arrays(keys))


async def modifications_of(connection: Connection, keys: Keys) -> list[Modification]:
    """All modifications of these (company, payment id)s, oldest first."""
    return await Sql.modifications_of.all(connection, *_arrays(keys))


async def disputes_of(connection: Connection, keys: Keys) -> list[Dispute]:
    """All disputes of these (company, payment id)s, oldest first."""
    return await Sql.disputes_of.all(connection, *_arrays(keys))


async def taken_back_of(connection: Connection, keys: Keys) -> dict[str, TakenBack]:
    """What banks have of these payments, by id."""
    disputes: dict[tuple[str, str], list[Dispute]] = {}
    for dispute in await disputes_of(connection, keys):
        disputes.setdefault((dispute.company_id, dispute.payment_id), []).append(dispute)
    attempts: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in await attempts_of(connection, keys):
        attempts.setdefault((attempt.company_id, attempt.payment_id), []).append(attempt)
    return {key[1]: taken_back(disputes.get(key, ()), attempts.get(key, ())) for key in keys}


async def find_attempt(connection: Connection, company_id: str, attempt_id: str) -> Attempt | None:
    return await Sql.find_attempt.first(connection, company_id, attempt_id)


def _arrays(keys: Keys) -> tuple[list[str], list[str]]:
    return [company for company, _ in keys], [key for _, key in keys]


async def save(connection: Connection, cases: Sequence[PaymentAggregate], known: set[str]) -> None:
    """Write everything these cases gathered. `known`: ids of attempts, modifications and
    disputes that are rows already."""
    changed = [
        case
        for case in cases
        if case.events
        or case.touched
        or case.touched_modifications
        or case.touched_disputes
        or case.order_changed
    ]
    seals = seals_of(connection)
    attempts = [attempt for case in changed for attempt in case.touched.values()]
    old, new = _sealed_rows(seals, "attempt", attempts, ATTEMPT.row, known)
    if old and (new or not any(case.events for case in changed)):
        # Before the new ones: at most one attempt of a payment may be open.
        await _update_rows(connection, Sql.update_attempts, old)
        old = []
    orders = [ORDER.row(case.order) for case in changed if case.order_changed]
    await _write(connection, changed, old, new, orders)
    await _save_modifications(connection, changed, known)
    answers = [asdict(item) for case in changed for item in case.answers]
    if answers:
        await Sql.insert_answers.run(
            connection, json_rows(with_seals(seals, "provider_answer", answers))
        )
    await _announce(connection, changed)


async def save_alone(connection: Connection, changes: Sequence[PaymentChanges]) -> None:
    """Write all that became of these payments, where nothing has changed beside them."""
    changed = [one for one in changes if one.events]
    for begin in range(0, len(changed), MOST):
        await _write(connection, changed[begin : begin + MOST], [], [], [])
    await _announce(connection, changed)


async def save_new(
    connection: Connection, cases: Sequence[PaymentAggregate], created: Sequence[TimelineEvent]
) -> None:
    """Write payments that are no rows yet, whose orders are, with all that became of them since;
    `created`: the first event of each."""
    seals = seals_of(connection)
    attempts = [attempt for case in cases for attempt in case.touched.values()]
    heads, legs = _posting_rows(seals, [one for case in cases for one in case.postings])
    first = [_event_row(seals, event) for event in created]
    await Sql.write_new.run(
        connection,
        json_rows(with_seals(seals, "payment", [PAYMENT.row(case.payment) for case in cases])),
        json_rows([*first, *_event_rows(seals, cases)]),
        json_rows(with_seals(seals, "attempt", [ATTEMPT.row(one) for one in attempts])),
        json_rows(heads),
        json_rows(legs),
    )
    await _announce(connection, cases)


async def _write(
    connection: Connection,
    cases: Sequence[PaymentChanges],
    old: list[_Row],
    new: list[_Row],
    orders: list[_Row],
) -> None:
    """Payments, what happened to them, their attempts and orders, and what was booked."""
    seals = seals_of(connection)
    moved = [_moved(seals, case) for case in cases if case.events]
    if not moved and not new and not orders:
        return
    heads, legs = _posting_rows(seals, [one for case in cases for one in case.postings])
    await Sql.write.run(
        connection,
        json_rows(moved),
        sorted({case.payment.company_id for case in cases}),
        [row["id"] for row in moved],
        json_rows(_event_rows(seals, cases)),
        json_rows(old),
        [row["id"] for row in old],
        json_rows(new),
        json_rows(orders),
        [row["id"] for row in orders],
        json_rows(heads),
        json_rows(legs),
    )


def _moved(seals: Seals, case: PaymentChanges) -> _Row:
    """What `write` wants to know of a payment; its seal is over all of it."""
    payment = case.payment
    row = PAYMENT.changed(case.as_read, payment)
    row["company_id"], row["id"] = payment.company_id, payment.id
    said = digest_of("payment", "seal", _SEALED(payment))
    row["seal"] = as_json(seal_for(seals, "payment", "seal", said))
    return row


async def _announce(connection: Connection, cases: Sequence[PaymentChanges]) -> None:
    letters = [item for case in cases for item in case.letters]
    if len(letters) != sum(len(case.announcements) for case in cases):
        raise AssertionError("news that nobody has written")
    if letters:
        await add_webhook_events(connection, letters)


async def add_webhook_events(connection: Connection, news: Sequence[WebhookEvent]) -> None:
    """News of which a merchant is to hear, of payments or of agreements."""
    rows = [
        {
            "company_id": item.company_id,
            "id": item.id,
            "payment_id": item.payment_id or None,
            "agreement_id": item.agreement_id or None,
            "version": item.version,
            "kind": item.kind,
            "url": item.url,
            "event_type": item.event_type,
            "created_at": item.at,
            "content": item.content or None,
            "recipient": item.recipient,
        }
        for item in news
    ]
    sealed = with_seals(seals_of(connection), "announcement", rows, "birth")
    for row in sealed:
        row["content"] = None if row["content"] is None else as_json(row["content"])
    await Sql.insert_announcements.run(connection, json_rows(sealed))


def _sealed_rows(
    seals: Seals,
    home: str,
    items: Sequence[Any],
    row: Callable[[Any], dict[str, Any]],
    known: set[str],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Those that are rows already, and the new ones."""
    old = [row(item) for item in items if item.id in known]
    new = [row(item) for item in items if item.id not in known]
    return with_seals(seals, home, old), with_seals(seals, home, new)


async def _save_modifications(
    connection: Connection, cases: Sequence[PaymentAggregate], known: set[str]
) -> None:
    """The ended ones before the new ones: one claim of a payment may be open at a time."""
    items = [item for case in cases for item in case.touched_modifications.values()]
    if items:
        old, new = _sealed_rows(
            seals_of(connection), "modification", items, MODIFICATION.row, known
        )
        if old:
            await _update_rows(connection, Sql.update_modifications, old)
        if new:
            await Sql.insert_modifications.run(connection, json_rows(new))
    disputes = [item for case in cases for item in case.touched_disputes.values()]
    if disputes:
        old, new = _sealed_rows(seals_of(connection), "dispute", disputes, DISPUTE.row, known)
        if old:
            await _update_rows(connection, Sql.update_disputes, old)
        if new:
            await Sql.insert_disputes.run(connection, json_rows(new))


async def _update_rows(
    connection: Connection, statement: Command, rows: Sequence[dict[str, Any]]
) -> None:
    companies = sorted({row["company_id"] for row in rows})
    await statement.run(connection, json_rows(rows), companies, [row["id"] for row in rows])


def _event_rows(seals: Seals, cases: Sequence[PaymentChanges]) -> list[dict[str, Any]]:
    return [_event_row(seals, event) for case in cases for event in case.events]


def _event_row(seals: Seals, event: TimelineEvent) -> dict[str, Any]:
    evidence = event.evidence
    digest = event_digest(
        event.company_id,
        event.payment_id,
        event.seq,
        event.event,
        event.from_status,
        event.to_status,
        event.actor,
        evidence,
        event.at,
    )
    return {
        "company_id": event.company_id,
        "payment_id": event.payment_id,
        "seq": event.seq,
        "event": event.event,
        "from_status": event.from_status,
        "to_status": event.to_status,
        "actor": event.actor,
        "evidence": evidence,
        "at": event.at,
        "seal": as_json(seals.of("payment_event", digest)),
    }


async def insert_postings(connection: Connection, postings: Sequence[Posting]) -> None:
    """Write ledger postings with their entries; they are never touched again."""
    if postings:
        heads, legs = _posting_rows(seals_of(connection), postings)
        await Sql.insert_postings.run(connection, json_rows(heads), json_rows(legs))


def _posting_rows(seals: Seals, postings: Sequence[Posting]) -> tuple[list[_Row], list[_Row]]:
    """The postings, and their legs."""
    heads = [
        {
            "company_id": posting.company_id,
            "id": posting.id,
            "kind": posting.kind,
            "currency": posting.currency,
            "payment_id": posting.payment_id,
            "cause": posting.cause,
            "at": posting.at,
            "seal": as_json(seals.of("posting", posting_digest(posting))),
        }
        for posting in postings
    ]
    legs = [
        {
            "company_id": posting.company_id,
            "posting_id": posting.id,
            "leg": leg,
            "account": entry.account,
            "currency": posting.currency,
            "amount_minor": entry.minor,
        }
        for posting in postings
        for leg, entry in enumerate(posting.entries, 1)
    ]
    return heads, legs


MOST = 500
"""Payments that one statement writes: what is more costs more than it saves."""

LOOKED_AT = 20_000
"""Of what is due at one account: among so many its companies are found, to take turns."""


async def to_query(
    connection: Connection,
    room: Mapping[str, int],
    limit: int,
    *,
    busy: Sequence[str] = (),
    again: bool = False,
) -> list[ToQuery]:
    """Payments with an attempt that should be asked about now; `again`: with one whose money is
    there, and that something was heard of since.

    `room`: how many of each account may be taken; of the others none. `busy`: payments that are
    being asked about already. The accounts take turns, and so do the companies of an account that
    serves several; each with what is longest due.
    """
    due = await Sql.to_query.all(
        connection, list(room), list(room.values()), list(busy), limit, LOOKED_AT, again
    )
    return list(dict.fromkeys(due))


async def next_number(connection: Connection, company_id: str, name: str) -> int:
    """The company's next small integer under `name`; the row lock hands each out once."""
    return (await last_numbers(connection, {company_id: 1}, name))[company_id]


async def last_numbers(
    connection: Connection, wanted: Mapping[str, int], name: str
) -> dict[str, int]:
    """Hand out so many small integers to each company; gives the last of each one's."""
    rows = await Sql.last_numbers.all(connection, list(wanted), list(wanted.values()), name)
    return {row.company_id: row.value for row in rows}
