"""A pay code pays once and soon runs out, agreements last, and guessing gets slower and slower."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tests.shop import Shop, outcome_of

from kassa import assembly
from kassa.base.domain.errors import (
    IllegalTransition,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
)
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.payments.domain.payments import Payment
from kassa.settings import Settings
from kassa.wallet.usecases import wallet_codes
from kassa.wallet.usecases.code_hashes import hash_code
from kassa.wallet.usecases.pay_from_wallet import evaluate_wallet_pay
from kassa.wallet.usecases.wallet_codes import Made, NewCode, Presented
from kassa.wallet.usecases.wallet_users import set_wallet_user_status

pytestmark = pytest.mark.anyio
CAPTURED, FAILED = PaymentStatus.CAPTURED, PaymentStatus.FAILED
NOBODY = "2800000000000000"


def wanted(shop: Shop, user: str, **changes: Any) -> NewCode:
    return NewCode(company_id=shop.company.id, user_id=user, **changes)


async def a_pay_code(shop: Shop, user: str, **changes: Any) -> Made:
    return await wallet_codes.make_pay_code(shop.core, wanted(shop, user, **changes))


async def an_agreement(shop: Shop, user: str, **changes: Any) -> Made:
    return await wallet_codes.make_agreement(shop.core, wanted(shop, user, **changes))


async def paid_by(shop: Shop, code: str, **changes: Any) -> str:
    """What became of a fresh payment: its status, or why it failed, or the error."""
    try:
        payment = await shop.wallet(await shop.payment(), code, **changes)
    except (RateLimited, PermissionDenied) as error:
        return error.reason
    return payment.failure_code or payment.status.value


async def test_a_pay_code_pays_once_and_the_same_payment_again_is_the_same(shop: Shop) -> None:
    user = await shop.user(100_000)
    made, payment = await a_pay_code(shop, user), await shop.payment()

    first = await shop.wallet(payment, made.text)
    again = await shop.wallet(payment, made.text)
    other = await paid_by(shop, made.text)

    assert first.status is CAPTURED
    assert again == first
    assert other == "user_not_exist"
    assert await shop.balance(user) == 90_000
    [row] = await shop.sql("select used_for from wallet_code where id = $1", made.code.id)
    assert row["used_for"] == payment.id
    assert await shop.faults() == []


async def test_a_pay_code_runs_out_after_a_minute_and_what_lasts_does_not(shop: Shop) -> None:
    user = await shop.user(100_000)
    before = datetime.now(UTC)
    made, lasting = await a_pay_code(shop, user), await an_agreement(shop, user)

    expires_at = made.code.expires_at
    assert expires_at is not None
    assert timedelta(seconds=59) < expires_at - before < timedelta(seconds=70)
    assert lasting.code.expires_at is None


async def test_fifty_payments_at_once_by_one_code_in_two_processes_are_one(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    shop.core.policy = replace(shop.core.policy, wallet_wrong_codes=1000)
    user = await shop.user(10_000_000)
    made = await a_pay_code(shop, user)
    payments = [await shop.payment() for _ in range(50)]

    async with assembly.open_core(settings, database_url) as other:
        other.policy = shop.core.policy
        cores = [shop.core, other]
        answers = await asyncio.gather(
            *(shop.wallet(one, made.text, core=cores[n % 2]) for n, one in enumerate(payments))
        )

    assert Counter(map(outcome_of, answers)) == {"captured": 1, "failed": 49}
    assert {one.failure_code for one in answers if one.status is FAILED} == {"user_not_exist"}
    assert await shop.balance(user) == 10_000_000 - 10_000
    assert await shop.faults() == []


async def test_of_two_payments_in_one_batch_the_first_spends_the_code(shop: Shop) -> None:
    user = await shop.user(100_000)
    made = await a_pay_code(shop, user)
    payments = [await shop.payment() for _ in range(2)]

    answers = await asyncio.gather(*(shop.wallet(one, made.text) for one in payments))

    assert sorted(one.status.value for one in answers) == ["captured", "failed"]


async def test_a_code_is_spent_when_it_was_presented_also_where_it_could_not_pay(
    shop: Shop,
) -> None:
    poor = await shop.user(1)
    hard, soft = await a_pay_code(shop, poor), await a_pay_code(shop, poor)

    assert await paid_by(shop, hard.text) == "user_balance_not_enough"
    assert await paid_by(shop, soft.text, refuse_softly=True) == "user_balance_not_enough"

    for made in (hard, soft):
        assert await paid_by(shop, made.text, refuse_softly=True) == "user_not_exist"


async def test_a_payment_that_cannot_be_paid_any_more_spends_no_code(shop: Shop) -> None:
    user = await shop.user(100_000)
    made, late = await a_pay_code(shop, user), await shop.payment()
    await shop.expire(late)

    with pytest.raises(IllegalTransition):
        await shop.wallet(late, made.text)

    assert await paid_by(shop, made.text) == "captured"


async def test_every_code_that_does_not_pay_is_refused_in_the_same_way(shop: Shop) -> None:
    user = await shop.user(100_000)
    old, revoked, bound = [
        await a_pay_code(shop, user),
        await a_pay_code(shop, user),
        await a_pay_code(shop, user, client_id="5X1"),
    ]
    secret = await wallet_codes.make_secret(shop.core, wanted(shop, user))
    strangers = await an_agreement(shop, await shop.user(100_000), client_id="5X1")
    await shop.sql("alter table wallet_code disable trigger wallet_code_kept")
    await shop.sql("update wallet_code set expires_at = now() where id = $1", old.code.id)
    await shop.sql("alter table wallet_code enable trigger wallet_code_kept")
    await wallet_codes.revoke_code(shop.core, shop.company.id, revoked.code.id)

    tried = {
        "nobody's": await paid_by(shop, NOBODY),
        "run out": await paid_by(shop, old.text),
        "revoked": await paid_by(shop, revoked.text),
        "another client's": await paid_by(shop, bound.text, client_id="5X2"),
        "an agreement of another client": await paid_by(shop, strangers.text),
        "a secret": await paid_by(shop, secret.text),
        "another user's": await paid_by(shop, bound.text, client_id="5X1", user_id="wu_other"),
    }

    assert set(tried.values()) == {"user_not_exist"}, tried
    assert await paid_by(shop, bound.text, client_id="5X1") == "captured"


async def test_an_agreement_pays_until_it_is_revoked_and_never_over_its_limit(shop: Shop) -> None:
    user = await shop.user(100_000)
    made = await an_agreement(shop, user, limit=Money(10_000, "CNY"))
    dollars = await an_agreement(shop, user, limit=Money(10_000, "USD"))

    assert [await paid_by(shop, made.text) for _ in range(3)] == ["captured"] * 3
    large = await shop.wallet(await shop.payment(amount=Money(10_001, "CNY")), made.text)
    assert large.failure_code == "amount_exceeds_limit"
    assert await paid_by(shop, dollars.text) == "amount_exceeds_limit"
    for _ in range(2):
        await wallet_codes.revoke_code(shop.core, shop.company.id, made.code.id)
    assert await paid_by(shop, made.text) == "user_not_exist"


async def test_a_code_from_before_there_were_kinds_goes_on_as_an_agreement(shop: Shop) -> None:
    user = await shop.user(100_000)
    await shop.sql(
        "insert into wallet_code (company_id, code_hash, user_id) values ($1, $2, $3)",
        shop.company.id,
        hash_code(shop.core, "2812345678"),
        user,
    )

    assert [await paid_by(shop, "2812345678") for _ in range(2)] == ["captured"] * 2
    found = await wallet_codes.list_codes(shop.core, shop.company.id, user)
    assert {one.kind for one in found} == {wallet_codes.CodeKind.AGREEMENT}


async def test_codes_are_random_long_enough_and_kept_as_keyed_hashes_only(shop: Shop) -> None:
    user = await shop.user(0)
    made = [await a_pay_code(shop, user), await an_agreement(shop, user)]
    made.append(await wallet_codes.make_secret(shop.core, wanted(shop, user)))

    rows = await shop.sql("select string_agg(c::text, ' ') as kept from wallet_code c")

    pay, token, secret = [one.text for one in made]
    assert len(pay) == 18
    assert pay.isdigit()
    assert min(len(token), len(secret)) >= 43  # 256 bits, six of them in a character
    for text in (pay, token, secret):
        assert text not in rows[0]["kept"]
        assert text.encode().hex() not in rows[0]["kept"]
        assert text not in repr(made)


async def test_whose_a_code_is_cannot_be_changed_and_it_is_spent_once(shop: Shop) -> None:
    user, thief = await shop.user(100_000), await shop.user(0)
    made = await a_pay_code(shop, user)
    await paid_by(shop, made.text)

    for edit in (
        f"user_id = '{thief}'",
        "code_hash = 'x'",
        "kind = 'agreement'",
        "expires_at = now()",
        "client_id = 'x'",
        "used_at = null, used_for = ''",
        "used_for = 'py_other'",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await shop.sql(f"update wallet_code set {edit} where id = $1", made.code.id)


async def test_pay_codes_are_made_for_users_who_can_pay(shop: Shop) -> None:
    frozen = await shop.user(1, status="frozen")

    with pytest.raises(InvalidRequest, match="frozen"):
        await a_pay_code(shop, frozen)
    for verb in (wallet_codes.make_pay_code, wallet_codes.make_agreement):
        with pytest.raises(NotFound):
            await verb(shop.core, wanted(shop, "wu_nobody"))  # type: ignore[operator]


async def test_the_users_own_secret_makes_pay_codes_and_nothing_else_does(shop: Shop) -> None:
    user = await shop.user(100_000)
    secret = await wallet_codes.make_secret(shop.core, wanted(shop, user))
    token = await an_agreement(shop, user)

    made = await wallet_codes.pay_code_for(shop.core, secret.text, address="192.0.2.1")

    assert made.code.user_id == user
    assert await paid_by(shop, made.text) == "captured"
    wrong = ["", "wus", "wus1_", "wus9_x", secret.text[:-1], secret.text + "x", token.text]
    for text in (*wrong, made.text, "wus1_\x00", "wus99999999999_x"):
        with pytest.raises(Unauthenticated):
            await wallet_codes.pay_code_for(shop.core, text, address="")
    await wallet_codes.revoke_code(shop.core, shop.company.id, secret.code.id)
    with pytest.raises(Unauthenticated):
        await wallet_codes.pay_code_for(shop.core, secret.text, address="")


async def guess(shop: Shop, count: int, **changes: Any) -> Counter[str]:
    return Counter([await paid_by(shop, NOBODY, **changes) for _ in range(count)])


async def test_a_client_that_guesses_has_to_wait_with_right_codes_too(shop: Shop) -> None:
    user = await shop.user(1_000_000)
    right, agreement = await a_pay_code(shop, user), await an_agreement(shop, user)

    answers = await guess(shop, 30, by="client:5X1")

    assert answers == {"user_not_exist": 21, "too_many_codes": 9}
    assert await paid_by(shop, right.text, by="client:5X1") == "too_many_codes"
    assert await paid_by(shop, agreement.text, by="client:5X1") == "captured"
    assert await paid_by(shop, right.text, by="client:5X2") == "captured"


async def test_an_address_and_an_order_have_to_wait_likewise(shop: Shop) -> None:
    by_address = await guess(shop, 30, address="192.0.2.7")
    by_order = await guess(shop, 30, by="order:o-1", refuse_softly=True)

    assert by_address == by_order == {"user_not_exist": 21, "too_many_codes": 9}
    assert await paid_by(shop, NOBODY, address="192.0.2.8") == "user_not_exist"


async def test_who_guesses_for_a_named_user_has_to_wait_sooner_from_wherever(shop: Shop) -> None:
    user = await shop.user(100_000)
    right = await a_pay_code(shop, user)

    tried = [
        await paid_by(
            shop, NOBODY, user_id=user, by=f"order:{n}", address=f"192.0.2.{n}", refuse_softly=True
        )
        for n in range(10)
    ]
    nobody = [
        await paid_by(shop, NOBODY, user_id="wu_nobody", by=f"order:{n}", refuse_softly=True)
        for n in range(10)
    ]

    assert tried == nobody == ["user_not_exist"] * 6 + ["too_many_codes"] * 4
    assert await paid_by(shop, right.text, user_id=user) == "too_many_codes"
    assert await paid_by(shop, right.text) == "too_many_codes"


async def test_pauses_double_up_to_an_end_and_are_kept_in_the_database(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    shop.core.policy = replace(shop.core.policy, wallet_wrong_codes=1)
    payment = await shop.payment(retry_allowed=True)

    async def pause() -> float:
        """Until the next try, of a process that was just started; then it is over."""
        async with assembly.open_core(settings, database_url) as fresh:
            try:
                await shop.wallet(payment, NOBODY, core=fresh, user_id="wu_x", refuse_softly=True)
            except RateLimited as error:
                await shop.sql("update wallet_guess set blocked_until = now()")
                return error.retry_after_seconds
            except PermissionDenied:
                return 0.0
        raise AssertionError

    found = []
    for _ in range(26):
        found.append(await pause())

    waits = [round(one) for one in found if one]
    assert found[0] == 0.0
    assert waits[:5] == [2, 4, 8, 16, 32]
    assert waits[-1] == 900
    assert waits == sorted(waits)


async def test_wrong_codes_are_forgotten_with_time(shop: Shop) -> None:
    assert (await guess(shop, 30, by="client:5X1"))["too_many_codes"] == 9
    await shop.sql(
        "update wallet_guess set counted_at = counted_at - interval '5 minutes',"
        " blocked_until = now()"
    )

    assert (await guess(shop, 8, by="client:5X1"))["too_many_codes"] == 3

    await shop.sql("update wallet_guess set counted_at = counted_at - interval '2 days'")
    assert await wallet_codes.forget_misses(shop.core) == 1
    assert await shop.sql("select 1 from wallet_guess") == []


async def test_many_guesses_at_once_are_stopped_too(shop: Shop) -> None:
    payments = [await shop.payment() for _ in range(100)]

    async def one(payment: Payment) -> str:
        try:
            return (await shop.wallet(payment, NOBODY, by="client:5X1")).failure_code
        except RateLimited as error:
            return error.reason

    answers = Counter(await asyncio.gather(*map(one, payments)))

    free = shop.core.policy.wallet_wrong_codes * 4
    assert answers["user_not_exist"] <= free + shop.core.db.size
    assert answers["too_many_codes"] >= 100 - free - shop.core.db.size


async def test_a_code_that_was_one_is_no_guess_so_nobody_can_stop_its_user_with_it(
    shop: Shop,
) -> None:
    user = await shop.user(1_000_000)
    spent = await a_pay_code(shop, user)
    await paid_by(shop, spent.text)

    again = [await paid_by(shop, spent.text, by="client:5X1", address="a") for _ in range(40)]
    fresh = await a_pay_code(shop, user)

    assert set(again) == {"user_not_exist"}
    assert await paid_by(shop, fresh.text, by="client:5X1", address="a") == "captured"
    named = [await paid_by(shop, spent.text, user_id=user, refuse_softly=True) for _ in range(9)]
    assert Counter(named) == {"user_not_exist": 6, "too_many_codes": 3}


async def test_asking_what_a_code_would_pay_costs_as_much_as_paying_with_it(shop: Shop) -> None:
    user = await shop.user(100_000)
    right = await a_pay_code(shop, user)

    async def asked(code: str) -> str:
        shown = Presented(company_id=shop.company.id, code=code, by="client:5X1")
        try:
            return await evaluate_wallet_pay(shop.core, shown, Money(100, "CNY")) or "fine"
        except RateLimited as error:
            return error.reason

    assert await asked(right.text) == "fine"
    answers = Counter([await asked(NOBODY) for _ in range(30)])

    assert answers == {"user_not_exist": 21, "too_many_codes": 9}
    assert await asked(right.text) == "too_many_codes"
    assert await paid_by(shop, NOBODY, by="client:5X1") == "too_many_codes"
    assert await paid_by(shop, right.text) == "captured"


async def test_a_frozen_users_code_says_so_and_is_spent(shop: Shop) -> None:
    user = await shop.user(100_000)
    made = await a_pay_code(shop, user)
    await set_wallet_user_status(shop.core, shop.company.id, user, "frozen")

    assert await paid_by(shop, made.text) == "user_status_abnormal"
    await set_wallet_user_status(shop.core, shop.company.id, user, "active")
    assert await paid_by(shop, made.text) == "user_not_exist"
