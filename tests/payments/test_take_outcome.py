"""What a provider says, whatever it says, whenever, however often and in whatever order."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.payments.cases import HUNDRED, NOW, a_case, an_attempt, booked
from tests.payments.test_scenarios import OUTCOMES, check, news

from kassa.base.domain.lifecycle import (
    ENDED,
    FUNDS_MOVED,
    AttemptStatus,
    OrderStatus,
    PaymentEvent,
    PaymentStatus,
    next_status,
)
from kassa.base.domain.money import Money
from kassa.base.domain.query_schedule import next_question
from kassa.payments.domain.aggregate import PaymentAggregate

HOWS = ("charge", "query", "notification")
SENT = [status for status in AttemptStatus if status is not AttemptStatus.PREPARED]
MONEY = ("captured",)
FEE = 29
NET = HUNDRED.minor - FEE


def test_no_news_is_forgotten_here() -> None:
    assert len({type(outcome) for outcome in OUTCOMES.values()}) == len(OUTCOMES) - 1 == 7


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("status", PaymentStatus)
def test_any_news_in_any_state_is_taken_lawfully_and_twice_is_once(
    status: PaymentStatus, outcome: str
) -> None:
    for attempt_status, how in itertools.product(SENT, HOWS):
        case = a_case(status, an_attempt(attempt_status))

        news(case, 1, outcome, how)

        for event in case.events:
            assert event.from_status is not None
            assert next_status(event.from_status, event.event) is event.to_status
        assert status not in FUNDS_MOVED or case.payment.status in FUNDS_MOVED
        first = (case.payment, case.order, list(case.events), list(case.postings))
        first_attempt = case.attempts["at7_1"].status
        told = list(case.announcements)
        news(case, 1, outcome, how)
        assert (case.payment, case.order, case.events, case.postings) == first
        assert case.attempts["at7_1"].status is first_attempt
        assert case.announcements == told


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("status", PaymentStatus)
def test_money_is_booked_when_it_is_certain_and_never_otherwise(
    status: PaymentStatus, outcome: str
) -> None:
    for attempt_status, how in itertools.product(SENT, HOWS):
        case = a_case(status, an_attempt(attempt_status))

        news(case, 1, outcome, how)

        late = status in ENDED or status in FUNDS_MOVED or status is PaymentStatus.AUTHORIZED
        new_money = outcome in MONEY and attempt_status is not AttemptStatus.SUCCEEDED
        ledger = booked(case)
        assert sum(ledger.values()) == 0
        if outcome == "other_amount" and late and attempt_status is not AttemptStatus.SUCCEEDED:
            assert ledger == {"provider:sandbox": 9_999, "surplus": -9_999}
            continue
        assert ledger.get("provider:sandbox", 0) == (NET if new_money else 0)
        if new_money:
            assert ledger["surplus" if late else "merchant:b1"] == -(HUNDRED.minor if late else NET)
            assert ledger.get("fee_expense", 0) == (FEE if late else 0)
            assert case.payment.is_paid or status is PaymentStatus.AUTHORIZED
            assert case.attempts["at7_1"].status is AttemptStatus.SUCCEEDED


@pytest.mark.parametrize("closed", [OrderStatus.PAID, OrderStatus.EXPIRED, OrderStatus.CANCELED])
def test_money_for_an_order_that_takes_none_is_surplus(closed: OrderStatus) -> None:
    case = a_case(PaymentStatus.PROCESSING, an_attempt(), order=closed)

    news(case, 1, "captured")

    assert (case.payment.surplus, case.payment.surplus_amount) == (True, HUNDRED)
    assert case.order.status is closed
    assert booked(case) == {
        "provider:sandbox": NET,
        "surplus": -HUNDRED.minor,
        "fee_expense": FEE,
    }
    assert [one.event.event_type for one in case.announcements] == ["payment.surplus"]


def test_money_for_an_order_whose_other_payment_is_paid_is_surplus() -> None:
    case = a_case(PaymentStatus.PROCESSING, an_attempt(), order_paid=True)

    news(case, 1, "captured")

    assert case.payment.surplus
    assert not case.order_changed


def test_another_amount_is_shown_to_people_and_kept_apart() -> None:
    case = a_case(PaymentStatus.PROCESSING, an_attempt())

    news(case, 1, "other_amount")

    assert case.attempts["at7_1"].status is AttemptStatus.IN_DOUBT
    [event] = case.events
    assert event.evidence["reason"] == "amount mismatch"
    assert event.evidence["provider_says"] == "99.99 CNY"
    assert not case.postings


@pytest.mark.parametrize("over", [AttemptStatus.DECLINED, AttemptStatus.ABANDONED])
def test_another_amount_for_what_has_ended_is_surplus_as_the_provider_says(
    over: AttemptStatus,
) -> None:
    case = a_case(PaymentStatus.FAILED, an_attempt(over))

    news(case, 1, "other_amount")
    news(case, 1, "other_amount")

    assert [event.event for event in case.events] == [PaymentEvent.CAPTURE]
    assert case.payment.surplus_amount == case.attempts["at7_1"].amount == Money(9_999, "CNY")


@pytest.mark.parametrize("over", [AttemptStatus.DECLINED, AttemptStatus.ABANDONED])
def test_another_amount_for_an_attempt_that_is_over_is_noted_once_while_its_payment_waits(
    over: AttemptStatus,
) -> None:
    case = a_case(PaymentStatus.REQUIRES_ACTION, an_attempt(over))

    news(case, 1, "other_amount")
    news(case, 1, "other_amount")

    assert [event.event for event in case.events] == [PaymentEvent.NOTE]
    assert case.attempts["at7_1"].failure_code == "amount_mismatch"
    assert len(case.work) == 1


told_once = st.permutations(["captured", "pending", "action", "doubt"])
told_often = st.lists(st.sampled_from(["captured", "pending", "action", "doubt"]), max_size=8)
ways = st.lists(st.sampled_from(["query", "notification"]), min_size=20, max_size=20)


def heard(said: list[str], ways: list[str]) -> PaymentAggregate:
    """The first word answers the charge, the others come as they come."""
    case = a_case()
    case.start_attempt(*_CARD, actor="payer")
    for word, way in zip(said, ["charge", *ways], strict=False):
        news(case, 1, word, way)
        check(case)
    return case


_CARD = (an_attempt().method, "sandbox")


@settings(deadline=None, max_examples=150)
@given(said=told_once, again=told_often, ways=ways)
def test_the_order_of_news_does_not_matter(
    said: list[str], again: list[str], ways: list[str]
) -> None:
    case = heard(said + again, ways)

    assert case.payment.status is PaymentStatus.CAPTURED
    assert case.payment.captured == HUNDRED
    assert (case.payment.surplus, case.payment.redirect_url) == (False, "")
    assert case.payment.fee.minor == 29
    assert case.order.status is OrderStatus.PAID
    assert case.attempts[next(iter(case.attempts))].status is AttemptStatus.SUCCEEDED
    assert booked(case) == {"provider:sandbox": NET, "merchant:b1": -NET}
    assert [one.event.event_type for one in case.announcements] == ["payment.paid"]


@settings(deadline=None, max_examples=150)
@given(said=st.permutations(["captured", "declined", "pending", "doubt"]), ways=ways)
def test_of_news_that_contradict_each_other_money_wins_in_any_order(
    said: list[str], ways: list[str]
) -> None:
    case = heard(said, ways)

    late = said.index("declined") < said.index("captured")
    assert case.payment.status is PaymentStatus.CAPTURED
    assert case.attempts[next(iter(case.attempts))].status is AttemptStatus.SUCCEEDED
    # Only whose money it is depends on what had been told to the merchant before.
    assert case.payment.surplus is late
    assert booked(case)["provider:sandbox"] == NET


@settings(deadline=None, max_examples=100)
@given(said=st.permutations(["declined", "pending", "action", "doubt"]), ways=ways)
def test_without_money_every_order_ends_in_the_same_refusal(
    said: list[str], ways: list[str]
) -> None:
    case = heard(said, ways)

    assert case.payment.status is PaymentStatus.FAILED
    assert (case.payment.failure_code, case.payment.redirect_url) == ("card_declined", "")
    assert case.attempts[next(iter(case.attempts))].status is AttemptStatus.DECLINED
    assert not case.postings


def test_a_query_is_planned_while_an_attempt_is_open_and_none_when_it_is_over() -> None:
    for outcome, how in itertools.product(OUTCOMES, HOWS):
        case = a_case(PaymentStatus.PROCESSING, an_attempt(next_query_at=NOW))

        news(case, 1, outcome, how)

        attempt = case.attempts["at7_1"]
        is_open = attempt.status in (AttemptStatus.DISPATCHED, AttemptStatus.IN_DOUBT)
        assert (attempt.next_query_at is not None) is is_open
        assert not is_open or attempt.next_query_at == next_question(NOW, NOW, "at7_1")
