"""What is done with a privilege is written down with it, by whom, and stays as it was written."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs
from tests.modifying import REFUND, Obedient, modify
from tests.shop import Shop

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.connectors.catalog import kinds
from kassa.identity.domain.audit import INSTALLATION, Act, Acting, AuditQuery, AuditRow
from kassa.identity.usecases.audit import ACTING, export_audit, list_audit, note
from kassa.identity.usecases.companies import (
    close_company,
    put_api_key,
)
from kassa.identity.usecases.credentials import switch_credential
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.proof.usecases.chain import chain_history, follow_heads
from kassa.proof.usecases.verify import verify_books
from kassa.providers.usecases.payees import NewPayee, register_payee
from kassa.providers.usecases.provider_accounts import NewAccount, put_account

pytestmark = pytest.mark.anyio
ANN = Acting("os:ann", address="192.0.2.7", request_id="req_1")


async def rows(shop: Shop, **wanted: Any) -> list[AuditRow]:
    return await list_audit(shop.core, AuditQuery(**wanted))


async def as_ann(shop: Shop) -> None:
    ACTING.set(ANN)


async def test_an_act_says_who_what_when_from_where_and_what_was_before(shop: Shop) -> None:
    await as_ann(shop)
    before = datetime.now(UTC)
    await put_api_key(shop.core, shop.company, "sk_test_shop_secret")
    await switch_credential(shop.core, "key:sk_test_shop", active=False)

    [off, on] = await rows(shop, object="key:sk_test_shop")

    assert (on.act, off.act) == (Act.CREDENTIAL_PUT, Act.CREDENTIAL_DISABLED)
    assert off.before == {"status": "active"}
    assert (off.company_id, off.actor, off.address) == (shop.company.id, "os:ann", "192.0.2.7")
    assert off.request_id == "req_1"
    assert before - timedelta(seconds=5) < off.at < datetime.now(UTC) + timedelta(seconds=5)


async def test_what_is_not_done_is_not_written_down_and_the_other_way_round(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await close_company(shop.core, "cmp_nobodys")
    with suppress(ZeroDivisionError):
        async with shop.core.db.transaction() as connection:
            await note(shop.core, connection, Act.COMPANY_CLOSED, shop.company.id)
            raise ZeroDivisionError
    assert await rows(shop, what="company.closed") == []

    await as_ann(shop)
    payment = await shop.play(await shop.payment(), Obedient())
    await shop.sql("alter table audit add constraint none_more check (id is null) not valid")
    with pytest.raises(asyncpg.PostgresError):
        await modify(shop, payment, REFUND, 300)
    assert (await shop.read(payment)).refund_reserved.minor == 0
    with pytest.raises(asyncpg.PostgresError):
        await close_company(shop.core, shop.company.id)
    [(status,)] = await shop.sql("select status from company where id = $1", shop.company.id)
    assert status == "active"


async def test_a_refund_by_a_person_is_written_down_once_and_a_programs_is_not(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())
    await modify(shop, payment, REFUND, 100)
    assert await rows(shop, what="payment") == []

    await as_ann(shop)
    done = await modify(shop, payment, REFUND, 300, request_id="again", reason="one short")
    await modify(shop, payment, REFUND, 300, request_id="again", reason="one short")

    [row] = await rows(shop, object=payment.id)
    assert (row.act, row.reason) == (Act.REFUNDED, "one short")
    assert row.after == {"change": done.modification.id, "amount": "3.00 CNY"}


async def test_cash_that_a_person_says_is_there_is_written_down(shop: Shop) -> None:
    await as_ann(shop)
    payment = await shop.payment()
    recording = Recording(
        company_id=shop.company.id, payment_id=payment.id, method=Method.CASH, actor="operator:bob"
    )
    await record_payment(shop.core, recording)
    await record_payment(shop.core, recording)

    [row] = await rows(shop, object=payment.id)
    assert (row.act, row.actor) == (Act.RECORDED, "os:ann")
    assert row.after["by"] == "operator:bob"
    assert row.after["captured"] == str(payment.amount)


async def test_no_secret_and_no_personal_data_is_written_down(shop: Shop) -> None:
    await as_ann(shop)
    await put_api_key(shop.core, shop.company, "sk_test_shop_CANARY")
    stripe = kinds()["stripe"]
    secret = {one.name: "sk_test_CANARY" for one in stripe.fields if one.secret and one.required}
    await put_account(
        shop.core,
        NewAccount(company_id=shop.company.id, name="cards", connector="stripe", settings=secret),
    )
    await register_payee(
        shop.core,
        NewPayee(
            company_id=shop.company.id,
            account_type="iban",
            account_number="DE8937CANARY04405320",
            account_name="CANARY Lee",
        ),
    )
    [(whole,)] = await shop.sql("select string_agg(to_jsonb(a)::text, '') from audit a")

    assert "CANARY" not in whole
    assert {row.act for row in await rows(shop)} >= {Act.ACCOUNT_ADDED, Act.PAYEE_PUT}
    assert "secret_key" in str((await rows(shop, what="provider_account"))[0].after)


async def test_nobody_changes_or_removes_a_row(shop: Shop) -> None:
    await put_api_key(shop.core, shop.company, "sk_test_shop_secret")
    for statement in ("delete from audit", "update audit set actor = 'os:eve'", "truncate audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with shop.core.db.connection() as connection:
                await connection.execute(statement)
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await shop.sql(statement)


@pytest.mark.parametrize(
    "lie, words",
    [
        ("delete from audit where act = 'credential.put'", "is gone"),
        ("update audit set actor = 'os:eve' where act = 'credential.put'", "not as it was made"),
    ],
)
async def test_a_row_that_was_removed_or_altered_is_found(shop: Shop, lie: str, words: str) -> None:
    await put_api_key(shop.core, shop.company, "sk_test_shop_secret")
    await chain_history(shop.core)
    assert await shop.faults() == []
    await shop.sql("alter table audit disable trigger user")
    await shop.sql(lie)

    found = (await verify_books(shop.core)).violations

    assert any("audit" in one.object_id + one.found and words in one.found for one in found)


async def test_acts_of_no_company_have_a_chain_of_their_own(shop: Shop) -> None:
    async with shop.core.db.transaction() as connection:
        await note(shop.core, connection, Act.KEYS_ROTATED, INSTALLATION)
    await chain_history(shop.core)
    with capture_logs() as told:
        await follow_heads(shop.core)
    assert told == []
    assert INSTALLATION in {one.company_id for one in (await verify_books(shop.core)).heads}
    async with shop.core.db.transaction() as connection:
        await note(shop.core, connection, Act.KEYS_ROTATED, INSTALLATION)

    assert await chain_history(shop.core) == 1
    assert await shop.faults() == []


async def test_rows_are_found_by_who_what_object_and_time(shop: Shop) -> None:
    other = await shop.other_company()
    await as_ann(shop)
    for company in (shop.company, other):
        await close_company(shop.core, company.id)
        await close_company(shop.core, company.id, closed=False)
    ours = {"company_id": shop.company.id}
    [opened, closed] = await rows(shop, **ours, who="os:ann")

    assert (opened.act, closed.act) == (Act.COMPANY_OPENED, Act.COMPANY_CLOSED)
    assert await rows(shop, **ours, what="company.opened") == [opened]
    assert await rows(shop, **ours, what="company", who="os") == [opened, closed]
    assert await rows(shop, **ours, since=opened.at) == [opened]
    assert (await rows(shop, **ours, who="os", until=opened.at)) == [closed]
    assert await rows(shop, who="staff") == []
    assert len(await rows(shop, who="os:ann")) == 4
    assert len(await list_audit(shop.core, AuditQuery(who="os:ann"), limit=3)) == 3
    with pytest.raises(InvalidRequest, match="nothing is written down as"):
        AuditQuery(what="compan")
    with pytest.raises(InvalidRequest):
        await rows(shop, who="os:\x00")


async def test_an_export_has_all_in_order_and_is_written_down_itself(shop: Shop) -> None:
    await as_ann(shop)
    await close_company(shop.core, shop.company.id)
    pages = [page async for page in export_audit(shop.core, AuditQuery(who="os:ann"))]

    assert [row.act for page in pages for row in page] == [Act.COMPANY_CLOSED, Act.AUDIT_EXPORTED]
    assert pages[-1][-1].after == {"who": "os:ann"}


async def test_texts_that_no_database_keeps_are_cut(shop: Shop) -> None:
    ACTING.set(Acting("not a name"))
    async with shop.core.db.transaction() as connection:
        await note(
            shop.core,
            connection,
            Act.COMPANY_CLOSED,
            shop.company.id,
            reason="a\x00b\ud800" + "c" * 900,
            after={"who": None, "many": {"at": datetime(2026, 1, 1, tzinfo=UTC)}},
        )
    [row] = await rows(shop, what="company.closed")

    assert row.actor == "kassa:program"
    assert row.reason == ("ab" + "c" * 900)[:500]
    assert row.after == {"many": {"at": "2026-01-01 00:00:00+00:00"}}
