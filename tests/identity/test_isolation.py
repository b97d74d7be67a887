"""One company's absurd rows break no gauge, no round and no other company's command."""

import io
from typing import Any

import asyncpg
import pytest
from tests.shop import Scripted, Shop
from tests.telling import Silent

from kassa.base.domain.errors import AmountTooLarge
from kassa.base.domain.money import MAX_MINOR, Money
from kassa.base.store.connection import Connection
from kassa.connectors.base import InDoubt
from kassa.ledger.usecases.export import export_trial_balance
from kassa.ledger.usecases.export_formats import Format, open_writer
from kassa.operations.usecases.readiness import backlogs, readiness
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.usecases import stuck_money
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.reconciliation.usecases.stuck_money import report_stuck_money
from kassa.reconciliation.usecases.watch_reports import watch_reports
from kassa.settlement.usecases.settlements import close_settlements

pytestmark = pytest.mark.anyio


async def absurd(shop: Shop, statements: str) -> None:
    """As the owner, with the guards sent home."""
    connection = await asyncpg.connect(shop.owner_url)
    rows = await connection.fetch(
        "select conrelid::regclass::text as home, conname from pg_constraint"
        " where contype = 'c' and connamespace = 'public'::regnamespace"
    )
    for row in rows:
        await connection.execute(f"alter table {row['home']} drop constraint {row['conname']}")
    for table in ("posting", "entry", "settlement_line"):
        await connection.execute(f"alter table {table} disable trigger user")
    await connection.execute(statements)
    await connection.close()


async def paid_in(shop: Shop, company: Any) -> Payment:
    return await shop.submit(await shop.payment(company=company, business_id=company.business_id))


async def huge_books(shop: Shop, company: Any) -> None:
    """Two payments of the other company as large as 64 bits allow."""
    for _ in range(2):
        await paid_in(shop, company)
    await absurd(
        shop,
        "update entry set amount_minor ="
        f" case when amount_minor > 0 then 1 else -1 end * {MAX_MINOR}"
        f" where company_id = '{company.id}';"
        f" update settlement_line set amount_minor = {MAX_MINOR}"
        f" where company_id = '{company.id}' and kind = 'capture';"
        f" update payment set amount_minor = {MAX_MINOR}, fee_minor = {MAX_MINOR}"
        f" where company_id = '{company.id}'",
    )


async def test_sums_beyond_64_bits_are_counted_to_the_digit(shop: Shop) -> None:
    for _ in range(2):
        await shop.play(await shop.payment(), Silent(InDoubt(reason="silence")))
    await absurd(shop, f"update attempt set amount_minor = {MAX_MINOR}")

    found = await backlogs(shop.core)

    assert f'{{account="scripted",currency="CNY"}} {2 * MAX_MINOR}\n' in found.gauges()
    await shop.core.db.vitals(10)  # a busy machine's first answer takes longer than it is given
    assert (await readiness(shop.core)).ready


async def test_a_gauge_that_fails_fails_alone(shop: Shop) -> None:
    await shop.play(await shop.payment(), Silent(InDoubt(reason="silence")))
    await absurd(shop, "update attempt set created_at = '-infinity', undecided_since = '-infinity'")

    text = (await backlogs(shop.core)).gauges()

    assert 'kassa_gauge_failed{gauge="oldest_undecided_seconds"} 1\n' in text
    assert 'kassa_gauge_failed{gauge="doubt"} 1\n' in text
    assert "kassa_attempts_undecided 1\n" in text
    assert "kassa_announcements_waiting 0\n" in text
    assert (await readiness(shop.core)).ready


async def test_a_settlement_too_large_is_refused_and_the_others_are_closed(shop: Shop) -> None:
    other = await shop.other_company()
    await paid_in(shop, shop.company)
    await huge_books(shop, other)

    closed = await close_settlements(shop.core)

    assert [one.company_id for one in closed] == [shop.company.id]
    with pytest.raises(AmountTooLarge, match="no settlement is of more than"):
        await close_settlements(shop.core, other.id)
    assert await close_settlements(shop.core) == []


@pytest.mark.parametrize("kind", list(Format))
async def test_a_trial_balance_holds_sums_beyond_64_bits(shop: Shop, kind: Format) -> None:
    other = await shop.other_company()
    await huge_books(shop, other)
    file = io.BytesIO()

    async with export_trial_balance(shop.core, other.id) as export:
        writer = open_writer(kind, file, export.columns, title=export.title, mode=export.mode)
        rows = []
        async for page in export.pages:
            writer.write(page.rows)
            rows += page.rows
        writer.close()

    assert Money(2 * MAX_MINOR, "CNY") in {cell for row in rows for cell in row}
    assert file.tell() > 0


async def test_breaks_that_one_company_cannot_have_keep_no_others_from_theirs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await shop.other_company()
    for company in (shop.company, other):
        payment = await shop.payment(company=company, business_id=company.business_id)
        await shop.play(payment, Scripted(InDoubt(reason="silence")))
        await shop.age(payment, "30 days")
    real = stuck_money.insert_breaks

    async def insert(connection: Connection, company_id: str, rows: Any) -> Any:
        if company_id == other.id:
            await connection.execute("select 1 / 0")
        return await real(connection, company_id, rows)

    monkeypatch.setattr(stuck_money, "insert_breaks", insert)

    assert await report_stuck_money(shop.core) == 1
    assert len(await list_breaks(shop.core, shop.company.id)) == 1
    assert await watch_reports(shop.core) == 0
