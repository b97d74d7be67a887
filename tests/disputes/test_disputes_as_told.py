"""News of disputes: late, changed in one field or another, and in other currencies."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.modifying import REFUND, Obedient, balance_of_account, modify
from tests.shop import Shop

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import DisputeEvent
from kassa.disputes.usecases.disputes import disputes_of, take_dispute_news
from kassa.payments.domain.disputes import BalanceMovement, Dispute
from kassa.payments.domain.payments import Payment
from kassa.payments.store import payments
from kassa.reconciliation.usecases.breaks import list_breaks

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
S, D = DisputeStage, DisputeStatus
THEN = datetime(2026, 11, 1, tzinfo=UTC)
NEWS = {"notify_url": "https://93.184.216.34/news", "notify_kind": "standard"}


async def paid(shop: Shop, currency: str = "EUR") -> Payment:
    provider = Obedient()
    return await shop.play(await shop.payment(amount=Money(10_000, currency), **NEWS), provider)


async def tell(shop: Shop, payment: Payment, day: int, **changes: Any) -> Payment:
    """A chargeback of all of it, as the provider told it on that day."""
    row = (await shop.attempts(payment))[0]
    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, payment.company_id, row["id"])
    assert attempt is not None
    members: dict[str, Any] = {
        "dedupe_key": f"d{day}",
        "key": attempt.id,
        "reference": "du_1",
        "stage": S.CHARGEBACK,
        "status": D.NEEDS_RESPONSE,
        "amount": payment.amount,
        "fee": None,
        "reason": "fraudulent",
        "respond_by": None,
        "told_at": THEN + timedelta(days=day),
    }
    news = DisputeEvent(**{**members, **changes})
    return await take_dispute_news(shop.core, attempt, news, actor="provider:scripted")


def moved(name: str, amount: int, fee: int = 0, currency: str = "EUR") -> BalanceMovement:
    return BalanceMovement(id=name, amount=Money(amount, currency), fee=Money(fee, currency))


async def only(shop: Shop, payment: Payment) -> Dispute:
    (found,) = await disputes_of(shop.core, payment.company_id, payment.id)
    return found


async def announced(shop: Shop) -> list[str]:
    rows = await shop.sql("select event_type from announcement order by version")
    return [row[0] for row in rows if "dispute" in row[0]]


async def postings(shop: Shop, payment: Payment) -> list[tuple[str, int]]:
    rows = await shop.sql(
        "select p.kind, e.amount_minor from posting p join entry e on e.posting_id = p.id"
        " where p.payment_id = $1 and e.leg = 1 and p.kind ~ '^(dispute|fee)'",
        payment.id,
    )
    return sorted((row[0], row[1]) for row in rows)


async def test_an_opening_letter_that_comes_after_the_dispute_was_won_takes_nothing(
    shop: Shop,
) -> None:
    payment = await paid(shop)
    won = await tell(shop, payment, 9, status=D.WON)
    assert await announced(shop) == ["payment.dispute_won"]

    late = await tell(shop, payment, 2)

    assert (won.disputed_minor, late.disputed_minor, late.refundable.minor) == (0, 0, 10_000)
    assert (await only(shop, payment)).status is D.WON
    assert await announced(shop) == ["payment.dispute_won"]
    assert await list_breaks(shop.core, shop.company.id) == []


async def test_an_inquiry_that_was_closed_stays_closed_whatever_comes_late(shop: Shop) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 9, stage=S.INQUIRY, status=D.CLOSED)
    await tell(shop, payment, 2, stage=S.INQUIRY)
    assert (await only(shop, payment)).status is D.CLOSED


async def test_a_fee_that_is_told_with_the_withdrawal_is_booked_and_given_back(shop: Shop) -> None:
    payment = await paid(shop)
    left, back = moved("t1", -10_000, 1_500), moved("t2", 10_000, -1_500)
    opened = await tell(shop, payment, 1, movements=())
    taken = await tell(shop, payment, 2, movements=(left,))
    won = await tell(shop, payment, 3, status=D.WON, movements=(left,))
    paid_back = await tell(shop, payment, 4, status=D.WON, movements=(left, back))
    again = await tell(shop, payment, 2, movements=(left,))

    told = (opened, taken, won, paid_back, again)
    assert [one.fee.minor for one in told] == [0, 1_500, 1_500, 0, 0]
    assert [one.disputed_minor for one in told] == [0, 10_000, 10_000, 0, 0]
    assert await balance_of_account(shop, "merchant:biz_shop") == -10_000
    assert await announced(shop) == [
        "payment.disputed",
        "payment.dispute_updated",
        "payment.dispute_won",
        "payment.dispute_updated",
    ]
    assert await postings(shop, payment) == [
        ("dispute", 10_000),
        ("dispute_reversal", 10_000),
        ("fee", 1_500),
        ("fee_adjustment", 1_500),
    ]


async def test_a_dispute_about_less_than_was_asked_for_at_first_takes_that_much(
    shop: Shop,
) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 1, stage=S.INQUIRY)
    listed = await tell(shop, payment, 2, amount=Money(6_000, "EUR"))
    assert (listed.disputed_minor, listed.refundable.minor) == (6_000, 4_000)

    less = await tell(shop, payment, 3, amount=Money(2_500, "EUR"))

    assert less.disputed_minor == 2_500
    assert (await only(shop, payment)).amount == Money(2_500, "EUR")
    assert await postings(shop, payment) == [("dispute", 6_000), ("dispute_reversal", 3_500)]


async def test_a_reason_and_a_deadline_that_change_are_told(shop: Shop) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 1, respond_by=THEN)
    later = THEN + timedelta(days=30)
    await tell(shop, payment, 2, reason="duplicate", respond_by=later)
    silent = await tell(shop, payment, 3, respond_by=None, reason="")

    found = await only(shop, payment)
    assert (found.reason, found.respond_by) == ("duplicate", later)
    assert await announced(shop) == ["payment.disputed", "payment.dispute_updated"]
    assert silent.disputed_minor == 10_000


async def test_each_booking_of_the_provider_is_a_posting_once(shop: Shop) -> None:
    payment = await paid(shop)
    first, second = moved("t1", -4_000, 700), moved("t2", -6_000, 800)
    await tell(shop, payment, 2, movements=(first, second))
    await tell(shop, payment, 1, movements=(first,))
    await tell(shop, payment, 3, movements=(first, second), status=D.LOST)
    assert await postings(shop, payment) == [("dispute", 4_000), ("dispute", 6_000), ("fee", 1_500)]


@pytest.mark.parametrize("status", [D.NEEDS_RESPONSE, D.LOST])
async def test_a_dispute_in_another_currency_is_not_booked_and_is_a_persons_once(
    shop: Shop, status: DisputeStatus
) -> None:
    payment = await paid(shop)
    for day in (1, 2):
        now = await tell(shop, payment, day, amount=Money(15_700, "JPY"), status=status)

    assert (now.disputed_minor, now.fee.minor, now.refundable.minor) == (0, 0, 10_000)
    found = await only(shop, payment)
    assert (found.amount, found.taken) == (Money(15_700, "JPY"), Money(0, "EUR"))
    (item,) = await list_breaks(shop.core, shop.company.id)
    assert (item.payment_id, item.problem, item.cause) == (payment.id, "currency", found.id)
    assert (item.currency, item.found_minor) == ("JPY", 15_700)
    assert "15700 JPY" in item.details


async def test_a_claim_in_another_currency_of_which_nothing_has_left_is_a_persons_too(
    shop: Shop,
) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 1, amount=Money(15_700, "JPY"), movements=())
    (item,) = await list_breaks(shop.core, shop.company.id)
    assert (item.payment_id, item.problem) == (payment.id, "currency")


async def test_what_left_in_the_payments_currency_is_booked_whatever_the_dispute_is_in(
    shop: Shop,
) -> None:
    payment = await paid(shop)
    left = moved("t1", -9_870, 1_500)
    now = await tell(shop, payment, 1, amount=Money(15_700, "JPY"), movements=(left,))
    assert (now.disputed_minor, now.fee.minor) == (9_870, 1_500)
    assert await list_breaks(shop.core, shop.company.id) == []


async def test_a_fee_in_another_currency_is_a_persons_and_holds_up_nothing(shop: Shop) -> None:
    payment = await paid(shop)
    fee = Money(2_000, "USD")
    now = await tell(shop, payment, 1, amount=Money(10_900, "USD"), fee=fee, status=D.LOST)
    own = await tell(shop, payment, 2, reference="du_2", fee=fee)

    assert (now.disputed_minor, own.disputed_minor, own.fee.minor) == (0, 10_000, 0)
    found = await list_breaks(shop.core, shop.company.id)
    assert {one.problem for one in found} == {"currency"}
    assert len(found) == 2


async def test_a_yen_payment_is_disputed_in_yen(shop: Shop) -> None:
    payment = await paid(shop, "JPY")
    left = moved("t1", -10_000, 1_500, "JPY")
    now = await tell(shop, payment, 1, movements=(left,), amount=Money(10_000, "JPY"))
    assert (now.disputed_minor, now.fee) == (10_000, Money(1_500, "JPY"))


async def test_news_that_cannot_follow_is_not_believed_and_is_a_persons(shop: Shop) -> None:
    payment = await paid(shop)
    lost = await tell(shop, payment, 1, status=D.LOST)
    odd = await tell(shop, payment, 2, stage=S.INQUIRY)

    assert (lost.disputed_minor, odd.disputed_minor) == (10_000, 10_000)
    (item,) = await list_breaks(shop.core, shop.company.id)
    assert (item.problem, item.payment_id) == ("status", payment.id)


async def test_a_dispute_of_what_nobody_paid_is_a_persons(shop: Shop) -> None:
    payment = await paid(shop)
    strange = await tell(shop, payment, 1, amount=Money(-5, "EUR"))
    assert strange.disputes == 0
    (item,) = await list_breaks(shop.core, shop.company.id)
    assert (item.problem, item.payment_id) == ("unknown_news", payment.id)


async def test_what_left_twice_is_counted_by_what_was_taken(shop: Shop) -> None:
    payment = await paid(shop)
    await modify(shop, payment, REFUND, 4_000)
    whole = await tell(shop, payment, 1)
    part = await tell(shop, payment, 2, amount=Money(7_000, "EUR"))
    assert (whole.double_paid_minor, part.double_paid_minor) == (4_000, 1_000)
    assert (await only(shop, payment)).double_paid_minor == 1_000


async def test_a_dispute_of_before_goes_on_from_where_it_was(shop: Shop) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 1)
    await shop.sql("update dispute set said = '{}', seal = null, updated_at = now()")

    late = await tell(shop, payment, 0, stage=S.INQUIRY)
    won = await tell(shop, payment, 9_999, status=D.WON)

    assert (late.disputed_minor, won.disputed_minor) == (10_000, 0)


async def test_a_letter_that_only_confirms_is_kept_and_what_it_overtook_changes_nothing(
    shop: Shop,
) -> None:
    payment = await paid(shop)
    await tell(shop, payment, 1)
    confirmed = await tell(shop, payment, 5)

    late = await tell(shop, payment, 3, status=D.UNDER_REVIEW)

    assert (confirmed.version, late.version) == (payment.version + 1, payment.version + 2)
    assert (await only(shop, payment)).status is D.NEEDS_RESPONSE
    assert await announced(shop) == ["payment.disputed"]


async def test_the_same_letter_with_bookings_that_say_no_more_is_no_late_news(shop: Shop) -> None:
    payment = await paid(shop)
    free = Money(0, "EUR")
    opened = await tell(shop, payment, 1, fee=free)

    listed = await tell(shop, payment, 1, fee=free, movements=(moved("t1", -10_000),))

    assert (listed.version, listed.disputed_minor) == (opened.version, 10_000)
    found = await only(shop, payment)
    assert found.said["movements"] == {"t1": ["-100.00 EUR", "0.00 EUR"]}
