"""A transfer that is expected: nobody's word makes it paid, a statement does, early or late."""

from collections.abc import Callable

import pytest
from tests.modifying import balance_of_account
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.errors import UnsupportedOperation
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.usecases.poll_payments import poll_payments
from kassa.payments.usecases.record_payment import (
    Recording,
    expect_transfer,
    record_payment,
)
from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind
from kassa.reconciliation.domain.transfers import is_reference

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def expected(shop: Shop, **changes: object) -> Payment:
    payment = await shop.payment(**changes)
    return await expect_transfer(
        shop.core, payment.company_id, payment.id, actor="test", claim=lambda case: True
    )


async def arrives(shop: Shop, payment: Payment, minor: int = 10_000) -> Payment:
    """A statement's line with the payment's reference."""
    reference = (await shop.attempts(payment))[0]["provider_reference"]
    await Reporter(shop).send(
        line(LineKind.PAYOUT, minor, payout_reference=reference), account=BANK
    )
    return await shop.read(payment)


async def test_it_waits_for_its_payer_and_names_what_to_write(shop: Shop) -> None:
    payment = await expected(shop)

    assert (payment.status, payment.method) == (PaymentStatus.REQUIRES_ACTION, Method.BANK_TRANSFER)
    assert is_reference(payment.provider_reference)
    await shop.age(payment, "2 days")
    assert await poll_payments(shop.core) == 0, "nobody can be asked about it"


async def test_the_statement_makes_it_paid_once(shop: Shop) -> None:
    payment = await expected(shop)

    paid = [await arrives(shop, payment) for _ in range(2)]

    assert [one.status for one in paid] == [PaymentStatus.SETTLED] * 2
    assert await balance_of_account(shop, "bank") == 10_000
    assert paid[-1].version == paid[0].version


async def test_what_comes_after_the_end_is_surplus_in_whatever_amount(shop: Shop) -> None:
    payment = await expected(shop)
    await shop.expire(payment)
    assert await expire_orders(shop.core) == 1
    [left] = await shop.attempts(payment)

    late = await arrives(shop, payment, 12_000)

    assert (left["status"], left["next_query_at"]) == ("abandoned", None)
    assert late.surplus_left == Money(12_000, "CNY")


async def test_what_comes_for_a_payment_that_was_paid_otherwise_is_surplus(shop: Shop) -> None:
    payment = await expected(shop)
    await shop.submit(payment)

    late = await arrives(shop, payment)

    assert (late.captured, late.surplus_left) == (Money(10_000, "CNY"), Money(10_000, "CNY"))


async def test_none_is_expected_where_money_is_to_be_reserved_or_the_order_forbids_it(
    shop: Shop,
) -> None:
    for changes in ({"capture_method": CaptureMethod.MANUAL}, {"payment_methods": "card"}):
        with pytest.raises(UnsupportedOperation):
            await expected(shop, **changes)


@pytest.mark.parametrize("by_staff", [False, True])
async def test_what_staff_holds_is_recorded_whatever_the_order_allows_its_payer(
    shop: Shop, by_staff: bool
) -> None:
    payment = await shop.payment(payment_methods="card")
    wanted = Recording(
        company_id=payment.company_id,
        payment_id=payment.id,
        method=Method.CASH,
        actor="operator:anna",
        by_staff=by_staff,
    )

    if by_staff:
        assert (await record_payment(shop.core, wanted)).is_paid
        return
    with pytest.raises(UnsupportedOperation, match="card"):
        await record_payment(shop.core, wanted)


@pytest.mark.parametrize("write", [str, str.lower, lambda one: f"INV 7 {one[:4]} {one[4:]} TNX"])
async def test_a_statement_s_line_that_names_the_reference_is_the_evidence(
    shop: Shop, write: Callable[[str], str]
) -> None:
    payment = await expected(shop)
    text = write(payment.provider_reference)

    done = await Reporter(shop).send(
        line(LineKind.PAYOUT, 10_000, payout_reference=text), account=BANK
    )

    assert (await shop.read(payment)).status is PaymentStatus.SETTLED
    assert (done.matched, done.breaks) == (1, {})
    assert await balance_of_account(shop, "bank") == 10_000


async def test_a_transfer_on_a_statement_after_the_end_is_surplus_at_the_bank(
    shop: Shop,
) -> None:
    payment = await expected(shop)
    await shop.expire(payment)
    await expire_orders(shop.core)
    text = payment.provider_reference

    done = await Reporter(shop).send(
        line(LineKind.PAYOUT, 12_000, payout_reference=text), account=BANK
    )

    assert (await shop.read(payment)).surplus_left == Money(12_000, "CNY")
    assert (done.matched, done.breaks) == (1, {"overpaid": 1})
    assert await balance_of_account(shop, "bank") == 12_000
