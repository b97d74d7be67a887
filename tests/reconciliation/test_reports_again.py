"""Reports in odd orders: payouts before what they are made of, days told of twice, news that comes
after its report; and what nobody but a person can book, which names whose it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.late import CLOSED_ACCOUNT, of_ours, paid, refunded
from tests.modifying import REFUND, modify
from tests.reports import Reporter, line
from tests.shop import Shop
from tests.telling import Telling, post

from kassa.reconciliation.domain.reports import LineKind
from kassa.reconciliation.usecases.breaks import list_breaks

CHINA = timezone(timedelta(hours=8))
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def test_a_payout_may_stand_before_the_lines_that_it_is_made_of(shop: Shop) -> None:
    reporter = Reporter(shop)
    payment = await reporter.paid()
    payout = line(LineKind.PAYOUT, -9_700, payout_reference="po_1")
    said = await reporter.line_of(payment, fee=300, payout_reference="po_1")

    for at_once in (1, 100):
        outcome = await reporter.send(payout, said, name=f"{at_once}", lines_per_batch=at_once)

        assert outcome.breaks == {}
    assert (await reporter.send(payout, name="another")).breaks == {}


async def test_one_that_is_of_another_amount_is_a_break_in_the_end(shop: Shop) -> None:
    reporter = Reporter(shop)
    payment = await reporter.paid()
    said = await reporter.line_of(payment, fee=300, payout_reference="po_1")

    outcome = await reporter.send(
        line(LineKind.PAYOUT, -9_000, payout_reference="po_1"),
        said,
        line(LineKind.PAYOUT, -500, payout_reference="po_2"),
    )

    assert (outcome.matched, outcome.breaks) == (1, {"amount": 1, "missing_ours": 1})


async def test_a_day_of_another_zone_is_told_of_twice(shop: Shop) -> None:
    """01:00 in China is the day before in UTC, by which lines are kept."""
    reporter = Reporter(shop)
    at = datetime.now(UTC).astimezone(CHINA).replace(hour=1)
    said = await reporter.line_of(await reporter.paid(), occurred_at=at)
    other = await reporter.line_of(await reporter.paid(), occurred_at=at)
    assert (await reporter.send(said, name="day")).breaks == {}

    outcome = await reporter.send(said, other, name="two days")

    assert (outcome.matched, outcome.repeated, outcome.breaks) == (1, 1, {})


async def test_what_a_report_knew_before_us_matches_when_it_is_sent_again(shop: Shop) -> None:
    reporter = Reporter(shop, "sandbox")
    payment = await shop.submit(await shop.payment())
    key = (await shop.attempts(payment))[0]["id"]
    said = line(LineKind.REFUND, -4_000, our_reference=key)
    assert (await reporter.send(said)).breaks == {"refund_missing": 1}
    await modify(shop, payment, REFUND, 4_000)

    again = await reporter.send(said)

    assert (again.imported_before, again.matched, again.breaks) == (True, 1, {})
    assert await list_breaks(shop.core, shop.company.id) == []
    [(reported,)] = await shop.sql("select count(*) from report_match")
    assert reported == 1


@pytest.mark.parametrize(
    ("kind", "minor", "problem"),
    [(LineKind.ADJUSTMENT, 590, "missing_ours"), (LineKind.FEE, 31, "fee")],
)
@pytest.mark.parametrize("named", ["our_reference", "texts"])
async def test_what_a_person_has_to_book_names_the_payment(
    shop: Shop, kind: LineKind, minor: int, problem: str, named: str
) -> None:
    """A part of a fee that was given back, as an adjustment or as a fee below zero."""
    reporter = Reporter(shop)
    payment = await reporter.paid()
    key = await reporter.key(payment)
    words = {named: key if named == "our_reference" else (key,)}

    outcome = await reporter.send(line(kind, minor, **words), line(kind, minor + 1))

    assert outcome.breaks == {problem: 2}
    found = await list_breaks(shop.core, shop.company.id)
    assert sorted(one.payment_id for one in found) == ["", payment.id]
    assert any(one.details.endswith(f"it names {key}") for one in found)


async def test_a_refund_under_a_number_of_the_provider_s_is_not_ours_again(shop: Shop) -> None:
    """Both are called like the charge: some providers' refunds have no name of their own."""
    reporter = Reporter(shop, "sandbox")
    payment = await shop.submit(await shop.payment())
    charge = (await shop.attempts(payment))[0]["provider_reference"]
    ours = (await modify(shop, payment, REFUND, 3_000)).modification.id
    await shop.sql("update modification set provider_reference = $1", charge)

    outcome = await reporter.send(
        line(LineKind.REFUND, -3_000, our_reference=ours, provider_reference=charge),
        line(LineKind.REFUND, -3_000, our_reference="18313", provider_reference=charge),
    )

    assert (outcome.matched, outcome.breaks) == (1, {"refund_missing": 1})


async def test_two_kinds_of_report_tell_of_one_movement_in_other_words(shop: Shop) -> None:
    """Told of without its payout, and then with it, it is not the same, and a person looks."""
    reporter = Reporter(shop)
    said = await reporter.line_of(
        await reporter.paid(), provider_reference="pi_1", payout_reference="po_1"
    )
    assert (await reporter.send(said, name="one")).breaks == {}
    in_other_words = replace(said, our_reference="", texts=(said.our_reference,))

    again = await reporter.send(in_other_words, name="another")
    without = await reporter.send(replace(said, payout_reference=""), name="a third")

    assert (again.repeated, again.breaks) == (1, {})
    assert (without.repeated, without.breaks) == (0, {"duplicate": 1})


async def test_a_refund_and_its_return_are_told_of_again_by_a_file_of_more(shop: Shop) -> None:
    """Both are of one cause: neither stands in for the other."""
    provider = Telling()
    payment = await paid(shop, provider)
    refund = (await refunded(shop, payment, 4_000)).id
    await post(shop, provider.tell(of_ours(refund, CLOSED_ACCOUNT)))
    (attempt,) = await shop.attempts(payment)
    reporter = Reporter(shop, attempt["connector"])
    at = datetime.now(UTC)
    there, back = (
        line(kind, minor, our_reference=refund, occurred_at=at)
        for kind, minor in ((LineKind.REFUND, -4_000), (LineKind.REFUND_REVERSAL, 4_000))
    )
    assert (await reporter.send(there, back, name="day")).matched == 2
    sold = await reporter.line_of(payment, occurred_at=at)

    outcome = await reporter.send(sold, there, back, name="days")

    assert (outcome.matched, outcome.repeated, outcome.breaks) == (1, 2, {})
