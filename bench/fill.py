"""`python -m bench.fill`: a database with sound books of as many payments as wanted.

They are written straight into the tables, in pieces that each are one transaction: what was begun
is gone on with. The rows carry no seals unless asked for, and what a server does with the time
that has passed is its own business.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from kassa import installation
from kassa.base.store.migrate import migrate
from kassa.base.store.seals import Seals
from kassa.cli.proofs import Bar
from kassa.proof.usecases.chain import seals_of
from kassa.proof.usecases.verify import Progress
from kassa.settings import Settings, load

Told = Callable[[int], None]
"""Called with the number of payments that are there."""

_PIECE = 200_000
_DAYS = 20  # all of them lie in so many days before now: none has ended by time
_LONG = 3_600  # seconds

# Ten characters of five bits each, as the program's ids have it: lists of a time go by them.
_TIME = " || ".join(
    "substr('0123456789abcdefghjkmnpqrstvwxyz',"
    f" ((extract(epoch from at) * 1000)::bigint >> {bits} & 31)::int + 1, 1)"
    for bits in range(45, -1, -5)
)

_TRIGGERED = ("payment", "payment_event", "posting", "entry")

# One in ten each: paid in cash, from a wallet, refunded in part, still open, declined; the
# others are cards with a fee. {first}, {last}: of which payments; {slice}: the number of the piece.
_COMPANIES = """
    insert into company (id, public_id, number, name, currency, business_id, mode)
      select 'cmp_' || c, 'cmp_' || c, c, 'Company ' || c, 'CNY', 'biz_' || c, 'test'
      from generate_series(1, 3) c on conflict do nothing"""
_FILL = (
    "drop table if exists plan, movement",
    """
    create temporary table plan as
      select i, ({companies})[1 + i % {many}] as company_id,
        ({businesses})[1 + i % {many}] as business_id,
        'py_' || tail as payment_id, 'order_' || tail as order_id, tail,
        10000 + i % 5000 as minor, 'wallet:wu_' || (1 + i % 3000) as wallet,
        (array['cash', 'wallet', 'refunded', 'open', 'declined'])[1 + i % 10] as story,
        at
      from (select i, at, {time} || lpad(i::text, 16, '0') as tail
        from (select i, timestamptz '{begin}' + i * interval '{apart} microseconds' as at
          from generate_series({first}, {last}) i) a) t""",
    "update plan set story = 'card' where story is null",
    "analyze plan",
    """
    insert into orders (company_id, id, business_id, amount_minor, currency, status, module,
      customer_id, customer_number, customer_name, customer_email, customer_phone, org_number,
      description, note, tags, return_url, notify_url, notify_kind, payment_methods,
      session_token, face, request_scope, request_id, fingerprint, extra, created_at, updated_at,
      expires_at)
    select company_id, order_id, business_id, minor, 'CNY',
      case when story in ('open', 'declined') then 'active' else 'paid' end, 'retail', 'customer',
      0, 'Alice', 'alice@example.com', '9999999999', 1, 'Jasmine tea', '', '{{}}', '', '', '', '',
      'sess_' || tail, 'orders', 'orders', tail, md5(tail), '{{}}', at, at, at + interval '30 days'
      from plan""",
    """
    insert into payment (company_id, id, order_id, business_id, amount_minor, currency, status,
      method, module, authorized_minor, captured_minor, refunded_minor, fee_minor, retry_allowed,
      connector, failure_code, created_at, updated_at, captured_at, expires_at, version,
      modifications)
    select company_id, payment_id, order_id, business_id, minor, 'CNY',
      case story when 'open' then 'created' when 'declined' then 'failed' else 'captured' end,
      case story when 'open' then null when 'cash' then 'cash' when 'wallet' then 'wallet'
        else 'credit_card' end,
      'retail', x.paid, x.paid, case story when 'refunded' then 700 else 0 end,
      case when story in ('card', 'refunded') then 300 else 0 end, true,
      case story when 'open' then '' else 'sandbox' end,
      case story when 'declined' then 'declined' else '' end, at, at,
      case when x.paid > 0 then at end, at + interval '30 days',
      case story when 'open' then 1 when 'refunded' then 5 else 3 end,
      case story when 'refunded' then 1 else 0 end
      from plan, lateral (select case when story in ('open', 'declined') then 0 else minor end
        as paid) x""",
    """
    insert into attempt (company_id, id, payment_id, number, connector, method, status,
      amount_minor, currency, instrument, provider_reference, failure_code, failure_message,
      query_count, created_at, updated_at)
    select company_id, 'at1_' || tail, payment_id, 1, 'sandbox', 'credit_card',
      case story when 'declined' then 'declined' else 'succeeded' end, minor, 'CNY', '•••• 4242',
      'ch_' || tail, '', '', 0, at, at from plan where story <> 'open'""",
    """
    insert into payment_event (company_id, payment_id, seq, event, from_status, to_status, actor,
      evidence, at)
    select company_id, payment_id, 1, 'create', null, 'created', 'client:shop',
      jsonb_build_object('face', 'orders', 'order', order_id), at from plan
    union all
    select company_id, payment_id, 2, 'submit', 'created', 'processing', 'payer',
      jsonb_build_object('attempt', 'at1_' || tail, 'method', 'credit_card'), at
      from plan where story <> 'open'
    union all
    select company_id, payment_id, 3, x.event, 'processing', x.status, 'provider:sandbox',
      jsonb_build_object('attempt', 'at1_' || tail, 'by', 'charge', 'reference', 'ch_' || tail),
      at from plan, lateral (select
        case story when 'declined' then 'decline' else 'capture' end as event,
        case story when 'declined' then 'failed' else 'captured' end as status) x
      where story <> 'open'
    union all
    select company_id, payment_id, 4 + n, 'note', 'captured', 'captured', 'operator:cli',
      jsonb_build_object('modification', 're1_' || tail, 'amount', '7.00 CNY'), at
      from plan, generate_series(0, 1) n where story = 'refunded'""",
    """
    insert into modification (company_id, id, payment_id, attempt_id, number, kind, status,
      amount_minor, currency, connector, surplus, is_last, reason, actor, face, request_scope,
      fingerprint, provider_reference, fee_minor, failure_code, failure_message, query_count,
      created_at, updated_at, completed_at, extra)
    select company_id, 're1_' || tail, payment_id, 'at1_' || tail, 1, 'refund', 'succeeded', 700,
      'CNY', 'sandbox', false, false, '', 'operator:cli', '', '', '', 'rf_' || tail, 0, '', '', 0,
      at, at, at, '{{}}' from plan where story = 'refunded'""",
    """
    create temporary table movement as
    select company_id, 'po_1' || tail as id, 'capture' as kind, payment_id, 'at1_' || tail as cause,
      at, case story when 'cash' then 'cash' when 'wallet' then wallet else 'provider:sandbox' end
      as debit, 'merchant:' || business_id as credit, minor
      from plan where story not in ('open', 'declined')
    union all
    select company_id, 'po_2' || tail, 'fee', payment_id, 'at1_' || tail, at,
      'merchant:' || business_id, 'provider:sandbox', 300
      from plan where story in ('card', 'refunded')
    union all
    select company_id, 'po_3' || tail, 'refund', payment_id, 're1_' || tail, at,
      'merchant:' || business_id, 'provider:sandbox', 700 from plan where story = 'refunded'
    union all
    select company_id, 'po_4' || company_id || wallet || '_{slice}', 'top_up', '', '', min(at),
      'wallet_funding', wallet, sum(minor) + 5 from plan where story = 'wallet'
      group by company_id, wallet""",
    "analyze movement",
    """
    insert into posting (company_id, id, kind, currency, payment_id, at, cause)
    select company_id, id, kind, 'CNY', payment_id, at, cause from movement""",
    """
    insert into entry (company_id, posting_id, leg, account, currency, amount_minor)
    select company_id, id, leg, case leg when 1 then debit else credit end, 'CNY',
      case leg when 1 then minor else -minor end from movement, generate_series(1, 2) leg""",
    """
    insert into wallet_balance (company_id, account, currency, balance_minor)
    select company_id, credit, 'CNY', 5 from movement where kind = 'top_up'
    on conflict (company_id, account, currency)
      do update set balance_minor = wallet_balance.balance_minor + 5""",
    """
    insert into wallet_day (company_id, account, currency, on_day, spent_minor)
    select company_id, debit, 'CNY', (at at time zone 'UTC')::date, sum(minor) from movement
      where kind = 'capture' and debit like 'wallet:%'
        and at >= (select applied_at from schema_migration where number = 2)  -- counted since
      group by company_id, debit, (at at time zone 'UTC')::date
    on conflict (company_id, account, currency, on_day)
      do update set spent_minor = wallet_day.spent_minor + excluded.spent_minor""",
    """
    insert into settlement (company_id, id, number, connector, currency, status, payments_minor,
      refunds_minor, disputes_minor, fees_minor, other_minor, carried_over_minor, net_minor,
      payout_reference, opened_at, closed_at)
    select company_id, 'st_' || n, n, 'sandbox', 'CNY', 'closed', taken, back, 0, fee, 0, 0,
      taken + back + fee, '', now(), now()
      from (select company_id, 64 * {slice} + 1 + (hashtext(payment_id) & 63) as n,
          coalesce(sum(minor) filter (where kind = 'capture'), 0) as taken,
          coalesce(-sum(minor) filter (where kind = 'refund'), 0) as back,
          coalesce(-sum(minor) filter (where kind = 'fee'), 0) as fee
          from movement where 'provider:sandbox' in (debit, credit) group by 1, 2) x""",
    """
    insert into settlement_line (company_id, posting_id, leg, settlement_id, connector, currency,
      payment_id, kind, at, amount_minor)
    select company_id, id, case debit when 'provider:sandbox' then 1 else 2 end,
      'st_' || (64 * {slice} + 1 + (hashtext(payment_id) & 63)), 'sandbox', 'CNY', payment_id,
      kind, at, case debit when 'provider:sandbox' then minor else -minor end
      from movement where 'provider:sandbox' in (debit, credit)""",
    """
    insert into unchained (company_id, kind, keys, numbers)
    select e.company_id, 'event', array_agg(e.payment_id order by e.seq),
      array_agg(e.seq order by e.seq)
      from plan p join payment_event e on e.company_id = p.company_id
        and e.payment_id = p.payment_id
      group by e.company_id, substr(e.payment_id, 4, 25) order by min(e.at)""",
    """
    insert into unchained (company_id, kind, keys, numbers)
    select company_id, 'posting', array_agg(id), array_agg(0::bigint)
      from movement group by company_id, substr(payment_id, 4, 25) order by min(at)""",
)

_FOREIGN_KEYS = """
select conrelid::regclass::text as home, conname as name, pg_get_constraintdef(oid) as words
  from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace
"""
# What was taken off while rows are written, and how far they are: read by whoever goes on.
_BEGIN = """
create table bench_fill (begun timestamptz not null, payments bigint not null,
  done bigint not null, after bigint not null, company text not null, keys jsonb not null);
insert into bench_fill
  select now() - interval '{days} days', {payments}, 0, {after}, '{company}',
    coalesce(jsonb_agg(to_jsonb(k)), '[]') from ({keys}) k
"""


@dataclass(frozen=True, slots=True)
class _Order:
    """What is being filled, as it is kept in the database: `payments` behind the first `after`."""

    begun: datetime
    payments: int
    done: int
    after: int
    company: str


async def fill(
    url: str,
    payments: int,
    told: Told = lambda done: None,
    *,
    company: str = "",
    after: int = 0,
) -> None:
    """Sound books of that many payments, not chained and not sealed yet.

    `url`: of the role that owns the tables. `company`: whose they are; "": three new companies'.
    `after`: how many were filled before and stay. What was interrupted is gone on with, whatever
    is asked for then.
    """
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("select to_regclass('bench_fill') is not null"):
            async with connection.transaction():
                await _begin(connection, payments, company, after)
        [row] = await connection.fetch(
            "select begun, payments, done, after, company from bench_fill"
        )
        order = _Order(**row)
        while order.done < order.payments:
            async with connection.transaction():
                order = await _piece(connection, order)
            told(order.done)
        async with connection.transaction():
            await _end(connection)
        await connection.execute("vacuum analyze", timeout=_LONG)
    finally:
        await connection.close()


async def _begin(
    connection: "asyncpg.Connection[asyncpg.Record]", payments: int, company: str, after: int
) -> None:
    """Keys are checked at the end, all at once: row by row it takes longer than the rows."""
    said = {"days": _DAYS, "payments": payments, "company": company, "after": after}
    await connection.execute(_BEGIN.format(keys=_FOREIGN_KEYS, **said))
    for key in await connection.fetch(_FOREIGN_KEYS):
        await connection.execute(f"alter table {key['home']} drop constraint {key['name']}")
    for table in _TRIGGERED:
        await connection.execute(f"alter table {table} disable trigger user")
    if not company:
        await connection.execute(_COMPANIES)


async def _piece(connection: "asyncpg.Connection[asyncpg.Record]", order: _Order) -> _Order:
    last = min(order.done + _PIECE, order.payments)
    rows = await connection.fetch(
        "select id, business_id from company where id = $1 or $1 = '' and id ~ '^cmp_[123]$'"
        " order by id",
        order.company,
    )
    said = {
        "first": order.after + order.done + 1,
        "last": order.after + last,
        "slice": order.after + order.done,
        "begin": order.begun.isoformat(),
        "time": _TIME,
        "apart": _DAYS * 86_400_000_000 // (order.after + order.payments),
        "companies": "array" + repr([row["id"] for row in rows]),
        "businesses": "array" + repr([row["business_id"] for row in rows]),
        "many": len(rows),
    }
    for statement in _FILL:
        await connection.execute(statement.format(**said), timeout=_LONG)
    await connection.execute("update bench_fill set done = $1", last)
    return replace(order, done=last)


async def _end(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    keys = await connection.fetch(
        "select k.* from bench_fill, jsonb_to_recordset(keys) k(home text, name text, words text)"
    )
    for home, name, words in keys:
        await connection.execute(f"alter table {home} add constraint {name} {words}", timeout=_LONG)
    for table in _TRIGGERED:
        await connection.execute(f"alter table {table} enable trigger user")
    await connection.execute("drop table bench_fill")


_UNSEALED = {
    "payment_event": """select company_id, payment_id as key, seq as number,
        event_digest(company_id, payment_id, seq, event, from_status, to_status, actor, evidence,
          at) from payment_event""",
    "posting": """select p.company_id, p.id as key, 0::bigint as number,
        posting_digest(p.company_id,
        p.id, p.kind, p.currency, p.payment_id, p.cause, p.at, (select string_agg(entry_text(e.leg,
          e.account, e.currency, e.amount_minor), '' order by e.leg) from entry e
          where e.company_id = p.company_id and e.posting_id = p.id)) from posting p""",
}
_SEALED = {
    "payment_event": "t.payment_id = s.key and t.seq = s.number",
    "posting": "t.id = s.key",
}


async def seal(url: str, seals: Seals) -> None:
    """As the program would have done when it wrote the rows."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    try:
        for table, statement in _UNSEALED.items():
            await connection.execute(
                "create temporary table sealed"
                " (company_id text, key text, number bigint, seal bytea)"
            )
            rows = await connection.fetch(statement, timeout=_LONG)
            await connection.copy_records_to_table(
                "sealed", records=[(*row[:3], seals.of(table, row[3])) for row in rows]
            )
            await connection.execute(f"alter table {table} disable trigger user")
            await connection.execute(
                f"analyze sealed; update {table} t set seal = s.seal from sealed s"
                f" where t.company_id = s.company_id and {_SEALED[table]}",
                timeout=_LONG,
            )
            await connection.execute(f"alter table {table} enable trigger user; drop table sealed")
        await connection.execute("vacuum full analyze payment_event", timeout=_LONG)
        await connection.execute("vacuum full analyze posting", timeout=_LONG)
    finally:
        await connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="bench.fill",
        description=__doc__,
        epilog="Example:  python -m bench.fill --payments 1000000 --database-url postgresql://…",
    )
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--database-url", help="of the owner of an empty or throw-away database")
    parser.add_argument("--data-dir", help="of the installation whose keys seal the rows")
    parser.add_argument("--seals", action="store_true", help="seal the rows, as the program does")
    asked = parser.parse_args()
    settings = load({"data_dir": asked.data_dir, "database_url": asked.database_url})
    if not settings.database_url:
        parser.error("say which database: --database-url or KASSA_DATABASE_URL")
    asyncio.run(_fill(settings.database_url, asked.payments, settings if asked.seals else None))
    return 0


async def _fill(url: str, payments: int, sealed_by: Settings | None) -> None:
    await migrate(url)
    began = time.perf_counter()
    await fill(url, payments, progress(payments))
    print(f"{payments:,} payments in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    if sealed_by is not None:
        await seal(url, seals_of(installation.open_secrets(sealed_by.directory)))


def progress(payments: int) -> Told:
    """As `kassa verify` shows how far it is."""
    bar = Bar(sys.stderr)

    def told(done: int) -> None:
        bar.show(Progress(check="payment", done=done, total=payments))
        if done == payments:
            bar.end()

    return told


if __name__ == "__main__":
    sys.exit(main())
