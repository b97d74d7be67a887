"""Payers transfer what they like: more goes back, less waits for the rest, and all of it is in the
books. `sound_in_the_end` has the proof recomputed after each story."""

from itertools import count
from typing import Any

import pytest
from tests.late import announced
from tests.modifying import REFUND, balance_of_account, modify
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.disputes.usecases.disputes import disputes_of
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.modifications.usecases.return_unapplied import return_unapplied
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.record_payment import (
    Recording,
    accept_short_transfer,
    expect_transfer,
    record_payment,
)
from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.reconciliation.usecases.reconcile import Outcome

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
_marks = count(1)


async def expected(shop: Shop, **changes: Any) -> Payment:
    payment = await shop.payment(**changes)
    return await expect_transfer(
        shop.core, payment.company_id, payment.id, actor="test", claim=lambda case: True
    )


def came(payment: Payment, minor: int, **said: Any) -> ReportLine:
    mark = said.pop("mark", f"B{next(_marks)}")
    text = said.pop("text", payment.provider_reference)
    return line(LineKind.PAYOUT, minor, payout_reference=text, marks=(mark,), **said)


async def send(shop: Shop, *lines: ReportLine, **how: Any) -> Outcome:
    return await Reporter(shop).send(*lines, account=BANK, **how)


async def at_the_bank(shop: Shop) -> dict[str, int]:
    names = ("bank", "transit", "unapplied", "surplus")
    return {name: minor for name in names if (minor := await balance_of_account(shop, name))}


async def work(shop: Shop) -> list[str]:
    return [one.problem.value for one in await list_breaks(shop.core, shop.company.id)]


async def test_more_than_was_asked_is_paid_and_the_rest_is_work(shop: Shop) -> None:
    payment = await expected(shop)

    done = await send(shop, came(payment, 15_000))

    paid = await shop.read(payment)
    assert (paid.status, paid.captured.minor) == (PaymentStatus.SETTLED, 10_000)
    assert paid.surplus_left == Money(5_000, "CNY")
    assert await shop.order_status(payment) == "paid"
    assert (done.matched, done.breaks) == (1, {"overpaid": 1})
    assert done.totals["CNY"]["matched"] == 15_000
    assert await at_the_bank(shop) == {"bank": 15_000, "surplus": -5_000}
    [item] = await list_breaks(shop.core, shop.company.id)
    assert item.payment_id == payment.id
    assert "50.00 CNY came by transfer and nobody owes it" in item.details


async def test_what_was_overpaid_goes_back_and_the_statement_tells_of_that_too(shop: Shop) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 15_000))

    [back] = await return_unapplied(shop.core, shop.company.id, payment.id, actor="operator:ann")
    again = await send(shop, came(payment, -5_000, text=f"zurueck {back.id}"))

    assert back.amount == Money(5_000, "CNY")
    assert (again.matched, again.breaks) == (1, {})
    assert await work(shop) == []
    assert await at_the_bank(shop) == {"bank": 10_000}
    with pytest.raises(IllegalTransition):
        await return_unapplied(shop.core, shop.company.id, payment.id, actor="operator:ann")


async def test_what_people_sent_back_at_the_bank_is_heard_from_the_statement(shop: Shop) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 15_000))

    done = await send(shop, came(payment, -5_000))

    assert (await shop.read(payment)).surplus_returned_minor == 5_000
    assert (done.matched, done.breaks) == (1, {})
    assert await work(shop) == []
    assert await at_the_bank(shop) == {"bank": 10_000}


async def test_less_than_was_asked_waits_for_the_rest(shop: Shop) -> None:
    payment = await expected(shop)

    done = await send(shop, came(payment, 4_400))

    short = await shop.read(payment)
    assert (short.status, short.unapplied_minor) == (PaymentStatus.REQUIRES_ACTION, 4_400)
    assert short.missing == Money(5_600, "CNY")
    assert (done.matched, done.breaks) == (1, {"underpaid": 1})
    assert await at_the_bank(shop) == {"bank": 4_400, "unapplied": -4_400}
    [item] = await list_breaks(shop.core, shop.company.id)
    assert "44.00 CNY of 100.00 CNY came by transfer, 56.00 CNY are missing" in item.details


@pytest.mark.parametrize("one_file", [True, False])
@pytest.mark.parametrize(
    ("parts", "over"), [((4_400, 5_600), 0), ((4_400, 9_000), 3_400), ((2_000, 3_000, 5_000), 0)]
)
async def test_parts_that_add_up_make_it_paid(
    shop: Shop, parts: tuple[int, ...], over: int, one_file: bool
) -> None:
    payment = await expected(shop)
    lines = [came(payment, minor) for minor in parts]

    files = [lines] if one_file else [[one] for one in lines]
    done = [await send(shop, *one) for one in files]

    paid = await shop.read(payment)
    assert (paid.status, paid.captured.minor) == (PaymentStatus.SETTLED, 10_000)
    assert (paid.unapplied_minor, paid.surplus_amount.minor) == (0, over)
    assert sum(one.matched for one in done) == len(parts)
    assert await work(shop) == (["overpaid"] if over else [])
    assert (await at_the_bank(shop))["bank"] == sum(parts)


async def test_a_short_amount_can_be_taken_for_the_whole(shop: Shop) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 9_900))

    taken = await accept_short_transfer(
        shop.core, shop.company.id, payment.id, actor="operator:ann"
    )

    assert (taken.status, taken.captured.minor) == (PaymentStatus.CAPTURED, 9_900)
    assert await shop.order_status(payment) == "paid"
    assert await work(shop) == []
    await send(shop, came(payment, 100))
    assert (await shop.read(payment)).surplus_left == Money(100, "CNY"), "it is too late for that"
    assert (await shop.read(payment)).status is PaymentStatus.SETTLED


async def test_nothing_that_came_cannot_be_taken_for_the_whole(shop: Shop) -> None:
    payment = await expected(shop)

    with pytest.raises(IllegalTransition, match="nothing has come"):
        await accept_short_transfer(shop.core, shop.company.id, payment.id, actor="operator:ann")


async def test_a_short_amount_can_be_sent_back_which_ends_the_payment(shop: Shop) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 4_400))

    [back] = await return_unapplied(shop.core, shop.company.id, payment.id, actor="operator:ann")
    await send(shop, came(payment, -4_400, text=back.id))

    assert await shop.order_status(payment) == "canceled"
    assert await at_the_bank(shop) == {}
    assert await work(shop) == []


@pytest.mark.parametrize("end", ["expires", "is canceled", "is paid otherwise"])
async def test_a_part_of_what_is_owed_no_more_is_work_and_not_lost(shop: Shop, end: str) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 4_400))

    if end == "expires":
        await shop.expire(payment)
        await expire_orders(shop.core)
    elif end == "is canceled":
        await cancel_payment(shop.core, shop.company.id, payment.id, actor="test")
    else:
        await shop.submit(payment)

    left = await shop.read(payment)
    assert (left.unapplied_minor, left.surplus_left.minor) == (0, 4_400)
    assert await work(shop) == ["overpaid"]
    [back] = await return_unapplied(shop.core, shop.company.id, payment.id, actor="operator:ann")
    assert back.amount == Money(4_400, "CNY")
    assert await work(shop) == []


async def test_the_rest_that_comes_after_the_end_goes_back_as_well(shop: Shop) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 4_400))
    await shop.expire(payment)
    await expire_orders(shop.core)

    await send(shop, came(payment, 5_600))

    late = await shop.read(payment)
    assert (late.surplus, late.surplus_left.minor) == (True, 10_000)
    backs = await return_unapplied(shop.core, shop.company.id, payment.id, actor="operator:ann")
    assert [one.amount.minor for one in backs] == [10_000]


async def test_the_bank_takes_a_part_back(shop: Shop) -> None:
    payment = await expected(shop, notify_url="https://shop.example/n", notify_kind="orders")
    await send(shop, came(payment, 4_400))

    done = await send(shop, came(payment, -4_400))

    assert (done.matched, done.breaks) == (1, {})
    assert (await shop.read(payment)).missing == Money(10_000, "CNY")
    assert await work(shop) == []
    assert await at_the_bank(shop) == {}
    assert await announced(shop, payment) == [
        "payment.transfer_received",
        "payment.transfer_reversed",
    ]


async def test_a_transfer_that_the_bank_reversed_is_a_charge_that_came_back(shop: Shop) -> None:
    payment = await expected(shop, notify_url="https://shop.example/n", notify_kind="orders")
    await send(shop, came(payment, 10_000))

    done = await send(shop, came(payment, -10_000, raw={"RvslInd": "true"}))

    assert (done.matched, done.breaks) == (1, {})
    [found] = await disputes_of(shop.core, shop.company.id, payment.id)
    assert (found.is_return, found.taken) == (True, Money(10_000, "CNY"))
    assert await at_the_bank(shop) == {}
    assert await balance_of_account(shop, f"merchant:{payment.business_id}") == 0
    assert (await announced(shop, payment))[-1] == "payment.returned"
    again = await send(shop, came(payment, -10_000, raw={"RvslInd": "true"}))
    assert again.breaks == {"refund_missing": 1}  # nothing is left that it could have reversed


async def test_a_reversal_of_what_has_gone_back_in_part_is_work(shop: Shop) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 10_000))
    await modify(shop, payment, REFUND, 3_000)

    done = await send(shop, came(payment, -10_000, raw={"RvslInd": "true"}))

    assert done.breaks == {"amount": 1}


async def test_the_bank_takes_back_what_was_paid_and_a_person_hears_of_it(shop: Shop) -> None:
    payment = await expected(shop)
    await send(shop, came(payment, 10_000))

    done = await send(shop, came(payment, -10_000))

    assert done.breaks == {"refund_missing": 1}
    [item] = await list_breaks(shop.core, shop.company.id)
    assert "nothing says why" in item.details
    assert item.payment_id == payment.id


async def test_a_debit_with_the_reference_of_what_never_came_says_so(shop: Shop) -> None:
    payment = await expected(shop)

    done = await send(shop, came(payment, -10_000))

    assert done.breaks == {"refund_missing": 1}
    [item] = await list_breaks(shop.core, shop.company.id)
    assert "for which nothing has come" in item.details


async def test_another_currency_is_never_booked_as_the_orders(shop: Shop) -> None:
    payment = await expected(shop)

    done = await send(shop, came(payment, 10_000, currency="EUR"))

    assert done.breaks == {"currency": 1}
    [item] = await list_breaks(shop.core, shop.company.id)
    assert item.payment_id == payment.id
    assert "100.00 EUR came" in item.details
    assert await at_the_bank(shop) == {}
    await send(shop, came(payment, 10_000))
    assert await work(shop) == ["currency"], "the euros are still there"


async def test_a_second_transfer_of_what_is_paid_goes_back(shop: Shop) -> None:
    payment = await expected(shop)

    await send(shop, came(payment, 10_000), came(payment, 10_000))

    paid = await shop.read(payment)
    assert (paid.captured.minor, paid.surplus_left.minor) == (10_000, 10_000)
    assert await work(shop) == ["overpaid"]


async def test_a_transfer_in_the_days_report_and_under_another_name_in_the_statement_counts_once(
    shop: Shop,
) -> None:
    payment = await expected(shop)
    at = payment.created_at
    await send(shop, came(payment, 4_400, occurred_at=at))

    done = await send(shop, came(payment, 4_400, occurred_at=at))

    assert done.breaks == {"duplicate": 1}
    assert (await shop.read(payment)).unapplied_minor == 4_400


async def test_overlapping_statements_book_each_transfer_once(shop: Shop) -> None:
    payment = await expected(shop)
    first, second = came(payment, 4_400), came(payment, 9_000)
    await send(shop, first)
    await send(shop, first, second)
    done = await send(shop, second, first)

    paid = await shop.read(payment)
    assert (paid.captured.minor, paid.surplus_left.minor) == (10_000, 3_400)
    assert (done.repeated, await at_the_bank(shop)) == (2, {"bank": 13_400, "surplus": -3_400})


async def test_a_dry_run_says_what_would_be_and_books_nothing(shop: Shop) -> None:
    payment = await expected(shop)

    done = await send(shop, came(payment, 15_000), dry_run=True)

    assert (done.matched, done.breaks) == (1, {"overpaid": 1})
    assert not (await shop.read(payment)).is_paid
    assert await at_the_bank(shop) == {}


async def test_the_statement_confirms_what_staff_recorded_of_an_expected_transfer(
    shop: Shop,
) -> None:
    payment = await expected(shop)
    recording = Recording(
        company_id=shop.company.id,
        payment_id=payment.id,
        method=Method.BANK_TRANSFER,
        actor="operator:ann",
        reference="INV 7",
        by_staff=True,
    )
    await record_payment(shop.core, recording)

    done = await send(shop, came(payment, 12_500))

    paid = await shop.read(payment)
    assert (paid.captured.minor, paid.surplus_left.minor) == (10_000, 2_500)
    assert len(await shop.attempts(payment)) == 1
    assert (done.matched, await at_the_bank(shop)) == (1, {"bank": 12_500, "surplus": -2_500})


async def test_a_good_transfer_leaves_no_break_and_is_the_statements_doing(shop: Shop) -> None:
    payment = await expected(shop)

    done = await send(shop, came(payment, 10_000))

    assert await list_breaks(shop.core, shop.company.id, with_resolved=True) == []
    assert done.totals["CNY"] == {"gross": 10_000, "fees": 0, "matched": 10_000}
    rows = await shop.sql(
        "select actor from payment_event where payment_id = $1 and event = 'capture'", payment.id
    )
    assert [row["actor"] for row in rows] == ["report:bank"]
