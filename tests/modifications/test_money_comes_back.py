"""Surplus goes back by itself and once; deadlines are met; a bank that takes money is booked."""

import asyncio
from datetime import timedelta
from typing import Any

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
from tests.shop import Shop

from kassa.base.domain.errors import AmountTooLarge
from kassa.base.domain.lifecycle import (
    DisputeStage,
    DisputeStatus,
    ModificationKind,
    ModificationStatus,
    PaymentStatus,
)
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Authorized,
    Captured,
    Declined,
    DisputeEvent,
    Done,
    InDoubt,
    NotSent,
    Outcome,
    Pending,
)
from kassa.disputes.usecases.disputes import disputes_of, list_disputes, take_dispute_news
from kassa.modifications.usecases.modify_payment import take_modification_news
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.modifications.usecases.release_authorizations import release_authorizations
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import take_news
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.reconciliation.usecases.stuck_money import report_stuck_money

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
S, M = PaymentStatus, ModificationStatus
FIFTEEN = Money(1_500, "CNY")


async def paid_too_late(shop: Shop, provider: Obedient) -> Payment:
    """The order ended while the payer was at the provider; then the money came."""
    provider.answers = [Pending(reference="p")]
    payment = await shop.play(await shop.payment(), provider)
    attempt = (await shop.attempts(payment))[0]
    declined = Declined(code="late", message="Too late.")
    async with shop.core.db.connection() as connection:
        found = await payments.find_attempt(connection, payment.company_id, attempt["id"])
    assert found is not None
    await take_news(shop.core, found, declined, actor="test", how="query")
    await shop.expire(payment)
    await expire_orders(shop.core)
    captured = Captured(reference="late money", amount=payment.amount)
    return await take_news(shop.core, found, captured, actor="test", how="query")


async def test_late_money_goes_back_once_however_many_workers_see_it(shop: Shop) -> None:
    # Guard: the request id is made from the attempt's, unique in the database.
    provider = Obedient()
    payment = await paid_too_late(shop, provider)
    assert (payment.surplus, payment.refundable.minor) == (True, 0)

    await asyncio.gather(*(return_overpayments(shop.core) for _ in range(5)))
    assert await return_overpayments(shop.core) == 0

    now = await shop.read(payment)
    assert (now.surplus_returned_minor, now.surplus_left.minor) == (10_000, 0)
    assert list(provider.moved.values()) == [Money(10_000, "CNY")]
    assert await balance_of_account(shop, "surplus") == 0
    assert await balance_of_account(shop, "provider:scripted") == 0
    assert now.away_minor == 10_000


async def test_surplus_that_is_refused_is_tried_again_later(shop: Shop) -> None:
    refusal = Declined(code="try_later", message="Not now.")
    provider = Obedient(refusal)
    payment = await paid_too_late(shop, provider)

    assert await return_overpayments(shop.core) == 1
    assert await return_overpayments(shop.core) == 0  # not before its pause
    await shop.sql("update modification set completed_at = completed_at - interval '1 hour'")
    assert await return_overpayments(shop.core) == 1

    assert (await shop.read(payment)).surplus_returned_minor == 10_000


async def test_a_merchant_cannot_refund_surplus_as_well(shop: Shop) -> None:
    payment = await paid_too_late(shop, Obedient(InDoubt(reason="silence")))
    await return_overpayments(shop.core)
    with pytest.raises(Exception, match="by itself"):
        await modify(shop, payment, REFUND, 100)


async def test_a_reservation_that_comes_too_late_is_let_go(shop: Shop) -> None:
    provider = Obedient()
    provider.lives = timedelta(days=7)
    payment = await reserved(shop, provider)
    # Another attempt of an ended payment: reserve again after the end.
    await shop.sql("update payment set authorization_expires_at = now() where id = $1", payment.id)
    await release_authorizations(shop.core)
    attempt = (await shop.attempts(payment))[0]
    assert (await shop.read(payment)).status is S.CANCELED

    late = await late_attempt(shop, payment, attempt["id"])
    assert (await shop.read(payment)).status is S.CANCELED
    await soon(shop, payment)
    assert await pursue_modifications(shop.core) == 1
    assert late in {row["attempt_id"] for row in await shop.sql("select * from modification")}
    assert await balance_of_account(shop, "held:biz_shop") == 0


async def late_attempt(shop: Shop, payment: Payment, like: str) -> str:
    """An attempt that was abandoned, and whose reservation is heard of only now."""
    late = f"{like}x"
    await shop.sql(
        "insert into attempt select (json_populate_record(a, json_build_object('id', $2::text,"
        " 'number', 2, 'status', 'declined', 'failure_code', 'late'))).*"
        " from attempt a where a.id = $1",
        like,
        late,
    )
    async with shop.core.db.connection() as connection:
        found = await payments.find_attempt(connection, payment.company_id, late)
    assert found is not None
    heard = Authorized(reference="late", amount=payment.amount)
    await take_news(shop.core, found, heard, actor="test", how="notification")
    return late


async def test_deadlines_are_met_before_they_pass(shop: Shop) -> None:
    provider = Obedient()
    soon_over = await reserved(shop, provider)
    part = await reserved(shop, provider)
    far = await reserved(shop, provider)
    await modify(shop, part, CAPTURE, 3_000, is_last=False)
    for one in (soon_over, part):
        await shop.sql(
            "update payment set authorization_expires_at = now() + interval '59 minutes'"
            " where id = $1",
            one.id,
        )

    assert await release_authorizations(shop.core) == 2
    assert await release_authorizations(shop.core) == 0

    assert (await shop.read(soon_over)).status is S.CANCELED
    rest = await shop.read(part)
    assert (rest.status, rest.released_minor, rest.held.minor) == (S.CAPTURED, 7_000, 0)
    assert (await shop.read(far)).status is S.AUTHORIZED


def dispute_news(payment: Payment, key: str, **changes: Any) -> DisputeEvent:
    members: dict[str, Any] = {
        "dedupe_key": "d",
        "key": key,
        "reference": "dp_1",
        "stage": DisputeStage.CHARGEBACK,
        "status": DisputeStatus.NEEDS_RESPONSE,
        "amount": payment.amount,
        "fee": FIFTEEN,
        "reason": "fraudulent",
        "respond_by": None,
    }
    return DisputeEvent(**{**members, **changes})


async def disputed(shop: Shop, payment: Payment, **changes: Any) -> Payment:
    row = (await shop.attempts(payment))[0]
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, payment.company_id, row["id"])
    assert attempt is not None
    news = dispute_news(payment, attempt.id, **changes)
    return await take_dispute_news(shop.core, attempt, news, actor="provider:scripted")


async def test_a_chargeback_takes_money_and_fee_and_blocks_refunds(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())

    now = await disputed(shop, payment)
    again = await disputed(shop, payment)

    assert now == again
    assert (now.disputed_minor, now.fee.minor, now.refundable.minor) == (10_000, 1_500, 0)
    assert await balance_of_account(shop, "merchant:biz_shop") == 1_500
    assert await balance_of_account(shop, "provider:scripted") == -1_500
    with pytest.raises(AmountTooLarge):
        await modify(shop, payment, REFUND, 1)
    assert [one.status for one in await list_disputes(shop.core, shop.company.id)] == [
        DisputeStatus.NEEDS_RESPONSE
    ]


async def test_a_dispute_that_is_won_brings_the_money_back(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())
    await disputed(shop, payment)
    await disputed(shop, payment, status=DisputeStatus.UNDER_REVIEW)

    won = await disputed(shop, payment, status=DisputeStatus.WON)

    assert (won.disputed_minor, won.refundable.minor) == (0, 10_000)
    assert await balance_of_account(shop, "merchant:biz_shop") == -8_500  # the fee stays gone
    lost = await disputed(shop, payment, status=DisputeStatus.LOST, stage=DisputeStage.ARBITRATION)
    assert lost.disputed_minor == 10_000
    found = (await disputes_of(shop.core, payment.company_id, payment.id))[0]
    assert (found.stage, found.status) == (DisputeStage.ARBITRATION, DisputeStatus.LOST)


async def test_an_inquiry_moves_nothing(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())
    now = await disputed(shop, payment, stage=DisputeStage.INQUIRY, fee=None)
    assert (now.disputed_minor, now.refundable.minor) == (0, 10_000)
    closed = await disputed(
        shop, payment, stage=DisputeStage.INQUIRY, status=DisputeStatus.CLOSED, fee=None
    )
    assert closed.disputed_minor == 0


async def test_old_news_of_a_dispute_changes_nothing(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())
    await disputed(shop, payment)
    lost = await disputed(shop, payment, status=DisputeStatus.LOST)
    late = await disputed(shop, payment, stage=DisputeStage.INQUIRY)
    assert late.disputed_minor == lost.disputed_minor == 10_000


async def test_a_refund_that_was_not_sent_is_called_off_by_a_chargeback(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), provider := Obedient(NotSent(reason="down")))
    asked = await modify(shop, payment, REFUND, 4_000)
    assert asked.modification.status is M.REQUESTED

    now = await disputed(shop, payment)
    await soon(shop, payment)
    await pursue_modifications(shop.core)

    assert (now.refund_reserved.minor, now.double_paid_minor) == (0, 0)
    assert provider.moved == {}


async def test_money_that_left_twice_is_counted_and_not_hidden(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient(None, InDoubt(reason="silence")))
    await modify(shop, payment, REFUND, 4_000)
    asked = await modify(shop, payment, REFUND, 3_000)

    now = await disputed(shop, payment)
    assert (now.refunded.minor, now.refund_reserved.minor) == (4_000, 3_000)
    assert (now.disputed_minor, now.double_paid_minor) == (10_000, 7_000)

    refusal = Declined(code="disputed", message="The bank was faster.")
    case = await take_modification_news(
        shop.core, asked.modification, refusal, actor="test", how="query"
    )
    assert (case.payment.double_paid_minor, case.payment.refundable.minor) == (4_000, 0)
    won = await disputed(shop, payment, status=DisputeStatus.WON)
    assert (won.double_paid_minor, won.refundable.minor) == (0, 6_000)


async def test_a_capture_that_was_done_after_all_is_surplus_and_goes_back(shop: Shop) -> None:
    provider = Obedient(Declined(code="no", message="No."))
    payment = await reserved(shop, provider)
    refused = await modify(shop, payment, CAPTURE, 6_000)
    await modify(shop, payment, VOID)

    done = Done(reference="after all", amount=Money(6_000, "CNY"))
    await take_modification_news(
        shop.core, refused.modification, done, actor="test", how="notification"
    )
    assert await return_overpayments(shop.core) == 1

    now = await shop.read(payment)
    assert (now.status, now.surplus, now.captured.minor) == (S.CAPTURED, True, 6_000)
    assert (now.surplus_returned_minor, now.held.minor) == (6_000, 0)
    assert await shop.order_status(payment) == "canceled"
    assert await balance_of_account(shop, "provider:scripted") == 0


async def test_a_fee_that_comes_back_with_a_won_dispute_is_booked_back(shop: Shop) -> None:
    payment = await shop.play(await shop.payment(), Obedient())
    await disputed(shop, payment)

    won = await disputed(shop, payment, status=DisputeStatus.WON, fee=Money(0, "CNY"))

    assert won.fee.minor == 0
    assert await balance_of_account(shop, "merchant:biz_shop") == -10_000
    assert await balance_of_account(shop, "provider:scripted") == 10_000


async def test_money_that_comes_after_a_void_by_another_attempt_is_surplus(shop: Shop) -> None:
    provider = Obedient()
    provider.answers = [Pending(reference="first")]
    payment = await shop.payment(capture_method=CaptureMethod.MANUAL)
    await shop.play(payment, provider)
    first = (await shop.attempts(payment))[0]["id"]
    await hear(shop, payment, first, Declined(code="late", message="Too late."))
    await shop.play(payment, Obedient())
    await modify(shop, payment, VOID)

    await hear(shop, payment, first, Captured(reference="after all", amount=payment.amount))
    assert await return_overpayments(shop.core) == 1

    now = await shop.read(payment)
    assert (now.status, now.surplus, now.held.minor) == (S.CAPTURED, True, 0)
    assert now.surplus_returned_minor == 10_000
    assert await shop.faults() == []


async def hear(shop: Shop, payment: Payment, attempt: str, outcome: Outcome) -> Payment:
    """The provider says so, in a notification."""
    async with shop.core.db.connection() as connection:
        found = await payments.find_attempt(connection, payment.company_id, attempt)
    assert found is not None
    return await take_news(shop.core, found, outcome, actor="test", how="notification")


async def test_what_only_a_person_can_put_right_becomes_their_work_once(shop: Shop) -> None:
    refusals = [Declined(code="no", message="No.") for _ in range(4)]
    stuck = await paid_too_late(shop, Obedient(*refusals))
    for _ in range(4):
        await return_overpayments(shop.core)
        await shop.sql("update modification set completed_at = completed_at - interval '1 day'")
    twice = await shop.play(await shop.payment(), Obedient())
    await modify(shop, twice, REFUND)
    await disputed(shop, twice)

    assert await return_overpayments(shop.core) == 0
    assert await report_stuck_money(shop.core) == 2
    assert await report_stuck_money(shop.core) == 0

    found = await list_breaks(shop.core, shop.company.id)
    assert {(one.payment_id, one.problem) for one in found} == {
        (stuck.id, "surplus_stuck"),
        (twice.id, "double_paid"),
    }


@pytest.mark.parametrize("kind", [CAPTURE, VOID])
async def test_a_reservation_that_the_provider_ended_unseen_is_let_go(
    shop: Shop, kind: ModificationKind
) -> None:
    over = Declined(code="authorization_expired", message="It expired.")
    payment = await reserved(shop, Obedient(over))

    refused = await modify(shop, payment, kind)

    assert refused.modification.status is M.FAILED
    assert (refused.payment.status, refused.payment.held.minor) == (S.EXPIRED, 0)
    assert await shop.order_status(payment) == "expired"
    assert await balance_of_account(shop, "held:biz_shop") == 0


async def test_news_that_a_reservation_is_over_lets_it_go(shop: Shop) -> None:
    payment = await reserved(shop, Obedient())
    attempt = (await shop.attempts(payment))[0]["id"]
    over = Declined(code="authorization_expired", message="It expired.")
    now = await hear(shop, payment, attempt, over)
    assert (now.status, now.held.minor) == (S.EXPIRED, 0)
    assert await hear(shop, payment, attempt, over) == now


async def test_the_rest_of_a_part_that_the_provider_let_go_unseen_is_let_go(shop: Shop) -> None:
    gone = Declined(code="already_captured", message="Nothing is held beside it.")
    payment = await reserved(shop, Obedient(None, gone))
    await modify(shop, payment, CAPTURE, 3_000, is_last=False)

    refused = await modify(shop, payment, VOID, rest=True)

    assert refused.modification.status is M.FAILED
    assert (refused.payment.status, refused.payment.held.minor) == (S.CAPTURED, 0)
    assert refused.payment.released_minor == 7_000
