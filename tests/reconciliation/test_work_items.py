"""What a provider says and nobody expected: it goes back, or a person hears of it at once."""

from typing import Any

import pytest
from tests.modifying import REFUND, balance_of_account, modify
from tests.shop import Shop
from tests.telling import TAKEN, Telling

from kassa.base.domain.lifecycle import BreakClass, PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    Done,
    Outcome,
)
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import take_news
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.reconciliation.usecases.stuck_money import report_stuck_money

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
PAGE = ActionNeeded(reference="r", url="https://provider.example/pay")
MORE, LESS = Money(12_000, "CNY"), Money(8_000, "CNY")


async def work(shop: Shop) -> list[tuple[str, str]]:
    """(class, cause) of what waits for a person."""
    found = await list_breaks(shop.core, shop.company.id)
    return [(one.problem, one.cause) for one in found]


async def tell(shop: Shop, payment: Payment, said: Outcome) -> Payment:
    """The provider tells it of the payment's only attempt."""
    [row] = await shop.attempts(payment)
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, payment.company_id, row["id"])
    assert attempt is not None
    return await take_news(shop.core, attempt, said, actor="provider:x", how="notification")


async def ended(shop: Shop, how: str, **changes: Any) -> Payment:
    """A payment whose page was opened and whose end came before the money."""
    provider = Telling(PAGE)
    payment = await shop.play(await shop.payment(**changes), provider)
    if how == "canceled":
        provider.answers_to_queries.append(PAGE)
        await cancel_payment(shop.core, payment.company_id, payment.id, actor="test")
    elif how == "expired":
        provider.answers_to_queries.append(PAGE)
        await shop.expire(payment)
        await expire_orders(shop.core)
    elif how == "declined":
        await tell(shop, payment, Declined(code="card_declined", message="No."))
    else:
        await shop.wallet(payment, await shop.user(10_000))
    return await shop.read(payment)


@pytest.mark.parametrize("amount", [MORE, LESS])
@pytest.mark.parametrize("how", ["canceled", "expired", "declined"])
async def test_another_amount_after_the_end_is_booked_as_the_provider_says_and_goes_back(
    shop: Shop, how: str, amount: Money
) -> None:
    payment = await ended(shop, how, notify_url="https://shop.example/news")

    late = await tell(shop, payment, Captured(reference="r", amount=amount))

    assert (late.status, late.surplus, late.surplus_left) == (PaymentStatus.CAPTURED, True, amount)
    assert await balance_of_account(shop, "surplus") == -amount.minor
    assert await return_overpayments(shop.core) == 1
    assert (await shop.read(payment)).surplus_left.minor == 0
    assert await balance_of_account(shop, "surplus") == 0
    assert await work(shop) == []


@pytest.mark.parametrize("amount", [MORE, LESS])
async def test_another_amount_for_what_is_paid_otherwise_goes_back_too(
    shop: Shop, amount: Money
) -> None:
    payment = await ended(shop, "paid")
    left = (await shop.attempts(payment))[0]["id"]
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, payment.company_id, left)
    assert attempt is not None

    said = Captured(reference="r", amount=amount)
    paid = await take_news(shop.core, attempt, said, actor="provider:x", how="notification")

    assert (paid.captured.minor, paid.surplus_left) == (10_000, amount)
    assert await return_overpayments(shop.core) == 1


async def test_another_amount_reserved_after_the_end_is_let_go(shop: Shop) -> None:
    payment = await ended(shop, "canceled", capture_method=CaptureMethod.MANUAL)

    await tell(shop, payment, Authorized(reference="r", amount=MORE))

    [void] = await shop.sql("select * from modification where payment_id = $1", payment.id)
    assert (void["kind"], void["amount_minor"], void["surplus"]) == ("void", MORE.minor, True)


async def test_another_currency_cannot_be_booked_and_is_a_persons_work(shop: Shop) -> None:
    payment = await ended(shop, "canceled")
    [row] = await shop.attempts(payment)

    for _ in range(2):
        await tell(shop, payment, Captured(reference="r", amount=Money(12_000, "EUR")))

    assert await work(shop) == [(BreakClass.AMOUNT, row["id"])]
    assert (await shop.read(payment)).surplus_left.minor == 0


async def test_another_amount_for_a_payment_that_waits_is_a_persons_work_at_once(
    shop: Shop,
) -> None:
    payment = await shop.play(await shop.payment(), Telling(PAGE))
    [row] = await shop.attempts(payment)

    told = await tell(shop, payment, Captured(reference="r", amount=MORE))

    assert not told.is_paid
    assert await work(shop) == [(BreakClass.AMOUNT, row["id"])]
    [item] = await list_breaks(shop.core, shop.company.id)
    assert "120.00 CNY" in item.details


async def test_a_refund_of_another_amount_is_a_persons_work_at_once(shop: Shop) -> None:
    provider = Telling(TAKEN)
    payment = await shop.play(await shop.payment(), provider)
    provider.says.append(Done(reference="x", amount=LESS))

    done = await modify(shop, payment, REFUND)

    assert await work(shop) == [(BreakClass.AMOUNT, done.modification.id)]


async def test_what_an_older_release_marked_is_found(shop: Shop) -> None:
    payment = await ended(shop, "canceled")
    [row] = await shop.attempts(payment)
    await shop.sql("update attempt set failure_code = 'amount_mismatch' where id = $1", row["id"])

    assert await report_stuck_money(shop.core) == 1
    assert await report_stuck_money(shop.core) == 0

    assert await work(shop) == [(BreakClass.AMOUNT, row["id"])]
