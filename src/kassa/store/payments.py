"""Payments under change: lock them with their orders, read their attempts, save what changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from kassa.domain.case import Case
from kassa.domain.disputes import Dispute
from kassa.domain.lifecycle import FUNDS_SECURED, CompanyStatus
from kassa.domain.modifications import Modification
from kassa.domain.orders import Order
from kassa.domain.payments import Attempt, Payment
from kassa.domain.timeline import TimelineEvent
from kassa.store.canon import event_digest, posting_digest
from kassa.store.connection import Connection
from kassa.store.cover import COVERS, with_seals
from kassa.store.orders import read_view
from kassa.store.rows import (
    ATTEMPT_COLUMNS,
    DISPUTE_COLUMNS,
    MODIFICATION_COLUMNS,
    ORDER_COLUMNS,
    PAYMENT_COLUMNS,
    attempt_row,
    columns,
    dispute_row,
    json_rows,
    modification_row,
    order_row,
    payment_row,
    read_attempt,
    read_dispute,
    read_modification,
)
from kassa.store.seals import Seals, as_json, seals_of
from kassa.store.statuses import any_of, one

_SECURED = any_of(FUNDS_SECURED)
_CLOSED = one(CompanyStatus.CLOSED)

Keys = Sequence[tuple[str, str]]


async def lock(connection: Connection, keys: Keys) -> datetime:
    """Lock the orders of these (company, payment id)s, in one order everywhere; gives the time.

    An order's lock guards all of its payments, so nothing else needs locking.
    """
    await connection.execute(
        "with held as materialized (select distinct p.company_id, p.order_id from payment p"
        " join unnest($1::text[], $2::text[]) as k(c, id) on k.c = p.company_id and k.id = p.id"
        " where p.company_id = any($1) and p.id = any($2))"
        " select 1 from held h join orders o on o.company_id = h.company_id and o.id = h.order_id"
        " order by o.company_id, o.id for update of o",
        *_arrays(keys),
    )
    # Not now(), which is when the transaction began: it may have waited for the lock since.
    return await clock(connection)


async def try_lock(connection: Connection, keys: Keys) -> tuple[datetime, set[tuple[str, str]]]:
    """As `lock`, but waits for nobody: gives the (company, order id)s that were to be had."""
    rows = await connection.fetch(
        "with wanted as materialized (select distinct p.company_id, p.order_id from payment p"
        " join unnest($1::text[], $2::text[]) as k(c, id) on k.c = p.company_id and k.id = p.id"
        " where p.company_id = any($1) and p.id = any($2)),"
        " held as materialized (select o.company_id, o.id from wanted w"
        "   join orders o on o.company_id = w.company_id and o.id = w.order_id"
        "   order by o.company_id, o.id for update of o skip locked)"
        # The time after the locks; and a row of it though none was to be had.
        " select clock_timestamp(), h.company_id, h.id from (select) one left join held h on true",
        *_arrays(keys),
    )
    return max(row[0] for row in rows), {(row[1], row[2]) for row in rows if row[2] is not None}


async def clock(connection: Connection) -> datetime:
    """The database's time, which is the one that counts."""
    now: datetime = await connection.fetchval("select statement_timestamp()")
    return now


async def read_locked(
    connection: Connection, keys: Keys
) -> dict[tuple[str, str], tuple[Payment, Order, bool, bool]]:
    """Payment, order, whether another payment of that order holds its money, and whether the
    company is closed."""
    rows = await connection.fetch(
        f"select {columns('p', PAYMENT_COLUMNS)}, {columns('o', ORDER_COLUMNS)},"
        " exists (select from payment x where x.company_id = p.company_id"
        "   and x.order_id = p.order_id and x.id <> p.id and not x.surplus"
        f"   and x.status in {_SECURED}),"
        f" (select c.status = {_CLOSED} from company c where c.id = p.company_id)"
        " from payment p join orders o on o.company_id = p.company_id and o.id = p.order_id"
        " join unnest($1::text[], $2::text[]) as k(c, id) on k.c = p.company_id and k.id = p.id"
        " where p.company_id = any($1) and p.id = any($2)",
        *_arrays(keys),
    )
    return {(row[0], row[1]): (*read_view(row), row[-2], row[-1]) for row in rows}


async def attempts_of(connection: Connection, keys: Keys) -> list[Attempt]:
    """All attempts of these (company, payment id)s, oldest first."""
    rows = await connection.fetch(
        f"select {columns('a', ATTEMPT_COLUMNS)} from attempt a"
        " join unnest($1::text[], $2::text[]) as k(c, id)"
        "   on k.c = a.company_id and k.id = a.payment_id"
        " where a.company_id = any($1) and a.payment_id = any($2)"
        " order by a.company_id, a.payment_id, a.number",
        *_arrays(keys),
    )
    return [read_attempt(row) for row in rows]


async def modifications_of(connection: Connection, keys: Keys) -> list[Modification]:
    """All modifications of these (company, payment id)s, oldest first."""
    rows = await connection.fetch(
        f"select {columns('m', MODIFICATION_COLUMNS)} from modification m"
        " join unnest($1::text[], $2::text[]) as k(c, id)"
        "   on k.c = m.company_id and k.id = m.payment_id"
        " where m.company_id = any($1) and m.payment_id = any($2)"
        " order by m.company_id, m.payment_id, m.number",
        *_arrays(keys),
    )
    return [read_modification(row) for row in rows]


async def disputes_of(connection: Connection, keys: Keys) -> list[Dispute]:
    """All disputes of these (company, payment id)s, oldest first."""
    rows = await connection.fetch(
        f"select {columns('d', DISPUTE_COLUMNS)} from dispute d"
        " join unnest($1::text[], $2::text[]) as k(c, id)"
        "   on k.c = d.company_id and k.id = d.payment_id"
        " where d.company_id = any($1) and d.payment_id = any($2)"
        " order by d.company_id, d.payment_id, d.number",
        *_arrays(keys),
    )
    return [read_dispute(row) for row in rows]


async def find_attempt(connection: Connection, company_id: str, attempt_id: str) -> Attempt | None:
    row = await connection.fetchrow(
        f"select {', '.join(ATTEMPT_COLUMNS)} from attempt where company_id = $1 and id = $2",
        company_id,
        attempt_id,
    )
    return read_attempt(row) if row else None


def _arrays(keys: Keys) -> tuple[list[str], list[str]]:
    return [company for company, _ in keys], [key for _, key in keys]


_FIXED = {"company_id", "id", "created_at"}
_PAYMENT = COVERS["payment"]  # what its first seal is over is never written again


# The ids stand beside the companies, so that the planner looks them up instead of reading all
# of a company.
_MATCHED = (
    " where t.company_id = any($2) and t.id = any($3)"
    " and t.company_id = w.company_id and t.id = w.id"
)


def _update(table: str, names: Sequence[str], fixed: set[str]) -> str:
    changed = [name for name in names if name not in fixed]
    return (
        f"update {table} as t set {', '.join(f'{name} = w.{name}' for name in changed)}"
        f" from json_populate_recordset(null::{table}, $1::json) as w{_MATCHED}"
    )


_UPDATE_PAYMENT = _update("payment", (*_PAYMENT.own("seal"), "seal"), set())
_UPDATE_ORDER = (
    "update orders as t set status = w.status, updated_at = w.updated_at"
    f" from json_populate_recordset(null::orders, $1::json) as w{_MATCHED}"
)
_UPDATE_ATTEMPT = _update("attempt", (*ATTEMPT_COLUMNS, "seal"), _FIXED)
_UPDATE_MODIFICATION = _update("modification", (*MODIFICATION_COLUMNS, "seal"), _FIXED)
_UPDATE_DISPUTE = _update("dispute", (*DISPUTE_COLUMNS, "seal"), _FIXED)


def _insert(table: str, names: str, *, unless: str = "") -> str:
    return (
        f"insert into {table} as t ({names}) select {names}"
        f" from json_populate_recordset(null::{table}, $1::json){unless}"
    )


_INSERT_ATTEMPT = _insert("attempt", ", ".join((*ATTEMPT_COLUMNS, "seal")))
_INSERT_EVENT = _insert(
    "payment_event",
    "company_id, payment_id, seq, event, from_status, to_status, actor, evidence, at, seal",
)
_INSERT_MODIFICATION = _insert("modification", ", ".join((*MODIFICATION_COLUMNS, "seal")))
_INSERT_DISPUTE = _insert("dispute", ", ".join((*DISPUTE_COLUMNS, "seal")))
_INSERT_ANSWER = _insert(
    "provider_answer", "company_id, id, payment_id, about, account, outcome, at, birth"
)
_INSERT_POSTING = _insert("posting", "company_id, id, kind, currency, payment_id, cause, at, seal")
_INSERT_ENTRY = _insert("entry", "company_id, posting_id, leg, account, currency, amount_minor")
_INSERT_ANNOUNCEMENT = (
    "insert into announcement as t (company_id, id, payment_id, version, kind, url, event_type,"
    " next_at, created_at, birth) select company_id, id, payment_id, version, kind, url,"
    " event_type, created_at, created_at, birth"
    " from json_populate_recordset(null::announcement, $1::json)"
)


async def save(connection: Connection, cases: Sequence[Case], known: set[str]) -> None:
    """Write everything these cases gathered. `known`: ids of attempts, modifications and
    disputes that are rows already."""
    changed = [
        case
        for case in cases
        if case.events or case.touched or case.touched_modifications or case.order_changed
    ]
    seals = seals_of(connection)
    attempts = [attempt for case in changed for attempt in case.touched.values()]
    old, new = _sealed_rows(seals, "attempt", attempts, attempt_row, known)
    if old:  # before the new ones: at most one attempt of a payment may be open
        await _update_rows(connection, _UPDATE_ATTEMPT, old)
    if new:
        await connection.execute(_INSERT_ATTEMPT, json_rows(new))
    moved = [payment_row(case.payment) for case in changed if case.events]
    if moved:
        await _update_rows(connection, _UPDATE_PAYMENT, with_seals(seals, "payment", moved, "seal"))
        await connection.execute(
            _INSERT_EVENT, json_rows(_event_rows(seals_of(connection), changed))
        )
    await _save_modifications(connection, changed, known)
    orders = [order_row(case.order) for case in changed if case.order_changed]
    if orders:
        await _update_rows(connection, _UPDATE_ORDER, orders)
    await insert_postings(connection, [posting for case in changed for posting in case.postings])
    news = [item for case in changed for item in case.announcements]
    answers = [asdict(item) for case in changed for item in case.answers]
    if answers:
        await connection.execute(
            _INSERT_ANSWER, json_rows(with_seals(seals, "provider_answer", answers))
        )
    if news:
        rows = [
            {
                "company_id": item.company_id,
                "id": item.id,
                "payment_id": item.payment_id,
                "version": item.version,
                "kind": item.kind,
                "url": item.url,
                "event_type": item.event_type,
                "created_at": item.at,
            }
            for item in news
        ]
        await add_announcements(connection, rows)


async def add_announcements(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """News of which a merchant is to hear, by the names of the columns."""
    sealed = with_seals(seals_of(connection), "announcement", rows, "birth")
    await connection.execute(_INSERT_ANNOUNCEMENT, json_rows(sealed))


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
    connection: Connection, cases: Sequence[Case], known: set[str]
) -> None:
    """The ended ones before the new ones: one claim of a payment may be open at a time."""
    items = [item for case in cases for item in case.touched_modifications.values()]
    if items:
        old, new = _sealed_rows(
            seals_of(connection), "modification", items, modification_row, known
        )
        if old:
            await _update_rows(connection, _UPDATE_MODIFICATION, old)
        if new:
            await connection.execute(_INSERT_MODIFICATION, json_rows(new))
    disputes = [item for case in cases for item in case.touched_disputes.values()]
    if disputes:
        old, new = _sealed_rows(seals_of(connection), "dispute", disputes, dispute_row, known)
        if old:
            await _update_rows(connection, _UPDATE_DISPUTE, old)
        if new:
            await connection.execute(_INSERT_DISPUTE, json_rows(new))


async def _update_rows(
    connection: Connection, statement: str, rows: Sequence[dict[str, Any]]
) -> None:
    companies = sorted({row["company_id"] for row in rows})
    await connection.execute(statement, json_rows(rows), companies, [row["id"] for row in rows])


def _event_rows(seals: Seals, cases: Sequence[Case]) -> list[dict[str, Any]]:
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


async def insert_postings(connection: Connection, postings: Sequence[Any]) -> None:
    """Write ledger postings with their entries; they are never touched again."""
    if not postings:
        return
    seals = seals_of(connection)
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
    await connection.execute(_INSERT_POSTING, json_rows(heads))
    await connection.execute(_INSERT_ENTRY, json_rows(legs))


LOOKED_AT = 20_000
"""Of what is due at one account: among so many its companies are found, to take turns."""


async def to_query(
    connection: Connection, room: Mapping[str, int], limit: int, *, busy: Sequence[str] = ()
) -> list[tuple[str, str, str]]:
    """(company, payment id, account)s with an attempt that should be asked about now.

    `room`: how many of each account may be taken; of the others none. `busy`: payments that are
    being asked about already. The accounts take turns, and so do the companies of an account that
    serves several; each with what is longest due.
    """
    rows = await connection.fetch(
        "select d.company_id, d.payment_id, d.connector from unnest($1::text[], $2::int[])"
        "   as r(account, room)"
        " cross join lateral (select t.*, row_number() over (order by t.turn, t.next_query_at)"
        "     as place"
        "   from (select o.*, row_number() over (partition by o.company_id"
        "       order by o.next_query_at) as turn"
        "     from (select a.company_id, a.payment_id, a.connector, a.next_query_at"
        "       from attempt a where a.connector = r.account and a.next_query_at <= now()"
        "       and a.payment_id <> all($3) order by a.next_query_at limit $5) o) t"
        "   order by t.turn, t.next_query_at limit r.room) d"
        " order by d.place, d.next_query_at limit $4",
        list(room),
        list(room.values()),
        list(busy),
        limit,
        LOOKED_AT,
    )
    return list(dict.fromkeys((row[0], row[1], row[2]) for row in rows))


async def attempt_of_reference(
    connection: Connection, company_id: str, account: str, reference: str
) -> Attempt | None:
    """The newest attempt that the account's provider knows by its own reference.

    `company_id`: "" for an account that serves every company.
    """
    row = await connection.fetchrow(
        f"select {', '.join(ATTEMPT_COLUMNS)} from attempt where provider_reference = $3"
        " and connector = $2 and provider_reference <> '' and ($1 = '' or company_id = $1)"
        " order by created_at desc, id desc limit 1",
        company_id,
        account,
        reference,
    )
    return read_attempt(row) if row else None


async def next_number(connection: Connection, company_id: str, name: str) -> int:
    """The company's next small integer under `name`; the row lock hands each out once."""
    return (await last_numbers(connection, {company_id: 1}, name))[company_id]


async def last_numbers(
    connection: Connection, wanted: Mapping[str, int], name: str
) -> dict[str, int]:
    """Hand out so many small integers to each company; gives the last of each one's."""
    rows = await connection.fetch(
        "insert into counter as t (company_id, name, value)"
        " select c, $3, n from unnest($1::text[], $2::bigint[]) as w(c, n) order by c"
        " on conflict (company_id, name) do update set value = t.value + excluded.value"
        " returning t.company_id, t.value",
        list(wanted),
        list(wanted.values()),
        name,
    )
    return {row[0]: row[1] for row in rows}
