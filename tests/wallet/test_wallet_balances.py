"""A balance under everything at once: paid, reserved, claimed, let go, refunded, topped up."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from tests.modifying import CAPTURE, REFUND, VOID, modify
from tests.shop import Shop, outcome_of

from kassa import assembly
from kassa.base.domain.errors import AmountTooLarge, NotFound
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.settings import Settings
from kassa.wallet.usecases.wallet_users import (
    WalletBalance,
    holdings_of,
    set_wallet_user_status,
    top_up,
)

pytestmark = pytest.mark.anyio
S = PaymentStatus
MANUAL = CaptureMethod.MANUAL


async def a_payment(shop: Shop, minor: int, **changes: Any) -> Payment:
    return await shop.payment(amount=Money(minor, "CNY"), **changes)


async def reserved(shop: Shop, user: str, minor: int) -> Payment:
    return await shop.wallet(await a_payment(shop, minor, capture_method=MANUAL), user)


async def ledger_balance(shop: Shop, account: str) -> int:
    """What the postings say, apart from the running balance."""
    rows = await shop.sql(
        "select coalesce(-sum(amount_minor), 0)::bigint as total from entry where account = $1",
        account,
    )
    total: int = rows[0]["total"]
    return total


async def test_a_hundred_reservations_at_once_reserve_exactly_what_is_there(shop: Shop) -> None:
    # Guard: `_refusal` (without its last question this fails); behind it stand the balance's row
    # lock and wallet_balance's check constraint.
    user = await shop.user(1_000)
    payments = [await a_payment(shop, 30, capture_method=MANUAL) for _ in range(100)]

    answers = await asyncio.gather(*(shop.wallet(one, user) for one in payments))

    assert Counter(map(outcome_of, answers)) == {"authorized": 33, "failed": 67}
    assert await shop.balance(user) == 10
    held = await holdings_of(shop.core, shop.company.id, user)
    assert held == [WalletBalance("CNY", balance_minor=10, held_minor=990, spent_today_minor=990)]


async def test_a_hundred_of_both_kinds_in_two_processes_spend_exactly_what_is_there(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    user = await shop.user(1_000)
    kinds = [MANUAL, CaptureMethod.AUTOMATIC]
    payments = [await a_payment(shop, 30, capture_method=kinds[n % 2]) for n in range(100)]

    async with assembly.open_core(settings, database_url) as other:
        cores = [shop.core, other]
        answers = await asyncio.gather(
            *(shop.wallet(one, user, core=cores[n // 2 % 2]) for n, one in enumerate(payments))
        )

    outcomes = Counter(map(outcome_of, answers))
    assert outcomes["authorized"] + outcomes["captured"] == 33
    assert outcomes["failed"] == 67
    assert await shop.balance(user) == 10 == await ledger_balance(shop, f"wallet:{user}")


async def test_what_is_held_cannot_be_spent_and_what_is_let_go_can(shop: Shop) -> None:
    user = await shop.user(1_000)
    payment = await reserved(shop, user, 700)

    refused = await shop.wallet(await a_payment(shop, 301), user)
    await modify(shop, payment, VOID)
    paid = await shop.wallet(await a_payment(shop, 1_000), user)

    assert refused.failure_code == "user_balance_not_enough"
    assert paid.status is S.CAPTURED
    assert await shop.balance(user) == 0


async def test_a_capture_takes_nothing_more_from_the_user(shop: Shop) -> None:
    user = await shop.user(1_000)
    payment = await reserved(shop, user, 700)

    await modify(shop, payment, CAPTURE, 200)  # the last: the rest is let go

    assert await shop.balance(user) == 800
    assert await ledger_balance(shop, "merchant:biz_shop") == 200
    assert await ledger_balance(shop, "held:biz_shop") == 0
    [holding] = await holdings_of(shop.core, shop.company.id, user)
    assert (holding.held_minor, holding.spent_today_minor) == (0, 700)


async def test_a_refund_credits_the_user_also_when_frozen(shop: Shop) -> None:
    user = await shop.user(1_000)
    payment = await shop.wallet(await a_payment(shop, 700), user)
    await set_wallet_user_status(shop.core, shop.company.id, user, "frozen")

    await modify(shop, payment, REFUND, 500)
    refused = await shop.wallet(await a_payment(shop, 1), user)

    assert await shop.balance(user) == 800
    assert refused.failure_code == "user_status_abnormal"
    assert await shop.faults() == []


async def test_everything_at_once_from_two_processes_adds_up_and_never_goes_below_nothing(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    chance = random.Random(20261122)
    user = await shop.user(2_000)
    paid = [await shop.wallet(await a_payment(shop, 50), user) for _ in range(10)]
    holds = [await reserved(shop, user, 50) for _ in range(10)]
    fresh = [
        await a_payment(shop, 90, capture_method=chance.choice([MANUAL, CaptureMethod.AUTOMATIC]))
        for _ in range(40)
    ]
    low: list[int] = []

    async with assembly.open_core(settings, database_url) as other:
        cores = [shop.core, other]

        def core() -> Core:
            return chance.choice(cores)

        work: list[Any] = [shop.wallet(one, user, core=core()) for one in fresh]
        work += [modify(shop, one, REFUND, 20, core=core()) for one in paid for _ in range(4)]
        work += [modify(shop, one, CAPTURE, 30, core=core(), is_last=False) for one in holds]
        work += [modify(shop, one, VOID, core=core()) for one in holds]
        work += [cancel_payment(core(), one.company_id, one.id, actor="test") for one in fresh[:10]]
        money = Money(7, "CNY")
        work += [top_up(core(), shop.company.id, user, money) for _ in range(20)]
        chance.shuffle(work)

        async def watch() -> None:
            while not done.is_set():
                low.append(await shop.balance(user))
                await asyncio.sleep(0.01)

        done = asyncio.Event()
        watcher = asyncio.create_task(watch())
        answers = await asyncio.gather(*work, return_exceptions=True)
        done.set()
        await watcher

    odd = [one for one in answers if outcome_of(one).count(": ")]
    assert odd == []  # every refusal is one of ours, in words
    rows = await shop.sql(
        "select coalesce(sum(case when status in ('captured', 'authorized')"
        " then authorized_minor - released_minor - refunded_minor end), 0)::bigint as out"
        " from payment where instrument = $1",
        user,
    )
    expected = 2_000 + 20 * 7 - rows[0]["out"]
    assert await shop.balance(user) == expected == await ledger_balance(shop, f"wallet:{user}")
    assert min(low) >= 0
    broken = await shop.sql(
        "select id from payment where refunded_minor > captured_minor"
        " or captured_minor + released_minor > authorized_minor"
    )
    assert broken == []
    # Refunds of 20 from payments of 50: two of four each, whatever ran beside them.
    refunds = await shop.sql("select status from modification where kind = 'refund'")
    assert Counter(row["status"] for row in refunds) == {"succeeded": 20}


async def test_a_day_has_its_limit_per_user_and_currency_reservations_included(
    shop: Shop,
) -> None:
    # Guards: the daily limit in `_refusal`, and a batch that counts what its own items spent.
    shop.core.policy = type(shop.core.policy)(base_url="http://x", wallet_daily_limit_minor=1_000)
    user, other = await shop.user(5_000), await shop.user(5_000)
    await top_up(shop.core, shop.company.id, user, Money(5_000, "USD"))
    payments = [
        await a_payment(shop, 30, capture_method=MANUAL if n % 2 else CaptureMethod.AUTOMATIC)
        for n in range(60)
    ]

    answers = await asyncio.gather(*(shop.wallet(one, user) for one in payments))
    dollars = await shop.wallet(await shop.payment(amount=Money(1_000, "USD")), user)
    others = await shop.wallet(await a_payment(shop, 1_000), other)

    failures = [one for one in answers if one.status is S.FAILED]
    assert len(answers) - len(failures) == 33
    assert {one.failure_code for one in failures} == {"amount_exceeds_daily_limit"}
    assert (dollars.status, others.status) == (S.CAPTURED, S.CAPTURED)
    assert await shop.balance(user) == 5_000 - 990


async def test_two_processes_keep_one_daily_limit(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    # Guard: the row lock of the balance in `lock_balances`, under which the day's sum is read. No
    # constraint stands behind it: without "for update" this test fails.
    shop.core.policy = type(shop.core.policy)(base_url="http://x", wallet_daily_limit_minor=1_000)
    user = await shop.user(50_000)
    payments = [await a_payment(shop, 30) for _ in range(80)]

    async with assembly.open_core(settings, database_url) as other:
        other.policy = shop.core.policy
        cores = [shop.core, other]
        answers = await asyncio.gather(
            *(shop.wallet(one, user, core=cores[n % 2]) for n, one in enumerate(payments))
        )

    assert Counter(map(outcome_of, answers)) == {"captured": 33, "failed": 47}
    [day] = await shop.sql("select spent_minor from wallet_day")
    assert day["spent_minor"] == 990


async def test_a_capture_spends_no_second_time_and_a_refund_gives_no_allowance_back(
    shop: Shop,
) -> None:
    shop.core.policy = type(shop.core.policy)(base_url="http://x", wallet_daily_limit_minor=1_000)
    user = await shop.user(5_000)
    payment = await reserved(shop, user, 600)
    await modify(shop, payment, CAPTURE)

    second = await shop.wallet(await a_payment(shop, 400), user)
    await modify(shop, second, REFUND)
    third = await shop.wallet(await a_payment(shop, 1), user)

    assert second.status is S.CAPTURED
    assert third.failure_code == "amount_exceeds_daily_limit"


async def test_yesterdays_spending_does_not_count(shop: Shop) -> None:
    shop.core.policy = type(shop.core.policy)(base_url="http://x", wallet_daily_limit_minor=100)
    user = await shop.user(1_000)
    await shop.wallet(await a_payment(shop, 100), user)
    await shop.sql("update wallet_day set on_day = on_day - 1")

    assert (await shop.wallet(await a_payment(shop, 100), user)).status is S.CAPTURED


async def test_a_soft_refusal_names_the_daily_limit(shop: Shop) -> None:
    shop.core.policy = type(shop.core.policy)(base_url="http://x", wallet_daily_limit_minor=1)

    with pytest.raises(AmountTooLarge) as caught:
        await shop.wallet(await a_payment(shop, 2), await shop.user(10), refuse_softly=True)

    assert caught.value.reason == "amount_exceeds_daily_limit"


async def test_holdings_are_told_by_currency_and_only_of_a_known_user(shop: Shop) -> None:
    user, empty = await shop.user(1_000), await shop.user(0)
    await top_up(shop.core, shop.company.id, user, Money(5, "USD"))
    await reserved(shop, user, 300)
    await shop.wallet(await a_payment(shop, 50), user)

    assert await holdings_of(shop.core, shop.company.id, user) == [
        WalletBalance("CNY", balance_minor=650, held_minor=300, spent_today_minor=350),
        WalletBalance("USD", balance_minor=5, held_minor=0, spent_today_minor=0),
    ]
    assert await holdings_of(shop.core, shop.company.id, empty) == []
    with pytest.raises(NotFound):
        await holdings_of(shop.core, shop.company.id, "nobody")
