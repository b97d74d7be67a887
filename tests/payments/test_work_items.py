"""What is marked for people is work of theirs: no kind of fact was forgotten."""

from tests.payments.cases import a_case, an_attempt

from kassa.base.domain.lifecycle import AttemptStatus, BreakClass, PaymentStatus
from kassa.payments.domain import facts
from kassa.payments.domain.facts import KINDS
from kassa.payments.domain.work_items import WORK


def test_every_kind_of_fact_is_somebodys_work_or_follows_its_course() -> None:
    assert set(WORK) == set(KINDS)


def test_a_doubt_is_work_only_where_the_provider_says_what_nobody_expected() -> None:
    case = a_case(PaymentStatus.PROCESSING, an_attempt(AttemptStatus.DISPATCHED))
    case.record(facts.AttemptDoubted(attempt="at7_1", reason="no answer"), actor="test")
    assert case.work == []

    case = a_case(PaymentStatus.PROCESSING, an_attempt(AttemptStatus.DISPATCHED))
    doubted = facts.AttemptDoubted(attempt="at7_1", reason="amount mismatch", provider_says="1 CNY")
    case.record(doubted, actor="test")

    [item] = case.work
    assert (item.problem, item.cause) == (BreakClass.AMOUNT, "at7_1")
    assert "1 CNY" in item.words
