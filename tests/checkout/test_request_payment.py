"""One live request per order: the same again is the same payment, and nothing is sent twice."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.shop import CARDS, Scripted, Shop, outcome_of

from kassa.base.domain.errors import IdempotencyMismatch, ProviderUnavailable, UnsupportedOperation
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.checkout.usecases.request_payment import RequestedPayment, request_payment
from kassa.connectors.base import NotSent
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import Method, Payment

pytestmark = pytest.mark.anyio
SECRET = "6222021234567890123"


async def ask(shop: Shop, **changes: Any) -> Payment:
    members: dict[str, Any] = {
        "company": shop.company,
        "business_id": shop.company.business_id,
        "actor": "test:gateway",
        "order_id": "order-1",
        "user_id": "user-1",
        "amount": Money(10_000, "CNY"),
        "method": Method.CREDIT_CARD,
        "instrument": CARDS["paid"],
        "instrument_shown": "•••• 4242",
        "payer_account": {"number": "•••• 0123"},
        "payee_account": {},
        "fingerprint_of": {"account": SECRET},
    }
    asked = RequestedPayment(**{**members, **changes})
    return (await request_payment(shop.core, asked)).payment


async def test_fifty_identical_requests_at_once_charge_once(shop: Shop) -> None:
    answers = await asyncio.gather(*(ask(shop) for _ in range(50)))

    assert len({one.id for one in answers}) == 1
    assert await shop.taken(answers[0]) == [10_000]
    assert (await ask(shop)).status is PaymentStatus.CAPTURED
    assert await shop.faults() == []


async def test_of_two_contents_at_once_one_is_charged_and_the_other_refused(shop: Shop) -> None:
    tries = [ask(shop, user_id=f"user-{n % 2}") for n in range(20)]

    answers = await asyncio.gather(*tries, return_exceptions=True)

    said = Counter(map(outcome_of, answers))
    assert said["idempotency_mismatch"] == 10
    good = [one for one in answers if isinstance(one, Payment)]
    assert len(good) == 10
    assert await shop.taken(good[0]) == [10_000]
    assert await shop.faults() == []


async def test_other_content_is_refused_while_the_payment_lives_or_is_paid(shop: Shop) -> None:
    paid = await ask(shop)

    for other in (
        {"amount": Money(1, "CNY")},
        {"fingerprint_of": {"account": "another"}},
        {"user_id": "user-2"},
        {"method": Method.CASH},
    ):
        with pytest.raises(IdempotencyMismatch):
            await ask(shop, **other)

    assert await shop.read(paid) == paid


async def test_after_a_failure_the_same_content_is_the_same_answer_and_other_content_a_new_try(
    shop: Shop,
) -> None:
    failed = await ask(shop, instrument=CARDS["declined"])
    again = await ask(shop, instrument=CARDS["declined"])
    other = await ask(shop, fingerprint_of={"account": "another"})

    assert again == failed
    assert (other.id, other.status) == (failed.id, PaymentStatus.CAPTURED)
    assert len(await shop.attempts(failed)) == 2
    assert await shop.faults() == []


async def test_a_late_copy_of_an_earlier_content_is_told_the_state_and_charges_nothing(
    shop: Shop,
) -> None:
    first: dict[str, Any] = {"instrument": CARDS["declined"], "fingerprint_of": {"card": "a"}}
    await ask(shop, **first)
    failed = await ask(shop, instrument=CARDS["insufficient_funds"], fingerprint_of={"card": "b"})

    assert await ask(shop, **first) == failed
    paid = await ask(shop, fingerprint_of={"card": "c"})

    assert paid.status is PaymentStatus.CAPTURED
    assert await ask(shop, **first) == paid
    assert len(await shop.attempts(paid)) == 3
    assert await shop.faults() == []


async def test_a_claim_that_nobody_went_on_with_is_gone_on_with(shop: Shop) -> None:
    failed = await ask(shop, instrument=CARDS["declined"], fingerprint_of={"card": "a"})
    sandbox = shop.core.connectors.pop("sandbox")
    with pytest.raises(UnsupportedOperation):
        await ask(shop, fingerprint_of={"card": "b"})  # claimed, and no further
    shop.core.connectors["sandbox"] = sandbox

    healed = await ask(shop, fingerprint_of={"card": "b"})

    assert (healed.id, healed.status) == (failed.id, PaymentStatus.CAPTURED)


@pytest.mark.parametrize("swept", [True, False])
@pytest.mark.parametrize("method", [Method.CREDIT_CARD, Method.CASH])
async def test_an_expired_order_gives_the_same_answer_every_time(
    shop: Shop, swept: bool, method: Method
) -> None:
    made = await shop.create(order_id="order-1")
    await shop.expire(made.payment)
    if swept:
        assert await expire_orders(shop.core) == 1

    answers = [await ask(shop, method=method) for _ in range(2)]

    assert answers[0].status is PaymentStatus.EXPIRED
    assert answers[0] == answers[1]
    assert await shop.order_status(made.payment) == "expired"
    assert await shop.attempts(made.payment) == []


async def test_what_could_not_be_sent_is_sent_when_it_is_asked_again(shop: Shop) -> None:
    shop.core.connectors["sandbox"] = Scripted(NotSent(reason="no route"))

    with pytest.raises(ProviderUnavailable):
        await ask(shop)

    assert (await ask(shop)).status is PaymentStatus.CAPTURED


async def test_an_order_of_another_face_is_paid_in_its_own_amount_only(shop: Shop) -> None:
    made = await shop.create(order_id="order-1")

    with pytest.raises(IdempotencyMismatch):
        await ask(shop, amount=Money(9_999, "CNY"))
    paid = await ask(shop)

    assert paid.id == made.payment.id
    assert paid.status is PaymentStatus.CAPTURED


async def test_account_numbers_are_kept_nowhere(shop: Shop) -> None:
    await ask(shop)

    for table in ("orders", "payment", "attempt", "payment_event"):
        [row] = await shop.sql(f"select coalesce(string_agg(t::text, ' '), '') from {table} t")
        assert SECRET not in row[0]
