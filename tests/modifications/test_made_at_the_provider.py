"""Refunds, captures and voids that somebody made at the provider, and charges that failed late."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.late import (
    CLOSED_ACCOUNT,
    announced,
    changes,
    cny,
    done,
    late_money,
    of_ours,
    of_theirs,
    paid,
    refunded,
    reserved,
    told,
    worked_out,
)
from tests.modifying import CAPTURE, REFUND, VOID, modify
from tests.shop import Shop
from tests.telling import Telling, due, news, post

from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Authorized,
    Captured,
    Declined,
    Done,
    FailedLater,
    InDoubt,
    KnownCharge,
    ModificationEvent,
    ModificationOutcome,
    Pending,
)
from kassa.modifications.usecases.look_again import look_again
from kassa.payments.domain.payments import Payment
from kassa.webhooks_in.usecases.apply import apply_news

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def a_day_later(shop: Shop) -> None:
    """The inbox gives up what it could not apply by then."""
    await shop.sql("update provider_news set received_at = now() - interval '25 hours'")
    await due(shop)
    await apply_news(shop.core)


# Refunds made at the provider


async def test_a_refund_made_at_the_provider_is_booked_told_and_listed(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)

    answer = await post(shop, provider.tell(of_theirs(payment, done(3_000, "re_there"))))

    assert answer.outcome == "applied"
    after = await shop.read(payment)
    assert (after.refunded.minor, after.refundable.minor) == (3_000, 7_000)
    [row] = await changes(shop, payment)
    assert (row.status, row.provider_reference, row.is_made_there) == (
        ModificationStatus.SUCCEEDED,
        "re_there",
        True,
    )
    assert (await announced(shop, payment))[-1] == "payment.refunded"
    assert "found_at_provider" in await told(shop, payment)


async def test_however_often_and_at_once_it_is_told_it_is_booked_once(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)

    await asyncio.gather(
        *(post(shop, provider.tell(of_theirs(payment, done(3_000, "re_there")))) for _ in range(6))
    )
    await due(shop)
    await apply_news(shop.core)

    assert (await shop.read(payment)).refunded.minor == 3_000
    assert len(await changes(shop, payment)) == 1


async def test_a_refund_made_at_the_provider_may_come_back_too(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    await post(shop, provider.tell(of_theirs(payment, done(3_000, "re_there"))))

    await post(shop, provider.tell(of_theirs(payment, CLOSED_ACCOUNT)))

    assert (await shop.read(payment)).refunded.minor == 0
    [row] = await changes(shop, payment)
    assert row.status is ModificationStatus.FAILED


async def test_beyond_what_was_captured_nothing_is_booked_and_somebody_looks(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    await refunded(shop, payment, 8_000)

    await post(shop, provider.tell(of_theirs(payment, done(3_000, "re_there"))))

    assert (await shop.read(payment)).refunded.minor == 8_000
    [(about, words)] = await worked_out(shop)
    assert about == payment.id
    assert "re_there" in words


async def test_a_refund_of_ours_that_is_on_its_way_is_waited_for(shop: Shop) -> None:
    """It will be refused for the other one's sake, and then that fits."""
    provider = Telling()
    payment = await paid(shop, provider)
    provider.says = [InDoubt(reason="no answer")]
    own = (await modify(shop, payment, REFUND, 8_000)).modification
    await post(shop, provider.tell(of_theirs(payment, done(10_000, "re_there"))))
    assert await worked_out(shop) == []

    await post(shop, provider.tell(of_ours(own.id, CLOSED_ACCOUNT)))
    await due(shop)
    await apply_news(shop.core)

    assert (await shop.read(payment)).refunded.minor == 10_000


async def test_what_cannot_be_read_names_the_payment(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)

    await post(shop, provider.tell(of_theirs(payment, InDoubt(reason="an unknown status"))))
    await post(shop, provider.tell(of_theirs(payment, Done(reference="r", amount=Money(9, "EUR")))))

    found = await worked_out(shop)
    assert [about for about, _ in found] == [payment.id, payment.id]
    assert "an unknown status" in found[0][1]
    assert (await shop.read(payment)).refunded.minor == 0


@pytest.mark.parametrize(
    "outcome", [Pending(reference="re_there"), CLOSED_ACCOUNT], ids=["pending", "failed"]
)
async def test_what_is_not_done_there_books_nothing(
    shop: Shop, outcome: ModificationOutcome
) -> None:
    provider = Telling()
    payment = await paid(shop, provider)

    answer = await post(shop, provider.tell(of_theirs(payment, outcome)))

    assert (answer.outcome, await changes(shop, payment)) == ("applied", [])
    assert await worked_out(shop) == []


async def test_surplus_given_back_at_the_provider_is_not_given_back_twice(shop: Shop) -> None:
    provider = Telling()
    payment = await late_money(shop, provider)

    await post(shop, provider.tell(of_theirs(payment, done(10_000, "re_there"))))

    after = await shop.read(payment)
    assert (after.surplus_returned_minor, after.surplus_left.minor) == (10_000, 0)


async def test_news_of_a_charge_that_is_not_decided_waits_for_it(shop: Shop) -> None:
    provider = Telling()
    provider.answers.append(Pending(reference="ref w"))
    payment = await shop.play(await shop.payment(), provider)
    [attempt] = await shop.attempts(payment)
    said = of_theirs(payment, done(3_000, "re_there"), charge_key=attempt["id"])
    assert (await post(shop, provider.tell(said))).outcome == "parked"

    taken = Captured(reference="ref w", amount=cny(10_000))
    await post(shop, provider.tell(news(attempt["id"], taken)))
    await due(shop)
    await apply_news(shop.core)

    assert (await shop.read(payment)).refunded.minor == 3_000


async def test_news_of_a_charge_that_is_never_decided_is_work_that_names_it(shop: Shop) -> None:
    provider = Telling()
    provider.answers.append(Pending(reference="ref w"))
    payment = await shop.play(await shop.payment(), provider)
    [attempt] = await shop.attempts(payment)
    for name in ("re_a", "re_b"):
        said = of_theirs(payment, done(3_000, name), name, charge_key=attempt["id"])
        await post(shop, provider.tell(said))

    await a_day_later(shop)

    found = await worked_out(shop)
    assert [about for about, _ in found] == [payment.id] * 2
    assert all(attempt["id"] in words for _, words in found)


async def test_one_refund_is_not_of_two_payments(shop: Shop) -> None:
    provider = Telling()
    payment, other = await paid(shop, provider), await paid(shop, provider)
    await post(shop, provider.tell(of_theirs(payment, done(3_000, "re_there"))))

    await post(shop, provider.tell(of_theirs(other, done(3_000, "re_there"))))

    assert (await shop.read(other)).refunded.minor == 0
    [(about, words)] = await worked_out(shop)
    assert about == other.id
    assert "re_there" in words


# What the charge itself says of its refunds


class Listing(Telling):
    """It also lists the refunds of a charge."""

    def __init__(self, *refunds: ModificationEvent) -> None:
        super().__init__()
        self.refunds: Sequence[ModificationEvent] | InDoubt = list(refunds)

    async def refunds_of(
        self, key: str, known: KnownCharge
    ) -> Sequence[ModificationEvent] | InDoubt:
        return self.refunds


def taken(payment: Payment, refunded: int) -> Captured:
    return Captured(
        reference=payment.provider_reference, amount=cny(10_000), refunded=cny(refunded)
    )


async def test_a_charge_that_says_more_was_refunded_has_its_refunds_looked_up(shop: Shop) -> None:
    provider = Listing()
    payment = await paid(shop, provider)
    own = await refunded(shop, payment, 1_000)
    provider.refunds = [
        of_ours(own.id, done(1_000)),
        of_theirs(payment, done(3_000, "re_a"), "re_a"),
        of_theirs(payment, done(2_000, "re_b"), "re_b"),
    ]
    [attempt] = await shop.attempts(payment)

    for _ in range(2):
        provider.answers_to_queries = [taken(payment, 6_000)]
        await post(shop, provider.tell(news(attempt["id"], taken(payment, 6_000))))
        await look_again(shop.core)

    assert (await shop.read(payment)).refunded.minor == 6_000
    assert len(await changes(shop, payment)) == 3


async def test_a_refund_whose_failure_came_before_it_is_not_booked_as_done(shop: Shop) -> None:
    provider = Listing()
    payment = await paid(shop, provider)
    provider.refunds = [of_theirs(payment, CLOSED_ACCOUNT, "re_a")]

    await post(shop, provider.tell(of_theirs(payment, CLOSED_ACCOUNT, "re_a")))
    await post(shop, provider.tell(of_theirs(payment, done(3_000, "re_a"), "re_a")))

    assert (await shop.read(payment)).refunded.minor == 0


async def test_an_odd_row_of_the_list_hides_none_behind_it(shop: Shop) -> None:
    provider = Listing()
    payment = await paid(shop, provider)
    provider.refunds = [
        of_theirs(payment, InDoubt(reason="an unknown status"), "re_odd"),
        of_theirs(payment, done(3_000, "re_a"), "re_a"),
    ]
    [attempt] = await shop.attempts(payment)

    provider.answers_to_queries = [taken(payment, 3_000)]
    await post(shop, provider.tell(news(attempt["id"], taken(payment, 3_000))))
    await look_again(shop.core)

    assert (await shop.read(payment)).refunded.minor == 3_000
    assert [about for about, _ in await worked_out(shop)] == [payment.id]


@pytest.mark.parametrize("odd", ["of another charge", "not to be read"])
async def test_a_refund_told_as_done_is_not_judged_by_an_odd_row_of_its_name(
    shop: Shop, odd: str
) -> None:
    provider = Listing()
    payment = await paid(shop, provider)
    row = of_theirs(payment, InDoubt(reason="an unknown status"), "re_a")
    if odd == "of another charge":
        row = replace(row, outcome=CLOSED_ACCOUNT, charge_reference="another")
    provider.refunds = [row, of_theirs(payment, done(3_000, "re_a"), "re_a")]

    await post(shop, provider.tell(of_theirs(payment, done(3_000, "re_a"), "re_a")))

    assert (await shop.read(payment)).refunded.minor == 3_000


async def test_refunds_that_cannot_be_looked_up_are_somebodys_work(shop: Shop) -> None:
    provider = Listing()
    provider.refunds = InDoubt(reason="no answer")
    payment = await paid(shop, provider)
    [attempt] = await shop.attempts(payment)

    provider.answers_to_queries = [taken(payment, 6_000)]
    await post(shop, provider.tell(news(attempt["id"], taken(payment, 6_000))))
    await look_again(shop.core)

    [(about, words)] = await worked_out(shop)
    assert about == payment.id
    assert "more" in words


async def test_where_no_refunds_are_listed_a_sum_tells_of_them(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    await refunded(shop, payment, 1_000)
    [attempt] = await shop.attempts(payment)

    for told_minor in (6_000, 6_000, 1_000, 7_500):
        await post(shop, provider.tell(news(attempt["id"], taken(payment, told_minor))))

    assert (await shop.read(payment)).refunded.minor == 7_500
    assert [one.amount.minor for one in await changes(shop, payment)] == [1_000, 5_000, 1_500]


async def test_a_sum_that_may_be_of_a_refund_of_ours_waits_for_it(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    [attempt] = await shop.attempts(payment)
    provider.says = [InDoubt(reason="no answer")]
    own = (await modify(shop, payment, REFUND, 1_000)).modification
    await post(shop, provider.tell(news(attempt["id"], taken(payment, 3_000))))
    assert (await shop.read(payment)).refunded.minor == 0

    await post(shop, provider.tell(of_ours(own.id, done(1_000))))
    await due(shop)
    await apply_news(shop.core)

    assert (await shop.read(payment)).refunded.minor == 3_000


async def test_a_sum_that_waits_for_too_long_is_work_that_says_what_for(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    [attempt] = await shop.attempts(payment)
    provider.says = [InDoubt(reason="no answer")]
    await modify(shop, payment, REFUND, 1_000)
    await post(shop, provider.tell(news(attempt["id"], taken(payment, 3_000))))

    await a_day_later(shop)

    [(about, words)] = await worked_out(shop)
    assert about == payment.id
    assert "a refund of ours is on its way" in words


async def test_a_refund_that_is_refused_because_it_is_gone_is_looked_up(shop: Shop) -> None:
    provider = Listing()
    payment = await paid(shop, provider)
    provider.refunds = [of_theirs(payment, done(10_000, "re_a"), "re_a")]
    provider.says = [Declined(code="amount_too_large", message="It has been refunded.")]

    made = await modify(shop, payment, REFUND, 10_000)

    assert made.modification.status is ModificationStatus.FAILED
    provider.answers_to_queries = [taken(payment, 10_000)]
    await look_again(shop.core)
    assert (await shop.read(payment)).refunded.minor == 10_000


# Captures and voids made at the provider, and charges that fail after all


async def test_a_capture_made_at_the_provider_is_booked(shop: Shop) -> None:
    provider = Telling()
    payment = await reserved(shop, provider)
    [attempt] = await shop.attempts(payment)
    said = Captured(reference=payment.provider_reference, amount=cny(6_000))

    for _ in range(2):
        await post(shop, provider.tell(news(attempt["id"], said)))

    after = await shop.read(payment)
    assert (after.status, after.captured.minor) == (PaymentStatus.CAPTURED, 6_000)
    [row] = await changes(shop, payment)
    assert (row.kind, row.is_made_there) == (CAPTURE, True)
    assert "found_at_provider" in await told(shop, payment)


async def test_a_capture_of_ours_that_is_on_its_way_is_not_booked_as_theirs(shop: Shop) -> None:
    provider = Telling()
    payment = await reserved(shop, provider)
    [attempt] = await shop.attempts(payment)
    provider.says = [InDoubt(reason="no answer")]
    await modify(shop, payment, CAPTURE, 6_000)

    said = Captured(reference=payment.provider_reference, amount=cny(6_000))
    await post(shop, provider.tell(news(attempt["id"], said)))

    assert [one.is_made_there for one in await changes(shop, payment)] == [False]
    assert (await shop.read(payment)).captured.minor == 0


async def test_a_capture_after_our_void_is_money_that_nobody_owes(shop: Shop) -> None:
    provider = Telling()
    payment = await reserved(shop, provider)
    [attempt] = await shop.attempts(payment)
    await modify(shop, payment, VOID)

    said = Captured(reference=payment.provider_reference, amount=cny(10_000))
    await post(shop, provider.tell(news(attempt["id"], said)))

    after = await shop.read(payment)
    assert (after.surplus, after.surplus_left.minor) == (True, 10_000)


async def test_a_void_made_at_the_provider_ends_the_payment(shop: Shop) -> None:
    provider = Telling()
    payment = await reserved(shop, provider)
    [attempt] = await shop.attempts(payment)

    await post(shop, provider.tell(news(attempt["id"], Declined(code="voided", message="Let go."))))

    assert (await shop.read(payment)).status is PaymentStatus.CANCELED


RETURNED = FailedLater(
    code="charge_failed",
    message="The bank returned the debit.",
    provider_code="R01",
    returned_as="txn_1",
)


@pytest.mark.parametrize("truth", ["failed", "paid"])
async def test_a_refusal_of_a_charge_that_we_have_is_asked_about(shop: Shop, truth: str) -> None:
    """It may be an earlier try of the payer's, whose letter comes late."""
    provider = Telling()
    payment = await paid(shop, provider)
    [attempt] = await shop.attempts(payment)
    refusal = Declined(code="card_declined", message="No.")
    provider.answers_to_queries = [refusal if truth == "failed" else taken(payment, 0)]

    await post(shop, provider.tell(news(attempt["id"], refusal)))

    assert provider.queried == [attempt["id"]]
    expected = 10_000 if truth == "failed" else 0
    assert (await shop.read(payment)).disputed_minor == expected


async def test_a_charge_that_failed_before_we_knew_of_its_money_was_declined(shop: Shop) -> None:
    provider = Telling()
    provider.answers.append(Pending(reference="ref w"))
    payment = await shop.play(await shop.payment(), provider)
    [attempt] = await shop.attempts(payment)

    await post(shop, provider.tell(news(attempt["id"], RETURNED)))

    assert (await shop.read(payment)).status is PaymentStatus.FAILED


@pytest.mark.parametrize("truth", ["returned", "refused", "paid"])
async def test_a_success_that_its_failure_overtook_is_asked_about(shop: Shop, truth: str) -> None:
    """Else goods are sent for money that its bank has taken back."""
    provider = Telling()
    provider.answers.append(Pending(reference="ref w"))
    payment = await shop.play(await shop.payment(), provider)
    [attempt] = await shop.attempts(payment)
    await post(shop, provider.tell(news(attempt["id"], RETURNED)))
    refused = Declined(code="charge_failed", message="Its bank has taken it back.")
    taken_now = Captured(reference="ref w", amount=cny(10_000))
    answers = {"returned": RETURNED, "refused": refused, "paid": taken_now}
    provider.answers_to_queries = [answers[truth]]

    await post(shop, provider.tell(news(attempt["id"], taken_now)))

    expected = PaymentStatus.CAPTURED if truth == "paid" else PaymentStatus.FAILED
    assert (await shop.read(payment)).status is expected


async def test_reserved_money_that_is_told_as_reserved_again_changes_nothing(shop: Shop) -> None:
    provider = Telling()
    payment = await reserved(shop, provider)
    [attempt] = await shop.attempts(payment)

    await post(
        shop,
        provider.tell(
            news(
                attempt["id"],
                Authorized(reference=payment.provider_reference, amount=cny(10_000)),
            )
        ),
    )

    assert (await shop.read(payment)).status is PaymentStatus.AUTHORIZED
