"""A balance is spent to the last unit and not one further, however many spend at once."""

import asyncio
from collections import Counter

import asyncpg
import pytest
from tests.shop import Shop, outcome_of

from kassa import assembly
from kassa.base.domain.errors import (
    AmountTooLarge,
    IllegalTransition,
    NotFound,
    PermissionDenied,
)
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.payments.domain.payments import Payment
from kassa.settings import Settings
from kassa.wallet.usecases.wallet_users import balance_of, top_up

pytestmark = pytest.mark.anyio
CAPTURED, FAILED, CREATED = PaymentStatus.CAPTURED, PaymentStatus.FAILED, PaymentStatus.CREATED


async def many(shop: Shop, count: int, minor: int) -> list[Payment]:
    amount = Money(minor, "CNY")
    return list(await asyncio.gather(*(shop.payment(amount=amount) for _ in range(count))))


async def test_a_hundred_payments_at_once_spend_exactly_what_is_there(shop: Shop) -> None:
    user, payments = await shop.user(1_000), await many(shop, 100, 30)

    answers = await asyncio.gather(*(shop.wallet(one, user) for one in payments))

    assert Counter(map(outcome_of, answers)) == {"captured": 33, "failed": 67}
    assert {one.failure_code for one in answers if one.status is FAILED} == {
        "user_balance_not_enough"
    }
    assert await shop.balance(user) == 10
    assert await shop.faults() == []
    # Each batch knew what its own earlier items had spent, so none had to be taken back and cut.
    batches = await shop.sql("select distinct at from payment_event where event = 'submit'")
    assert len(batches) <= 5


async def test_two_processes_spend_exactly_what_is_there(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    user, payments = await shop.user(1_000), await many(shop, 60, 30)

    async with assembly.open_core(settings, database_url) as other:
        cores = [shop.core, other]
        answers = await asyncio.gather(
            *(shop.wallet(one, user, core=cores[n % 2]) for n, one in enumerate(payments))
        )

    assert Counter(map(outcome_of, answers)) == {"captured": 33, "failed": 27}
    assert await shop.balance(user) == 10
    assert await shop.faults() == []


async def test_the_same_payment_a_hundred_times_at_once_is_paid_once(shop: Shop) -> None:
    user, payment = await shop.user(100_000), await shop.payment()

    answers = await asyncio.gather(*(shop.wallet(payment, user) for _ in range(100)))

    assert len({one.version for one in answers}) == 1
    assert await shop.balance(user) == 90_000
    [order] = await shop.sql("select status from orders where id = $1", payment.order_id)
    assert order["status"] == "paid"
    assert await shop.faults() == []


async def test_the_last_unit_can_be_spent(shop: Shop) -> None:
    user = await shop.user(10_000)

    paid = await shop.wallet(await shop.payment(), user)

    assert (paid.status, paid.instrument, paid.captured.minor) == (CAPTURED, user, 10_000)
    assert await shop.balance(user) == 0


async def test_each_refusal_is_the_true_one(shop: Shop) -> None:
    shop.core.policy = type(shop.core.policy)(base_url="http://x", wallet_limit_minor=20_000)
    poor, rich = await shop.user(9_999), await shop.user(10**9)
    frozen, closed = await shop.user(10**6, status="frozen"), await shop.user(0, status="closed")
    dollars = await shop.user(10**6, currency="USD")
    large = Money(20_001, "CNY")

    answers = [
        await shop.wallet(await shop.payment(), poor),
        await shop.wallet(await shop.payment(), frozen),
        await shop.wallet(await shop.payment(), closed),
        await shop.wallet(await shop.payment(), dollars),
        await shop.wallet(await shop.payment(amount=large), rich),
        await shop.wallet(await shop.payment(), "nobody's code"),
        await shop.wallet(await shop.payment(), rich, user_id=poor),
    ]

    assert [one.failure_code for one in answers] == [
        "user_balance_not_enough",
        "user_status_abnormal",
        "user_status_abnormal",
        "user_balance_not_enough",
        "amount_exceeds_limit",
        "user_not_exist",
        "user_not_exist",
    ]
    assert all(one.status is FAILED and one.failure_message for one in answers)
    assert await shop.balance(rich) == 10**9
    assert await shop.faults() == []


async def test_a_refusal_is_final_where_no_other_try_is_allowed(shop: Shop) -> None:
    user = await shop.user(0)
    final = await shop.wallet(await shop.payment(retry_allowed=False), user)
    open_one = await shop.wallet(await shop.payment(), user)
    await top_up(shop.core, shop.company.id, user, Money(50_000, "CNY"))

    assert await shop.wallet(final, user) == final
    assert (await shop.wallet(open_one, user)).status is CAPTURED
    assert await shop.balance(user) == 40_000


async def test_a_soft_refusal_leaves_the_payment_as_payable_as_before(shop: Shop) -> None:
    payment, poor = await shop.payment(), await shop.user(1)

    with pytest.raises(PermissionDenied) as poor_words:
        await shop.wallet(payment, poor, refuse_softly=True)
    with pytest.raises(PermissionDenied) as wrong_code:
        await shop.wallet(payment, "wrong", user_id=poor, refuse_softly=True)

    assert poor_words.value.reason == "user_balance_not_enough"
    assert wrong_code.value.reason == "user_not_exist"
    assert await shop.read(payment) == payment
    assert await shop.attempts(payment) == []


async def test_a_soft_refusal_names_the_limit(shop: Shop) -> None:
    shop.core.policy = type(shop.core.policy)(base_url="http://x", wallet_limit_minor=1)

    with pytest.raises(AmountTooLarge) as caught:
        await shop.wallet(await shop.payment(), await shop.user(10**6), refuse_softly=True)

    assert caught.value.reason == "amount_exceeds_limit"


async def test_what_has_ended_takes_no_money_from_a_wallet(shop: Shop) -> None:
    payment, user = await shop.payment(), await shop.user(10_000)
    await shop.expire(payment)

    with pytest.raises(IllegalTransition):
        await shop.wallet(payment, user)

    assert await shop.balance(user) == 10_000


async def test_another_companys_user_of_the_same_name_pays_nothing(shop: Shop) -> None:
    user, other = await shop.user(10_000), await shop.other_company()
    payment = await shop.payment(company=other)

    refused = await shop.wallet(payment, user)

    assert refused.failure_code == "user_not_exist"
    with pytest.raises(NotFound):
        await top_up(shop.core, other.id, user, Money(1, "CNY"))
    assert await balance_of(shop.core, other.id, user, "CNY") == 0


async def test_no_balance_goes_below_nothing_even_by_hand(shop: Shop, database_url: str) -> None:
    await shop.user(500)
    connection = await asyncpg.connect(database_url)

    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("update wallet_balance set balance_minor = balance_minor - 501")

    await connection.close()


async def test_topping_up_from_many_sides_adds_up(shop: Shop) -> None:
    user = await shop.user(0)

    await asyncio.gather(
        *(top_up(shop.core, shop.company.id, user, Money(n, "CNY")) for n in range(1, 21))
    )

    assert await shop.balance(user) == 210
    assert await shop.faults() == []
