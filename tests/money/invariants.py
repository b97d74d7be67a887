"""What must hold in the database after every step, of one company: asked in one statement.

Written without the gateway's own proofs, so that a mistake in those would not hide here.
"""

from kassa.base.store.connection import Connection

_LEGS = """
with legs as materialized (
  select e.account, e.currency, e.amount_minor as m, g.kind, g.payment_id, g.id,
         split_part(e.account, ':', 1) as class
    from entry e join posting g on g.company_id = e.company_id and g.id = e.posting_id
   where e.company_id = $1 and g.company_id = $1),
booked as (
  select payment_id,
         coalesce(-sum(m) filter (where kind = 'capture' and class = 'merchant'), 0) as captured,
         coalesce(-sum(m) filter (where kind = 'authorize' and class = 'held'), 0) as authorized,
         coalesce(sum(m) filter (where kind = 'release' and class = 'held'), 0) as released,
         coalesce(sum(m) filter (where kind in ('refund', 'refund_reversal')
           and class = 'merchant'), 0) as refunded,
         coalesce(-sum(m) filter (where kind = 'surplus' and class = 'surplus'), 0) as surplus,
         coalesce(sum(m) filter (where kind = 'surplus_return' and class = 'surplus'), 0)
           as returned,
         coalesce(sum(m) filter (where kind in ('dispute', 'dispute_reversal', 'charge_return')
           and class = 'merchant'), 0) as disputed,
         coalesce(sum(m) filter (where kind in ('fee', 'fee_adjustment')
           and class = 'merchant'), 0) as fee
    from legs where payment_id <> '' group by payment_id),
asked as (
  select payment_id,
         coalesce(sum(amount_minor) filter (where kind = 'capture'
           and status = 'succeeded'), 0) as captured,
         coalesce(sum(amount_minor) filter (where kind = 'refund' and not surplus
           and status = 'succeeded'), 0) as refunded,
         coalesce(sum(amount_minor) filter (where kind = 'refund' and not surplus
           and status in ('requested', 'processing')), 0) as reserved,
         coalesce(sum(amount_minor) filter (where kind = 'refund' and surplus
           and status = 'succeeded'), 0) as returned,
         coalesce(sum(amount_minor) filter (where kind = 'refund' and surplus
           and status in ('requested', 'processing')), 0) as returning
    from modification where company_id = $1 group by payment_id),
known as materialized (
  select p.*, coalesce(b.captured, 0) as b_captured, coalesce(b.authorized, 0) as b_authorized,
         coalesce(b.released, 0) as b_released, coalesce(b.refunded, 0) as b_refunded,
         coalesce(b.surplus, 0) as b_surplus, coalesce(b.returned, 0) as b_returned,
         coalesce(b.disputed, 0) as b_disputed, coalesce(b.fee, 0) as b_fee,
         coalesce(a.captured, 0) as a_captured, coalesce(a.refunded, 0) as a_refunded,
         coalesce(a.reserved, 0) as a_reserved, coalesce(a.returned, 0) as a_returned,
         coalesce(a.returning, 0) as a_returning
    from payment p left join booked b on b.payment_id = p.id
    left join asked a on a.payment_id = p.id where p.company_id = $1)
"""

_QUESTIONS = {
    "a posting sums to zero, and so does the ledger": (
        "select id, sum(m)::text from legs group by id, currency having sum(m) <> 0"
        " union all select currency, sum(m)::text from legs group by currency having sum(m) <> 0"
    ),
    "never more back than was taken, never more taken than was reserved": (
        "select id, version::text from known where authorized_minor > amount_minor"
        " or captured_minor + released_minor > authorized_minor"
        " or refunded_minor + refund_reserved_minor > captured_minor"
        " or surplus_returned_minor + surplus_reserved_minor > surplus_minor"
    ),
    "counters equal the ledger": (
        "select id, to_jsonb(known)::text from known"
        " where b_captured <> case when surplus then 0 else captured_minor end"
        " or b_authorized <> case when capture_method = 'manual' then authorized_minor else 0 end"
        " or b_released <> released_minor or b_refunded <> refunded_minor"
        " or b_surplus <> surplus_minor or b_returned <> surplus_returned_minor"
        " or b_disputed <> disputed_minor or b_fee <> fee_minor"
    ),
    "counters equal what was asked and done": (
        "select id, to_jsonb(known)::text from known where a_refunded <> refunded_minor"
        " or a_reserved <> refund_reserved_minor or a_returned <> surplus_returned_minor"
        " or a_returning <> surplus_reserved_minor"
        " or (capture_method = 'manual' and a_captured <> captured_minor)"
    ),
    "what banks took twice is counted": (
        "select id, double_paid_minor::text from known where double_paid_minor <> greatest(0,"
        " refunded_minor + refund_reserved_minor + disputed_minor - captured_minor)"
    ),
    "a wallet has what its account says": (
        "select b.account, b.balance_minor::text from wallet_balance b"
        " where b.company_id = $1 and (b.balance_minor < 0 or b.balance_minor <>"
        " (select coalesce(-sum(m), 0) from legs l"
        "   where l.account = b.account and l.currency = b.currency))"
    ),
    "what users spent is counted": (
        "select d.account, sum(d.spent_minor)::text from wallet_day d where d.company_id = $1"
        " group by d.account having sum(d.spent_minor) <> (select coalesce(sum(m), 0) from legs l"
        "   where l.account = d.account and kind in ('capture', 'authorize') and m > 0)"
    ),
    "what is held is what payments hold": (
        "select 'held', '' where (select coalesce(-sum(m), 0) from legs where class = 'held')"
        " <> (select coalesce(sum(authorized_minor - captured_minor - released_minor), 0)"
        "      from known where not surplus)"
        " union all select 'reserved', ''"
        " where (select coalesce(sum(m), 0) from legs where class = 'reserved')"
        " <> (select coalesce(sum(authorized_minor - captured_minor - released_minor), 0)"
        "      from known where not surplus and method = 'credit_card')"
    ),
    "an order is paid by one payment": (
        "select o.id, count(k.id)::text from orders o left join known k on k.order_id = o.id"
        " and k.status = 'captured' and not k.surplus where o.company_id = $1 group by o.id,"
        " o.status having count(k.id) <> (case when o.status = 'paid' then 1 else 0 end)"
    ),
    "a timeline has every version": (
        "select k.id, k.version::text from known k where k.version <>"
        " (select count(*) from payment_event v where v.company_id = $1 and v.payment_id = k.id)"
    ),
}

STATEMENT = _LEGS + " union all ".join(
    f"select '{name}' as what, q.* from ({question}) as q(id, found)"
    for name, question in _QUESTIONS.items()
)

_SEEN = """
select json_build_object(
  'payments', (select coalesce(json_agg(p), '[]') from payment p where company_id = $1),
  'orders', (select coalesce(json_object_agg(id, status), '{}') from orders
              where company_id = $1),
  'attempts', (select coalesce(json_agg(a order by created_at, id), '[]') from attempt a
                where company_id = $1),
  'changes', (select coalesce(json_agg(m order by id), '[]') from modification m
               where company_id = $1),
  'disputes', (select coalesce(json_agg(d), '[]') from dispute d where company_id = $1),
  'balances', (select coalesce(json_object_agg(account, balance_minor), '{}')
                from wallet_balance where company_id = $1),
  'provider', (select coalesce(sum(amount_minor), 0) from entry
                where company_id = $1 and account = 'provider:sandbox'))
"""


async def broken(connection: Connection, company_id: str) -> list[tuple[str, ...]]:
    """What does not hold: the promise, an id, and what was found."""
    return [tuple(row) for row in await connection.fetch(STATEMENT, company_id)]


async def seen(connection: Connection, company_id: str) -> str:
    """Every row that matters, as JSON text."""
    return str(await connection.fetchval(_SEEN, company_id))
