"""Facts: kept and read again as they were, told in words, and nothing follows from a word."""

import dataclasses
import inspect
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, get_args, get_type_hints

import pytest
from tests.payments.cases import HUNDRED, a_case, a_payment, an_attempt

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import AttemptStatus, PaymentEvent, PaymentStatus
from kassa.base.domain.money import Money
from kassa.payments.domain import facts, narration
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.evolution import evolve, postings
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.facts import KINDS, Remark
from kassa.payments.domain.facts_written import read, written
from kassa.payments.domain.older_events import NOTES, read_events
from kassa.payments.domain.older_rows import OlderRows
from kassa.payments.domain.payments import Method
from kassa.payments.domain.postings import booked
from kassa.payments.domain.state import PaymentState, after
from kassa.payments.domain.timeline import PROVENANCE, StoredEvent, TimelineEvent

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def example(kind: type[Fact]) -> Fact:
    """One with every member away from its default."""
    hints = get_type_hints(kind)
    return kind(**{one.name: value_of(hints[one.name]) for one in dataclasses.fields(kind)})


def value_of(hint: Any) -> Any:
    named = [one for one in get_args(hint) if one is not type(None)]
    core = named[0] if type(None) in get_args(hint) else hint
    if core is Money:
        return Money(1234, "KWD")
    if core is datetime:
        return NOW
    if getattr(core, "__origin__", core) is tuple:
        return ("a", "b")
    if not isinstance(core, type):
        return {"kept": "by its row"}
    if issubclass(core, StrEnum):
        return list(core)[-1]
    return {str: "text", int: 7, bool: True}[core]


each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)


@each_kind
def test_a_fact_is_read_as_it_was_written(kind: type[Fact]) -> None:
    fact = example(kind)
    left_to_its_row = {
        one.name: one.default
        for one in dataclasses.fields(kind)
        if not one.metadata.get("kept", True)
    }

    assert read(written(fact)) == dataclasses.replace(fact, **left_to_its_row)


@each_kind
def test_no_member_is_called_like_what_an_event_rests_on(kind: type[Fact]) -> None:
    members = {one.name for one in dataclasses.fields(kind)}

    assert not members & {*PROVENANCE, "kind", "v"}


@each_kind
def test_every_kind_has_words(kind: type[Fact]) -> None:
    assert narration.words(example(kind))


def test_kinds_are_named_once() -> None:
    assert len({kind.kind for kind in KINDS}) == len(KINDS) > 30
    assert {cls.kind for _, cls in inspect.getmembers(facts, is_fact)} == {k.kind for k in KINDS}


def is_fact(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, Fact) and found is not Fact


@each_kind
def test_any_fact_may_come_upon_any_state(kind: type[Fact]) -> None:
    """A history is told again whatever stands in it."""
    event = an_event(example(kind), PaymentStatus.CREATED)

    after = evolve(nothing_yet(), event)

    assert (after.payment.version, after.payment.status) == (2, event.to_status)


MOVE_NO_MONEY = {
    "payment_created",
    "attempt_started",
    "attempt_rerouted",
    "action_required",
    "payment_canceled",
    "payment_expired",
}
"""Kinds that change a payment's status and book nothing."""


@each_kind
def test_a_fact_that_changes_the_status_says_what_follows(kind: type[Fact]) -> None:
    """What no function is registered for changes nothing: a status without its money."""
    if kind.transition is PaymentEvent.NOTE or kind is facts.PaymentCreated:
        return

    assert after.dispatch(kind) is not after.dispatch(Fact), "say it in evolution_of_…"
    books = booked.dispatch(kind) is not booked.dispatch(Fact)
    assert books is (kind.kind not in MOVE_NO_MONEY), "say it in movements, or list it here"


def nothing_yet() -> PaymentState:
    return PaymentState(payment=a_payment(), attempts={}, modifications={}, disputes={})


def an_event(fact: Fact, status: PaymentStatus) -> TimelineEvent:
    return TimelineEvent(
        company_id="c1",
        payment_id="py1",
        seq=2,
        from_status=status,
        to_status=status,
        actor="x",
        at=NOW,
        fact=fact,
    )


def test_what_the_tables_do_not_have_changes_nothing() -> None:
    attempt = an_attempt(AttemptStatus.SUCCEEDED)
    case = a_case(PaymentStatus.PROCESSING, attempt)
    before = case.state
    declined = facts.AttemptDeclined(attempt=attempt.id, code="no", decisive=True)

    with pytest.raises(IllegalTransition, match="an attempt that is succeeded"):
        case.record(declined, actor="x")

    assert case.state == before
    assert not case.events
    assert not case.postings
    assert not case.touched


def a_story() -> PaymentAggregate:
    case = a_case()
    attempt = case.start_attempt(Method.CREDIT_CARD, "sandbox", actor="payer")
    case.capture(attempt, reference="r", fee=Money(30, "CNY"), actor="x", by="charge")
    return case


def test_what_is_kept_makes_the_same_state_and_the_same_money_again() -> None:
    case = a_story()
    state, booked = (
        PaymentState(payment=a_payment(), attempts={}, modifications={}, disputes={}),
        [],
    )

    for event in case.events:
        fact = read(event.evidence)
        assert fact is not None
        again = dataclasses.replace(event, fact=fact)
        booked += postings(state, again)
        state = evolve(state, again)

    assert state.payment == case.payment
    assert state.attempts == case.attempts
    assert [(one.kind, one.entries, one.cause) for one in booked] == [
        (one.kind, one.entries, one.cause) for one in case.postings
    ]


def test_other_words_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [narration.words(event.fact) for event in a_story().events]
    monkeypatch.setattr(narration, "_WORDS", dict.fromkeys(KINDS, "said otherwise"))

    again = a_story()

    assert [narration.words(event.fact) for event in again.events] != told
    assert [event.evidence["kind"] for event in again.events] == [
        "attempt_started",
        "payment_captured",
    ]


def an_old_event(event: PaymentEvent = PaymentEvent.NOTE, **evidence: Any) -> StoredEvent:
    return StoredEvent(
        company_id="c1",
        payment_id="py1",
        seq=2,
        event=event,
        from_status=PaymentStatus.PROCESSING,
        to_status=PaymentStatus.PROCESSING,
        actor="provider:sandbox",
        evidence=evidence,
        at=NOW,
    )


def read_one(stored: StoredEvent) -> Fact:
    attempt = an_attempt()
    rows = OlderRows(
        payment=a_payment(),
        attempts={attempt.id: attempt},
        modifications={},
        disputes={},
        postings=(),
    )
    [event] = read_events([stored], rows)
    return event.fact


def test_what_an_older_release_wrote_in_words_is_read_as_a_fact() -> None:
    about = {"attempt": "at7_1", "by": "charge"}

    assert read_one(an_old_event(note="in doubt", reason="cut off", **about)) == (
        facts.AttemptDoubted(attempt="at7_1", reason="cut off")
    )
    assert read_one(an_old_event(PaymentEvent.SUBMIT, method="credit_card", **about)) == (
        facts.AttemptStarted(
            attempt="at7_1",
            number=1,
            method=Method.CREDIT_CARD,
            account="sandbox",
            amount=HUNDRED,
            instrument="•••• 4242",
        )
    )


@pytest.mark.parametrize(
    "spoiled",
    [
        {"note": "nobody ever wrote this"},
        {"note": "refunded", "modification": "re_gone"},
        {"kind": "payment_captured", "v": 1},
        {"kind": "payment_captured", "v": 1, "attempt": "at7_1", "amount": "much"},
        {"kind": "payment_captured", "v": 99, "attempt": "at7_1"},
        {"kind": ["odd"], "v": 1},
        {"released": 5},
    ],
    ids=str,
)
def test_what_nobody_can_read_is_a_remark_and_stands_in_nobodys_way(
    spoiled: dict[str, Any],
) -> None:
    assert isinstance(read_one(an_old_event(**spoiled)), Remark)


def test_the_notes_that_checks_look_for_are_of_kinds_that_there_are() -> None:
    assert set(NOTES.values()) <= {kind.kind for kind in KINDS}
