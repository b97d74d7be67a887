"""The questions that prove the books; each answers with counter-examples, so none is good news."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One promise. `sql` gives a row per violation: company, object, what was found."""

    name: str
    promise: str
    sql: str


_LIMIT = " limit 100"

CHECKS: Sequence[Check] = (
    Check(
        "postings balance",
        "every posting has two legs or more, in its own currency, that sum to zero",
        "select p.company_id, p.id, format('sums to %s over %s legs',"
        " coalesce(sum(e.amount_minor), 0), count(e.leg))"
        " from posting p left join entry e on e.company_id = p.company_id and e.posting_id = p.id"
        " group by p.company_id, p.id having coalesce(sum(e.amount_minor), 0) <> 0"
        " or count(e.leg) < 2 or bool_or(e.currency <> p.currency)",
    ),
    Check(
        "payments equal the ledger",
        "captured and surplus amounts are exactly what the ledger booked for the payment",
        "select p.company_id, p.id, format('captured %s and surplus %s, booked %s and %s',"
        " p.captured_minor, p.surplus_minor, l.captured, l.surplus) from payment p"
        " left join lateral (select"
        "  coalesce(sum(e.amount_minor) filter (where g.kind = 'capture'), 0) as captured,"
        "  coalesce(sum(e.amount_minor) filter (where g.kind = 'surplus'), 0) as surplus"
        "  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id"
        "  where g.company_id = p.company_id and g.payment_id = p.id and g.payment_id <> ''"
        "  and e.amount_minor > 0) l on true"
        " where l.surplus <> p.surplus_minor or l.captured <>"
        " case when p.surplus then 0 else p.captured_minor end",
    ),
    Check(
        "postings belong to payments",
        "every capture or surplus in the ledger names a payment that exists",
        "select g.company_id, g.id, format('names payment %s', g.payment_id) from posting g"
        " where g.kind in ('capture', 'surplus') and not exists (select from payment p"
        " where p.company_id = g.company_id and p.id = g.payment_id)",
    ),
    Check(
        "postings credit whom they should",
        "captured money is credited to the payment's business, surplus to the surplus account",
        "select g.company_id, g.id, format('a %s credits %s', g.kind, e.account) from posting g"
        " join entry e on e.company_id = g.company_id and e.posting_id = g.id"
        "  and e.amount_minor < 0"
        " join payment p on p.company_id = g.company_id and p.id = g.payment_id"
        " where g.kind in ('capture', 'surplus') and e.account <>"
        " case g.kind when 'surplus' then 'surplus' else 'merchant:' || p.business_id end",
    ),
    Check(
        "orders equal their payments",
        "an order is paid exactly when one payment of it, in its amount, holds its money",
        "select o.company_id, o.id, format('order is %s, paid by %s payments', o.status, x.paid)"
        " from orders o left join lateral (select count(*) as paid from payment p"
        "  where p.company_id = o.company_id and p.order_id = o.id and not p.surplus"
        "  and p.status in ('captured', 'settled') and p.captured_minor = o.amount_minor"
        "  and p.currency = o.currency) x on true"
        " where (o.status = 'paid') <> (x.paid = 1) or x.paid > 1",
    ),
    Check(
        "orders end with their payments",
        "an order asks what its payments ask, and is open exactly while one of them may be paid",
        "select o.company_id, o.id, format('order of %s %s is %s; of %s payments %s go on,"
        " %s ended, %s ask for something else', o.amount_minor, o.currency, o.status,"
        " x.payments, x.going, x.ended, x.other)"
        " from orders o left join lateral (select count(*) as payments,"
        "  count(*) filter (where p.status in"
        "   ('created', 'requires_action', 'processing', 'authorized')) as going,"
        "  count(*) filter (where p.status in ('expired', 'canceled')) as ended,"
        "  count(*) filter (where (p.amount_minor, p.currency)"
        "   <> (o.amount_minor, o.currency)) as other"
        "  from payment p where p.company_id = o.company_id and p.order_id = o.id) x on true"
        " where x.other > 0 or (o.status in ('expired', 'canceled') and x.going > 0)"
        " or (o.status = 'active' and x.ended = x.payments)",
    ),
    Check(
        "states equal their events",
        "the timeline has every version without a gap, and ends in the payment's status",
        "select p.company_id, p.id, format('status %s version %s, timeline ends %s after %s',"
        " p.status, p.version, t.last_status, t.events) from payment p"
        " left join lateral (select count(*) as events, max(e.seq) as last_seq,"
        "  (array_agg(e.to_status order by e.seq desc))[1] as last_status"
        "  from payment_event e where e.company_id = p.company_id and e.payment_id = p.id) t"
        " on true"
        " where t.events is distinct from p.version or t.last_seq is distinct from p.version"
        " or t.last_status is distinct from p.status",
    ),
    Check(
        "wallet balances equal the ledger",
        "each wallet balance is the sum of its account's entries",
        "select coalesce(b.company_id, s.company_id), coalesce(b.account, s.account),"
        " format('balance %s %s, entries say %s', coalesce(b.balance_minor, 0),"
        "  coalesce(b.currency, s.currency), coalesce(s.total, 0))"
        " from wallet_balance b full join (select e.company_id, e.account, e.currency,"
        "  -sum(e.amount_minor) as total from entry e where e.account like 'wallet:%'"
        "  group by 1, 2, 3) s on s.company_id = b.company_id and s.account = b.account"
        "  and s.currency = b.currency"
        " where coalesce(b.balance_minor, 0) <> coalesce(s.total, 0)",
    ),
    Check(
        "attempts equal their payment",
        "a payment taken by a provider has exactly the attempts that brought its money",
        "select p.company_id, p.id, format('%s, with %s minor units in succeeded attempts',"
        " p.status, x.total) from payment p left join lateral (select"
        "  coalesce(sum(a.amount_minor), 0) as total from attempt a"
        "  where a.company_id = p.company_id and a.payment_id = p.id"
        "  and a.status = 'succeeded') x on true"
        " where x.total <> case when p.surplus then p.surplus_minor"
        "  else p.captured_minor + p.surplus_minor end",
    ),
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One counter-example."""

    check: str
    company_id: str
    object_id: str
    found: str


async def hold_still(connection: Any) -> None:
    """Let this transaction, just begun, see one moment only, and change nothing."""
    await connection.execute("set transaction isolation level repeatable read, read only")


async def violations(connection: Any, check: Check) -> list[Violation]:
    """Up to 100 counter-examples of one check."""
    rows = await connection.fetch(check.sql + _LIMIT)
    return [Violation(check.name, row[0], row[1], row[2]) for row in rows]


_EVENTS = (
    "select company_id, payment_id, seq, event, from_status, to_status from payment_event"
    " where (company_id, payment_id, seq) > ($1, $2, $3)"
    " order by company_id, payment_id, seq limit $4"
)


async def events_after(
    connection: Any, after: tuple[str, str, int], limit: int
) -> list[tuple[str, str, int, str, str | None, str]]:
    """The next `limit` events in key order: company, payment, seq, event, from, to."""
    rows = await connection.fetch(_EVENTS, *after, limit)
    return [tuple(row) for row in rows]


async def counts(connection: Any) -> dict[str, int]:
    """How many of each thing the books hold."""
    row = await connection.fetchrow(
        "select (select count(*) from orders) as orders,"
        " (select count(*) from payment) as payments,"
        " (select count(*) from payment_event) as events,"
        " (select count(*) from posting) as postings, (select count(*) from entry) as entries"
    )
    return dict(row)
