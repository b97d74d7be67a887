"""`python -m bench.verify`: how long it takes to chain and to prove the books of many payments."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from bench import machine
from kassa import assembly, demo
from kassa.base.store.migrate import migrate
from kassa.base.store.seals import Seals
from kassa.base.usecases.core import Core
from kassa.proof.usecases.chain import chain_history, seals_of
from kassa.proof.usecases.old_rows import seal_old_rows
from kassa.proof.usecases.verify import Progress, Proof, verify_books
from kassa.settings import Settings
from kassa_embedded.postgres import EmbeddedPostgres

_TRIGGERED = ("payment", "payment_event", "posting", "entry")

# One in ten each: paid in cash, from a wallet, refunded in part, still open, declined; the
# others are cards with a fee. $1: how many.
_FILL = (
    """
    insert into company (id, public_id, number, name, currency, business_id, mode)
      select 'cmp_' || c, 'cmp_' || c, c, 'Company ' || c, 'CNY', 'biz_' || c, 'test'
      from generate_series(1, 3) c""",
    """
    create temporary table plan as
      select i, 'cmp_' || (1 + i % 3) as company_id, 'biz_' || (1 + i % 3) as business_id,
        'py_' || lpad(i::text, 26, '0') as payment_id,
        'order_' || lpad(i::text, 26, '0') as order_id, lpad(i::text, 26, '0') as tail,
        10000 + i % 5000 as minor, 'wallet:wu_' || (1 + i % 3000) as wallet,
        (array['cash', 'wallet', 'refunded', 'open', 'declined'])[1 + i % 10] as story,
        clock_timestamp() + i * interval '10 microseconds' as at
      from generate_series(1, {payments}) i""",
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
    select company_id, 'po_4' || company_id || wallet, 'top_up', '', '', min(at), 'wallet_funding',
      wallet, sum(minor) + 5 from plan where story = 'wallet' group by company_id, wallet""",
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
    select company_id, credit, 'CNY', 5 from movement where kind = 'top_up'""",
    """
    insert into wallet_day (company_id, account, currency, on_day, spent_minor)
    select company_id, debit, 'CNY', current_date, sum(minor) from movement
      where kind = 'capture' and debit like 'wallet:%' group by company_id, debit""",
    """
    insert into settlement (company_id, id, number, connector, currency, status, payments_minor,
      refunds_minor, disputes_minor, fees_minor, other_minor, carried_over_minor, net_minor,
      payout_reference, opened_at, closed_at)
    select company_id, 'st_' || n, n, 'sandbox', 'CNY', 'closed', taken, back, 0, fee, 0, 0,
      taken + back + fee, '', now(), now()
      from (select company_id, 1 + hashtext(payment_id) & 63 as n,
          coalesce(sum(minor) filter (where kind = 'capture'), 0) as taken,
          coalesce(-sum(minor) filter (where kind = 'refund'), 0) as back,
          coalesce(-sum(minor) filter (where kind = 'fee'), 0) as fee
          from movement where 'provider:sandbox' in (debit, credit) group by 1, 2) x""",
    """
    insert into settlement_line (company_id, posting_id, leg, settlement_id, connector, currency,
      payment_id, kind, at, amount_minor)
    select company_id, id, case debit when 'provider:sandbox' then 1 else 2 end,
      'st_' || (1 + hashtext(payment_id) & 63), 'sandbox', 'CNY', payment_id, kind, at,
      case debit when 'provider:sandbox' then minor else -minor end
      from movement where 'provider:sandbox' in (debit, credit)""",
    """
    insert into unchained (company_id, kind, keys, numbers)
    select company_id, 'event', array_agg(payment_id order by seq), array_agg(seq order by seq)
      from payment_event group by company_id, substr(payment_id, 4, 25) order by min(at)""",
    """
    insert into unchained (company_id, kind, keys, numbers)
    select company_id, 'posting', array_agg(id), array_agg(0::bigint)
      from posting group by company_id, substr(payment_id, 4, 25) order by min(at)""",
)

_FOREIGN_KEYS = """
select conrelid::regclass::text as home, conname as name, pg_get_constraintdef(oid) as words
  from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace
"""


async def fill(url: str, payments: int) -> None:
    """Sound books of that many payments, not chained yet."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url)
    try:
        for table in _TRIGGERED:
            await connection.execute(f"alter table {table} disable trigger user")
        # Checked at the end, all at once: row by row it takes longer than the rows themselves.
        keys = await connection.fetch(_FOREIGN_KEYS)
        for key in keys:
            await connection.execute(f"alter table {key['home']} drop constraint {key['name']}")
        for statement in _FILL:
            await connection.execute(statement.format(payments=payments), timeout=3600)
        for key in keys:
            await connection.execute(
                f"alter table {key['home']} add constraint {key['name']} {key['words']}",
                timeout=3600,
            )
        for table in _TRIGGERED:
            await connection.execute(f"alter table {table} enable trigger user")
        await connection.execute("vacuum analyze", timeout=3600)
    finally:
        await connection.close()


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
            rows = await connection.fetch(statement, timeout=3600)
            await connection.copy_records_to_table(
                "sealed", records=[(*row[:3], seals.of(table, row[3])) for row in rows]
            )
            await connection.execute(f"alter table {table} disable trigger user")
            await connection.execute(
                f"analyze sealed; update {table} t set seal = s.seal from sealed s"
                f" where t.company_id = s.company_id and {_SEALED[table]}",
                timeout=3600,
            )
            await connection.execute(f"alter table {table} enable trigger user; drop table sealed")
        await connection.execute("vacuum full analyze payment_event", timeout=3600)
        await connection.execute("vacuum full analyze posting", timeout=3600)
    finally:
        await connection.close()


async def _chain(core: Core) -> tuple[int, float]:  # links, and seconds that are not money
    began, links = time.perf_counter(), 0
    while done := await chain_history(core):
        links += done
    return links, time.perf_counter() - began


async def _measure(settings: Settings, server: EmbeddedPostgres, payments: int) -> Proof:
    await migrate(server.owner_url)
    began = time.perf_counter()
    await fill(server.owner_url, payments)
    _say(f"filled with {payments:,} payments in {time.perf_counter() - began:.0f} s")
    async with assembly.open_core(settings, server.app_url) as core:
        await seal(server.owner_url, seals_of(core.secrets))
        links, seconds = await _chain(core)
        _say(f"{links:,} links made in {seconds:.0f} s, {links / seconds:,.0f}/s")
        began = time.perf_counter()
        rows = await seal_old_rows(core)
        _say(f"{rows:,} seals of rows made in {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()

        def told(progress: Progress) -> None:
            share = progress.done * 100 // max(progress.total, 1)
            _say(f"  {time.perf_counter() - began:6.1f} s {share:3}%  {progress.check}")

        proof = await verify_books(core, progress=told)
    seconds = time.perf_counter() - began
    _say(f"  {seconds:6.1f} s 100%")
    rows = ", ".join(f"{count:,} {name}" for name, count in proof.counts.items())
    print(
        f"verified in {seconds:.1f} s, {len(proof.violations)} violations: {rows};"
        f" {payments / seconds:,.0f} payments/s"
    )
    return proof


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.verify", description=__doc__)
    parser.add_argument("--payments", type=int, default=100_000)
    asked = parser.parse_args()
    described = machine.describe()
    _say(f"on {described.cpu}, {described.cores} cores, load {described.load_before}")
    with tempfile.TemporaryDirectory(prefix="kassa-bench-") as name:
        place = Path(name)
        place.chmod(0o711)
        settings = demo.prepare(Settings(data_dir=str(place / "home"), demo=True))
        with EmbeddedPostgres(place / "data", log=_say, durable=False) as server:
            proof = asyncio.run(_measure(settings, server, asked.payments))
    for found in proof.violations[:10]:
        print(f"  {found.check}: {found.company_id} {found.object_id}: {found.found}")
    return 1 if proof.violations else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
