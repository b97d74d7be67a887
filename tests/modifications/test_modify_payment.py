"""Captures, voids and refunds: bounded by the database, once per request, unknown until known."""

import asyncio
from collections import Counter

import asyncpg
import pytest
from tests.modifying import (
    CAPTURE,
    REFUND,
    VOID,
    Obedient,
    balance_of_account,
    modify,
    reserved,
    soon,
)
from tests.shop import Scripted, Shop, outcome_of

from kassa import assembly
from kassa.base.domain.errors import (
    AmountTooLarge,
    IdempotencyMismatch,
    IllegalTransition,
    InvalidRequest,
    KassaError,
    UnsupportedOperation,
)
from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import Declined, Done, InDoubt, NotSent, Pending, Unknown
from kassa.modifications.usecases.modify_payment import sync_modification
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.payments.domain.payments import CaptureMethod, Method
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
S, M = PaymentStatus, ModificationStatus
MERCHANT, HELD, PROVIDER, RESERVED = (
    "merchant:biz_shop",
    "held:biz_shop",
    "provider:scripted",
    "reserved:scripted",
)


async def test_a_reservation_is_claimed_whole(shop: Shop) -> None:
    payment = await reserved(shop, Obedient())
    assert (payment.status, payment.captured.minor, payment.held.minor) == (S.AUTHORIZED, 0, 10_000)
    assert await balance_of_account(shop, RESERVED) == 10_000
    assert await shop.order_status(payment) == "active"

    done = await modify(shop, payment, CAPTURE)

    assert done.modification.status is M.SUCCEEDED
    assert (done.payment.status, done.payment.captured.minor) == (S.CAPTURED, 10_000)
    assert await shop.order_status(payment) == "paid"
    assert await balance_of_account(shop, RESERVED) == 0
    assert await balance_of_account(shop, HELD) == 0
    assert await balance_of_account(shop, PROVIDER) == 10_000
    assert await balance_of_account(shop, MERCHANT) == -10_000


async def test_parts_are_claimed_until_the_last_one_lets_go_of_the_rest(shop: Shop) -> None:
    payment = await reserved(shop, Obedient())

    one = await modify(shop, payment, CAPTURE, 2_000, is_last=False)
    two = await modify(shop, payment, CAPTURE, 3_000, is_last=True)

    assert (one.payment.captured.minor, one.payment.held.minor) == (2_000, 8_000)
    assert (two.payment.captured.minor, two.payment.held.minor) == (5_000, 0)
    assert two.payment.released_minor == 5_000
    assert await balance_of_account(shop, HELD) == 0
    with pytest.raises(IllegalTransition) as refused:
        await modify(shop, payment, CAPTURE, 1)
    assert refused.value.reason == "already_captured"


async def test_a_void_lets_go_and_ends_the_order(shop: Shop) -> None:
    payment = await reserved(shop, Obedient())

    done = await modify(shop, payment, VOID)

    assert (done.payment.status, done.payment.released_minor) == (S.CANCELED, 10_000)
    assert await shop.order_status(payment) == "canceled"
    assert await balance_of_account(shop, HELD) == 0
    for kind in (CAPTURE, VOID):
        with pytest.raises(IllegalTransition) as refused:
            await modify(shop, payment, kind)
        assert refused.value.reason == "already_voided"


async def test_what_cannot_be_claimed_is_refused_in_words(shop: Shop) -> None:
    payment = await reserved(shop, Obedient())
    with pytest.raises(AmountTooLarge) as too_much:
        await modify(shop, payment, CAPTURE, 10_001)
    assert too_much.value.reason == "capture_amount"
    for minor in (0, -1):
        with pytest.raises(InvalidRequest):
            await modify(shop, payment, CAPTURE, minor)
    await modify(shop, payment, CAPTURE, 4_000, is_last=False)
    with pytest.raises(IllegalTransition) as captured:
        await modify(shop, payment, VOID)
    assert captured.value.reason == "already_captured"
    unpaid = await shop.payment()
    with pytest.raises(IllegalTransition) as nothing:
        await modify(shop, unpaid, CAPTURE)
    assert nothing.value.reason == "not_authorized"


async def test_a_provider_that_cannot_reserve_is_not_asked_to(shop: Shop) -> None:
    payment = await shop.payment(capture_method=CaptureMethod.MANUAL)
    with pytest.raises(UnsupportedOperation):
        await shop.play(payment, Scripted())
    paid = await shop.play(await shop.payment(), Scripted())
    with pytest.raises(UnsupportedOperation) as cannot:
        await modify(shop, paid, REFUND)
    assert cannot.value.reason == "provider_cannot"


async def test_refunds_add_up_to_what_was_captured_and_not_further(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), provider := Obedient())

    one = await modify(shop, payment, REFUND, 6_000, "r1", reason="torn")
    with pytest.raises(AmountTooLarge) as refused:
        await modify(shop, payment, REFUND, 6_000, "r2")
    two = await modify(shop, payment, REFUND, None, "r3")

    assert refused.value.reason == "refund_amount"
    assert one.modification.reason == "torn"
    assert (two.modification.amount.minor, two.payment.refunded.minor) == (4_000, 10_000)
    assert two.payment.status is S.CAPTURED
    assert sum(amount.minor for amount in provider.moved.values()) == 10_000
    assert await balance_of_account(shop, MERCHANT) == 0
    assert await balance_of_account(shop, PROVIDER) == 0


async def test_a_request_id_names_one_refund_for_ever(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), provider := Obedient())
    other = await shop.play(await shop.payment(), provider)

    first = await modify(shop, payment, REFUND, 1_000, "r1")
    again = await modify(shop, payment, REFUND, 1_000, "r1")

    assert (first.replayed, again.replayed) == (False, True)
    assert again.modification == first.modification
    for target, minor in ((payment, 2_000), (other, 1_000)):
        with pytest.raises(IdempotencyMismatch):
            await modify(shop, target, REFUND, minor, "r1")
    assert len(provider.moved) == 1


async def test_one_request_id_for_two_payments_at_once_is_one_refund(shop: Shop) -> None:
    # Guard: unique index modification_request. Without it both would be refunded.
    provider = Obedient()
    payments = [await shop.play(await shop.payment(), provider) for _ in range(6)]

    answers = await asyncio.gather(
        *(modify(shop, payment, REFUND, 1_000, "same") for payment in payments),
        return_exceptions=True,
    )

    won = [one for one in answers if not isinstance(one, BaseException)]
    assert len(won) == 1
    assert len(provider.moved) == 1
    assert {type(one) for one in answers if isinstance(one, BaseException)} == {IdempotencyMismatch}


async def test_fifty_refunds_at_once_on_two_processes_stay_within_bounds(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    # Guard: the order's lock and, behind it, the constraint payment_bounds.
    payment = await shop.play(await shop.payment(), provider := Obedient())
    async with assembly.open_core(settings, database_url) as other:
        other.connectors["scripted"] = provider  # type: ignore[index]
        answers = await asyncio.gather(
            *(
                modify(shop, payment, REFUND, 300 + 37 * n, core=(shop.core, other)[n % 2])
                for n in range(50)
            ),
            return_exceptions=True,
        )
    now = await shop.read(payment)
    done = [one.modification for one in answers if not isinstance(one, BaseException)]
    assert sum(one.amount.minor for one in done) == now.refunded.minor <= 10_000
    assert sum(amount.minor for amount in provider.moved.values()) == now.refunded.minor
    assert {type(one) for one in answers if isinstance(one, BaseException)} == {AmountTooLarge}
    assert now.refund_reserved.minor == 0


async def test_the_database_itself_refuses_to_give_back_too_much(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())
    with pytest.raises(asyncpg.CheckViolationError):
        await shop.sql(
            "update payment set refund_reserved_minor = captured_minor + 1 where id = $1",
            payment.id,
        )


async def test_capture_and_void_at_once_have_one_winner(shop: Shop) -> None:
    # Guard: one open claim per payment (claims.open_claim, index modification_one_claim).
    provider = Obedient()
    for _ in range(20):
        payment = await reserved(shop, provider)
        answers = await asyncio.gather(
            modify(shop, payment, CAPTURE), modify(shop, payment, VOID), return_exceptions=True
        )
        won = [one for one in answers if not isinstance(one, BaseException)]
        assert len(won) == 1
        assert sum(key == won[0].modification.id for key in provider.moved) == 1
        assert all(isinstance(one, KassaError) for one in answers if one not in won)
    assert len(provider.moved) == 20


async def test_an_unknown_refund_keeps_its_reservation_until_the_provider_tells(shop: Shop) -> None:
    provider = Obedient(InDoubt(reason="silence"))
    payment = await shop.play(await shop.payment(), provider)

    asked = await modify(shop, payment, REFUND, 7_000)
    assert asked.modification.status is M.PROCESSING
    assert (asked.payment.refunded.minor, asked.payment.refund_reserved.minor) == (0, 7_000)
    with pytest.raises(AmountTooLarge):
        await modify(shop, payment, REFUND, 3_001)

    provider.says_to_queries = [
        InDoubt(reason="still"),
        Done(reference="rf_1", amount=asked.modification.amount),
    ]
    await soon(shop, payment)
    still = await sync_modification(shop.core, asked.modification, actor="test")
    await soon(shop, payment)
    assert await pursue_modifications(shop.core) == 1

    now = await shop.read(payment)
    assert still.status is M.PROCESSING
    assert (now.refunded.minor, now.refund_reserved.minor) == (7_000, 0)


async def test_a_refused_refund_frees_what_it_had_reserved(shop: Shop) -> None:
    refusal = Declined(code="refund_window_over", message="Too late.", provider_code="late")
    payment = await shop.play(await shop.payment(), Obedient(refusal))

    asked = await modify(shop, payment, REFUND, 7_000, "r1")
    again = await modify(shop, payment, REFUND, 7_000, "r1")

    assert asked.modification.status is M.FAILED
    assert again.modification.failure_code == "refund_window_over"
    assert asked.payment.refundable.minor == 10_000
    assert await balance_of_account(shop, MERCHANT) == -10_000


async def test_what_was_not_sent_is_sent_later_under_the_same_key(shop: Shop) -> None:
    provider = Obedient(NotSent(reason="refused"), Pending(reference="rf_9"))
    payment = await shop.play(await shop.payment(), provider)

    asked = await modify(shop, payment, REFUND, 500)
    assert asked.modification.status is M.REQUESTED
    await soon(shop, payment)
    await pursue_modifications(shop.core)
    provider.says_to_queries = [Unknown(reason="nothing here")]
    await soon(shop, payment)
    await pursue_modifications(shop.core)  # asks; nothing is there
    await soon(shop, payment)
    await pursue_modifications(shop.core)  # sends again

    assert list(provider.moved) == [asked.modification.id]
    assert (await shop.read(payment)).refunded.minor == 500


async def test_another_amount_than_asked_is_noted_and_never_booked(shop: Shop) -> None:
    provider = Obedient(Done(reference="rf", amount=Money(30, "CNY")))
    payment = await shop.play(await shop.payment(), provider)
    asked = await modify(shop, payment, REFUND, 50)
    assert asked.modification.status is M.PROCESSING
    assert asked.payment.refund_reserved.minor == 50
    assert await balance_of_account(shop, MERCHANT) == -10_000


async def test_money_that_may_not_be_there_is_not_given_back(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Scripted(InDoubt(reason="silence")))
    cash = await shop.payment()
    for one in (payment, cash):
        with pytest.raises(IllegalTransition) as refused:
            await modify(shop, one, REFUND, 100)
        assert refused.value.reason == "not_paid"


async def test_cash_goes_back_over_the_counter(shop: Shop) -> None:
    payment = await shop.payment()
    wanted = Recording(
        company_id=payment.company_id, payment_id=payment.id, method=Method.CASH, actor="test"
    )
    await record_payment(shop.core, wanted)
    done = await modify(shop, payment, REFUND, 2_500)
    assert done.modification.status is M.SUCCEEDED
    assert await balance_of_account(shop, "cash") == 7_500


async def test_a_wallet_holds_claims_lets_go_and_refunds(shop: Shop) -> None:
    user = await shop.user(12_000)
    payment = await shop.payment(capture_method=CaptureMethod.MANUAL)

    held = await shop.wallet(payment, user)
    assert (held.status, await shop.balance(user)) == (S.AUTHORIZED, 2_000)
    await modify(shop, payment, CAPTURE, 6_000)
    assert await shop.balance(user) == 6_000  # the rest of the reservation came back
    await modify(shop, payment, REFUND, 1_500)

    assert await shop.balance(user) == 7_500
    assert await balance_of_account(shop, HELD) == 0
    assert await balance_of_account(shop, MERCHANT) == -4_500


async def test_a_crowd_of_everything_on_one_reservation_never_takes_more(shop: Shop) -> None:
    user = await shop.user(10_000)
    payment = await shop.payment(capture_method=CaptureMethod.MANUAL)
    await shop.wallet(payment, user)

    answers = await asyncio.gather(
        *(modify(shop, payment, CAPTURE, 1_500, is_last=False) for _ in range(10)),
        *(modify(shop, payment, REFUND, 700) for _ in range(10)),
        *(modify(shop, payment, VOID) for _ in range(3)),
        return_exceptions=True,
    )

    now = await shop.read(payment)
    words = Counter(outcome_of(one) for one in answers)
    assert set(words) <= {
        "ModifiedPayment",
        "capture_amount",
        "refund_amount",
        "not_paid",
        "already_captured",
        "already_voided",
    }
    assert now.captured.minor + now.released_minor <= 10_000
    assert now.refunded.minor <= now.captured.minor
    gone = now.captured.minor - now.refunded.minor
    assert await shop.balance(user) == 10_000 - gone - now.held.minor


async def test_a_reservation_whose_time_is_over_is_not_claimed(shop: Shop) -> None:
    payment = await reserved(shop, Obedient())
    await shop.sql("update payment set authorization_expires_at = now() where id = $1", payment.id)
    with pytest.raises(IllegalTransition) as refused:
        await modify(shop, payment, CAPTURE)
    assert refused.value.reason == "authorization_expired"
