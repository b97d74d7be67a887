"""Whoever edits the books behind the program's back is found, and where, whatever they touched."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tests.modifying import CAPTURE, REFUND, Obedient, modify, reserved
from tests.proof import lies, lies_of_records, lies_of_rows, lies_of_the_chain
from tests.shop import Shop

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus, StaffStatus
from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.connectors.base import DisputeEvent
from kassa.disputes.usecases.disputes import take_dispute_news
from kassa.fees.domain.fees import FeeKind, FeeRule
from kassa.fees.store import fees
from kassa.identity.domain.principals import Business
from kassa.identity.domain.staff import Grant, Role
from kassa.identity.store import businesses, companies, credentials, staff
from kassa.identity.usecases.companies import put_api_key
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.store import payments as stored
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.proof.store.records import RECORDED
from kassa.proof.usecases.chain import chain_history
from kassa.proof.usecases.old_rows import seal_old_rows
from kassa.proof.usecases.verify import Proof, known_of, prove
from kassa.providers.domain.payees import Payee
from kassa.providers.domain.providers import AccountStatus, ProviderAccount
from kassa.providers.store import payees, provider_accounts
from kassa.providers.store.provider_accounts import WrappedKey
from kassa.reconciliation.store import breaks, reconciliation
from kassa.routing.store import routes
from kassa.settlement.usecases.settlements import close_settlements, fail_payout, record_payout
from kassa.wallet.domain.agreements import Agreement
from kassa.wallet.store import agreements, wallet_codes, wallets
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_out.store import webhook_secrets

pytestmark = pytest.mark.anyio

FILE = reconciliation.ReportFile(
    company_id="cmp_shop", id="rf_1", connector="scripted", name="report.csv"
)
BREAK = reconciliation.BreakRow(
    id="rb_1", problem="amount", connector="scripted", details="too little", file_id="rf_1"
)
LIES = lies.LIES | lies_of_the_chain.LIES | lies_of_rows.LIES | lies_of_records.LIES


async def book(shop: Shop) -> dict[str, Any]:
    """A small book that has some of everything; ids by what they are called in the lies."""
    await shop.other_company()
    user = await shop.user(25_000)
    clerk = {"company_id": shop.company.id, "method": Method.CASH, "actor": "clerk"}
    paid = {
        "card": await shop.submit(await shop.payment()),
        "cash": await record_payment(
            shop.core, Recording(payment_id=(await shop.payment()).id, **clerk)
        ),
        "cash 2": await record_payment(
            shop.core, Recording(payment_id=(await shop.payment()).id, **clerk)
        ),
        "wallet": await shop.wallet(await shop.payment(), user),
        "declined": await shop.submit(await shop.payment(), "declined"),
        "refunded": await shop.play(await shop.payment(), Obedient()),
        "disputed": await shop.play(await shop.payment(), Obedient()),
        "reserved": await reserved(shop, Obedient()),
        "claimed": await reserved(shop, Obedient()),
        "expired": await shop.payment(),
        "open": await shop.payment(),
        "told": await shop.submit(await shop.payment(notify_url="https://shop.example/hear")),
    }
    await shop.expire(paid["expired"])
    await expire_orders(shop.core)
    changed = await modify(shop, paid["refunded"], REFUND, 300)
    await modify(shop, paid["claimed"], CAPTURE, 4_000)
    await _dispute(shop, paid["disputed"])
    closed = await close_settlements(shop.core)
    [settlement] = [one for one in closed if one.connector == "sandbox"]
    await record_payout(shop.core, shop.company.id, settlement.id, "payout 0", None)
    set_up_names = await set_up(shop)
    await set_aside(shop)
    await fail_payout(shop.core, shop.company.id, settlement.id)
    await record_payout(shop.core, shop.company.id, settlement.id, "payout 1", None)
    set_up_names |= await change_what_was_set_up(shop, user)
    await chain_history(shop.core)
    [(links,)] = await shop.sql(
        "select max(seq) from chain_link where company_id = $1", shop.company.id
    )
    late = await shop.payment()
    await chain_history(shop.core)
    await seal_old_rows(shop.core)
    names: dict[str, Any] = {
        "user": user,
        "settlement": settlement.id,
        "late": late.id,
        "late order": late.order_id,
    }
    for name, payment in paid.items():
        names |= {name: payment.id, f"{name} order": payment.order_id}
    for row in await shop.sql("select id, payment_id from posting where kind = 'capture'"):
        [name] = [one for one, payment in paid.items() if payment.id == row["payment_id"]]
        names[f"{name} capture"] = row["id"]
    for row in await shop.sql("select id, payment_id from attempt"):
        [name] = [one for one, payment in paid.items() if payment.id == row["payment_id"]]
        names[f"{name} attempt"] = row["id"]
    [payout] = await shop.sql("select id from payout where ended_at is null")
    names["payout"] = payout["id"]
    names["letter"] = (await shop.sql("select id from announcement"))[0]["id"]
    names |= set_up_names
    names["refunded change"] = changed.modification.id
    names["refunded version"] = (await shop.read(paid["refunded"])).version
    names["disputed dispute"] = (await shop.sql("select id from dispute"))[0]["id"]
    return names | {"links": links, "second": links + 1, "last": links + 1, "blocks": 2}


AGREEMENT = Agreement(
    company_id="cmp_shop",
    id="wa_1",
    business_id="biz_shop",
    client_id="5X1",
    place_hash=b"place",
    belongs_to="KASSA",
    auth_client_id="",
    scopes="AGREEMENT_PAY",
    redirect_url="https://shop.example/agreed",
    notify_url="",
    auth_state="s1",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    expires_at=datetime(2026, 1, 2, tzinfo=UTC),
)


async def set_up(shop: Shop) -> dict[str, str]:
    """What an operator sets up, and a provider tells."""
    company = shop.company
    await put_api_key(shop.core, company, "sk_test_shop_secret")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rule = FeeRule(
        id="fr_1",
        company_id=company.id,
        kind=FeeKind.PAYMENT,
        connector="stripe",
        method="",
        currency="CNY",
        rate_ppm=29_000,
        fixed_minor=0,
        valid_from=at,
        valid_until=None,
    )
    account = ProviderAccount(
        company_id=company.id,
        name="shop_stripe",
        connector="stripe",
        mode=company.mode,
        status=AccountStatus.ACTIVE,
        settings={"merchant": "shop"},
    )
    payee = Payee(
        company_id=company.id,
        id="pe_1",
        account_type="iban",
        account_shown="•••• 1234",
        account_name="A Shop",
    )
    async with shop.core.db.transaction() as connection:
        await fees.add_rule(connection, rule)
        await provider_accounts.add_key(connection, WrappedKey(company.id, 1, 1, b"wrapped"))
        await webhook_secrets.add(connection, company.id, 1, b"sealed", 1)
        await provider_accounts.put_account(connection, account, sealed=b"secret", key_version=1)
        await payees.put(connection, payee, b"hash")
        await businesses.put(connection, company.id, Business("biz_harbour", "The Harbour"))
        await reconciliation.add_file(connection, FILE, "0" * 64, "test")
        await reconciliation.insert_breaks(connection, company.id, [BREAK])
        await routes.add_rules(connection, company.id, [{"use": ["shop_stripe"]}], actor="test")
        await agreements.add(connection, AGREEMENT)
        await staff.add(connection, "sf_1", "ann", "os:bob")
        await staff.put_role(connection, "sf_1", Grant("cmp_shop", "", Role.ADMIN), "os:bob")
        await staff.add_code(connection, "sf_1", b"code", "recovery", None)
        span = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
        await staff.add_session(connection, "ss_1", "sf_1", b"secret", "192.0.2.7", *span)
        news = provider_events.NewProviderEvent(
            key=provider_events.ProviderEventKey(company.id, "scripted", "news 1"),
            headers={"stamp": "1"},
            body=b"as it came",
            news={"kind": "nothing"},
        )
        await provider_events.keep_news(connection, [news], timedelta(minutes=1))
    [row] = await shop.sql("select lookup from credential")
    return {"fee rule": rule.id, "payee": payee.id, "credential": row["lookup"]}


async def set_aside(shop: Shop) -> None:
    """An earlier version of each row, with its seal, for who wants to put it back."""
    await shop.sql("create schema aside")
    for home in RECORDED:
        await shop.sql(f"create table aside.{home} as select * from {home}")


async def change_what_was_set_up(shop: Shop, user: str) -> dict[str, str]:
    """What the rows that changed are called in the records, and how many each has."""
    company_id = shop.company.id
    [code] = await shop.sql("select id from wallet_code order by created_at limit 1")
    [credential] = await shop.sql("select lookup from credential")
    at = datetime(2026, 6, 1, tzinfo=UTC)
    async with shop.core.db.transaction() as connection:
        assert await companies.set_company_status(connection, "cmp_2", "closed")
        assert await credentials.set_status(connection, credential["lookup"], "disabled")
        assert await provider_accounts.set_status(
            connection, company_id, "shop_stripe", AccountStatus.DISABLED
        )
        await provider_accounts.rewrap_key(connection, WrappedKey(company_id, 1, 2, b"anew"))
        [secret] = await webhook_secrets.of_company(connection, company_id)
        await webhook_secrets.rewrap(connection, secret, b"anew", 2)
        await fees.end_rule(connection, company_id, "fr_1", at)
        await businesses.put(connection, company_id, Business("biz_harbour", "The Old Harbour"))
        assert await payees.set_status(connection, company_id, "pe_1", "disabled")
        assert await wallets.set_user_status(connection, company_id, user, "frozen")
        assert await wallet_codes.revoke(connection, company_id, code["id"])
        assert await staff.set_status(connection, "sf_1", StaffStatus.DISABLED)
        await staff.put_role(connection, "sf_1", Grant("cmp_shop", "", Role.NONE), "os:bob")
        assert await staff.use_code(connection, "sf_1", [b"code"], "recovery")
        assert await staff.end_sessions(connection, "sf_1") == ["ss_1"]
        asked = await agreements.lock(connection, company_id, AGREEMENT.id)
        assert asked is not None
        asked.agreement.agree(user, AGREEMENT.created_at, code_expires_at=at)
        await agreements.save(connection, asked.agreement)
        await reconciliation.save_file(connection, replace(FILE, state="done"))
        await breaks.assign(connection, company_id, "rb_1", "alice")
    rows = await shop.sql(
        "select distinct on (home) home, key, version from row_record"
        " order by home, version desc, key"
    )
    assert {row["home"] for row in rows} == set(RECORDED)
    assert {row["home"] for row in rows if row["version"] < 2} == {"audit", "route_rules"}
    names = {f"{row['home']} row": row["key"] for row in rows}
    [act] = await shop.sql("select id from audit where company_id = $1 limit 1", company_id)
    names["audit id"] = act["id"]
    return names | {f"{row['home']} newest": row["version"] for row in rows}


async def _dispute(shop: Shop, payment: Payment) -> None:
    async with shop.core.db.connection() as connection:
        [attempt] = await stored.attempts_of(connection, [(payment.company_id, payment.id)])
    news = DisputeEvent(
        dedupe_key="dispute 1",
        key=attempt.id,
        reference="case 1",
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount=Money(5_000, "CNY"),
        fee=Money(1_500, "CNY"),
        reason="fraudulent",
        respond_by=None,
    )
    await take_dispute_news(shop.core, attempt, news, actor="provider:scripted")


async def send_the_guards_home(connection: Connection) -> None:
    """What a thief with the keys of the database would do first."""
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    for (table,) in tables:
        await connection.execute(f"alter table {table} disable trigger user")
    rows = await connection.fetch(
        "select conrelid::regclass::text as home, conname from pg_constraint"
        " where contype in ('f', 'c') and connamespace = 'public'::regnamespace"
        " order by contype desc, conname"
    )
    for row in rows:
        await connection.execute(f"alter table {row['home']} drop constraint {row['conname']}")


async def look(shop: Shop, connection: Connection) -> Proof:
    return await prove([connection], known_of(shop.core))


async def test_every_planted_lie_is_found_and_located(shop: Shop) -> None:
    names = await book(shop)
    connection = await asyncpg.connect(shop.owner_url)
    outer = connection.transaction()
    await outer.start()
    await send_the_guards_home(connection)
    sound = await look(shop, connection)
    assert sound.violations == ()
    # No check without a lie that only it has to find: take one out, and this test fails.
    assert {check for check, _, _ in LIES.values()} == {name for name, _ in sound.checks}
    missed = {}

    for lie, (check, where, statements) in LIES.items():
        planted = connection.transaction()
        await planted.start()
        for statement in statements.format(**names).strip("; ").split(";"):
            done = await connection.execute(statement)
            assert done.split()[-1] != "0", (lie, statement)
        violations = (await look(shop, connection)).violations
        await planted.rollback()
        found = {(one.check, one.object_id) for one in violations}
        if (check, where.format(**names)) not in found:
            missed[lie] = sorted(found)

    assert missed == {}
    assert (await look(shop, connection)).violations == ()
    await outer.rollback()
    await connection.close()


async def test_values_beyond_all_bounds_break_no_proof(shop: Shop) -> None:
    """What a check cannot count with is a finding of it; the others are made all the same."""
    payment = await shop.submit(await shop.payment())
    await chain_history(shop.core)
    await seal_old_rows(shop.core)
    connection = await asyncpg.connect(shop.owner_url)
    outer = connection.transaction()
    await outer.start()
    await send_the_guards_home(connection)
    for absurd in (
        "update payment set refunded_minor = 9223372036854775807, disputed_minor = 99999999999",
        "update payment_event set evidence = '[1, {\"attempt\": null}]' where seq = 2",
        "update payment_event set evidence = '\"text\"' where seq = 3",
        "update entry set amount_minor = 9223372036854775807",
        "update orders set tags = '7', extra = 'null'",
        "update payment set updated_at = 'infinity', created_at = '-infinity'",
        "alter table payment alter column connector drop not null; update payment set"
        " connector = null, currency = ''",
        "update chain_block set last_link = 9223372036854775807",
    ):
        planted = connection.transaction()
        await planted.start()
        await connection.execute(absurd)
        proof = await look(shop, connection)
        await planted.rollback()
        assert proof.violations, absurd
        assert len(proof.checks) > 10
    assert (await look(shop, connection)).violations == ()
    assert payment.is_paid
    await outer.rollback()
    await connection.close()
