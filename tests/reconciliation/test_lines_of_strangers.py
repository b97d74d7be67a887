"""What a bank's line does not quite name: a match where it is exact, else a break that helps."""

import pytest
from tests.reconciliation.test_transfers_of_another_amount import (
    at_the_bank,
    came,
    expected,
    send,
    work,
)
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.errors import IllegalTransition, InvalidRequest
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.modifications.usecases.modify_payment import (
    ModificationKind,
    ModifyPayment,
    modify_payment,
)
from kassa.reconciliation.domain.reports import LineKind, Unreadable
from kassa.reconciliation.domain.transfers import nearly_named
from kassa.reconciliation.store.breaks import Break
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.reconciliation.usecases.match_line import match_line

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def only(shop: Shop) -> Break:
    [item] = await list_breaks(shop.core, shop.company.id)
    return item


async def match(shop: Shop, payment_id: str, item: Break | None = None) -> None:
    item = item or await only(shop)
    await match_line(shop.core, shop.company.id, item.id, payment_id, actor="operator:ann")


async def test_the_order_s_id_alone_is_enough_where_the_amount_fits(shop: Shop) -> None:
    payment, other = await expected(shop), await expected(shop)

    done = await send(shop, came(payment, 10_000, text=f"order {payment.order_id}"))

    assert (await shop.read(payment)).status is PaymentStatus.SETTLED
    assert not (await shop.read(other)).is_paid
    assert (done.matched, done.breaks) == (1, {})


async def test_the_order_s_id_with_another_amount_is_a_break_that_names_the_payment(
    shop: Shop,
) -> None:
    payment = await expected(shop, order_id="tea-4711")

    done = await send(shop, came(payment, 9_000, text="tea-4711"))

    item = await only(shop)
    assert (done.breaks, item.payment_id) == ({"missing_ours": 1}, payment.id)
    assert "100.00 CNY is awaited" in item.details
    assert "settlement" not in item.details
    await match(shop, payment.id)
    assert (await shop.read(payment)).unapplied_minor == 9_000
    assert await work(shop) == ["underpaid"]


async def test_an_order_that_nobody_expected_a_transfer_for_is_named_and_can_be_matched(
    shop: Shop,
) -> None:
    payment = await shop.payment(order_id="tea-4712", payment_methods="card")

    await send(shop, came(payment, 10_000, text="Rechnung tea-4712"))
    item = await only(shop)
    await match(shop, payment.id)

    assert item.payment_id == payment.id
    assert "for which no transfer was expected" in item.details
    assert (await shop.read(payment)).status is PaymentStatus.SETTLED
    assert await work(shop) == []
    assert await at_the_bank(shop) == {"bank": 10_000}


@pytest.mark.parametrize("fault", ["wrong", "missing", "too many", "swapped"])
async def test_a_mistyped_reference_is_a_break_that_says_which_it_looks_like(
    shop: Shop, fault: str
) -> None:
    payment, _ = await expected(shop), await expected(shop)
    right = payment.provider_reference
    place = next(n for n in range(8, 18) if right[n] != right[n + 1])
    typed = {
        "wrong": right[:place] + ("0" if right[place] != "0" else "1") + right[place + 1 :],
        "missing": right[:place] + right[place + 1 :],
        "too many": right[:place] + "7" + right[place:],
        "swapped": right[:place] + right[place + 1] + right[place] + right[place + 2 :],
    }[fault]

    await send(shop, came(payment, 10_000, text=f"INV 7 {typed[:9]} {typed[9:]}"))

    item = await only(shop)
    assert item.payment_id == payment.id
    assert right in item.details
    assert not (await shop.read(payment)).is_paid
    await match(shop, payment.id)
    assert (await shop.read(payment)).status is PaymentStatus.SETTLED


async def test_a_mistyped_reference_with_another_amount_looks_like_nothing(shop: Shop) -> None:
    payment = await expected(shop)
    typed = payment.provider_reference[:-1] + "!"

    await send(shop, came(payment, 9_999, text=typed))

    item = await only(shop)
    assert item.payment_id == ""
    assert "if it is a payer's transfer" in item.details


async def test_two_mistakes_are_another_reference() -> None:
    reference = "RF05ABCDEFGHJKMNPQRS"

    for typed, near in (
        ("RF05ABCDEFGHJKMNPQRS", True),
        ("xx RF05ABCDEFGHJKMNPQR yy", True),
        ("RF50ABCDEFGHJKMNPQRS", True),
        ("FR05ABCDEFGHJKMNPQRS", True),
        ("RF50ABCDEFGHJKMNPQSR", False),
        ("RF05ABCXEFGHJKMNPQRX", False),
        ("", False),
    ):
        told = line(LineKind.PAYOUT, 1, payout_reference=typed)
        assert nearly_named(told, reference) is near, typed


async def test_what_names_two_is_matched_with_the_one_that_a_person_says(shop: Shop) -> None:
    one, other = await expected(shop), await expected(shop)
    await send(shop, came(one, 10_000, text=f"{one.order_id} {other.order_id}"))
    assert await work(shop) == ["ambiguous"]
    [found] = await list_breaks(shop.core, shop.company.id)
    assert all(payment.id in found.details for payment in (one, other))
    assert "kassa breaks match" in found.details

    await match(shop, other.id)

    assert (await shop.read(other)).is_paid
    assert not (await shop.read(one)).is_paid
    assert await work(shop) == []


async def test_a_transfer_that_may_be_told_twice_counts_where_a_person_says_so(shop: Shop) -> None:
    payment = await expected(shop)
    for _ in range(2):
        await send(shop, came(payment, 5_000, occurred_at=payment.created_at))
    item = next(
        one
        for one in await list_breaks(shop.core, shop.company.id)
        if one.problem.value == "duplicate"
    )

    await match(shop, payment.id, item)

    assert (await shop.read(payment)).is_paid
    assert await work(shop) == []


async def test_money_that_left_is_put_to_the_refund_that_people_recorded(shop: Shop) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 10_000))
    await send(shop, came(payment, -3_000))
    with pytest.raises(IllegalTransition, match="refund"):
        await match(shop, payment.id)
    refund = ModifyPayment(
        company_id=shop.company.id,
        payment_id=payment.id,
        kind=ModificationKind.REFUND,
        amount=Money(3_000, "CNY"),
        actor="operator:ann",
    )
    await modify_payment(shop.core, refund)

    await match(shop, payment.id)

    assert await work(shop) == []
    assert await at_the_bank(shop) == {"bank": 7_000}


async def test_only_an_open_line_of_a_statement_in_the_payments_currency_is_matched(
    shop: Shop,
) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 10_000, currency="EUR"))
    with pytest.raises(InvalidRequest, match=r"100\.00 EUR"):
        await match(shop, payment.id)
    await send(shop, came(payment, 5_000))
    item = next(
        one
        for one in await list_breaks(shop.core, shop.company.id)
        if one.problem.value == "underpaid"
    )
    await match(shop, payment.id, item)  # it matched before: nothing is booked again
    assert (await shop.read(payment)).unapplied_minor == 5_000


async def test_what_the_bank_has_not_booked_yet_is_counted_and_is_nobodys_work(shop: Shop) -> None:
    payment = await expected(shop)
    pending = Unreadable(number=0, reason="not booked (PDNG): nothing moved", is_pending=True)

    done = await Reporter(shop).send(pending, account="bank")

    assert (done.pending, done.is_clean, done.quarantined) == (1, True, 0)
    assert not (await shop.read(payment)).is_paid
