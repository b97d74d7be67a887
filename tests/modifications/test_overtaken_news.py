"""News that comes before what it follows from, and money that was captured when it was nobody's."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.late import (
    announced,
    changes,
    cny,
    done,
    late_money,
    of_ours,
    of_theirs,
    paid,
    reserved,
    worked_out,
)
from tests.modifying import CAPTURE, REFUND, VOID, balance_of_account, modify, soon
from tests.shop import Shop
from tests.telling import Telling, due, news, post

from kassa.base.domain.lifecycle import (
    DisputeStage,
    DisputeStatus,
    ModificationStatus,
    PaymentStatus,
)
from kassa.connectors.base import (
    ActionNeeded,
    AnyNews,
    Authorized,
    Captured,
    Declined,
    DisputeEvent,
    FailedLater,
    InDoubt,
    KnownCharge,
    ModificationEvent,
    Outcome,
)
from kassa.disputes.usecases.disputes import disputes_of
from kassa.modifications.usecases.look_again import look_again
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.reconciliation.domain.comparing import Figure, Theirs, differences
from kassa.webhooks_in.usecases.apply import apply_news

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
REFUSED = Declined(code="card_declined", message="No.")
RETURNED = FailedLater(code="charge_failed", message="The bank returned the debit.")
PAGE = ActionNeeded(url="https://pay.example/1", reference="ref 1", expires_at=None)


def taken(reference: str, minor: int = 10_000, **more: Any) -> Captured:
    return Captured(reference=reference, amount=cny(minor), **more)


def disputed(payment: Payment, key: str) -> DisputeEvent:
    return DisputeEvent(
        dedupe_key=f"d of {key}",
        key=key,
        reference="du_1",
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount=payment.amount,
        fee=None,
        reason="fraudulent",
        respond_by=None,
    )


async def tell(shop: Shop, provider: Telling, *every: AnyNews) -> None:
    for one in every:
        await post(shop, provider.tell(one))


async def again(shop: Shop) -> None:
    """The inbox looks again at what waits."""
    await due(shop)
    await apply_news(shop.core)


async def test_of_two_that_the_payer_reserved_the_one_that_was_captured_there_is_named(
    shop: Shop,
) -> None:
    """Both are tries of one order there: what is told of the money later has the other's name."""
    provider = Telling()
    payment = await reserved(shop, provider)
    [attempt] = await shop.attempts(payment)

    await tell(shop, provider, news(attempt["id"], taken("the other")))
    refund = of_theirs(payment, done(4_000))
    await tell(shop, provider, replace(refund, charge_reference="the other"))

    found = await shop.read(payment)
    assert (found.captured.minor, found.refunded.minor) == (10_000, 4_000)
    assert (await shop.attempts(payment))[0]["provider_reference"] == "the other"


# Reserved when nothing was owed, and captured at the provider


async def reserved_twice(shop: Shop, provider: Telling) -> tuple[Payment, str, str]:
    """Both tries of a payer are reserved: the second's is the payment's, the first's nobody's."""
    order = await shop.payment(
        capture_method=CaptureMethod.MANUAL, notify_url="https://shop.example/n", notify_kind="o"
    )
    provider.answers = [PAGE]
    await shop.play(order, provider)
    payment = await shop.play(order, provider)
    first, second = [row["id"] for row in await shop.attempts(payment)]
    late = Authorized(reference="ref 1", amount=payment.amount, expires_at=None)
    await tell(shop, provider, news(first, late))
    return payment, first, second


@pytest.mark.parametrize("void", ["waits", "refused"])
@pytest.mark.parametrize("ours", ["held", "captured", "let go"])
async def test_a_late_reservation_that_was_captured_there_goes_back(
    shop: Shop, ours: str, void: str
) -> None:
    provider = Telling()
    payment, first, _ = await reserved_twice(shop, provider)
    if void == "refused":
        await soon(shop, payment)
        provider.says = [Declined(code="already_captured", message="It was captured.")]
        await pursue_modifications(shop.core)
    if ours != "held":
        await modify(shop, payment, CAPTURE if ours == "captured" else VOID)

    if void == "refused":
        provider.answers_to_queries = [taken("ref 1")]
        await look_again(shop.core)
    for _ in range(2):
        await tell(shop, provider, news(first, taken("ref 1")))

    assert (await shop.read(payment)).surplus_left.minor == 10_000
    assert (await announced(shop, payment))[-1] == "payment.surplus"
    assert await shop.faults() == []
    for _ in range(2):
        await return_overpayments(shop.core)
    after = await shop.read(payment)
    assert (after.surplus_left.minor, after.surplus_returned_minor) == (0, 10_000)
    assert await balance_of_account(shop, "surplus") == 0
    [back] = [one for one in await changes(shop, payment) if one.kind is REFUND]
    assert (back.attempt_id, back.amount) == (first, cny(10_000))


async def test_a_late_reservation_of_an_ended_payment_that_was_captured_there_goes_back(
    shop: Shop,
) -> None:
    provider = Telling()
    order = await shop.payment(capture_method=CaptureMethod.MANUAL)
    provider.answers = [PAGE]
    payment = await shop.play(order, provider)
    [attempt] = await shop.attempts(payment)
    await tell(shop, provider, news(attempt["id"], REFUSED))
    late = Authorized(reference="ref 1", amount=payment.amount, expires_at=None)
    await tell(shop, provider, news(attempt["id"], late))

    await tell(shop, provider, news(attempt["id"], taken("ref 1")))

    after = await shop.read(payment)
    assert (after.status, after.surplus) == (PaymentStatus.CAPTURED, True)
    await return_overpayments(shop.core)
    assert (await shop.read(payment)).surplus_returned_minor == 10_000


async def test_what_was_captured_there_in_part_goes_back_as_that_part(shop: Shop) -> None:
    provider = Telling()
    payment, first, _ = await reserved_twice(shop, provider)

    await tell(shop, provider, news(first, taken("ref 1", 4_000)))
    await return_overpayments(shop.core)

    assert (await shop.read(payment)).surplus_returned_minor == 4_000


async def test_a_reservation_that_was_let_go_brings_no_surplus_of_another(shop: Shop) -> None:
    """What another try brought twice goes back by that, not by what only reserved."""
    provider = Telling()
    payment, _, second = await reserved_twice(shop, provider)
    await soon(shop, payment)
    await pursue_modifications(shop.core)
    await modify(shop, payment, VOID)
    await tell(shop, provider, news(second, taken("ref 2")))

    for _ in range(2):
        await return_overpayments(shop.core)

    [back] = [one for one in await changes(shop, payment) if one.kind is REFUND]
    assert back.attempt_id == second
    assert (await shop.read(payment)).surplus_left.minor == 0


async def test_two_that_nobody_owes_are_let_go_side_by_side(shop: Shop) -> None:
    provider = Telling()
    order = await shop.payment(capture_method=CaptureMethod.MANUAL)
    provider.answers = [PAGE, PAGE]
    for _ in range(3):
        payment = await shop.play(order, provider)
    first, second, _ = [row["id"] for row in await shop.attempts(payment)]
    for attempt in (first, second):
        late = Authorized(reference=attempt, amount=payment.amount, expires_at=None)
        await tell(shop, provider, news(attempt, late))

    voids = await changes(shop, payment)
    assert {(one.kind, one.attempt_id, one.status) for one in voids} == {
        (VOID, first, ModificationStatus.REQUESTED),
        (VOID, second, ModificationStatus.REQUESTED),
    }
    assert await shop.faults() == []  # both are open at once
    of_one = "update modification set attempt_id = $1 where id = $2"
    await shop.sql(of_one, voids[0].attempt_id, voids[1].id)
    claims = f"claims open at once on {voids[0].attempt_id}, which nobody owes: 2, but 1"
    assert any(claims in one for one in await shop.faults())
    await shop.sql(of_one, voids[1].attempt_id, voids[1].id)
    await soon(shop, payment)
    await pursue_modifications(shop.core)
    assert {one.status for one in await changes(shop, payment)} == {ModificationStatus.SUCCEEDED}
    assert (await shop.read(payment)).held.minor == 10_000


# Told before the money that it is about


async def test_a_refund_of_what_the_provider_refuses_is_work_at_once(shop: Shop) -> None:
    provider = Telling()
    provider.answers = [PAGE]
    payment = await shop.play(await shop.payment(), provider)
    [attempt] = await shop.attempts(payment)
    provider.answers_to_queries = [REFUSED, REFUSED]

    await tell(shop, provider, news(attempt["id"], REFUSED))
    await tell(shop, provider, news(attempt["id"], taken("ref 1")))
    await tell(shop, provider, of_theirs(payment, done(10_000), charge_key=attempt["id"]))

    [(about, words)] = await worked_out(shop)
    assert about == payment.id
    assert "re_there" in words
    assert (await shop.read(payment)).captured.minor == 0


@pytest.mark.parametrize(
    ("page", "ended"),
    [("page 1", RETURNED), ("", RETURNED), ("", REFUSED)],
    ids=["returned", "returned, and its page unknown", "refused, and its page unknown"],
)
async def test_a_refund_of_what_was_returned_before_its_success_is_work_at_once(
    shop: Shop, page: str, ended: FailedLater | Declined
) -> None:
    """The letter of the refund has the charge's name alone, which nobody here had heard."""
    provider = Telling()
    provider.answers = [replace(PAGE, reference=page)]
    payment = await shop.play(await shop.payment(), provider)
    [attempt] = await shop.attempts(payment)
    provider.answers_to_queries = [ended, ended]

    await tell(shop, provider, news(attempt["id"], replace(ended, reference="charge 1")))
    refund = of_theirs(payment, done(10_000))
    await tell(shop, provider, replace(refund, charge_reference="charge 1"))

    [(about, words)] = await worked_out(shop)
    assert about == payment.id
    assert "re_there" in words


FOLLOWING: dict[str, Callable[[Payment, str], AnyNews]] = {
    "refund": lambda payment, key: of_theirs(payment, done(10_000), charge_key=key),
    "dispute": disputed,
}


@pytest.mark.parametrize("what", FOLLOWING)
@pytest.mark.parametrize("was", ["refused", "left", "reserved"])
async def test_what_shows_that_a_charge_was_paid_has_it_asked_about(
    shop: Shop, was: str, what: str
) -> None:
    provider = Telling()
    if was == "reserved":
        payment = await reserved(shop, provider)
    else:
        provider.answers = [PAGE]
        payment = await shop.play(await shop.payment(), provider)
    [attempt] = await shop.attempts(payment)
    if was == "refused":
        await tell(shop, provider, news(attempt["id"], REFUSED))
    if was == "left":
        provider.answers = [PAGE]
        await shop.play(payment, provider)
    provider.answers_to_queries = [taken(attempt["provider_reference"] or "ref 1")]

    await tell(shop, provider, FOLLOWING[what](payment, attempt["id"]))

    after = await shop.read(payment)
    assert after.captured.minor == 10_000
    assert after.handed_back_minor + after.disputed_minor == 10_000
    assert await worked_out(shop) == []


@pytest.mark.parametrize("answer", [InDoubt(reason="no answer"), PAGE], ids=["silent", "open"])
async def test_while_the_provider_does_not_say_it_waits(shop: Shop, answer: Outcome) -> None:
    provider = Telling()
    provider.answers = [PAGE]
    payment = await shop.play(await shop.payment(), provider)
    [attempt] = await shop.attempts(payment)
    await tell(shop, provider, news(attempt["id"], REFUSED))
    provider.answers_to_queries = [answer, taken("ref 1")]
    await tell(shop, provider, of_theirs(payment, done(10_000), charge_key=attempt["id"]))
    assert await worked_out(shop) == []

    await again(shop)

    assert (await shop.read(payment)).handed_back_minor == 10_000


async def test_a_return_that_is_told_before_its_capture_there_waits_for_it(shop: Shop) -> None:
    provider = Telling()
    payment = await reserved(shop, provider)
    [attempt] = await shop.attempts(payment)

    await tell(shop, provider, news(attempt["id"], RETURNED))
    assert await worked_out(shop) == []
    await tell(shop, provider, news(attempt["id"], taken(payment.provider_reference)))
    await again(shop)

    [found] = await disputes_of(shop.core, shop.company.id, payment.id)
    assert (found.status, found.taken) == (DisputeStatus.LOST, cny(10_000))


@pytest.mark.parametrize("refusal", [RETURNED, REFUSED], ids=["returned", "refused"])
async def test_a_return_that_is_told_before_our_capture_is_known_waits_for_it(
    shop: Shop, refusal: Outcome
) -> None:
    provider = Telling()
    payment = await reserved(shop, provider)
    [attempt] = await shop.attempts(payment)
    provider.says = [InDoubt(reason="no answer")]
    capture = (await modify(shop, payment, CAPTURE, 7_000)).modification
    provider.answers_to_queries = [REFUSED] * 3

    await tell(shop, provider, news(attempt["id"], refusal))
    await shop.sql("update attempt set next_query_at = now()")
    await look_again(shop.core)
    assert await worked_out(shop) == []
    await tell(shop, provider, of_ours(capture.id, done(7_000)))
    await again(shop)

    [found] = await disputes_of(shop.core, shop.company.id, payment.id)
    assert (found.status, found.taken) == (DisputeStatus.LOST, cny(7_000))


@pytest.mark.parametrize("silent_first", [False, True])
async def test_a_success_of_what_the_payer_had_left_is_asked_about(
    shop: Shop, silent_first: bool
) -> None:
    """Its return may have been told before, when it meant nothing."""
    provider = Telling()
    provider.answers = [PAGE, PAGE]
    payment = await shop.play(await shop.payment(), provider)
    await shop.play(payment, provider)
    left, _ = await shop.attempts(payment)
    silence = [InDoubt(reason="no answer")] if silent_first else []
    provider.answers_to_queries = [*silence, RETURNED]

    await tell(shop, provider, news(left["id"], RETURNED), news(left["id"], taken("ref 1")))
    await again(shop)

    assert (await shop.read(payment)).captured.minor == 0
    assert provider.answers_to_queries == []


class Listing(Telling):
    """It also lists the refunds of a charge."""

    refunds: Sequence[ModificationEvent] = ()

    async def refunds_of(self, key: str, known: KnownCharge) -> Sequence[ModificationEvent]:
        return self.refunds


# Later, and not wrong


async def refund_under_way(shop: Shop, provider: Telling, payment: Payment) -> str:
    provider.says = [InDoubt(reason="no answer")]
    made = (await modify(shop, payment, REFUND, 1_000)).modification
    assert made.status is ModificationStatus.PROCESSING
    return made.id


@pytest.mark.parametrize("asks", [look_again, None], ids=["asked", "told"])
async def test_what_waits_for_a_refund_of_ours_is_no_error(
    shop: Shop, asks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    [attempt] = await shop.attempts(payment)
    own = await refund_under_way(shop, provider, payment)
    said = taken(payment.provider_reference, refunded=cny(3_000))
    if asks is None:
        await tell(shop, provider, news(attempt["id"], said))
    else:
        provider.answers_to_queries = [said, said]
        await shop.sql("update attempt set next_query_at = now()")
        await look_again(shop.core)
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == []

    await tell(shop, provider, of_ours(own, done(1_000)))
    await again(shop)
    if asks is not None:
        await shop.sql("update attempt set next_query_at = now() where next_query_at is not null")
        await look_again(shop.core)

    assert (await shop.read(payment)).refunded.minor == 3_000
    assert await worked_out(shop) == []


async def test_money_is_booked_although_what_was_refunded_of_it_waits(shop: Shop) -> None:
    provider = Telling()
    provider.answers = [PAGE]
    order = await shop.payment()
    await shop.play(order, provider)
    payment = await shop.play(order, provider)
    left, _ = await shop.attempts(payment)
    own = await refund_under_way(shop, provider, payment)
    said = taken("ref 1", refunded=cny(10_000))
    provider.answers_to_queries = [taken("ref 1")]

    await tell(shop, provider, news(left["id"], said))
    assert (await shop.read(payment)).surplus_left.minor == 10_000

    await tell(shop, provider, of_ours(own, done(1_000)))
    await again(shop)
    after = await shop.read(payment)
    assert (after.surplus_returned_minor, after.refunded.minor) == (10_000, 1_000)


async def test_a_refund_of_surplus_there_is_counted_by_its_own_charge(shop: Shop) -> None:
    """Two tries were paid for nothing, and one of them has gone back."""
    provider = Telling()
    payment = await late_money(shop, provider)
    [first] = await shop.attempts(payment)
    await shop.sql(
        "insert into attempt select (json_populate_record(a, json_build_object('id', a.id || 'x',"
        " 'number', 2, 'status', 'abandoned', 'surplus', false))).* from attempt a"
    )
    second = f"{first['id']}x"
    provider.answers_to_queries = [taken("ref 2")]
    await tell(shop, provider, news(second, taken("ref 2")))
    assert (await shop.read(payment)).surplus_left.minor == 20_000

    for one, reference in ((first["id"], "ref late"), (second, "ref 2")):
        await tell(shop, provider, news(one, taken(reference, refunded=cny(10_000))))

    assert (await shop.read(payment)).surplus_returned_minor == 20_000


async def test_refunds_of_a_charge_that_its_bank_returned_are_looked_up_too(shop: Shop) -> None:
    provider = Listing()
    payment = await paid(shop, provider)
    provider.refunds = [of_theirs(payment, done(10_000))]
    provider.answers_to_queries = [RETURNED]
    await shop.sql("update attempt set next_query_at = now()")

    await look_again(shop.core)

    after = await shop.read(payment)
    assert (after.refunded.minor, after.disputed_minor) == (10_000, 10_000)
    assert after.double_paid_minor == 10_000


async def test_a_returned_charge_that_was_refunded_as_well_is_compared_by_both() -> None:
    theirs = Theirs("py_1", {"ch_1"}, gone=Figure.DISPUTED)
    theirs.add(Figure.REFUNDED, "CNY", 10_000)
    ours = {(Figure.CAPTURED, "CNY"): 10_000, (Figure.DISPUTED, "CNY"): 10_000}

    [found] = differences(ours, theirs)

    assert (found.figure, found.ours, found.theirs) == (Figure.REFUNDED, 0, 10_000)
