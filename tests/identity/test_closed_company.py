"""A closed company takes no new payments; money that comes late is heard, booked and refundable."""

from typing import Any

import pytest
from tests.modifying import REFUND, modify
from tests.shop import Shop
from tests.telling import TAKEN, Telling, news, post, waiting

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus
from kassa.checkout.usecases.cashier_session import PaymentWay, open_session, start_page
from kassa.checkout.usecases.open_payment import redirect
from kassa.checkout.usecases.pay_session import SessionPay, pay_session
from kassa.connectors.sandbox.cards import SCENARIOS
from kassa.identity.usecases.companies import close_company
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.routing.usecases.routing import NUMBER

pytestmark = pytest.mark.anyio


async def test_nobody_begins_to_pay_a_company_that_is_closed(shop: Shop) -> None:
    made = await shop.create()
    payment = made.payment
    user = await shop.user(20_000)
    await close_company(shop.core, shop.company.id)
    session = await open_session(shop.core, made.order.session_token)
    cash = Recording(
        company_id=shop.company.id, payment_id=payment.id, method=Method.CASH, actor="clerk"
    )
    by_card = SessionPay(
        method=Method.CREDIT_CARD,
        takes=NUMBER,
        request_id="r",
        instrument=SCENARIOS[0].number,
    )
    doors: list[Any] = [
        shop.submit(payment),
        shop.wallet(payment, user),
        redirect(shop.core, payment, actor="payer"),
        start_page(shop.core, session, PaymentWay.ALIPAY, back="https://kassa.example/"),
        pay_session(shop.core, session, by_card),
        record_payment(shop.core, cash),
    ]

    for door in doors:
        with pytest.raises(IllegalTransition, match="takes no payments now"):
            await door

    assert session.closed
    assert session.ways == ()
    assert await shop.attempts(payment) == []
    await close_company(shop.core, shop.company.id, closed=False)
    assert (await shop.submit(payment)).status is PaymentStatus.CAPTURED


async def test_money_that_comes_late_is_booked_and_can_be_given_back(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    await close_company(shop.core, shop.company.id)

    await post(shop, provider.tell(news(key, TAKEN)))

    paid = await shop.read(payment)
    assert paid.status is PaymentStatus.CAPTURED
    done = await modify(shop, paid, REFUND, 300)
    assert done.modification.status is ModificationStatus.SUCCEEDED
    assert await shop.faults() == []
