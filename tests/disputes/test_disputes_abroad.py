"""A dispute in another currency than its payment's holds the money: refunds wait for a person."""

import pytest
from tests.disputes.test_disputes_as_told import D, S, moved, paid, tell
from tests.modifying import REFUND, Obedient, modify
from tests.shop import Shop

from kassa.base.domain.errors import AmountTooLarge
from kassa.base.domain.lifecycle import DisputeStatus, ModificationStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import NotSent
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.usecases.breaks import Adjustment, list_breaks, resolve_break

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
YEN = Money(15_700, "JPY")


async def refused(shop: Shop, payment: Payment, minor: int) -> str:
    with pytest.raises(AmountTooLarge) as told:
        await modify(shop, payment, REFUND, minor)
    assert told.value.reason == "refund_amount"
    return told.value.message


async def resolve(shop: Shop, minor: int = 0) -> None:
    [item] = await list_breaks(shop.core, shop.company.id)
    booked = None
    if minor:
        booked = Adjustment(
            debit="merchant:biz_shop", credit="provider:scripted", amount=Money(minor, "EUR")
        )
    await resolve_break(shop.core, shop.company.id, item.id, "found out there", "test", booked)


@pytest.mark.parametrize("minor", [1, 4_000, 10_000])
async def test_while_it_is_open_nothing_is_given_back(shop: Shop, minor: int) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 1, amount=YEN)

    said = await refused(shop, payment, minor)

    assert said == (
        "the payer's bank has taken 15700 JPY for a dispute, and how much of the payment that"
        " leaves is not known until the dispute is decided"
    )


async def test_all_that_is_left_is_nothing_that_anybody_knows_meanwhile(shop: Shop) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 1, amount=YEN)

    with pytest.raises(AmountTooLarge, match="15700 JPY"):
        await modify(shop, payment, REFUND, None)


async def test_an_open_one_is_not_let_go_by_closing_its_break(shop: Shop) -> None:
    """The money is away all the same, and may yet come back."""
    payment = await paid(shop)
    await tell(shop, payment, 1, amount=YEN)
    await resolve(shop, 9_000)

    assert "is decided" in await refused(shop, payment, 100)


async def test_after_it_was_lost_what_a_person_says_is_left_may_be_given_back(shop: Shop) -> None:
    payment = await paid(shop)
    await modify(shop, payment, REFUND, 3_000)
    await tell(shop, payment, 1, amount=Money(5_500, "USD"), status=D.LOST)
    assert "until what that is here is booked" in await refused(shop, payment, 1)

    await resolve(shop, 5_000)

    assert "20.00 EUR" in await refused(shop, payment, 2_001)
    done = await modify(shop, payment, REFUND, 2_000)
    assert done.modification.status is ModificationStatus.SUCCEEDED
    await refused(shop, payment, 1)


@pytest.mark.parametrize("status", [D.WON, D.CLOSED])
async def test_won_or_closed_all_may_be_given_back(shop: Shop, status: DisputeStatus) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 1, amount=YEN)
    await tell(shop, payment, 2, amount=YEN, status=status)

    done = await modify(shop, payment, REFUND, 10_000)

    assert done.modification.status is ModificationStatus.SUCCEEDED


async def test_what_its_provider_booked_and_gave_back_again_holds_nothing(shop: Shop) -> None:
    payment = await paid(shop)
    left = moved("t1", -15_700, currency="JPY")
    await tell(shop, payment, 1, amount=YEN, movements=(left,))
    await refused(shop, payment, 1)
    back = moved("t2", 15_700, currency="JPY")
    await tell(shop, payment, 2, amount=YEN, status=D.WON, movements=(left, back))

    done = await modify(shop, payment, REFUND, 10_000)

    assert done.modification.status is ModificationStatus.SUCCEEDED


async def test_what_left_in_the_payments_own_currency_holds_that_much_and_no_more(
    shop: Shop,
) -> None:
    payment = await paid(shop)
    left = moved("t1", -9_000)
    await tell(shop, payment, 1, amount=YEN, movements=(left,))

    done = await modify(shop, payment, REFUND, 1_000)

    assert done.modification.status is ModificationStatus.SUCCEEDED
    assert "90.00 EUR" in await refused(shop, payment, 1)


async def test_an_inquiry_holds_nothing(shop: Shop) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 1, amount=YEN, stage=S.INQUIRY)

    done = await modify(shop, payment, REFUND, 10_000)

    assert done.modification.status is ModificationStatus.SUCCEEDED


async def test_a_refund_that_was_not_sent_yet_is_called_off(shop: Shop) -> None:
    payment = await paid(shop)
    shop.core.connectors["scripted"] = Obedient(NotSent(reason="busy"))  # type: ignore[index]
    asked = await modify(shop, payment, REFUND, 2_500)
    assert asked.modification.status is ModificationStatus.REQUESTED

    now = await tell(shop, payment, 1, amount=YEN)

    assert (now.refund_reserved.minor, now.refundable.minor) == (0, 10_000)
