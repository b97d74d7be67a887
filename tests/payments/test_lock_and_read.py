"""Locking and reading is one statement, and what it gives is what stands under the lock."""

import asyncio
from typing import Any

import asyncpg
import pytest
from tests.shop import Shop

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.payments.domain.payments import Payment
from kassa.payments.store import payments
from kassa.payments.store.payments import LockedPayment

pytestmark = pytest.mark.anyio


def key_of(payment: Payment) -> tuple[str, str]:
    return payment.company_id, payment.id


async def locked(shop: Shop, *those: Payment) -> dict[str, LockedPayment]:
    async with shop.core.db.transaction(hot=True) as connection:
        found = await payments.lock_and_read(connection, [key_of(one) for one in those])
    return {payment_id: one for (_, payment_id), one in found.items()}


async def test_what_nobody_holds_is_locked_and_read_with_its_order_and_attempts(
    shop: Shop,
) -> None:
    user = await shop.user(1_000_000)
    paid, open_one = await shop.payment(), await shop.payment()
    await shop.wallet(paid, user)

    found = await locked(shop, paid, open_one)

    assert all(one.is_held and not one.elsewhere and not one.closed for one in found.values())
    assert found[paid.id].payment == await shop.read(paid)
    assert found[paid.id].order.id == paid.order_id
    [attempt] = found[paid.id].attempts.values()
    assert (attempt.payment_id, attempt.number) == (paid.id, 1)
    assert found[open_one.id].attempts == {}
    assert found[paid.id].at >= found[paid.id].payment.updated_at


async def test_what_somebody_holds_is_told_and_what_there_is_not_is_missing(
    shop: Shop, owner_url: str
) -> None:
    kept, free = await shop.payment(), await shop.payment()
    stray = await asyncpg.connect(owner_url)
    await stray.execute("begin")
    await stray.execute("select from orders where id = $1 for update", kept.order_id)
    try:
        async with shop.core.db.transaction(hot=True) as connection:
            wanted = [key_of(kept), key_of(free), (kept.company_id, "py_nobody")]
            found = await payments.lock_and_read(connection, wanted)
    finally:
        await stray.close()

    assert {payment_id: one.is_held for (_, payment_id), one in found.items()} == {
        kept.id: False,
        free.id: True,
    }


_LATE = """
select (l.of_payment).status as status, (l.of_payment).version as version, l.is_held as is_held,
  (l.of_attempt).status as attempt, (l.of_order).status as order_status,
  (select p.status from payment p where p.id = s.payment_id) as by_the_statement
from (select $2::text as payment_id, pg_sleep($3) is null as never) s,
  lateral lock_and_read(array[$1::text], array[s.payment_id || left('', s.never::int)],
    array['captured']) l
"""


async def test_what_was_committed_after_the_statement_began_is_seen_when_the_lock_is_had(
    shop: Shop, owner_url: str
) -> None:
    """The lock was free by then, so nothing tells the statement that its own snapshot is old."""
    user, payment = await shop.user(1_000_000), await shop.payment()
    late: Any = await asyncpg.connect(owner_url)
    asking = asyncio.create_task(late.fetchrow(_LATE, *key_of(payment), 1.0))
    await asyncio.sleep(0.3)

    paid = await shop.wallet(payment, user)
    row = await asking
    await late.close()

    assert row["is_held"]
    assert row["by_the_statement"] == PaymentStatus.CREATED, "the statement itself is of before"
    assert (row["status"], row["version"]) == (paid.status, paid.version)
    assert (row["attempt"], row["order_status"]) == ("succeeded", "paid")
