"""Lines laid beside movements: exact, in every way they may be split, and never nearly."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.base.domain.lifecycle import BreakClass
from kassa.base.domain.money import Money
from kassa.reconciliation.domain.matching import LineState, Matcher, ReportableMovement
from kassa.reconciliation.domain.references import KnownReference, ReferenceIndex
from kassa.reconciliation.domain.reports import LineKind, ReportLine

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def desk(*minors: int, kind: LineKind = LineKind.PAYMENT, **said: Any) -> Matcher:
    """One attempt with these movements; more than one are its captures or refunds."""
    directory = ReferenceIndex()
    directory.add(KnownReference("at", "attempt", "at", "py", "shop", "ref", "succeeded", False))
    booked: dict[str, list[ReportableMovement]] = {}
    word = "capture" if kind is LineKind.PAYMENT else "refund"
    word = "dispute" if kind in (LineKind.DISPUTE, LineKind.DISPUTE_REVERSAL) else word
    for number, minor in enumerate(minors):
        cause = "at"
        if len(minors) > 1 or kind is not LineKind.PAYMENT:
            cause = f"mo{number}"
            directory.add(
                KnownReference(cause, word, "at", "py", "shop", f"m{number}", "succeeded", False)
            )
        booked[cause] = [ReportableMovement(f"po{number}", cause, "py", kind, minor, "CNY", AT)]
    return Matcher(said.get("account", "shop"), said.get("live", False), directory, booked)


def line(minor: int, kind: LineKind = LineKind.PAYMENT, **said: Any) -> ReportLine:
    currency = said.pop("currency", "CNY")
    members = {"our_reference": "at", **said}
    return ReportLine(
        number=1, kind=kind, amount=Money(minor, currency), fee=Money(0, currency), **members
    )


@given(st.integers(1, 10**12), st.integers(-3, 3).filter(bool))
def test_only_the_exact_amount_matches(minor: int, off: int) -> None:
    assert desk(minor).judge(line(minor), 1).state is LineState.MATCHED
    assert desk(minor).judge(line(minor + off), 1).state is LineState.WAITING


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=8))
def test_one_line_takes_all_that_add_up_to_it(parts: list[int]) -> None:
    verdict = desk(*parts).judge(line(sum(parts)), 1)

    assert verdict.state is LineState.MATCHED
    assert sum(movement.minor for movement in verdict.movements) == sum(parts)


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=8))
def test_several_lines_complete_one_movement(parts: list[int]) -> None:
    table = desk(sum(parts))

    verdicts = [table.judge(line(part), place) for place, part in enumerate(parts, 1)]

    states = [verdict.state for verdict in verdicts]
    assert states == [LineState.WAITING] * (len(parts) - 1) + [LineState.MATCHED]
    assert [part.place for part in verdicts[-1].parts] == list(range(1, len(parts)))
    assert table.waiting == {}


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.randoms())
def test_each_movement_is_reported_once_in_any_order(parts: list[int], random: Any) -> None:
    table, order = desk(*parts), list(parts)
    random.shuffle(order)

    verdicts = [table.judge(line(part), place) for place, part in enumerate(order, 1)]
    more = table.judge(line(parts[0]), 9)

    taken = [movement.posting_id for one in verdicts for movement in one.movements]
    assert sorted(taken) == sorted(set(taken))
    assert more.problem is BreakClass.DUPLICATE


def test_a_capture_named_itself_does_not_take_its_sister_s_amount() -> None:
    verdict = desk(30, 40).judge(line(40, our_reference="mo0"), 1)

    assert verdict.state is LineState.WAITING


@pytest.mark.parametrize(("hours", "is_late"), [(-48, False), (0, False), (24, False), (25, True)])
def test_late_is_more_than_a_day_after_ours(hours: int, is_late: bool) -> None:
    at = AT + timedelta(hours=hours)

    assert bool(desk(5).judge(line(5, occurred_at=at), 1).late) is is_late


@pytest.mark.parametrize(
    ("problem", "table", "said"),
    [
        (BreakClass.MISSING_OURS, desk(5), line(5, our_reference="x")),
        (BreakClass.REFUND_MISSING, desk(5), line(-5, LineKind.REFUND, our_reference="x")),
        (BreakClass.REFUND_MISSING, desk(5), line(-5, LineKind.REFUND)),
        (BreakClass.MISSING_OURS, desk(5), line(-5, LineKind.DISPUTE)),
        (BreakClass.CURRENCY, desk(5), line(5, currency="USD")),
        (BreakClass.STATUS, desk(), line(5)),
        (BreakClass.WRONG_ACCOUNT, desk(5, account="other"), line(5)),
        (BreakClass.TEST_IN_LIVE, desk(5, account="sandbox"), line(5)),
        (BreakClass.TEST_IN_LIVE, desk(5, account="sandbox", live=True), line(5)),
    ],
)
def test_what_does_not_match_says_why(
    problem: BreakClass, table: Matcher, said: ReportLine
) -> None:
    verdict = table.judge(said, 1)

    assert (verdict.state, verdict.problem) == (LineState.BREAK, problem)
    assert verdict.words


def test_another_refund_is_told_from_the_same_refund_again() -> None:
    table = desk(-5, kind=LineKind.REFUND)
    refund = line(-5, LineKind.REFUND, provider_reference="m0")
    assert table.judge(refund, 1).state is LineState.MATCHED

    again = table.judge(refund, 2)
    another = table.judge(line(-5, LineKind.REFUND, provider_reference="m9"), 3)

    assert again.problem is BreakClass.DUPLICATE
    assert another.problem is BreakClass.REFUND_MISSING


_AFTERWARDS = [
    (LineKind.REFUND, BreakClass.REFUND_MISSING),
    (LineKind.REFUND_REVERSAL, BreakClass.MISSING_OURS),
    (LineKind.DISPUTE, BreakClass.MISSING_OURS),
    (LineKind.DISPUTE_REVERSAL, BreakClass.MISSING_OURS),
]


@pytest.mark.parametrize(("kind", "problem"), _AFTERWARDS)
@pytest.mark.parametrize("is_told", [True, False], ids=["ours was told of", "ours was not"])
def test_one_under_another_name_is_no_repeat_of_ours_and_does_not_take_it(
    kind: LineKind, problem: BreakClass, is_told: bool
) -> None:
    table = desk(5, kind=kind)
    ours, other = (line(5, kind, provider_reference=name) for name in ("m0", "m9"))
    if is_told:
        assert table.judge(ours, 1).state is LineState.MATCHED

    another = table.judge(other, 2)

    assert (another.problem, another.cause) == (problem, "at")
    assert "another" in another.words
    if not is_told:
        assert table.judge(ours, 3).state is LineState.MATCHED


def test_a_name_of_another_form_is_no_proof_of_another_refund() -> None:
    """A file's own numbers are not those that the provider's answers have."""
    table = desk(-5, kind=LineKind.REFUND)

    verdict = table.judge(line(-5, LineKind.REFUND, provider_reference="20261130000001"), 1)

    assert verdict.state is LineState.MATCHED


def test_two_names_that_are_not_ours_are_of_another_refund_whatever_their_form() -> None:
    table = desk(-5, kind=LineKind.REFUND)
    there = {"our_reference": "by hand", "provider_reference": "20261130000001", "texts": ("at",)}

    verdict = table.judge(line(-5, LineKind.REFUND, **there), 1)

    assert verdict.problem is BreakClass.REFUND_MISSING


def test_a_line_of_nothing_but_a_fee_adds_to_what_the_lines_before_have_told() -> None:
    table = desk(-5, kind=LineKind.REFUND)
    booked = table.movements["mo0"][0]
    booked.fee_minor = 7
    alone = replace(line(0, LineKind.REFUND, our_reference="mo0"), fee=Money(-3, "CNY"))

    verdict = table.judge(alone, 1)

    assert (verdict.state, verdict.only_fee, verdict.fee_minor) == (LineState.MATCHED, True, 4)
    assert not booked.reported


def test_what_is_taken_back_of_a_reported_payment_is_no_second_payment() -> None:
    table = desk(5)
    table.judge(line(5), 1)

    assert table.judge(line(-5), 2).problem is BreakClass.AMOUNT
