"""A bank takes back what nobody owed: the payer has it, and it does not go back once more."""

from typing import Any

import pytest
from tests.late import changes, cny, late_money, told, worked_out
from tests.modifying import REFUND, balance_of_account
from tests.shop import Shop
from tests.telling import Telling, news, post

from kassa.base.domain.lifecycle import (
    DisputeKind,
    DisputeStage,
    DisputeStatus,
    ModificationStatus,
)
from kassa.base.domain.money import Money
from kassa.connectors.base import Declined, DisputeEvent, FailedLater
from kassa.disputes.usecases.disputes import disputes_of
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.usecases.stuck_money import report_stuck_money

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
S, D = DisputeStage, DisputeStatus


async def tell(shop: Shop, provider: Telling, payment: Payment, **changes: Any) -> None:
    [attempt] = await shop.attempts(payment)
    members: dict[str, Any] = {
        "dedupe_key": f"d {sorted(changes.items())}",
        "key": attempt["id"],
        "reference": "du_1",
        "stage": S.CHARGEBACK,
        "status": D.NEEDS_RESPONSE,
        "amount": payment.amount,
        "fee": Money(1_500, "CNY"),
        "reason": "fraudulent",
        "respond_by": None,
    }
    await post(shop, provider.tell(DisputeEvent(**{**members, **changes})))


async def test_what_the_bank_has_taken_does_not_go_back_once_more(shop: Shop) -> None:
    provider = Telling()
    payment = await late_money(shop, provider)

    await tell(shop, provider, payment)
    await return_overpayments(shop.core)

    after = await shop.read(payment)
    assert (after.surplus_left.minor, after.double_paid_minor) == (0, 0)
    assert (after.disputed_minor, after.fee.minor) == (0, 0)
    assert await changes(shop, payment) == []
    [found] = await disputes_of(shop.core, shop.company.id, payment.id)
    assert (found.taken, found.fee) == (cny(10_000), cny(1_500))
    assert await balance_of_account(shop, "surplus") == 0
    assert await balance_of_account(shop, "fee_expense") == 1_500
    assert await worked_out(shop) == []


async def test_what_the_bank_gives_again_goes_back(shop: Shop) -> None:
    provider = Telling()
    payment = await late_money(shop, provider)
    await tell(shop, provider, payment)

    await tell(shop, provider, payment, status=D.WON, fee=Money(0, "CNY"))
    await return_overpayments(shop.core)

    after = await shop.read(payment)
    assert (after.surplus_left.minor, after.surplus_returned_minor) == (0, 10_000)
    assert [one.kind for one in await changes(shop, payment)] == [REFUND]
    assert await balance_of_account(shop, "fee_expense") == 0


async def test_what_had_gone_back_before_has_left_twice_and_is_work(shop: Shop) -> None:
    provider = Telling()
    payment = await late_money(shop, provider)
    await return_overpayments(shop.core)

    await tell(shop, provider, payment, amount=cny(6_000))

    after = await shop.read(payment)
    assert (after.surplus_returned_minor, after.double_paid_minor) == (16_000, 6_000)
    await report_stuck_money(shop.core)
    [(about, _)] = await worked_out(shop)
    assert about == payment.id
    await tell(shop, provider, payment, amount=cny(6_000), status=D.WON)
    assert (await shop.read(payment)).double_paid_minor == 0


async def test_a_return_of_it_that_was_refused_is_not_tried_again_meanwhile(shop: Shop) -> None:
    provider = Telling()
    payment = await late_money(shop, provider)
    provider.says = [Declined(code="charge_disputed", message="It is disputed.")]
    await return_overpayments(shop.core)

    await tell(shop, provider, payment)
    await shop.sql("update modification set completed_at = completed_at - interval '1 day'")
    await return_overpayments(shop.core)

    assert [one.status for one in await changes(shop, payment)] == [ModificationStatus.FAILED]


async def test_a_debit_that_nobody_owed_is_returned_as_any_other(shop: Shop) -> None:
    provider = Telling()
    payment = await late_money(shop, provider)
    [attempt] = await shop.attempts(payment)
    returned = FailedLater(code="charge_failed", message="The bank returned the debit.")

    for _ in range(2):
        await post(shop, provider.tell(news(attempt["id"], returned)))

    [found] = await disputes_of(shop.core, shop.company.id, payment.id)
    assert (found.kind, found.taken) == (DisputeKind.RETURN, cny(10_000))
    assert (await shop.read(payment)).surplus_left.minor == 0
    assert "dispute_not_ours" not in await told(shop, payment)
