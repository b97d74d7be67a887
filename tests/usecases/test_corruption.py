"""Whoever edits the books behind the program's back is found, and where, whatever they touched."""

from typing import Any

import asyncpg
import pytest
from tests.usecases import lies, lies_of_the_chain
from tests.usecases.modifying import CAPTURE, REFUND, Obedient, modify, reserved
from tests.usecases.shop import Shop

from kassa.connectors.base import DisputeNews
from kassa.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.domain.money import Money
from kassa.domain.payments import Method, Payment
from kassa.store import payments as stored
from kassa.usecases.chain import chain_history
from kassa.usecases.disputes import take_dispute_news
from kassa.usecases.expire_orders import expire_orders
from kassa.usecases.record_payment import Recording, record_payment
from kassa.usecases.settlements import close_settlements, record_payout
from kassa.usecases.verify_books import Proof, known_of, prove

pytestmark = pytest.mark.anyio

LIES = lies.LIES | lies_of_the_chain.LIES


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
    }
    await shop.expire(paid["expired"])
    await expire_orders(shop.core)
    changed = await modify(shop, paid["refunded"], REFUND, 300)
    await modify(shop, paid["claimed"], CAPTURE, 4_000)
    await _dispute(shop, paid["disputed"])
    closed = await close_settlements(shop.core)
    [settlement] = [one for one in closed if one.connector == "sandbox"]
    await record_payout(shop.core, shop.company.id, settlement.id, "payout 1", None)
    links = await chain_history(shop.core)
    late = await shop.payment()
    await chain_history(shop.core)
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
    names["refunded change"] = changed.modification.id
    names["refunded version"] = (await shop.read(paid["refunded"])).version
    names["disputed dispute"] = (await shop.sql("select id from dispute"))[0]["id"]
    return names | {"links": links, "second": links + 1, "last": links + 1, "blocks": 2}


async def _dispute(shop: Shop, payment: Payment) -> None:
    async with shop.core.db.connection() as connection:
        [attempt] = await stored.attempts_of(connection, [(payment.company_id, payment.id)])
    news = DisputeNews(
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


async def send_the_guards_home(connection: Any) -> None:
    """What a thief with the keys of the database would do first."""
    for table in (
        "payment",
        "payment_event",
        "posting",
        "entry",
        "settlement_line",
        "chain_link",
        "chain_block",
    ):
        await connection.execute(f"alter table {table} disable trigger user")
    rows = await connection.fetch(
        "select conrelid::regclass::text as home, conname from pg_constraint"
        " where contype in ('f', 'c') and connamespace = 'public'::regnamespace"
        " order by contype desc, conname"
    )
    for row in rows:
        await connection.execute(f"alter table {row['home']} drop constraint {row['conname']}")


async def look(shop: Shop, connection: Any) -> Proof:
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
